"""What holds one task back for the sake of others: bandwidth, requests a second, concurrency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.locations import Location
from heavylift.objects.progress import Pressure
from heavylift.platforms.admission import Admission
from heavylift.platforms.limiter import AdaptiveLimit
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.request_rate import RequestRate
from heavylift.spec.datasets import Limits

if TYPE_CHECKING:
    from heavylift.platforms.http import HttpSettings

SPARE_CONNECTIONS = 8
"""For requests that belong to an object already counted, such as its tags."""


class Manners:
    """The limits of one task, to be given to both of its stores.

    :param share: of how many tasks that may run at once this is one; caps are divided by it.
    """

    def __init__(self, limits: Limits, share: int = 1) -> None:
        share = max(1, share)
        self._limits = limits
        self._requests = limits.max_requests / share if limits.max_requests else None
        self.pacer = Pacer(limits.max_bandwidth / share if limits.max_bandwidth else None)
        self._gates: dict[str, AdaptiveLimit] = {}

    def settings(self, side: str, location: Location) -> HttpSettings | None:
        """Return the settings of one store's client; None for a folder, which has none.

        :param side: ``source`` or ``target``; each has a limit and a rate of its own.
        """
        if location.scheme == "file":
            return None
        from heavylift.platforms.http import HttpSettings

        gate = self._gates[side] = AdaptiveLimit(self._limits.max_concurrency)
        return HttpSettings(
            connections=self._limits.max_concurrency + SPARE_CONNECTIONS,
            stall_seconds=self._limits.stall_timeout,
            admission=Admission(gate, RequestRate(self._requests) if self._requests else None),
        )

    def pressure(self) -> Pressure:
        """Return how hard the stores press back now."""
        gates = self._gates.values()
        return Pressure(
            throttled=sum(gate.throttled_count for gate in gates),
            concurrency=min((gate.current for gate in gates), default=None),
        )
