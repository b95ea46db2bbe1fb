"""A row of a table that gets a new price, or keeps its old one and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from heavylift.facts.tables import Row

MACHINES, EGRESS, REQUESTS = "gpu_instances.csv", "egress_prices.csv", "request_prices.csv"


@dataclass(frozen=True)
class Tier:
    """A price from so many units a month on; the last tier has no end."""

    start: float
    usd: float


@dataclass
class Quotes:
    """What a price list said.

    :param machines: type → dollars an hour, and where in the list that stands.
    :param egress: the tier's name of the table → its tiers, and where.
    :param requests: kind of request → dollars for 1,000, and where.
    :param kept: what has no new price → why; by table and name.
    """

    source: str
    machines: dict[str, tuple[float, str]] = field(default_factory=dict)
    egress: dict[str, tuple[tuple[Tier, ...], str]] = field(default_factory=dict)
    requests: dict[str, tuple[float, str]] = field(default_factory=dict)
    kept: dict[str, dict[str, str]] = field(default_factory=dict)

    def keep(self, table: str, name: str, why: str) -> None:
        """Note that a row keeps its price."""
        self.kept.setdefault(table, {})[name] = why

    @property
    def matched(self) -> int:
        """How many rows have a new price."""
        return len(self.machines) + len(self.egress) + len(self.requests)


class PriceList(Protocol):
    """Reads one platform's list."""

    @property
    def requests(self) -> int:
        """Requests sent up to now."""
        ...

    def read(self, region: str, machines: list[Row]) -> Quotes:
        """Return the prices of a region; ``machines`` are the rows of the table of the platform."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def the_only(found: list[Any], what: str) -> tuple[Any, str]:
    """Return the only one of what was found, or None and why there is none."""
    if len(found) == 1:
        return found[0], ""
    return None, f"the list has {f'{len(found)} {what}' if found else f'no {what}'} for it"
