"""Rows of a bill in FOCUS format (https://focus.finops.org), as baselines and the monitor read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from heavylift.errors import SpecError

BILLED, EFFECTIVE = "BilledCost", "EffectiveCost"
CURRENCY, BEGIN, END = "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd"
RESOURCE, SERVICE = "ResourceId", "ServiceName"
NEEDED = (BILLED, CURRENCY, BEGIN, END, RESOURCE, SERVICE)
"""Columns that a bill must have."""
_SECONDS = re.compile(r"\d{9,11}(\.\d+)?")


def moment_of(value: object) -> datetime:
    """Return a charge period's begin or end: a datetime, ISO 8601, or seconds since 1970; UTC if not told.

    :raises SpecError: it is none.
    """
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        return datetime.fromtimestamp(float(value), UTC)
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise SpecError(
            "reading a bill",
            got=f"the charge period {str(value)[:40]!r}",
            expected="ISO 8601",
            state="nothing was sent",
            remedy="correct the bill",
            code="7688",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def amount_of(value: object) -> Decimal:
    """Return an amount of money as an exact decimal.

    :raises SpecError: it is none.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise SpecError(
            "reading a bill",
            got=f"the amount {str(value)[:40]!r}",
            expected="a decimal number",
            state="nothing was sent",
            remedy="correct the amount",
            code="7689",
        )
    return number
