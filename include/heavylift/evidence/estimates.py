"""Records of what a move will cost and take, and of who had best carry it out.

Money is US dollars, as a range: ``low`` and ``high`` are None where no price is known, which is
told apart from a price of zero.
"""

from __future__ import annotations

from typing import Literal

from heavylift.evidence.base import Record


class Money(Record):
    """A range of US dollars; None where a price is not known."""

    low: float | None = None
    high: float | None = None

    def __add__(self, other: Money) -> Money:
        """Return the sum of what is known; unknown parts are told by the line that has them."""
        return Money(low=_sum(self.low, other.low), high=_sum(self.high, other.high))


def _sum(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return round(sum(known), 6) if known else None


class PriceNote(Record):
    """Where a price comes from.

    :param verified: the flag of the price's row, in its own words; ``no`` where nobody checked it.
    """

    as_of: str = ""
    source: str = ""
    verified: str = ""
    note: str = ""


class RequestLine(Record):
    """Requests of one kind on one side.

    :param low: fewest that the move makes; ``high`` the most without retries.
    """

    side: Literal["source", "target"]
    request: Literal["list", "read", "tags", "write"]
    low: int
    high: int
    cost: Money = Money()
    price: PriceNote = PriceNote()


class EgressLine(Record):
    """Bytes that leave the source's platform, and what that platform bills for them.

    :param high_bytes: with the second read of objects that no checksum of the source's proves.
    :param regimes: lower rates that some customers can have, in words; none is counted.
    """

    provider: str
    low_bytes: int
    high_bytes: int
    cost: Money = Money()
    prices: tuple[PriceNote, ...] = ()
    regimes: tuple[str, ...] = ()


class ServiceLine(Record):
    """What the service or program that moves the objects bills for itself."""

    service: str
    cost: Money = Money()
    prices: tuple[PriceNote, ...] = ()


class DurationLine(Record):
    """How long the bytes take at one rate."""

    rate: str
    bytes_per_second: int
    seconds: float


class SizeClass(Record):
    """Objects up to a size: one bar of the histogram.

    :param up_to_bytes: largest size in the class; None for the last one.
    """

    up_to_bytes: int | None
    objects: int
    size_bytes: int


class EstimateRecord(Record):
    """What a plan will cost and take, before anything moves. Counts of objects and bytes are exact.

    :param parts: how many parts the objects above the part size are sent in.
    :param total: the sum of all lines with a known price.
    :param unknown: what has no known price, in words; it is in no sum.
    """

    objects: int
    size_bytes: int
    sizes: tuple[SizeClass, ...] = ()
    large_objects: int = 0
    parts: int = 0
    requests: tuple[RequestLine, ...] = ()
    egress: EgressLine
    service: ServiceLine
    durations: tuple[DurationLine, ...] = ()
    total: Money = Money()
    unknown: tuple[str, ...] = ()
    max_cost_usd: float | None = None


class Option(Record):
    """One way to move a dataset.

    :param possible: False where ``against`` names what rules it out.
    :param days: how long it takes, days; None where that cannot be told.
    """

    way: Literal["heavylift", "storage-transfer-service", "datasync", "azcopy", "appliance"]
    possible: bool
    days: float | None = None
    workers: int | None = None
    reasons: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()


class AdviceRecord(Record):
    """Which way to move a dataset is recommended, and why not the others."""

    recommended: str
    reason: str
    options: tuple[Option, ...]
    assumptions: tuple[str, ...] = ()
