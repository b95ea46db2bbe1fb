"""Laws and offers that take egress charges off: which one holds by itself, and which must be asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from heavylift.evidence.estimates import PriceNote
from heavylift.facts.tables import Row, overridden


@dataclass(frozen=True)
class Regime:
    """One law or offer.

    :param customers: jurisdictions of the customer that it is for; ``*`` for all.
    :param purpose: ``leave`` or ``in-parallel``.
    :param starts: ISO date or the beginning of one; ``ends`` is the first day it no longer holds.
    :param usd_per_gib: what is billed instead; None where the rate is not published.
    :param automatic: it holds by law, nobody has to ask.
    """

    id: str
    providers: tuple[str, ...]
    customers: tuple[str, ...]
    purpose: str
    starts: str
    ends: str
    effect: str
    usd_per_gib: float | None
    automatic: bool
    condition: str
    note: PriceNote

    def covers(self, provider: str, customer: str, purpose: str, day: str) -> bool:
        """Tell whether it may hold for what leaves ``provider`` on ``day`` (ISO date)."""
        return (
            provider in self.providers
            and ("*" in self.customers or customer in self.customers)
            and purpose == self.purpose
            and self.starts <= day
            and (not self.ends or day < self.ends)
        )


def load_regimes(folder: Path | None = None) -> tuple[Regime, ...]:
    """Return all regimes, with the rows of ``folder`` in their place."""
    return tuple(_regime(row) for row in overridden("egress_regimes.csv", folder))


def regimes_for(
    regimes: Iterable[Regime], provider: str, customer: str, purpose: str, day: str
) -> tuple[Regime, ...]:
    """Return the regimes that may hold."""
    return tuple(each for each in regimes if each.covers(provider, customer, purpose, day))


def _regime(row: Row) -> Regime:
    return Regime(
        id=row["id"],
        providers=tuple(row["providers"].split(";")),
        customers=tuple(row["customers"].split(";")),
        purpose=row["purpose"],
        starts=row["starts"],
        ends=row["ends"],
        effect=row["effect"],
        usd_per_gib=float(row["usd_per_gib"]) if row["usd_per_gib"] else None,
        automatic=row["automatic"] == "yes",
        condition=row["condition"],
        note=PriceNote(as_of=row["as_of"], source=row["source"], verified=row["verified"], note=row["note"]),
    )
