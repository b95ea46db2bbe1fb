"""Writes the refreshed rows beside those that keep their price, in the form of the built-in tables."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from heavylift.facts.tables import Row, overridden
from heavylift.pricing.model import EGRESS, MACHINES, REQUESTS, Quotes, Tier


def write_tables(platform: str, region: str, folder: Path, quotes: Quotes, day: str) -> None:
    """Write the platform's rows of all three tables; what other platforms have in the folder stays.

    Each file is written whole, or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder, MACHINES, [_machine(row, platform, region, quotes, day) for row in _rows(folder, MACHINES)])
    egress: list[Row] = []
    seen: set[str] = set()
    for row in _rows(folder, EGRESS):
        name = row["tier"]
        if row["provider"] != platform or name not in quotes.egress:
            why = quotes.kept.get(EGRESS, {}).get(name, "") if row["provider"] == platform else ""
            egress.append({**row, "note": _kept(row["note"], why, day)})
        elif name not in seen:
            seen.add(name)
            egress += _tiers(row, *quotes.egress[name], quotes.source, region, day)
    _save(folder, EGRESS, egress)
    _save(folder, REQUESTS, [_request(row, platform, region, quotes, day) for row in _rows(folder, REQUESTS)])


def _rows(folder: Path, name: str) -> list[Row]:
    return overridden(name, folder)


def _machine(row: Row, platform: str, region: str, quotes: Quotes, day: str) -> Row:
    if row["provider"] != platform:
        return row
    found = quotes.machines.get(row["instance_type"])
    if found is None:
        why = quotes.kept.get(MACHINES, {}).get(row["instance_type"], "")
        return {**row, "note": _kept(row["note"], why, day)}
    usd, where = found
    priced = {"ondemand_usd_h": f"{usd:g}" if usd < 1 else f"{usd:.6f}".rstrip("0").rstrip("."),
              "price_region": region, "price_date": day}  # fmt: skip
    return {**row, **priced, "note": f"price: {quotes.source}, {where}"}


def _tiers(row: Row, tiers: tuple[Tier, ...], where: str, source: str, region: str, day: str) -> list[Row]:
    ends = [tier.start for tier in tiers[1:]]
    return [
        {
            **row,
            "region_scope": region,
            "from_gib": f"{tier.start:g}",
            "to_gib": f"{ends[number]:g}" if number < len(ends) else "",
            "usd_per_gib": f"{tier.usd:g}",
            # What is free of a month is no tier of a price list: the table's own figure stays.
            "free_allowance_gib_month": row["free_allowance_gib_month"] if number == 0 else "0",
            "as_of": day,
            "source": f"{source}, {where}",
            "verified": "yes (price list)",
            "note": "",
        }
        for number, tier in enumerate(tiers)
    ]


def _request(row: Row, platform: str, region: str, quotes: Quotes, day: str) -> Row:
    if row["provider"] != platform:
        return row
    found = quotes.requests.get(row["request"])
    if found is None:
        why = quotes.kept.get(REQUESTS, {}).get(row["request"], "")
        return {**row, "note": _kept(row["note"], why, day)}
    usd, where = found
    told = {"region_scope": region, "as_of": day, "source": f"{quotes.source}, {where}"}
    return {**row, "usd_per_1000": f"{usd:g}", **told, "verified": "yes (price list)", "note": ""}


_MARK = "kept, not in the price list of "


def _kept(note: str, why: str, day: str) -> str:
    """Return a row's note with why its price stays, in place of what an earlier refresh said."""
    before = note.split(_MARK, 1)[0].rstrip("; ")
    return "; ".join(each for each in (before, f"{_MARK}{day}: {why}" if why else "") if each)


def _save(folder: Path, name: str, rows: list[Row]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    written = folder / f".{name}.new"
    written.write_text(text.getvalue(), encoding="utf-8")
    os.replace(written, folder / name)
