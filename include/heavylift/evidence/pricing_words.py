"""Money and the origin of prices in words."""

from __future__ import annotations

from heavylift.evidence.estimates import Money, PriceNote


def money(cost: Money) -> str:
    """Return a range of dollars: ``0.12 to 0.40 USD``; ``unknown`` where no price is known."""
    if cost.low is None or cost.high is None:
        return "unknown"
    low, high = _amount(cost.low), _amount(cost.high)
    return f"{low} USD" if low == high else f"{low} to {high} USD"


def _amount(usd: float) -> str:
    if usd == 0:
        return "0"
    return f"{usd:,.2f}" if usd >= 0.01 else f"{usd:.4f}" if usd >= 0.0001 else "under 0.0001"


def origin(note: PriceNote) -> str:
    """Return where a price comes from, in a few words."""
    if not note.source:
        return note.note or "no source"
    return f"as of {note.as_of or 'an unknown day'}, {note.source}, checked: {note.verified or 'no'}"
