"""Prometheus' alerting rules: files of groups."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import Any

from heavylift.alerts.formula import ABS, FILL, Formula, Term, written
from heavylift.alerts.metrics import known
from heavylift.alerts.model import Aggregation, Comparison, Loss, Metric, Missing, Platform, Rule
from heavylift.alerts.problems import UntranslatableError, number, text, unreadable, untranslatable
from heavylift.alerts.promql import Binary, Call, Node, Number, Selector, parse, seconds
from heavylift.alerts.promql_eval import Moment, value
from heavylift.alerts.promql_write import expression
from heavylift.alerts.replay import Change, State, changes
from heavylift.alerts.series import Series

GROUP = "heavylift"
NOTE = "heavylift_rule"
"""The annotation that tells what the rule is, for it to be read again."""
MAX_ANNOTATION = 20_000
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OUTER = frozenset({"sum", "avg", "min", "max"})


def read(document: Any) -> tuple[list[Rule], list[Loss]]:
    """Return the alerts of a file, and what of it has no counterpart anywhere.

    :raises SpecError: it is no file of rules.
    """
    groups = document.get("groups") if isinstance(document, dict) else None
    if not isinstance(groups, list) or not all(isinstance(each, dict) for each in groups):
        raise unreadable("Prometheus' rules", "another document", "groups")
    rules: list[Rule] = []
    losses: list[Loss] = []
    for group in groups:
        every = seconds(text("a group's interval", group.get("interval", "1m")))
        for each in group.get("rules") or ():
            if not isinstance(each, dict) or not isinstance(each.get("expr"), str):
                raise unreadable("Prometheus' rules", "a rule without expr", "a rule")
            if "alert" not in each:
                losses.append(Loss(str(each.get("record")), "a recording rule", "record it on the target"))
                continue
            try:
                rules.append(_rule(each, every, losses))
            except UntranslatableError as problem:
                losses.append(Loss(str(each["alert"]), problem.got, problem.remedy))
    return rules, losses


def _rule(each: dict[str, Any], every: float, losses: list[Loss]) -> Rule:
    name = text("an alert's name", each["alert"])
    what = f"the alert {name}"
    annotations, labels = each.get("annotations") or {}, each.get("labels") or {}
    if not isinstance(annotations, dict) or not isinstance(labels, dict):
        raise unreadable(what, "odd annotations or labels", "names and texts")
    noted = _noted(annotations.get(NOTE), each, every)
    if noted is not None:
        return noted
    if each.get("keep_firing_for"):
        raise untranslatable(what, "keep_firing_for")
    if every != int(every) or every < 1:
        raise untranslatable(what, f"an interval of {every} s", "use whole seconds")
    held = seconds(text(what, each.get("for", "0s")))
    windows = math.ceil(held / every) + 1
    found = condition(name, parse(each["expr"]), losses)
    return dataclasses.replace(
        found, windows=windows, needed=windows, step=int(every), every=int(every),
        severity=str(labels.get("severity", "")),
        description=str(annotations.get("summary") or annotations.get("description") or ""),
    )  # fmt: skip


def condition(name: str, node: Node, losses: list[Loss]) -> Rule:
    """Return what an expression says that compares one series with a number.

    :raises UntranslatableError: it says something else.
    """
    what = f"the alert {name}"
    if isinstance(node, Call) and node.name == "absent_over_time":
        inner = _ranged(what, node.arguments[0])
        return _made(name, inner, Aggregation.COUNT, (Comparison.LT, 1.0), None, Missing.BAD)
    if not isinstance(node, Binary) or node.as_bool or node.operator not in set(Comparison):
        raise untranslatable(what, "an expression that compares nothing")
    if not isinstance(node.right, Number):
        raise untranslatable(what, "a comparison with something else than a number")
    limit = Comparison(node.operator), number(what, node.right.value)
    left = node.left
    if isinstance(left, Call) and left.name in _OUTER and len(left.arguments) == 1:
        left = left.arguments[0]
    if isinstance(left, Selector) and left.range is None:
        losses.append(
            Loss(name, "the newest value becomes the average of a minute", "compare on series of your own")
        )
        return _made(name, dataclasses.replace(left, range=60.0), Aggregation.AVG, limit, None, Missing.GOOD)
    if isinstance(left, Binary) or (isinstance(left, Call) and left.name == "abs"):
        return _arithmetic(name, left, limit)
    if not isinstance(left, Call):
        raise untranslatable(what, "arithmetic of several series", "record the result as a metric of its own")
    if left.name == "quantile_over_time" and isinstance(left.arguments[0], Number):
        share = round(left.arguments[0].value * 100, 10)
        inner = _ranged(what, left.arguments[-1])
        return _made(name, inner, Aggregation.PERCENTILE, limit, share, Missing.GOOD)
    kind = left.name.removesuffix("_over_time")
    if kind == left.name or kind not in set(Aggregation):
        raise untranslatable(what, f"the function {left.name}")
    return _made(name, _ranged(what, left.arguments[0]), Aggregation(kind), limit, None, Missing.GOOD)


def _arithmetic(name: str, node: Node, limit: tuple[Comparison, float]) -> Rule:
    """Return a rule of a formula: windows of one length, reckoned with."""
    reading = _Arithmetic(name)
    formula_node = reading.node(node)
    if not reading.rules:
        raise untranslatable(f"the alert {name}", "arithmetic of numbers alone")
    if len({each.period for each in reading.rules.values()}) != 1 or len(reading.guarded) > 1:
        raise untranslatable(f"the alert {name}", "ranges, or divisions by zero, of several kinds")
    terms = tuple(
        (key, Term(each.metric, each.aggregation, each.percentile, each.labels))
        for key, each in reading.rules.items()
    )
    formula = Formula(terms, formula_node, infinite=reading.guarded == {False})
    period = next(iter(reading.rules.values())).period
    metric = Metric(Platform.PROMETHEUS, "", written(formula_node))
    return Rule(name, metric, Aggregation.AVG, *limit, period=period, missing=Missing.GOOD, formula=formula)


class _Arithmetic:
    def __init__(self, name: str) -> None:
        self.name, self.rules, self.guarded = name, dict[str, Rule](), set[bool]()

    def node(self, node: Node) -> Node:
        what = f"the alert {self.name}"
        if isinstance(node, Number):
            return node
        if isinstance(node, Binary) and node.operator in ("+", "-", "*", "/"):
            right = node.right
            if node.operator == "/" and not isinstance(right, Number):
                guard = isinstance(right, Binary) and right.operator == "!=" and right.right == Number(0.0)
                self.guarded.add(guard)
                right = right.left if guard and isinstance(right, Binary) else right
            return Binary(node.operator, self.node(node.left), self.node(right))
        if isinstance(node, Binary) and node.operator == "or":
            filler = node.right
            if (
                isinstance(filler, Call)
                and filler.name == "vector"
                and isinstance(filler.arguments[0], Number)
            ):
                return Call(FILL, (self.node(node.left), filler.arguments[0]))
        if isinstance(node, Call) and node.name == "abs" and len(node.arguments) == 1:
            return Call(ABS, (self.node(node.arguments[0]),))
        if not isinstance(node, Call):
            raise untranslatable(what, "arithmetic of something else than ranges")
        rule = condition(self.name, Binary(">", node, Number(0.0)), [])
        key = f"m{len(self.rules) + 1}"
        self.rules[key] = rule
        return Selector(key)


def _ranged(what: str, node: Node) -> Selector:
    if not isinstance(node, Selector) or node.range is None or node.range != int(node.range):
        raise untranslatable(what, "a range that is none of whole seconds")
    if node.offset > 1:
        raise untranslatable(what, "a range with an offset")
    return node


def _made(
    name: str, inner: Selector, kind: Aggregation, limit: tuple[Comparison, float], share: float | None,
    missing: Missing,
) -> Rule:  # fmt: skip
    return Rule(
        name, known(Platform.PROMETHEUS, "", inner.metric), kind, *limit, period=int(inner.range or 0),
        missing=missing, percentile=share, labels=tuple(sorted(inner.labels)),
    )  # fmt: skip


def _noted(note: Any, each: dict[str, Any], every: float) -> Rule | None:
    """Return what a rule that was written here says of itself, where its expression says the same."""
    if not isinstance(note, str) or len(note) > MAX_ANNOTATION:
        return None
    try:
        found = json.loads(note)
        rule = Rule(
            name=each["alert"],
            metric=Metric(Platform.PROMETHEUS, **found.pop("metric")),
            aggregation=Aggregation(found.pop("aggregation")),
            comparison=Comparison(found.pop("comparison")),
            missing=Missing(found.pop("missing")),
            labels=tuple((str(name), str(value)) for name, value in found.pop("labels")),
            **found,
        )
        made, _ = write(rule)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UntranslatableError):
        return None
    same = made["expr"] == each["expr"] and rule.every == every and not each.get("for")
    return rule if same else None


def demand_names(rule: Rule) -> None:
    """Refuse what Prometheus could not call so.

    :raises UntranslatableError: the name of a metric or a label is none.
    """
    for each in (term for _, term in rule.formula.terms) if rule.formula else (rule,):
        if not _NAME.fullmatch(each.metric.name):
            raise untranslatable(rule.name, f"the metric's name {each.metric.name}", "name it in --metrics")
        for name, _ in each.labels:
            if not _LABEL.fullmatch(name):
                raise untranslatable(rule.name, f"the label's name {name}", "name it in --metrics")


def write(rule: Rule) -> tuple[dict[str, Any], list[Loss]]:
    """Return an alerting rule, and what it says differently.

    :raises UntranslatableError: Prometheus has no such alert.
    """
    demand_names(rule)
    made: dict[str, Any] = {"alert": rule.name, "expr": expression(rule)}
    if rule.severity:
        made["labels"] = {"severity": rule.severity}
    note = {
        "metric": {"namespace": "", "name": rule.metric.name, "unit": rule.metric.unit},
        **{
            key: getattr(rule, key)
            for key in ("aggregation", "comparison", "threshold", "period", "windows", "needed", "step",
                        "extra", "every", "missing", "percentile", "severity", "description")
        },
        "labels": rule.labels,
    }  # fmt: skip
    # Braces in pairs would be taken for a template.
    summary = rule.description.replace("{{", "{ {") or rule.name.replace("{{", "{ {")
    made["annotations"] = {"summary": summary}
    packed = json.dumps(note, sort_keys=True)
    if "{{" not in packed and rule.formula is None:
        made["annotations"][NOTE] = packed
    return made, []


def file_of(rules: list[dict[str, Any]], every: dict[str, int]) -> dict[str, Any]:
    """Return a file with rules, in a group for each interval.

    :param every: rule → seconds between evaluations.
    """
    spans = sorted({every[each["alert"]] for each in rules})
    return {
        "groups": [
            {
                "name": f"{GROUP}-{span}s",
                "interval": f"{span}s",
                "rules": [each for each in rules if every[each["alert"]] == span],
            }
            for span in spans
        ]
    }


def replay(rule: dict[str, Any], every: float, series: Series, tail: float) -> list[Change]:
    """Replay an alerting rule as Prometheus evaluates it, with ``for`` and ``keep_firing_for``.

    Samples that come late are lost, as a scraped series has its samples in order.

    :raises UntranslatableError: its expression has parts that are not known here.
    """
    return replay_expression(
        rule["expr"],
        (seconds(rule.get("for", "0s")), seconds(rule.get("keep_firing_for", "0s"))),
        every, series.in_order(), tail,
    )  # fmt: skip


def replay_expression(
    expr: str, held: tuple[float, float], every: float, series: Series, tail: float
) -> list[Change]:
    """Replay an expression that must be something for a time, and keeps firing for another."""
    node = parse(expr)
    since: list[float | None] = [None]
    last = [-math.inf]

    def evaluate(at: float, before: State) -> State:
        if value(node, Moment(at, series, before is State.ALARM)) is None:
            if before is State.ALARM and held[1] and at - last[0] < held[1]:
                return before
            since[0] = None
            return State.OK
        last[0] = at
        begun = since[0] if since[0] is not None else at
        since[0] = begun
        return State.ALARM if at - begun >= held[0] else State.OK

    return changes(series, every, tail, evaluate, State.OK)
