"""Writes a rule as an expression of PromQL that is something exactly while the alert is on.

Windows are told one by one, each by its offset: the bounds of ranges and subqueries differ between
Prometheus 2 and 3, and subqueries look at multiples of their step. The millisecond in each offset makes a
window of all versions the same: its start belongs to it, its end does not.
"""

from __future__ import annotations

from collections.abc import Iterable

from heavylift.alerts.formula import ABS, Formula, Term
from heavylift.alerts.model import Aggregation, Missing, Rule
from heavylift.alerts.promql import Call, Node, Number, Selector, quoted

_OUTER = {
    Aggregation.AVG: "avg",
    Aggregation.SUM: "sum",
    Aggregation.MIN: "min",
    Aggregation.MAX: "max",
    Aggregation.COUNT: "sum",
    Aggregation.PERCENTILE: "max",
}
"""What makes one series of several: the rule is about one."""


def selector(rule: Rule | Term) -> str:
    """Return the metric with its labels."""
    labels = ",".join(f"{name}={quoted(value)}" for name, value in rule.labels)
    return f"{rule.metric.name}{{{labels}}}" if labels else rule.metric.name


def window(rule: Rule, back: int) -> str:
    """Return the number of the window that many steps back; nothing where it has no samples."""
    if rule.formula is not None:
        return _reckoned(rule.formula, rule.formula.node, rule, back)
    return _window(rule, rule, back)


def _window(rule: Rule | Term, whole: Rule, back: int) -> str:
    offset = f"{back * whole.step}s1ms" if back else "1ms"
    found = f"{selector(rule)}[{whole.period}s] offset {offset}"
    if rule.aggregation is Aggregation.PERCENTILE:
        share = (rule.percentile or 0.0) / 100
        inner = f"quantile_over_time({share!r}, {found})"
    else:
        inner = f"{rule.aggregation}_over_time({found})"
    return f"{_OUTER[rule.aggregation]}({inner})"


def _reckoned(formula: Formula, node: Node, rule: Rule, back: int) -> str:
    """Return a formula of the numbers of one window. What is divided by zero is nothing, as in CloudWatch."""
    if isinstance(node, Number):
        return number(node.value) if node.value >= 0 else f"({number(node.value)})"
    if isinstance(node, Selector):
        return _window(dict(formula.terms)[node.metric], rule, back)
    if isinstance(node, Call):
        inner = _reckoned(formula, node.arguments[0], rule, back)
        if node.name == ABS:
            return f"abs({inner})"
        filler = node.arguments[1]
        return f"({inner} or vector({number(filler.value) if isinstance(filler, Number) else 0}))"
    left, right = (_reckoned(formula, each, rule, back) for each in (node.left, node.right))
    if node.operator == "/" and not formula.infinite and not isinstance(node.right, Number):
        right = f"({right} != 0)"
    return f"({left} {node.operator} {right})"


def expression(rule: Rule, alerts: bool = True) -> str | None:
    """Return the expression.

    :param alerts: the series ``ALERTS`` is there; only with it can a rule keep its state.
    :return: ``None`` where it cannot be said.
    """
    bad, real = _bad(rule), _sum(_is_real(rule, each) for each in range(rule.windows + rule.extra))
    if rule.missing is Missing.GOOD or (rule.missing is Missing.UNKNOWN and not rule.extra):
        if rule.windows == 1 and not rule.extra:
            return f"{window(rule, 0)} {rule.comparison} {number(rule.threshold)}"
        return f"{bad} >= {rule.needed}"
    if rule.missing is Missing.BAD:
        return f"{bad} + clamp_min({rule.windows} - ({real}), 0) >= {rule.needed}"
    open_ = f"(({real}) < {rule.windows} and ({real}) - ({bad}) == 0"
    if rule.missing is Missing.UNKNOWN:
        old = _sum(_is_bad(rule, each) for each in range(rule.needed - 1, rule.windows + rule.extra))
        return f"{bad} >= {rule.needed} or {open_} and {old} > 0)"
    if not alerts:
        return None
    firing = f'ALERTS{{alertname={quoted(rule.name)},alertstate="firing"}}'
    return f"{bad} >= {rule.needed} or {open_} and on() {firing})"


def _bad(rule: Rule) -> str:
    """Return how many of the windows that count are bad: older ones do where newer ones are missing."""
    terms = [_is_bad(rule, each) for each in range(rule.windows)]
    for each in range(rule.windows, rule.windows + rule.extra):
        newer = _sum(_is_real(rule, other) for other in range(each))
        terms.append(f"{_is_bad(rule, each)} * (({newer}) < bool {rule.windows})")
    return _sum(terms)


def _sum(terms: Iterable[str]) -> str:
    return " + ".join(terms)


def _is_bad(rule: Rule, back: int) -> str:
    return f"({window(rule, back)} {rule.comparison} bool {number(rule.threshold)} or vector(0))"


def _is_real(rule: Rule, back: int) -> str:
    return f"(count({window(rule, back)}) or vector(0))"


def number(value: float) -> str:
    """Return a number as PromQL reads it, without loss."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
