"""What a dashboard shows, whichever platform it is of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from heavylift.alerts.formula import Formula, Term
from heavylift.alerts.formula import written as written_formula
from heavylift.alerts.model import Loss, Metric, Platform, Rule
from heavylift.alerts.promql import Binary, Call, Node, Selector

RESOURCE = "resource"
"""The label that tells Azure's resource, by its id; the other platforms have labels instead."""
WHOLE = "the dashboard"
"""Whose loss it is where it is of no single widget."""


class Kind(StrEnum):
    """Of a widget."""

    LINES = "lines"
    STACKED = "stacked lines"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True)
class Line:
    """One thing that a widget draws.

    :param rule: of which metric, labels, aggregation, period and formula count; it compares nothing.
    :param right: it is drawn by the axis on the right.
    :param expression: what the document asks in PromQL, where it does.
    """

    rule: Rule
    label: str = ""
    right: bool = False
    expression: str = field(default="", compare=False)


@dataclass(frozen=True)
class Axis:
    """An axis of values."""

    label: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Mark:
    """A line across the chart at a value."""

    value: float
    label: str = ""
    right: bool = False


@dataclass(frozen=True)
class Widget:
    """A part of a dashboard, on a grid of 24 columns."""

    kind: Kind
    title: str
    lines: tuple[Line, ...] = ()
    text: str = ""
    x: int = 0
    y: int = 0
    width: int = 12
    height: int = 6
    left_axis: Axis = Axis()
    right_axis: Axis = Axis()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Board:
    """A dashboard.

    :param region: of CloudWatch: where the metrics are.
    :param notes: what of its widgets was left behind in reading.
    """

    title: str
    widgets: tuple[Widget, ...]
    region: str = ""
    notes: tuple[Loss, ...] = field(default=(), compare=False)


COLUMNS = 24


def silent(title: str, what: str, place: Widget) -> Widget:
    """Return the text that stands where a widget could not be translated."""
    told = f"**{title or 'A widget'}** was not translated: {what}."
    return dataclasses.replace(place, kind=Kind.TEXT, title=title, lines=(), text=told, marks=())


def reckoned(rule: Rule, platform: Platform) -> Rule:
    """Return a rule whose formula names its terms in the order in which they stand, each of them once."""
    formula = rule.formula
    if formula is None:
        return rule
    given, names = dict(formula.terms), dict[Term, str]()
    for name in _named(formula.node):
        names.setdefault(given[name], f"m{len(names) + 1}")
    node = _renamed(formula.node, {name: names[term] for name, term in given.items() if term in names})
    made = Formula(tuple((name, term) for term, name in names.items()), node, formula.infinite)
    metric = Metric(platform, "", written_formula(node))
    return dataclasses.replace(rule, formula=made, metric=metric, labels=(), percentile=None)


def _named(node: Node) -> Iterator[str]:
    if isinstance(node, Selector):
        yield node.metric
    elif isinstance(node, Call):
        for each in node.arguments:
            yield from _named(each)
    elif isinstance(node, Binary):
        yield from _named(node.left)
        yield from _named(node.right)


def _renamed(node: Node, names: dict[str, str]) -> Node:
    if isinstance(node, Selector):
        return Selector(names[node.metric])
    if isinstance(node, Call):
        return Call(node.name, tuple(_renamed(each, names) for each in node.arguments))
    if isinstance(node, Binary):
        return dataclasses.replace(node, left=_renamed(node.left, names), right=_renamed(node.right, names))
    return node


def with_ids(formula: Formula, prefix: str) -> Formula:
    """Return the same formula with other names of its terms, for a page that holds several."""
    names = {name: f"{prefix}{name}" for name, _ in formula.terms}
    terms = tuple((names[name], term) for name, term in formula.terms)
    return dataclasses.replace(formula, terms=terms, node=_renamed(formula.node, names))


def used(node: Node) -> frozenset[str]:
    """Return the names that an expression holds."""
    return frozenset(_named(node))
