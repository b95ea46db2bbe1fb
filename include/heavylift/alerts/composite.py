"""Alerts that are made of others: composite alarms, policies of several conditions, several criteria."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heavylift.alerts import adversary
from heavylift.alerts.adversary import BAD, GOOD, NONE, Trial
from heavylift.alerts.formula import Several
from heavylift.alerts.formula_trials import word_series
from heavylift.alerts.model import Loss, Metric, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, text, unreadable, untranslatable
from heavylift.alerts.queries.model import AllOf, AnyOf, Check, Node, Not, Op, checks
from heavylift.alerts.queries.tokens import Reader, condition
from heavylift.alerts.replay import HEALTHY, Change, State, changes
from heavylift.alerts.series import Series
from heavylift.errors import SpecError

MOST_PARTS = 10
_WORDS = re.compile(
    r"""(?P<space>\s+)|(?P<string>"[^"]*")|(?P<name>[A-Za-z0-9_:\-./]+)|(?P<sign>[()])""", re.VERBOSE
)
_ARN = re.compile(r"arn:[^:]*:cloudwatch:[^:]*:[^:]*:alarm:(.+)")


@dataclass(frozen=True)
class Composite:
    """An alert that is on while a condition of other alerts holds.

    :param node: its leaves are names of ``parts``.
    :param together: the parts are looked at as one, and one without data leaves the state as it is (Azure).
    """

    name: str
    platform: Platform
    node: Node
    parts: tuple[Rule, ...]
    severity: str = ""
    description: str = ""
    actions: tuple[str, ...] = ()
    together: bool = False

    @property
    def metric(self) -> Metric:
        """Return what it watches, in words."""
        return Metric(self.platform, "", told(self.node))

    @property
    def every(self) -> int:
        """Return the seconds between evaluations."""
        return min(each.every for each in self.parts)

    def part(self, name: str) -> Rule:
        """Return one of the alerts that it is made of."""
        return next(each for each in self.parts if each.name == name)

    @property
    def plain(self) -> str:
        """Return ``AND`` or ``OR`` where all parts are joined by one of them, each once; else nothing."""
        if isinstance(self.node, Not | Check) or not all(isinstance(each, Check) for each in self.node.parts):
            return ""
        return "AND" if isinstance(self.node, AllOf) else "OR"


def told(node: Node) -> str:
    """Return a condition as CloudWatch writes it."""
    if isinstance(node, Check):
        return f'ALARM("{node.field}")'
    if isinstance(node, Not):
        return f"NOT {told(node.inner)}"
    word = " AND " if isinstance(node, AllOf) else " OR "
    return "(" + word.join(told(each) for each in node.parts) + ")"


def joined(kind: type[AllOf] | type[AnyOf], parts: Sequence[Rule]) -> Node:
    """Return a condition of all alerts together, or of any."""
    return kind(tuple(Check(Op.PRESENT, each.name) for each in parts))


def of_cloudwatch(document: Any, rules: Sequence[Rule]) -> tuple[list[Composite], list[Loss]]:
    """Return the composite alarms of an answer of ``DescribeAlarms``, and those that have no counterpart.

    :param rules: its metric alarms.
    """
    found: list[Composite] = []
    losses: list[Loss] = []
    for each in document.get("CompositeAlarms") or () if isinstance(document, dict) else ():
        name = str(each.get("AlarmName")) if isinstance(each, dict) else "a composite alarm"
        try:
            found.append(_composite(name, each, {rule.name: rule for rule in rules}))
        except UntranslatableError as problem:
            losses.append(Loss(name, problem.got, problem.remedy))
    return found, losses


def _composite(name: str, alarm: Any, rules: Mapping[str, Rule]) -> Composite:
    what = f"the composite alarm {name}"
    if not isinstance(alarm, dict) or not isinstance(alarm.get("AlarmRule"), str):
        raise untranslatable(what, "a composite alarm without AlarmRule")
    if alarm.get("ActionsSuppressor"):
        raise untranslatable(what, "an ActionsSuppressor", "silence it where notifications are routed")
    node = _rule(what, alarm["AlarmRule"])
    names = list(dict.fromkeys(each.field for each in checks(node)))
    lacking = [each for each in names if each not in rules]
    if lacking or len(names) > MOST_PARTS:
        got = f"the alarm {lacking[0]}, which is not translated" if lacking else f"{len(names)} alarms"
        raise untranslatable(what, got, f"export its alarms with it, at most {MOST_PARTS}")
    kinds = ("AlarmActions", "OKActions", "InsufficientDataActions")
    return Composite(
        name, Platform.CLOUDWATCH, node, tuple(rules[each] for each in names),
        description=text(what, alarm.get("AlarmDescription") or ""),
        actions=tuple(f"{kind}: {action}" for kind in kinds for action in alarm.get(kind) or ()),
    )  # fmt: skip


def _rule(what: str, given: str) -> Node:
    try:
        reader = Reader(given, _WORDS)

        def single() -> Node:
            state = reader.take().upper()
            if state != "ALARM":
                raise untranslatable(what, f"the state {state}", "say it with ALARM and NOT")
            reader.take("(")
            name = reader.take().strip('"')
            reader.take(")")
            found = _ARN.fullmatch(name)
            return Check(Op.PRESENT, found[1] if found else name)

        node = condition(reader, single)
        reader.end()
    except UntranslatableError:
        raise
    except SpecError as problem:
        raise unreadable(what, problem.got, f"an AlarmRule: {problem.expected}") from None
    return node


def holds(node: Node, firing: Mapping[str, bool]) -> bool:
    """Tell whether a condition holds."""
    if isinstance(node, Check):
        return firing[node.field]
    if isinstance(node, Not):
        return not holds(node.inner, firing)
    results = [holds(each, firing) for each in node.parts]
    return all(results) if isinstance(node, AllOf) else any(results)


class Parts(Series):
    """The series of all parts, by their names."""

    def __init__(self, rules: Sequence[Rule], parts: Mapping[str, Series]) -> None:
        super().__init__([each for part in parts.values() for each in part.samples])
        self.rules, self.parts = rules, parts

    def of(self, metric: str, labels: tuple[tuple[str, str], ...]) -> Series:
        """Return the series of one part, by its metric's name in PromQL and its labels."""
        for rule in self.rules:
            part = self.parts[rule.name]
            if isinstance(part, Several):
                try:
                    return part.of(metric, labels)
                except UntranslatableError:
                    continue
            mine = {(key.rpartition(".")[2], value) for key, value in rule.labels}
            if re.sub(r"\W", "_", rule.metric.name) == re.sub(r"\W", "_", metric) and mine <= set(labels):
                return part
        raise untranslatable("a composite alert", f"the series {metric}")

    def part(self, name: str) -> Series:
        """Return one part's series, looked at for as long as all of them."""
        return self.parts[name].framed(self)

    def in_order(self) -> Parts:
        """Return what a platform keeps that refuses samples older than its newest."""
        return Parts(self.rules, {name: each.in_order() for name, each in self.parts.items()})

    def scaled(self, by: float) -> Parts:
        """Return the same; parts are scaled one by one."""
        return self


def merged(node: Node, parts: Mapping[str, list[Change]]) -> list[Change]:
    """Return the states of a composite whose parts changed as told."""
    firing = dict.fromkeys(parts, False)
    found: list[Change] = []
    for at in sorted({change.at for each in parts.values() for change in each}):
        for name, each in parts.items():
            firing[name] = next((c.state is State.ALARM for c in reversed(each) if c.at <= at), False)
        state = State.ALARM if holds(node, firing) else State.OK
        if not found or found[-1].state is not state:
            found.append(Change(at, state))
    return found


def azure_together(rules: Sequence[Rule], series: Parts, tail: float) -> list[Change]:
    """Replay a metric alert of several criteria: on where all are bad at a check, off after three others.

    A check at which one of them has no data leaves the state: that is our reading, Azure does not say.
    """
    quiet = [0]

    def evaluate(at: float, before: State) -> State:
        bad = []
        for rule in rules:
            value = rule.value(series.parts[rule.name].window(at - rule.period, at, at))
            if value is None:
                return before
            bad.append(rule.comparison.holds(value, rule.threshold))
        quiet[0] = 0 if all(bad) else quiet[0] + 1
        if quiet[0] == 0:
            return State.ALARM
        return State.ALARM if before is State.ALARM and quiet[0] < HEALTHY else State.OK

    return changes(series, rules[0].every, tail, evaluate, State.OK)


def composite_trials(composite: Composite) -> list[Trial]:
    """Return series of all parts: each bad alone, all together, one later, with gaps, and at random."""
    words = _schedules(len(composite.parts))
    found = []
    for name, schedule in words.items():
        parts: dict[str, Series] = {}
        same: dict[tuple[Any, ...], Series] = {}
        for rule, word in zip(composite.parts, schedule, strict=True):
            key = (rule.metric, rule.labels, rule.formula)
            if key not in same:
                same[key] = _series(rule, word)
            parts[rule.name] = same[key]
        missing = any(NONE in word for word in schedule)
        found.append(Trial(name, Parts(composite.parts, parts), missing))
    return found


def _series(rule: Rule, word: str) -> Series:
    if rule.formula is None:
        return adversary.series(rule, word)
    found = word_series(rule, rule.formula, word)
    if found is None:
        raise untranslatable(rule.name, "a formula that no values make good and bad")
    return found


def _schedules(count: int) -> dict[str, list[str]]:
    calm, storm, gap = GOOD * 12, BAD * 12, NONE * 12
    blank = calm * 4
    found = {"all good": [blank] * count, "all bad together": [calm + storm + calm] * count}
    for each in range(count):
        alone = [calm + storm + calm if other == each else blank for other in range(count)]
        found[f"only part {each + 1} is bad"] = alone
        lacks = [calm + (gap if other == each else storm) + calm for other in range(count)]
        found[f"all bad, part {each + 1} without data"] = lacks
        late = [calm + GOOD * (3 if other == each else 0) + storm + calm for other in range(count)]
        found[f"part {each + 1} three windows later"] = late
    chance = random.Random(1)  # noqa: S311 - it makes series, no secrets.
    for turn in range(6):
        letters = [GOOD * 4, BAD * 4, NONE * 2]
        found[f"random windows {turn + 1}"] = [
            "".join(chance.choices(letters, [4, 4, 1], k=24)) for _ in range(count)
        ]
    return found


Replays = Callable[[Rule], Callable[[Series, float], list[Change]]]


def replayed(composite: Composite, replay: Replays) -> Callable[[Series, float], list[Change]]:
    """Return how a composite is replayed whose parts are replayed one by one."""

    def run(series: Series, tail: float) -> list[Change]:
        if not isinstance(series, Parts):
            raise untranslatable(composite.name, "a series of one metric for an alert of several")
        if composite.together:
            return azure_together(composite.parts, series, tail)
        parts = {each.name: replay(each)(series.part(each.name), tail) for each in composite.parts}
        return merged(composite.node, parts)

    return run


def renamed_parts(composite: Composite, parts: Sequence[Rule]) -> Composite:
    """Return a composite of the target's alerts."""
    return dataclasses.replace(composite, platform=parts[0].metric.platform, parts=tuple(parts))
