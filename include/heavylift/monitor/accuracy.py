"""Accuracy with delayed labels: predictions joined with the labels that have come, by slice."""

# SQL is built of our own column names and of expressions of this module; no data enters it.
# ruff: noqa: S608
from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import NormalDist
from typing import Any

from heavylift.errors import SpecError
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.baseline_records import EndpointBaseline, is_baseline_path
from heavylift.evidence.monitor_evidence import write_watch
from heavylift.evidence.monitor_records import (
    AccuracyRecord,
    LabelCoverage,
    SliceFigure,
    Verdict,
)
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.monitor.effects import difference_bounds, share_bounds
from heavylift.monitor.joining import LONGEST_TEXT, Columns, load, open_database
from heavylift.monitor.requests import Kept
from heavylift.monitor.tables_read import MIB
from heavylift.platforms.places import Place

MOST_SLICES = 100
LEAST_ROWS = 30
METRICS = ("accuracy", "precision", "recall", "f1", "mae", "rmse", "log_loss")
_LOWER_IS_BETTER = frozenset({"mae", "rmse", "log_loss"})
_SHARES = frozenset({"accuracy", "precision", "recall", "f1"})
_SAME = "coalesce(TRY_CAST(v AS DOUBLE) = TRY_CAST(l AS DOUBLE), lower(v) = lower(l))"
_P, _L = "TRY_CAST(v AS DOUBLE)", "TRY_CAST(l AS DOUBLE)"
_MOMENT = "coalesce(TRY_CAST({0} AS DOUBLE), epoch(TRY_CAST({0} AS TIMESTAMP)))"


@dataclass(frozen=True)
class AccuracyRequest:
    """Predictions, their labels, and what the metric must not fall below.

    :param metric: one of :data:`METRICS`.
    :param positive: the label that precision, recall, f1 and log_loss are about.
    :param baseline: a number, or the path of an earlier record in the evidence store; None judges nothing.
    :param max_drop: how much worse it may be, in the metric's own unit.
    :param mature_seconds: a younger prediction is not expected to have a label.
    :param min_coverage: of mature predictions; below it nothing is told.
    """

    kept: Kept
    predictions: Place
    labels: Place
    predicted: Columns
    labelled: Columns
    metric: str = "accuracy"
    positive: str = "1"
    baseline: float | str | None = None
    max_drop: float = 0.02
    mature_seconds: float = 0.0
    min_coverage: float = 0.5
    confidence: float = 0.95
    memory_bytes: int = 512 * MIB
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class _Figure:
    rows: int
    value: float | None
    low: float | None
    high: float | None


async def measure_accuracy(request: AccuracyRequest) -> tuple[AccuracyRecord, EvidenceRef]:
    """Join, compute the metric over all and by slice, judge the drop, and write the next record.

    Both tables are only read. A second run joins again, with the labels that have come meanwhile.

    :raises NotFoundError: a table or the baseline is not there.
    :raises SpecError: a column is not there, or the baseline is of another metric.
    """
    began = time.monotonic()
    kept = request.kept
    _check(request)
    async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
        before = await _baseline(store, request)
        with open_database(request.memory_bytes) as database:
            memory = request.memory_bytes // 4
            await load(database, "p", request.predictions, request.predicted, memory)
            await load(database, "l", request.labels, request.labelled, memory)
            coverage = _joined(database, request)
            slices = _judged(_figures(database, request), before, request)
        record = _record(request, coverage, slices, time.monotonic() - began)
        _, ref = await write_watch(store, record)
    return record, ref


def _check(request: AccuracyRequest) -> None:
    if request.metric not in METRICS or len(request.predicted.key) != len(request.labelled.key):
        raise SpecError(
            "reading the request for accuracy",
            got=f"metric {request.metric!r}, keys of {len(request.predicted.key)} and"
            f" {len(request.labelled.key)} columns",
            expected=f"one of {', '.join(METRICS)}, and keys of as many columns on both sides",
            state="nothing was touched",
            remedy="correct the metric or the keys",
            code="8912",
        )


async def _baseline(store: EvidenceStore, request: AccuracyRequest) -> Mapping[str, _Figure]:
    if request.baseline is None:
        return {}
    if not isinstance(request.baseline, str):
        value = float(request.baseline)
        return {"": _Figure(0, value, value, value)}
    if is_baseline_path(request.baseline):
        return await _of_endpoint(store, request, request.baseline)
    record = await store.read_record(request.baseline, AccuracyRecord)
    if record.metric != request.metric or record.positive != request.positive:
        raise SpecError(
            f"comparing with the baseline {request.baseline}",
            got=f"{request.metric} of {request.positive!r}",
            expected=f"{record.metric} of {record.positive!r}, as it has",
            state="nothing was judged",
            remedy="measure the same metric, or name another baseline",
            code="8913",
        )
    return {each.name: _Figure(each.rows, each.value, each.low, each.high) for each in record.slices}


async def _of_endpoint(store: EvidenceStore, request: AccuracyRequest, path: str) -> Mapping[str, _Figure]:
    """Return what the source's endpoint did on golden rows before the move, as the phase assess kept it."""
    quality = (await store.read_record(path, EndpointBaseline)).quality
    found = [each for each in quality.figures if each.metric == request.metric] if quality else []
    if not found:
        raise SpecError(
            f"comparing with the baseline {path}",
            got=f"no {request.metric} of golden rows in it",
            expected="an endpoint's baseline with golden rows and that metric",
            state="nothing was judged",
            remedy="measure the baseline with golden rows and that metric, or name another one",
            code="9122",
        )
    return {each.part: _Figure(each.rows, each.value, each.low, each.high) for each in found}


def _joined(database: Any, request: AccuracyRequest) -> LabelCoverage:
    """Make the table ``j`` of predictions, each with its label or none, and count what was left out."""
    keys = [f"k{index}" for index in range(len(request.predicted.key))]
    listed = ", ".join(keys)
    known = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    at = _MOMENT.format("t") if request.predicted.at else "NULL::DOUBLE"
    slices = "".join(f", any_value(s{index}) AS s{index}" for index in range(len(request.predicted.slices)))
    database.execute(
        f"CREATE TABLE one AS SELECT {listed}, any_value(v) AS v, any_value({at}) AS made, count(*) AS times"
        f"{slices} FROM p GROUP BY {listed}"
    )
    labelled_at = _MOMENT.format("t") if request.labelled.at else "NULL::DOUBLE"
    last = "arg_max(v, made)" if request.labelled.at else "any_value(v)"
    # Of labels that differ the latest counts; where no moment tells, or both are of the same one, none does.
    database.execute(
        f"CREATE TABLE truth AS WITH m AS (SELECT {listed}, v, {labelled_at} AS made FROM l"
        " WHERE v IS NOT NULL),"
        f" n AS (SELECT *, max(made) OVER (PARTITION BY {listed}) AS newest FROM m)"
        f" SELECT {listed}, {last} AS l, max(made) AS labelled_at,"
        f" count(DISTINCT v) FILTER (made IS NOT DISTINCT FROM newest OR newest IS NULL) > 1 AS conflicting"
        f" FROM n GROUP BY {listed}"
    )
    using = " AND ".join(f"one.{key} = truth.{key}" for key in keys)
    chosen = "".join(f", one.s{index} AS s{index}" for index in range(len(request.predicted.slices)))
    database.execute(
        f"CREATE TABLE j AS SELECT one.v AS v, one.made AS made, truth.l AS l, labelled_at{chosen} FROM one"
        f" LEFT JOIN truth ON {using} AND NOT conflicting"
        f" WHERE times = 1 AND {known.replace('k', 'one.k')}"
    )
    database.execute(
        f"ALTER TABLE j ADD COLUMN usable BOOLEAN; UPDATE j SET usable = {_usable(request.metric)}"
    )
    return _coverage(database, request, using, known)


def _coverage(database: Any, request: AccuracyRequest, using: str, known: str) -> LabelCoverage:
    young = request.now.timestamp() - request.mature_seconds
    mature = f"(made IS NULL OR made <= {young!r})"
    counts = database.execute(
        f"SELECT count(*), count(*) FILTER ({mature}), count(l), count(l) FILTER ({mature}),"
        " count(*) FILTER (l IS NOT NULL AND NOT usable) FROM j"
    ).fetchone()
    left = database.execute(
        f"SELECT (SELECT count(*) FROM p) - (SELECT count(*) FROM one WHERE times = 1 AND {known}),"
        " (SELECT count(*) FROM truth WHERE conflicting),"
        f" (SELECT count(*) FROM truth WHERE NOT EXISTS (SELECT 1 FROM one WHERE {using}))"
    ).fetchone()
    delays = database.execute(
        "SELECT quantile_disc(labelled_at - made, [0.5, 0.9, 0.99]) FROM j"
        " WHERE labelled_at - made IS NOT NULL"
    ).fetchone()[0]
    days = database.execute(
        "SELECT strftime(make_timestamp((made * 1000000)::BIGINT), '%Y-%m-%d') AS day, count(*), count(l)"
        " FROM j WHERE made BETWEEN -62135596800 AND 253402300799 GROUP BY day ORDER BY day DESC LIMIT 31"
    ).fetchall()
    return LabelCoverage(
        predictions=counts[0], mature=counts[1], labelled=counts[2], mature_labelled=counts[3],
        unusable=counts[4], repeated=left[0], conflicting=left[1], orphans=left[2],
        delays=dict(zip(("0.5", "0.9", "0.99"), delays, strict=True)) if delays else {},
        by_day={day: (total, labelled) for day, total, labelled in days},
    )  # fmt: skip


def _usable(metric: str) -> str:
    if metric in {"mae", "rmse"}:
        return f"coalesce(isfinite({_P}) AND isfinite({_L}), false)"
    if metric == "log_loss":
        return f"coalesce({_P} BETWEEN 0 AND 1 AND l IS NOT NULL, false)"
    return "v IS NOT NULL AND l IS NOT NULL"


def _figures(database: Any, request: AccuracyRequest) -> dict[str, _Figure]:
    """Return the metric over all (empty name) and of each slice, the largest first."""
    found: dict[str, Any] = {}
    sums = _sums(request.metric)
    parameters = [request.positive] * sums.count("?")
    whole = database.execute(f"SELECT {sums} FROM j WHERE usable", parameters).fetchone()
    found[""] = whole
    for index, name in enumerate(request.predicted.slices):
        rows = database.execute(
            f"SELECT s{index}, {sums} FROM j WHERE usable GROUP BY s{index}"
            f" ORDER BY 2 DESC, 1 LIMIT {MOST_SLICES}",
            parameters,
        ).fetchall()
        for value, *row in rows:
            shown = "(none)" if value is None else str(value)[:LONGEST_TEXT]
            found[f"{name}={shown}"] = row
    # The intervals hold together: of many slices some would seem to have dropped.
    alpha = (1 - request.confidence) / 2 / len(found)
    return {name: _figure(request.metric, row, alpha) for name, row in found.items()}


def _sums(metric: str) -> str:
    """Return what a metric is made of: rows, then two sums of its own; ``?`` is the positive label."""
    said, true = "lower(v) = lower(?)", "lower(l) = lower(?)"
    if metric == "accuracy":
        return f"count(*), count(*) FILTER ({_SAME}), count(*)"
    if metric == "precision":
        return f"count(*), count(*) FILTER ({said} AND {true}), count(*) FILTER ({said})"
    if metric == "recall":
        return f"count(*), count(*) FILTER ({said} AND {true}), count(*) FILTER ({true})"
    if metric == "f1":
        return f"count(*), count(*) FILTER ({said} AND {true}), count(*) FILTER ({said} OR {true})"
    row = f"abs({_P} - {_L})" if metric == "mae" else f"pow({_P} - {_L}, 2)"
    if metric == "log_loss":
        kept = f"greatest(least({_P}, 1 - 1e-15), 1e-15)"
        row = f"CASE WHEN {true} THEN -ln({kept}) ELSE -ln(1 - {kept}) END"
    return f"count(*), avg({row}), stddev_samp({row})"


def _figure(metric: str, sums: Any, alpha: float) -> _Figure:
    rows, first, second = sums
    if metric in _SHARES:
        if not second:
            return _Figure(rows, None, None, None)
        low, high = share_bounds(first, second, alpha)
        if metric != "f1":
            return _Figure(rows, first / second, low, high)
        # F1 is 2 J / (1 + J) of the share J of true positives among all that are said or true.
        value, low, high = (2 * share / (1 + share) for share in (first / second, low, high))
        return _Figure(rows, value, low, high)
    if not rows or first is None or second is None or not math.isfinite(first):
        return _Figure(rows, None if not rows else first, None, None)
    half = NormalDist().inv_cdf(1 - alpha) * second / math.sqrt(rows)
    low, high = max(0.0, first - half), first + half
    if metric == "rmse":
        return _Figure(rows, math.sqrt(first), math.sqrt(low), math.sqrt(high))
    return _Figure(rows, first, low, high)


def _judged(
    found: Mapping[str, _Figure], before: Mapping[str, _Figure], request: AccuracyRequest
) -> tuple[SliceFigure, ...]:
    return tuple(_slice(name, now, before.get(name), request) for name, now in found.items())


def _slice(name: str, now: _Figure, before: _Figure | None, request: AccuracyRequest) -> SliceFigure:
    made = SliceFigure(name=name, rows=now.rows, value=now.value, low=now.low, high=now.high)
    if before is None or before.value is None:
        return made
    if now.value is None or now.low is None or now.high is None or before.low is None or before.high is None:
        return made.model_copy(update={"before": before.value, "verdict": "unsure"})
    old, new = (before.value, before.low, before.high), (now.value, now.low, now.high)
    pair = (old, new) if request.metric in _LOWER_IS_BETTER else (new, old)
    low, high = difference_bounds(*pair)
    verdict: Verdict = "ok" if high <= request.max_drop else "unsure"
    if low > request.max_drop and now.rows >= LEAST_ROWS:
        verdict = "alarm"
    drop = pair[1][0] - pair[0][0]
    return made.model_copy(
        update={
            "before": before.value,
            "drop": drop,
            "drop_low": low,
            "drop_high": high,
            "verdict": verdict,
        }
    )


def _record(
    request: AccuracyRequest, coverage: LabelCoverage, slices: tuple[SliceFigure, ...], seconds: float
) -> AccuracyRecord:
    kept, whole = request.kept, slices[0]
    share = coverage.mature_labelled / coverage.mature if coverage.mature else 0.0
    verdict, reasons = _verdict(request, share, slices)
    figures = {"coverage": share, "labelled": coverage.labelled, "predictions": coverage.predictions}
    if whole.value is not None:
        figures[request.metric] = whole.value
    shown = "none" if whole.value is None else f"{whole.value:.4f}"
    if whole.low is not None:
        shown += f" [{whole.low:.4f}, {whole.high:.4f}]"
    return AccuracyRecord(
        migration=kept.migration, watch=kept.watch, kind="accuracy", side=kept.side, run=kept.run,
        verdict=verdict, figures=figures, reasons=reasons,
        statement=f"{request.metric} {shown} of {coverage.labelled:,} labelled among {coverage.predictions:,}"
        f" predictions; coverage {share:.1%} of those that are due",
        took_seconds=round(seconds, 3),
        predictions_url=str(request.predictions.location), labels_url=str(request.labels.location),
        metric=request.metric, positive=request.positive,
        baseline="" if request.baseline is None else str(request.baseline),
        max_drop=request.max_drop, min_coverage=request.min_coverage, confidence=request.confidence,
        coverage=coverage, slices=slices,
    )  # fmt: skip


def _verdict(
    request: AccuracyRequest, share: float, slices: tuple[SliceFigure, ...]
) -> tuple[Verdict, tuple[str, ...]]:
    alarms = tuple(
        f"{each.name or 'all rows'}: {request.metric} {each.value:.4f}, before {each.before:.4f}; worse by"
        f" {each.drop_low:.4f} at least"
        for each in slices
        if each.verdict == "alarm"
    )
    if alarms:
        return "alarm", alarms
    unsure = []
    if share < request.min_coverage:
        unsure.append(f"only {share:.1%} of the predictions that are due have labels")
    if slices[0].value is None:
        unsure.append("no labelled prediction that the metric can use")
    unsure += [
        f"{each.name or 'all rows'}: too few labels to tell" for each in slices if each.verdict == "unsure"
    ]
    return ("unsure" if unsure else "ok"), tuple(unsure)
