"""Whether a translated line draws what the source's does: both asked for every point of the same series."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from heavylift.alerts.adversary import Trial
from heavylift.alerts.boards import Line
from heavylift.alerts.formula import Several
from heavylift.alerts.model import Aggregation, Platform, Rule
from heavylift.alerts.problems import untranslatable
from heavylift.alerts.promql import parse
from heavylift.alerts.promql_eval import Moment, value
from heavylift.alerts.series import Sample, Series

Points = dict[float, float]
"""When a window ends → what is drawn there. Where nothing is drawn there is nothing."""
MOST_POINTS = 10_000
WINDOWS = 40
START = 86_400.0
_EDGE = 1e-6
_CLOSE = 1e-9
_LATE_EDGE = frozenset({Platform.GOOGLE})
"""Platforms whose windows have their end, and not their start."""


@dataclass(frozen=True)
class Drawn:
    """What both lines drew over all series.

    :param points: how many the source's has.
    :param why: where they differ first; empty where they don't.
    :param note: what was done for them to be equal.
    """

    series: int
    points: int
    why: str = ""
    note: str = ""


def points(line: Line, platform: Platform, series: Series) -> Points:
    """Return what a line draws over a series: a number for each of its windows.

    :raises UntranslatableError: what it asks has parts that cannot be evaluated here.
    """
    period, node = line.rule.period, parse(line.expression) if line.expression else None
    edge = _EDGE if platform in _LATE_EDGE else 0.0
    series = series.in_order() if node is not None else series
    found: Points = {}
    first = math.floor(series.first / period)
    for index in range(min(MOST_POINTS, int(series.last // period) - first + 2)):
        at = float((first + index) * period)
        if node is not None:
            drawn = value(node, Moment(at, series))
        else:
            drawn = line.rule.value(series.window(at - period + edge, at + edge, math.inf))
        if drawn is not None and math.isfinite(drawn):
            found[at] = drawn
    return found


def drawn(
    source: tuple[Platform, Line], target: tuple[Platform, Line], renamed: tuple[Rule, Mapping[str, float]],
    given: Sequence[Trial],
) -> Drawn:  # fmt: skip
    """Draw both lines over the same series, each in its own names and units, and compare every point.

    :param target: as it is read again from the document that was written.
    :param renamed: the rule that was written, and by what each term's values are multiplied; the empty name
        is that of a rule without a formula.
    :param given: series of the user's; none: series made to try the line.
    """
    count = total = 0
    note = ""
    for trial in given or trials(source[1].rule):
        before = points(source[1], source[0], trial.series)
        count, total = count + 1, total + len(before)
        why = _beside(source, target, renamed, trial.series)
        if why and not _beside(source, target, renamed, _late(trial.series)):
            why, note = "", "a sample on the very edge of a window belongs to the window beside it"
        if why:
            return Drawn(count, total, f"over {trial.name}: {why}")
    return Drawn(count, total, "" if total else "no points", note)


def _late(series: Series) -> Series:
    """Return the same samples half a second later: none that came in whole seconds is on an edge."""
    if isinstance(series, Several):
        return Several(series.formula, {name: _late(each) for name, each in series.parts.items()})
    return Series([Sample(each.at + 0.5, each.value, each.arrived + 0.5) for each in series.samples])


def _beside(
    source: tuple[Platform, Line], target: tuple[Platform, Line], renamed: tuple[Rule, Mapping[str, float]],
    series: Series,
) -> str:  # fmt: skip
    rule, scales = renamed
    before = points(source[1], source[0], series)
    scale = 1.0 if rule.formula is not None or rule.aggregation is Aggregation.COUNT else scales.get("", 1.0)
    after = points(target[1], target[0], _there(series, target[1].rule, rule, scales))
    for at in sorted(before.keys() | after.keys()):
        mine, theirs = before.get(at), after.get(at)
        if mine is None or theirs is None:
            whose = "the target's" if mine is None else "the source's"
            return f"at {at:.0f} only {whose} has a point"
        if not math.isclose(mine * scale, theirs, rel_tol=_CLOSE, abs_tol=_CLOSE):
            return f"at {at:.0f} it is {mine * scale:g} and {theirs:g}"
    return ""


def _there(series: Series, found: Rule, written: Rule, scales: Mapping[str, float]) -> Series:
    """Return a series in the target's units, by the names that the document reads."""
    if not isinstance(series, Several):
        return series.scaled(scales.get("", 1.0))
    if written.formula is None or found.formula is None:
        raise untranslatable(written.name, "a series of several metrics for a line of one")
    named = series.retold(written.formula, scales)
    parts = {name: named.of(term.metric.name, _plain(term.labels)) for name, term in found.formula.terms}
    return Several(found.formula, parts)


def _plain(labels: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name.rpartition(".")[2], value) for name, value in labels)


def trials(rule: Rule) -> Iterator[Trial]:
    """Return series that try a line: many values, gaps, zeros, and windows of one sample.

    Samples lie within windows; :func:`drawn` says what is with those on an edge.
    """
    for seed in range(2):
        chance = random.Random(seed)  # noqa: S311 - it makes series, no secrets.
        if rule.formula is None:
            yield Trial(f"random samples {seed + 1}", Series(_samples(rule.period, chance)), True)
            continue
        parts = {name: Series(_samples(rule.period, chance)) for name, _ in rule.formula.terms}
        yield Trial(f"random samples {seed + 1}", Several(rule.formula, parts), True)


def _samples(period: int, chance: random.Random) -> list[Sample]:
    found = []
    for index in range(WINDOWS):
        kind = chance.choice(("gap", "zero", "one", "many", "many", "many"))
        count = {"gap": 0, "zero": 2, "one": 1}.get(kind, 5)
        for part in range(count):
            at = START + period * (index + (part + 0.5) / count)
            found.append(Sample(at, 0.0 if kind == "zero" else float(chance.randrange(-50, 500)), at))
    return found


def given_for(rule: Rule, series: Sequence[tuple[str, Series]]) -> list[Trial]:
    """Return the user's series for a line; a formula's terms take them by turns."""
    if rule.formula is None:
        return [Trial(name, each, True) for name, each in series]
    if not series:
        return []
    turns = itertools.cycle(each for _, each in series)
    parts = {name: next(turns) for name, _ in rule.formula.terms}
    return [Trial("series of yours", Several(rule.formula, parts), True)]


def as_read(line: Line, source: Line, platform: Platform) -> Line:
    """Return the target's line with the source's period, where the target's document tells none."""
    if platform is not Platform.AZURE:
        return line
    return dataclasses.replace(line, rule=dataclasses.replace(line.rule, period=source.rule.period))
