"""Arithmetic of several metrics: metric math, ratios, and the series that they are replayed over."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from heavylift.alerts.model import AGGREGATES, Aggregation, Metric, quantile
from heavylift.alerts.problems import untranslatable
from heavylift.alerts.promql import Binary, Call, Node, Number, Selector, parse
from heavylift.alerts.series import Series

FILL, ABS = "FILL", "ABS"
FUNCTIONS = frozenset({FILL, ABS})
_SIGNS = frozenset("+-*/")


@dataclass(frozen=True)
class Term:
    """One metric of a formula, and how the samples of a window become its number."""

    metric: Metric
    aggregation: Aggregation
    percentile: float | None = None
    labels: tuple[tuple[str, str], ...] = ()

    def value(self, samples: list[float]) -> float | None:
        """Return a window's number; None for one without samples."""
        if not samples:
            return None
        if self.aggregation is Aggregation.PERCENTILE:
            return quantile((self.percentile or 0.0) / 100, samples)
        return AGGREGATES[self.aggregation](samples)


@dataclass(frozen=True)
class Formula:
    """Numbers of the same window, reckoned with.

    :param terms: by their ids, which stand in ``node`` as selectors.
    :param infinite: what is divided by zero is infinite or no number, as in PromQL; otherwise it is missing.
    """

    terms: tuple[tuple[str, Term], ...]
    node: Node
    infinite: bool = False

    def value(self, values: Mapping[str, float | None]) -> float | None:
        """Return what it comes to; None where a number is missing that nothing fills."""
        return self._value(self.node, values)

    def _value(self, node: Node, values: Mapping[str, float | None]) -> float | None:
        if isinstance(node, Number):
            return node.value
        if isinstance(node, Selector):
            return values[node.metric]
        if isinstance(node, Call):
            found = self._value(node.arguments[0], values)
            if node.name == FILL:
                return found if found is not None else self._value(node.arguments[1], values)
            return None if found is None else abs(found)
        left, right = self._value(node.left, values), self._value(node.right, values)
        if left is None or right is None:
            return None
        if node.operator == "/":
            return self._divided(left, right)
        return {"+": left + right, "-": left - right, "*": left * right}[node.operator]

    def _divided(self, left: float, right: float) -> float | None:
        if right:
            return left / right
        if not self.infinite:
            return None
        return math.nan if not left else math.copysign(math.inf, left)

    @property
    def ratio(self) -> tuple[Term, Term] | None:
        """Return numerator and denominator, where it is nothing but one divided by the other."""
        node, terms = self.node, dict(self.terms)
        if not isinstance(node, Binary) or node.operator != "/":
            return None
        if not isinstance(node.left, Selector) or not isinstance(node.right, Selector):
            return None
        return terms[node.left.metric], terms[node.right.metric]


def checked(what: str, text: str, terms: Mapping[str, Term]) -> Formula:
    """Return a formula of CloudWatch's metric math.

    :raises UntranslatableError: it has functions, comparisons or ids that are not known here.
    """
    node = parse(text, FUNCTIONS)
    _demand(what, node, terms)
    return Formula(tuple(sorted(terms.items())), node)


def _demand(what: str, node: Node, terms: Mapping[str, Term]) -> None:
    remedy = "record the result as a metric of its own on the target"
    if isinstance(node, Selector):
        if node.metric not in terms or node.range or node.labels or node.offset:
            raise untranslatable(what, f"{node.metric} in metric math", remedy)
    elif isinstance(node, Call):
        filled = len(node.arguments) == 2 and isinstance(node.arguments[1], Number)
        if not ((node.name == FILL and filled) or (node.name == ABS and len(node.arguments) == 1)):
            raise untranslatable(what, f"the function {node.name} in metric math", remedy)
        _demand(what, node.arguments[0], terms)
    elif isinstance(node, Binary):
        if node.operator not in _SIGNS:
            raise untranslatable(what, f"{node.operator} in metric math", remedy)
        _demand(what, node.left, terms)
        _demand(what, node.right, terms)


def written(node: Node) -> str:
    """Return a formula as CloudWatch writes it."""
    if isinstance(node, Number):
        return repr(node.value) if node.value >= 0 else f"({node.value!r})"
    if isinstance(node, Selector):
        return node.metric
    if isinstance(node, Call):
        return f"{node.name}({', '.join(map(written, node.arguments))})"
    return f"({written(node.left)} {node.operator} {written(node.right)})"


def replaced(node: Node, scales: Mapping[str, float]) -> Node:
    """Return a formula of terms in other units, which gives the same numbers."""
    if isinstance(node, Selector):
        by = scales[node.metric]
        return node if by == 1 else Binary("*", node, Number(1 / by))
    if isinstance(node, Call):
        return Call(node.name, tuple(replaced(each, scales) for each in node.arguments))
    if isinstance(node, Binary):
        return dataclasses.replace(node, left=replaced(node.left, scales), right=replaced(node.right, scales))
    return node


class Several(Series):
    """Series of several terms. What a window gives is the formula's number, as if it were one sample."""

    def __init__(self, formula: Formula, parts: Mapping[str, Series]) -> None:
        super().__init__([each for part in parts.values() for each in part.samples])
        self.formula, self.parts = formula, parts

    def window(self, start: float, end: float, now: float) -> list[float]:
        """Return the formula's number of a window; nothing where it has none."""
        values = {
            name: term.value(self.parts[name].window(start, end, now)) for name, term in self.formula.terms
        }
        found = self.formula.value(values)
        return [] if found is None else [found]

    def of(self, metric: str, labels: tuple[tuple[str, str], ...]) -> Series:
        """Return the series of one term, by its name in PromQL and its labels."""
        for name, term in self.formula.terms:
            mine = {(key.rpartition(".")[2], value) for key, value in term.labels}
            if _plain(term.metric.name) == _plain(metric) and mine <= set(labels):
                return self.parts[name]
        raise untranslatable("a formula", f"the series {metric}")

    def in_order(self) -> Several:
        """Return what a platform keeps that refuses samples older than its newest."""
        found = Several(self.formula, {name: each.in_order() for name, each in self.parts.items()})
        found.frame = self.frame
        return found

    def scaled(self, by: float) -> Several:
        """Return the same; terms are scaled by :meth:`retold`."""
        return self

    def retold(self, formula: Formula, scales: Mapping[str, float]) -> Several:
        """Return the same series under the target's names and in its units."""
        return Several(formula, {name: each.scaled(scales[name]) for name, each in self.parts.items()})


@lru_cache(maxsize=256)  # asked for each term at each moment of a replay
def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", name)
