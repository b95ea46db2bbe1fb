"""What 1,000 predictions cost: from a bill in FOCUS format, or from the price of an hour.

All arithmetic is decimal. Of a bill, ``BilledCost`` is summed over the rows whose charge period lies within
the time that the predictions were counted in; a row that lies partly within is refused, because how
its cost spread over its period is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from heavylift.errors import SpecError
from heavylift.evidence.baseline_records import PredictionCost
from heavylift.facts.focus import amount_of, moment_of

_DIGITS = Decimal("0.000001")


@dataclass(frozen=True)
class Charged:
    """Which rows of a bill belong to an endpoint.

    :param resource: ``ResourceId``; ``service``: ``ServiceName``; empty means any. At least one is given.
    :param start: inclusive; ``end`` exclusive: the time in which the predictions were served.
    """

    resource: str
    service: str
    start: datetime
    end: datetime


def cost_of_bill(rows: Iterable[Mapping[str, object]], charged: Charged, predictions: int) -> PredictionCost:
    """Return the cost of 1,000 predictions by the rows of a bill.

    :raises SpecError: no row is the endpoint's, its rows have two currencies, or one can't be read.
    """
    if predictions <= 0:
        raise _wrong(f"{predictions} predictions", "a number above 0", "correct their number", "7685")
    total, count, currencies = Decimal(0), 0, set()
    for row in rows:
        if not _is_of(row, charged):
            continue
        if not _within(row, charged):
            continue
        total += amount_of(row["BilledCost"])
        count += 1
        currencies.add(str(row["BillingCurrency"]))
    if len(currencies) != 1:
        got = "no row of the endpoint within that time" if not currencies else f"rows in {sorted(currencies)}"
        raise _wrong(got, "rows in one currency", "correct the resource, service and time", "7686")
    return PredictionCost(
        per_thousand=_text(total * 1000 / predictions),
        currency=currencies.pop(),
        amount=f"{total:f}",
        predictions=str(predictions),
        basis=f"{count:,} rows of the bill from {charged.start.isoformat()} to {charged.end.isoformat()},"
        f" {predictions:,} predictions",
    )


def cost_of_hours(per_hour: str, per_second: float, currency: str = "USD") -> PredictionCost:
    """Return the cost of 1,000 predictions of an endpoint that is asked as much as it sustains, all the time.

    :param per_hour: what all its instances cost together.
    :raises SpecError: no price.
    """
    price = amount_of(per_hour)
    served = Decimal(str(per_second)) * 3600
    return PredictionCost(
        per_thousand=_text(price * 1000 / served),
        currency=currency,
        amount=f"{price:f}",
        predictions=f"{served:f}",
        basis=f"{price:f} {currency} an hour at {per_second:g} predictions a second, which was sustained;"
        " an endpoint that is asked less costs more for each",
    )


def _is_of(row: Mapping[str, object], charged: Charged) -> bool:
    return (not charged.resource or row.get("ResourceId") == charged.resource) and (
        not charged.service or row.get("ServiceName") == charged.service
    )


def _within(row: Mapping[str, object], charged: Charged) -> bool:
    begin, end = moment_of(row["ChargePeriodStart"]), moment_of(row["ChargePeriodEnd"])
    if end <= charged.start or begin >= charged.end:
        return False
    if begin < charged.start or end > charged.end:
        raise _wrong(
            f"a charge from {begin.isoformat()} to {end.isoformat()}, partly outside of the time asked for",
            "charges that lie within it wholly",
            "let the time begin and end with charge periods of the bill",
            "7687",
        )
    return True


def _text(amount: Decimal) -> str:
    return f"{amount.quantize(_DIGITS, ROUND_HALF_UP):f}"


def _wrong(got: str, expected: str, remedy: str, code: str) -> SpecError:
    return SpecError(
        "reckoning the cost of predictions",
        got=got,
        expected=expected,
        state="nothing was sent",
        remedy=remedy,
        code=code,
    )
