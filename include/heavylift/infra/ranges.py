"""Ranges of addresses, as texts of somebody else's."""

from __future__ import annotations

import ipaddress
from typing import Any


def ipv4_of(text: Any) -> ipaddress.IPv4Network | None:
    """Return the range that ``text`` means; None where it means none."""
    try:
        return ipaddress.IPv4Network(str(text), strict=False)
    except ValueError:
        return None
