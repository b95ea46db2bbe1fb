"""Compares the profiles of two tables, column by column, and says what each comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from heavylift.evidence.monitor_records import ColumnDrift, ColumnVerdict
from heavylift.monitor.effects import (
    difference_bounds,
    effect_of,
    ordered_cells,
    share_bounds,
    unordered_cells,
    wasserstein,
)
from heavylift.monitor.profiles import ColumnSketch, Kind, TableProfile
from heavylift.monitor.requests import DriftLimits
from heavylift.monitor.sketches import Keys, middles, together

_ALARMS = frozenset[ColumnVerdict]({"drift", "missing", "type"})


def compare_columns(
    reference: TableProfile, current: TableProfile, limits: DriftLimits | None = None
) -> tuple[ColumnDrift, ...]:
    """Return the verdict on every column that one of two tables has, by name in the reference's order.

    Nothing is read or written. A column is an alarm (:func:`is_alarm`) only where the lower bound of a
    difference is above its limit, and ``unsure`` where its upper bound is and the lower one is not.
    """
    limits = limits or DriftLimits()
    names = [*reference.columns, *(name for name in current.columns if name not in reference.columns)]
    # Three differences of each column may be an alarm; each gets its part of the chance of a false one.
    alpha = (1 - limits.confidence) / max(1, 3 * len(names))
    return tuple(_column(name, reference.columns, current.columns, limits, alpha) for name in names)


def is_alarm(column: ColumnDrift) -> bool:
    """Tell whether a column is an alarm. A column that is new is told and is none."""
    return column.verdict in _ALARMS


def _column(
    name: str,
    before: Mapping[str, ColumnSketch],
    now: Mapping[str, ColumnSketch],
    limits: DriftLimits,
    alpha: float,
) -> ColumnDrift:
    first, second = before.get(name), now.get(name)
    if first is None or second is None:
        there = first or second
        kind, types = (there.kind.value, _types(there)) if there else ("", "")
        if first is None:
            return ColumnDrift(
                column=name,
                verdict="new",
                kind=kind,
                types=("", types),
                reason="the reference has none",
            )
        return ColumnDrift(
            column=name, verdict="missing", kind=kind, types=(types, ""), reason="the column is gone"
        )
    return _Pair(first, second, limits, alpha).judged()


def _types(column: ColumnSketch) -> str:
    return " | ".join(sorted(column.types))


class _Pair:
    """One column that both sides have."""

    def __init__(self, first: ColumnSketch, second: ColumnSketch, limits: DriftLimits, alpha: float) -> None:
        self._first, self._second = first, second
        self._limits, self._alpha = limits, alpha
        self._limit = limits.by_column.get(first.name, limits.effect)
        self._reasons: list[str] = []
        self._unsure: list[str] = []

    def judged(self) -> ColumnDrift:
        """Return the column's verdict and figures."""
        kinds = {self._first.kind, self._second.kind} - {Kind.NOTHING}
        kind = kinds.pop() if len(kinds) == 1 else Kind.MIXED if kinds else Kind.NOTHING
        made = ColumnDrift(
            column=self._first.name,
            verdict="same",
            kind=kind.value,
            types=(_types(self._first), _types(self._second)),
            infinite=(_infinite(self._first), _infinite(self._second)),
        )
        missing = self._missing()
        if kind is Kind.MIXED:
            said = f"its values are of kind {self._first.kind} in the reference and {self._second.kind} now"
            return made.model_copy(update={**missing, "verdict": "type", "reason": said})
        figures: dict[str, object] = {}
        if kind in {Kind.NUMBER, Kind.TIME}:
            figures = self._numbers(judge=kind is Kind.NUMBER or self._limits.judge_times)
        elif kind is Kind.CATEGORY:
            figures = self._categories()
        return made.model_copy(update={**missing, **figures, **self._verdict(kind)})

    def _verdict(self, kind: Kind) -> dict[str, object]:
        if self._reasons:
            return {"verdict": "drift", "reason": "; ".join(self._reasons)}
        if kind in {Kind.OTHER, Kind.NOTHING} or (kind is Kind.TIME and not self._limits.judge_times):
            why = {
                Kind.TIME: "times move by themselves; only missing values are judged",
                Kind.NOTHING: "no side has a value",
            }.get(kind, "values of this type are not compared; only missing ones are judged")
            return {"verdict": "not compared", "reason": why}
        if self._unsure:
            return {"verdict": "unsure", "reason": "; ".join(self._unsure)}
        return {}

    def _missing(self) -> dict[str, object]:
        shares = []
        for each in (self._first, self._second):
            low, high = share_bounds(each.missing, each.rows, self._alpha)
            shares.append((each.missing / each.rows if each.rows else 0.0, low, high))
        low, high = difference_bounds(shares[0], shares[1])
        before, now = shares[0][0], shares[1][0]
        if low > self._limits.missing or high < -self._limits.missing:
            self._reasons.append(f"rows without a value: {before:.2%} before, {now:.2%} now")
        elif max(high, -low) > self._limits.missing:
            self._unsure.append(f"too few rows to tell of missing values ({before:.2%}, {now:.2%})")
        return {"missing": (before, now), "missing_low": low, "missing_high": high}

    def _numbers(self, *, judge: bool) -> dict[str, object]:
        buckets, before, now, level = together(self._first.numbers, self._second.numbers)
        figures = self._effect(
            *ordered_cells(_with_ends(self._first, before), _with_ends(self._second, now)), judge=judge
        )
        distance = wasserstein(middles(buckets, level), before, now)
        return {**figures, "wasserstein": distance}

    def _categories(self) -> dict[str, object]:
        _, before, now, level = together(self._first.texts, self._second.texts)
        figures = self._effect(*unordered_cells(before, now), judge=True)
        if level or not before.sum() or not now.sum():
            # Of digests cut short nobody knows which category they stand for.
            return figures
        return {**figures, **self._unseen(before, now)}

    def _unseen(self, before: Keys, now: Keys) -> dict[str, object]:
        hits, total = int(now[before == 0].sum()), int(now.sum())
        low, high = share_bounds(hits, total, self._alpha)
        # Good and Turing: what is seen once tells how much is not seen at all.
        once, rows = int(np.count_nonzero(before == 1)), int(before.sum())
        _, missed = share_bounds(once, rows, self._alpha)
        above = low - missed
        if above > self._limits.unseen:
            self._reasons.append(f"{hits / total:.2%} of the rows have categories that the reference has not")
        elif high - once / rows > self._limits.unseen and hits:
            self._unsure.append(f"{hits / total:.2%} of the rows have categories that the reference has not")
        gone = int(before[now == 0].sum()) / rows
        return {"unseen": hits / total, "unseen_low": above, "gone": gone}

    def _effect(self, before: Keys, now: Keys, *, judge: bool) -> dict[str, object]:
        found = effect_of(before, now, self._alpha, (1 - self._limits.confidence) / 2)
        if found is None:
            if judge:
                self._unsure.append("one side has no value to compare")
            return {}
        if judge and found.low > self._limit:
            self._reasons.append(
                f"the distribution moved by {found.value:.3f} [{found.low:.3f}, {found.high:.3f}],"
                f" above {self._limit:g}"
            )
        elif judge and found.high > self._limit:
            self._unsure.append(
                f"it may have moved by up to {found.high:.3f}, and surely by {found.low:.3f};"
                f" the limit is {self._limit:g}"
            )
        return {
            "effect": found.value,
            "effect_low": found.low,
            "effect_high": found.high,
            "psi": found.psi,
            "jensen_shannon": found.js,
            "cells": found.cells,
        }


def _with_ends(column: ColumnSketch, counts: Keys) -> Keys:
    """Put the infinite values at both ends of the finite ones."""
    return np.concatenate(([column.below], counts, [column.above])).astype(np.int64)


def _infinite(column: ColumnSketch) -> float:
    return (column.above + column.below) / column.rows if column.rows else 0.0


def counts_by_verdict(columns: Iterable[ColumnDrift]) -> dict[str, int]:
    """Return how many columns have each verdict."""
    found: dict[str, int] = {}
    for column in columns:
        found[column.verdict] = found.get(column.verdict, 0) + 1
    return found
