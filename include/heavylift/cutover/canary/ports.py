"""What the analysis needs of the world: what the traffic's own counters say of each side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from heavylift.cutover.ports import Side


@dataclass(frozen=True)
class SideFigures:
    """What one side has done since the counting began, as cumulative counters.

    A counter that is lower than at the reading before was set back to 0 meanwhile (a proxy began anew).

    :param requests: that were answered or failed.
    :param errors: of these, answers 5xx and requests that got none.
    :param latency: upper edge of a bucket in seconds (``math.inf`` for the last one) → requests at or below
        it, as Prometheus' ``le``. Empty where latency isn't counted. The finer the buckets, the more they
        tell: edges of which each is at most a tenth above the one before are good.
    """

    requests: int
    errors: int
    latency: Mapping[float, int] = field(default_factory=dict)


class LiveFigures(Protocol):
    """Counters of the live traffic of both sides."""

    async def observe(self) -> Mapping[Side, SideFigures]:
        """Return what both sides have done until now; changes nothing. A side that is missing did nothing.

        :raises TransientError: it can't be asked now: this look goes without.
        """
        ...
