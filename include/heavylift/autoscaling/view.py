"""What an autoscaler sees of the world at one moment, and what all of them have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from heavylift.autoscaling.model import Kind, Policy

TICK_S = 15
"""The simulation's step: Kubernetes looks every 15 seconds, the others less often."""


@dataclass(frozen=True)
class View:
    """One moment.

    :param now_s: since the start.
    :param ready: replicas that work; ``desired`` those that were asked for, starting ones included.
    :param value: each metric at this moment, of one ready replica.
    :param minutes: each metric's averages of the whole minutes so far, the latest last.
    """

    now_s: int
    ready: int
    desired: int
    value: Mapping[Kind, float]
    minutes: Mapping[Kind, Sequence[float]]


class Engine(Protocol):
    """An autoscaler: asked at every step, it says how many replicas there shall be."""

    def decide(self, view: View) -> int:
        """Return the replicas that are wanted now."""
        ...


def bounded(policy: Policy, wanted: float) -> int:
    """Return a number of replicas within the policy's bounds."""
    if math.isinf(wanted):
        return policy.maximum
    return min(policy.maximum, max(policy.minimum, math.ceil(wanted - 1e-9)))


def proportional(ready: int, value: float, target: float) -> int:
    """Return how many replicas bring a metric to its target."""
    return math.ceil(ready * value / target - 1e-9)
