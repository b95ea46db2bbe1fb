"""What an expression of PromQL is at a moment, where there is one series."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field

from heavylift.alerts.model import AGGREGATES, Aggregation, quantile
from heavylift.alerts.problems import untranslatable
from heavylift.alerts.promql import COMPARISONS, OVER_TIME, Binary, Call, Node, Number, Selector
from heavylift.alerts.series import Series

LOOKBACK = 300.0
"""Seconds after which a sample is stale."""
ALERTS = "ALERTS"
"""The series in which Prometheus keeps which alerts fire."""

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EDGE = 1e-4
"""Less than the millisecond that Prometheus counts in."""


@dataclass(frozen=True)
class Moment:
    """When, over which series, and whether the alert itself fired at the evaluation before.

    :param known: what parts of the expression are then, by their identity.
    """

    at: float
    series: Series
    firing: bool = False
    known: dict[int, float | None] = field(default_factory=dict, compare=False, repr=False)

    def range(self, selector: Selector) -> list[float]:
        """Return the samples of a range: its end belongs to it, its start does not, as in Prometheus 3."""
        end = self.at - selector.offset
        found = self.series.of(selector.metric, selector.labels)
        return found.window(end - (selector.range or 0.0) + _EDGE, end + _EDGE, self.at)


def value(node: Node, moment: Moment) -> float | None:
    """Return what an expression is then; ``None`` where it is nothing.

    :raises UntranslatableError: it cannot be evaluated here.
    """
    if isinstance(node, Number):
        return node.value
    key = id(node)
    if key not in moment.known:
        moment.known[key] = _asked(node, moment)
    return moment.known[key]


def _asked(node: Selector | Call | Binary, moment: Moment) -> float | None:
    if isinstance(node, Selector):
        return _instant(node, moment)
    if isinstance(node, Call):
        return _call(node, moment)
    return _binary(node, moment)


def _instant(node: Selector, moment: Moment) -> float | None:
    if node.range is not None:
        raise untranslatable("an expression of PromQL", "a range without a function")
    if node.metric == ALERTS:
        return 1.0 if moment.firing else None
    found = moment.range(Selector(node.metric, node.labels, LOOKBACK, node.offset))
    return found[-1] if found else None


def _call(node: Call, moment: Moment) -> float | None:
    first = node.arguments[0]
    if node.name in OVER_TIME:
        return _over_time(node.name, moment.range(_range(node, first)))
    if node.name == "quantile_over_time":
        samples = moment.range(_range(node, node.arguments[-1]))
        share = value(first, moment)
        return quantile(share or 0.0, samples) if samples else None
    if node.name == "absent_over_time":
        return None if moment.range(_range(node, first)) else 1.0
    found = value(first, moment)
    if node.name == "absent":
        return 1.0 if found is None else None
    if found is None:
        return None
    if node.name in ("clamp_min", "clamp_max"):
        bound = value(node.arguments[-1], moment) or 0.0
        return max(found, bound) if node.name == "clamp_min" else min(found, bound)
    if node.name == "count":
        return 1.0
    return abs(found) if node.name == "abs" else found


def _range(node: Call, argument: Node) -> Selector:
    if not isinstance(argument, Selector) or argument.range is None:
        raise untranslatable("an expression of PromQL", f"{node.name} of something else than a range")
    return argument


def _over_time(name: str, samples: list[float]) -> float | None:
    if not samples:
        return None
    if name == "last_over_time":
        return samples[-1]
    return AGGREGATES[Aggregation(name.removesuffix("_over_time"))](samples)


def _binary(node: Binary, moment: Moment) -> float | None:
    left = value(node.left, moment)
    if node.operator == "or":
        return left if left is not None else value(node.right, moment)
    right = value(node.right, moment)
    if node.operator == "unless":
        return left if right is None else None
    if left is None or right is None:
        return None
    if node.operator == "and":
        return left
    if node.operator == "/":
        return _divided(left, right)
    found = _ARITHMETIC[node.operator](left, right)
    if node.operator not in COMPARISONS:
        return found
    return float(found) if node.as_bool else (left if found else None)


def _divided(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if not left else math.copysign(math.inf, left)
