"""What a platform bills for bytes that leave it: exact sums over tiers, never one rate for all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from heavylift.evidence.estimates import EgressLine, Money, PriceNote
from heavylift.facts.prices import GIB, EgressPrice, PriceBook

_OWN_LINE = "no cloud bills this side's bytes; what your own line costs is not known"


@dataclass(frozen=True)
class TierShare:
    """What falls into one tier."""

    gib: float
    usd_per_gib: float

    @property
    def usd(self) -> float:
        """What it costs."""
        return self.gib * self.usd_per_gib


def tier_shares(size_bytes: float, tiers: Iterable[EgressPrice], *, free: bool) -> list[TierShare] | None:
    """Return what falls into each tier, or None where a tier that is needed has no price.

    :param free: take the month's free allowance off; without it, other traffic has used it up.
    """
    ordered = sorted(tiers, key=lambda tier: tier.from_gib)
    if not ordered:
        return None
    left = size_bytes / GIB
    if free:
        left = max(0.0, left - max(tier.free_gib for tier in ordered))
    shares: list[TierShare] = []
    for number, tier in enumerate(ordered):
        last = number == len(ordered) - 1
        # Beyond the last known tier its own rate goes on: rates fall with volume, so that is not too low.
        room = float("inf") if last or tier.to_gib is None else tier.to_gib - tier.from_gib
        taken = min(left, room)
        if taken <= 0:
            break
        if tier.usd_per_gib is None:
            return None
        shares.append(TierShare(taken, tier.usd_per_gib))
        left -= taken
    return shares


def tier_sum(size_bytes: float, tiers: Iterable[EgressPrice], *, free: bool) -> float | None:
    """Return what ``size_bytes`` cost over ``tiers``, or None where a tier has no price.

    :param free: take the month's free allowance off.
    """
    shares = tier_shares(size_bytes, tiers, free=free)
    return None if shares is None else sum((share.usd for share in shares), 0.0)


def egress_line(source: str, target: str, low_bytes: int, high_bytes: int, book: PriceBook) -> EgressLine:
    """Return the estimate of what leaves the platform ``source``.

    Between two platforms the internet tiers hold: low is the cheapest of them with the free
    allowance, high the dearest without. Within one platform low is zero (one region) and high
    its dearest rate between regions. Special regimes are named and not counted.

    :param source: ``aws``, ``gcp``, ``azure`` or ``kubernetes`` (one's own machines).
    """
    if source == "kubernetes":
        note = PriceNote(note=_OWN_LINE)
        return EgressLine(
            provider=source,
            low_bytes=low_bytes,
            high_bytes=high_bytes,
            cost=Money(low=0.0, high=0.0),
            prices=(note,),
        )
    inside = source == target
    tiers = price_lists(book, source, "inter-" if inside else "internet")
    lows = [tier_sum(low_bytes, rows, free=True) for rows in tiers.values()]
    highs = [tier_sum(high_bytes, rows, free=False) for rows in tiers.values()]
    known = [value for value in (*lows, *highs) if value is not None]
    cost = Money(low=0.0 if inside else min(known), high=max(known)) if known else Money()
    return EgressLine(
        provider=source,
        low_bytes=low_bytes,
        high_bytes=high_bytes,
        cost=cost,
        prices=tuple(dict.fromkeys(row.note for rows in tiers.values() for row in rows)),
        regimes=() if inside else tuple(_regimes(book, source)),
    )


def price_lists(book: PriceBook, provider: str, kind: str) -> dict[str, list[EgressPrice]]:
    """Return a provider's lists of tiers whose names have ``kind`` in them."""
    found: dict[str, list[EgressPrice]] = {}
    for price in book.egress:
        if price.provider == provider and kind in price.tier:
            found.setdefault(price.tier, []).append(price)
    return found


def _regimes(book: PriceBook, provider: str) -> Iterable[str]:
    for price in book.egress:
        mine = provider in price.provider.split("/") or price.provider.startswith("any ")
        if mine and "internet" not in price.tier and not price.tier.startswith("inter-"):
            note = f": {price.note.note}" if price.note.note else ""
            yield f"{price.tier} (as of {price.note.as_of}){note}"
