"""Prices as data: dated rows with their source, which a user's own file can override.

The tables lie beside this module in ``data/``. A file of one's own is CSV with the same columns
as the table whose rows it replaces: all rows of one provider (or service) that it names replace
those of the table.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from heavylift.errors import SpecError
from heavylift.evidence.estimates import PriceNote
from heavylift.facts.tables import overridden

GIB = 2**30


@dataclass(frozen=True)
class EgressPrice:
    """One tier of what a platform bills for bytes that leave it, in a month.

    :param tier: the row's name; rows of one name make up one list of tiers.
    :param usd_per_gib: None where the rate is not published.
    """

    provider: str
    tier: str
    from_gib: float
    to_gib: float | None
    usd_per_gib: float | None
    free_gib: float
    note: PriceNote


@dataclass(frozen=True)
class UnitPrice:
    """The price of one unit of something: 1,000 requests of a kind, a GB, an execution.

    :param usd: None where it is not known.
    """

    owner: str
    unit: str
    usd: float | None
    note: PriceNote


@dataclass(frozen=True)
class PriceBook:
    """All prices of one estimate."""

    egress: tuple[EgressPrice, ...] = ()
    requests: tuple[UnitPrice, ...] = ()
    services: tuple[UnitPrice, ...] = ()
    origin: str = "the tables that come with Heavylift"
    overridden: tuple[str, ...] = field(default=())

    def request(self, provider: str, kind: str) -> UnitPrice | None:
        """Return the price of 1,000 requests of ``kind``, or None where there is no row."""
        return _find(self.requests, provider, kind)

    def service(self, name: str, unit: str) -> UnitPrice | None:
        """Return the price of one ``unit`` of a service, or None where there is no row."""
        return _find(self.services, name, unit)


def _find(prices: Iterable[UnitPrice], owner: str, unit: str) -> UnitPrice | None:
    return next((price for price in prices if (price.owner, price.unit) == (owner, unit)), None)


def load_prices(own: Path | None = None, folder: Path | None = None) -> PriceBook:
    """Return the built-in prices, with the rows of ``own`` in place of those they replace.

    :param folder: of tables of one's own, such as refreshed ones; ``own`` comes before them.

    :param own: a CSV file with the columns of ``egress_prices.csv``, ``request_prices.csv`` or
        ``service_prices.csv``.
    :raises SpecError: the file cannot be read, has other columns, or a price that is no number.
    """
    requests = overridden("request_prices.csv", folder)
    book = PriceBook(
        egress=tuple(_egress(overridden("egress_prices.csv", folder), "egress_prices.csv")),
        requests=tuple(_units(requests, "provider", "request", "usd_per_1000")),
        services=tuple(_units(overridden("service_prices.csv", folder), "service", "unit", "usd")),
    )
    return book if own is None else _overridden(book, own)


def _overridden(book: PriceBook, own: Path) -> PriceBook:
    rows = _read_own(own)
    columns = set(rows[0]) if rows else set()
    try:
        if "usd_per_gib" in columns:
            egress = tuple(_egress(rows, str(own)))
            named = {price.provider for price in egress}
            kept = tuple(price for price in book.egress if price.provider not in named)
            return PriceBook((*kept, *egress), book.requests, book.services, str(own), tuple(sorted(named)))
        if "usd_per_1000" in columns:
            mine = tuple(_units(rows, "provider", "request", "usd_per_1000"))
            return PriceBook(
                book.egress, _merged(book.requests, mine), book.services, str(own), _owners(mine)
            )
        if {"service", "usd"} <= columns:
            mine = tuple(_units(rows, "service", "unit", "usd"))
            return PriceBook(
                book.egress, book.requests, _merged(book.services, mine), str(own), _owners(mine)
            )
    except (KeyError, ValueError) as error:
        raise _unusable(own, f"{type(error).__name__}: {error}") from error
    raise _unusable(own, f"the columns {', '.join(sorted(columns)) or 'of no row'}")


def _merged(built_in: tuple[UnitPrice, ...], mine: tuple[UnitPrice, ...]) -> tuple[UnitPrice, ...]:
    named = {(price.owner, price.unit) for price in mine}
    return (*(price for price in built_in if (price.owner, price.unit) not in named), *mine)


def _owners(prices: tuple[UnitPrice, ...]) -> tuple[str, ...]:
    return tuple(sorted({price.owner for price in prices}))


def _read_own(own: Path) -> list[dict[str, str]]:
    try:
        with own.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unusable(own, type(error).__name__) from error


def _egress(rows: list[dict[str, str]], where: str) -> Iterator[EgressPrice]:
    for row in rows:
        yield EgressPrice(
            provider=row["provider"],
            tier=row["tier"],
            from_gib=float(row.get("from_gib") or 0),
            to_gib=float(row["to_gib"]) if row.get("to_gib") else None,
            usd_per_gib=_price(row["usd_per_gib"], where),
            free_gib=float(row.get("free_allowance_gib_month") or 0),
            note=_note(row),
        )


def _units(rows: list[dict[str, str]], owner: str, unit: str, price: str) -> Iterator[UnitPrice]:
    for row in rows:
        yield UnitPrice(row[owner], row[unit], _price(row[price], owner), _note(row))


def _price(text: str, where: str) -> float | None:
    if not text:
        return None
    value = float(text)
    if not 0 <= value < 1e6:
        raise ValueError(f"the price {text} in {where}")
    return value


def _note(row: dict[str, str]) -> PriceNote:
    return PriceNote(
        as_of=row.get("as_of") or "",
        source=row.get("source") or "",
        verified=row.get("verified") or "",
        note=row.get("note") or "",
    )


def _unusable(own: Path, got: str) -> SpecError:
    return SpecError(
        f"reading the prices in {own}",
        got=got,
        expected="CSV with the columns of egress_prices.csv, request_prices.csv or service_prices.csv",
        state="nothing was planned",
        remedy="see docs/reference/transfer-services.md for the columns, or take the field prices out",
        code="5510",
    )
