"""Positions in a PostgreSQL server's log, as numbers: ``16/B374D848`` is 0x16B374D848."""

from __future__ import annotations


def lsn_from_text(text: str) -> int:
    """Return the position that the server writes as ``high/low`` in hexadecimal."""
    high, low = text.split("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_to_text(position: int) -> str:
    """Return a position as the server writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
