"""Under whose law a region lies."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from heavylift.facts.tables import overridden


@cache
def jurisdiction_of(platform: str, region: str, folder: Path | None = None) -> str | None:
    """Return the jurisdiction of a region (``EU``, ``UK``, ``US``), or None where it is not known.

    The longest prefix of region_jurisdictions.csv decides.
    """
    found = [
        (len(prefix), jurisdiction)
        for prefix, jurisdiction in _prefixes(platform, folder)
        if region.lower().startswith(prefix)
    ]
    return max(found)[1] if found else None


def _prefixes(platform: str, folder: Path | None) -> tuple[tuple[str, str], ...]:
    return tuple(
        (row["prefix"], row["jurisdiction"])
        for row in overridden("region_jurisdictions.csv", folder)
        if row["platform"] == platform
    )
