"""``python -m tests.benchmarks.extrapolate FIGURES.json...``: what a billion objects would take.

Reads the figures of whole lanes (``./dev bench objects --json FIGURES.json``) and prints the
tables of docs/reference/scale.md. Each line has its formula; what was not measured is assumed,
and says so. Nothing is measured here.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.objects.requests import MAX_SHARDS
from tests.benchmarks.objects import US, comparing, listing, loads, unchanged

_PRICES = Path(__file__).parent / "egress_prices.csv"
_HOUR, _DAY = 3600.0, 86400.0
_GIB = 2**30
_PART_BYTES = 16 * 2**20
_PAGE_SECONDS = 0.1
"""Assumed, not measured: a listing's page from a store in the same region."""

_ABOUT_ONE = ("head", "get", "tags")


@dataclass(frozen=True)
class Measured:
    """What the lanes gave, by one object, row or GiB; NaN where a lane has no figure of ours.

    :param reads: requests that read, about one object; ``writes`` those that write.
    """

    list_cpu: float
    row_bytes: float
    diff_seconds: float
    diff_mib: float
    object_cpu: float
    gib_cpu: float
    again_cpu: float
    reads: float
    writes: float


@dataclass(frozen=True)
class Estate:
    """What is to be moved."""

    objects: float = 1e9
    total_bytes: float = 5e15

    @property
    def gib(self) -> float:
        """Return its size in GiB, by which clouds bill."""
        return self.total_bytes / _GIB


def measured(figures: Mapping[str, Any]) -> Measured:
    """Take the figures of ours out of a file of figures; none of a trial."""
    lists, diff = _ours(figures, "objects-list"), _ours(figures, "objects-diff")
    small, large = _ours(figures, "objects-small-stub"), _ours(figures, "objects-large")
    again = _ours(figures, "objects-unchanged")
    large_gib = loads.LARGE.total_bytes() / _GIB
    return Measured(
        list_cpu=lists("cpu_seconds") / listing.LOAD.objects,
        row_bytes=lists("file_mib") * 2**20 / listing.LOAD.objects,
        diff_seconds=diff("wall_seconds") / comparing.ROWS,
        diff_mib=diff("peak_mib"),
        object_cpu=small("cpu_seconds") / loads.SMALL.objects,
        gib_cpu=large("cpu_seconds") / large_gib,
        again_cpu=again("cpu_seconds") / unchanged.LOAD.objects,
        reads=sum(map(small, _ABOUT_ONE)) / loads.SMALL.objects,
        writes=small("put") / loads.SMALL.objects,
    )


def _ours(figures: Mapping[str, Any], lane: str) -> Callable[[str], float]:
    """Return what gives a median of ours in a lane, or NaN."""
    whole = [found for found in figures["lanes"] if found["lane"] == lane and not found["scaled"]]
    tools = [tool for found in whole for tool in found["tools"] if tool["tool"] == US]
    flat = {**tools[0], **tools[0].get("extra", {})} if tools else {}
    return lambda name: float(flat.get(name, math.nan))


def _show(value: float, text: str) -> str:
    """Return a value as ``text`` formats it."""
    return "not measured" if math.isnan(value) else text.format(value)


def egress_dollars(provider: str, gib: float, prices: Path = _PRICES) -> float:
    """Return what a provider bills for so many GiB that leave it within one month, at list price.

    :raises KeyError: there are no prices of this provider.
    """
    with prices.open(encoding="utf-8", newline="") as file:
        tiers = [row for row in csv.DictReader(file) if row["provider"] == provider]
    if not tiers:
        raise KeyError(provider)
    total = 0.0
    for row in tiers:
        start, end = float(row["from_gib"]), float(row["to_gib"] or "inf")
        total += max(0.0, min(gib, end) - start) * float(row["usd_per_gib"])
    return total


def tables(got: Measured, estate: Estate) -> list[str]:
    """Return all tables, in Markdown."""
    return [
        _table(("what", "measured"), _measured_rows(got)),
        _table(("step", "value", "formula"), [*_listing_rows(got, estate), *_plan_rows(got, estate)]),
        _table(("copying", "value", "formula"), _copy_rows(got, estate)),
        _table(("bandwidth of all workers", "wall time", "cores by CPU alone"), _wall_rows(got, estate)),
        _table(("cost", "value", "formula"), _cost_rows(got, estate)),
    ]


def _measured_rows(got: Measured) -> list[Sequence[str]]:
    return [
        ("listing, CPU of a million keys (`objects-list`)", _show(got.list_cpu * 1e6, "{:.2f} s")),
        ("listing, bytes of a row in Parquet (`objects-list`)", _show(got.row_bytes, "{:.0f}")),
        (
            "comparing, wall time of a million rows (`objects-diff`)",
            _show(got.diff_seconds * 1e6, "{:.2f} s"),
        ),
        ("comparing, peak memory (`objects-diff`)", _show(got.diff_mib, "{:.0f} MiB")),
        ("copying, CPU of a small object (`objects-small-stub`)", _show(got.object_cpu * 1e3, "{:.2f} ms")),
        ("copying, CPU of a GiB (`objects-large`)", _show(got.gib_cpu, "{:.2f} s")),
        ("copying, requests of an object that read (`objects-small-stub`)", _show(got.reads, "{:.1f}")),
        ("copying, requests of an object that write (`objects-small-stub`)", _show(got.writes, "{:.1f}")),
        ("nothing changed, CPU of an object (`objects-unchanged`)", _show(got.again_cpu * 1e6, "{:.0f} µs")),
    ]


def _listing_rows(got: Measured, estate: Estate) -> list[Sequence[str]]:
    pages = estate.objects / 1000
    return [
        ("pages of S3 or Cloud Storage", f"{pages:,.0f}", "objects / 1,000"),
        ("pages of Azure", f"{estate.objects / 5000:,.0f}", "objects / 5,000"),
        ("one after the other", f"{pages * _PAGE_SECONDS / _HOUR:.1f} h", "pages × 0.1 s (assumed) a page"),
        ("100 prefixes at once", f"{pages * _PAGE_SECONDS / 100 / 60:.0f} min", "the same / 100"),
        ("client CPU", _show(got.list_cpu * estate.objects / 60, "{:.0f} min"), "measured × objects"),
        ("one side's rows", _show(got.row_bytes * estate.objects / 1e9, "{:.0f} GB"), "measured × objects"),
    ]


def _plan_rows(got: Measured, estate: Estate) -> list[Sequence[str]]:
    datasets = -(-estate.objects // comparing.ROWS)
    shards = datasets * MAX_SHARDS
    per_dataset = got.diff_seconds * comparing.ROWS
    return [
        (
            "comparing, all at once",
            _show(got.diff_seconds * estate.objects / 60, "{:.1f} min"),
            "measured × objects",
        ),
        ("datasets of 20 million objects", f"{datasets:,.0f}", "objects / 20 million, by prefixes"),
        ("comparing one of them", _show(per_dataset, "{:.1f} s"), "measured"),
        ("shards of a dataset, at most", f"{MAX_SHARDS:,}", "`MAX_SHARDS`"),
        ("shards in all, at most", f"{shards:,.0f}", "datasets × shards"),
        ("objects of a shard", f"{estate.objects / shards:,.0f}", "objects / shards"),
        ("bytes of a shard", f"{estate.total_bytes / shards / 1e9:,.0f} GB", "bytes / shards"),
    ]


def _copy_rows(got: Measured, estate: Estate) -> list[Sequence[str]]:
    by_objects, by_bytes = got.object_cpu * estate.objects, got.gib_cpu * estate.gib
    return [
        ("mean size", f"{estate.total_bytes / estate.objects / 1e6:.0f} MB", "bytes / objects"),
        ("CPU by objects", _show(by_objects / _DAY, "{:.1f} core-days"), "measured × objects"),
        ("CPU by bytes", _show(by_bytes / _DAY, "{:.1f} core-days"), "measured × GiB"),
        (
            "a run in which nothing changed",
            _show(got.again_cpu * estate.objects / _HOUR, "{:.1f} core-hours"),
            "measured × objects",
        ),
    ]


def _wall_rows(got: Measured, estate: Estate) -> list[Sequence[str]]:
    cpu = got.object_cpu * estate.objects + got.gib_cpu * estate.gib
    rows: list[Sequence[str]] = []
    for gigabits in (1, 10, 40, 100):
        seconds = estate.total_bytes / (gigabits * 1e9 / 8)
        rows.append(
            (f"{gigabits} Gbit/s", _show(seconds / _DAY, "{:,.1f} days"), _show(cpu / seconds, "{:.1f}"))
        )
    return rows


def _cost_rows(got: Measured, estate: Estate) -> list[Sequence[str]]:
    pages, parts = estate.objects / 1000, estate.total_bytes / _PART_BYTES
    rows: list[Sequence[str]] = [
        ("listings of one side", f"{pages:,.0f} requests", "a run lists each side before and after"),
        ("requests that read", _show(got.reads * estate.objects, "{:,.0f}"), "measured × objects"),
        ("requests that write", _show(got.writes * estate.objects, "{:,.0f}"), "measured × objects"),
        ("parts, if all were large", f"{parts:,.0f} more", "bytes / 16 MiB"),
    ]
    rows += [
        (f"leaving {name}, in one month", f"${egress_dollars(name, estate.gib):,.0f}", "tiers × GiB")
        for name in ("aws", "azure", "gcp")
    ]
    return rows


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(line)} |" for line in (head, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:]])


def main(arguments: list[str]) -> int:
    """Print the tables of files of figures; of a lane that is in several, the first counts."""
    if not arguments:
        print("Usage: python -m tests.benchmarks.extrapolate FIGURES.json...", file=sys.stderr)
        return 2
    lanes = [lane for name in arguments for lane in json.loads(Path(name).read_text())["lanes"]]
    print("\n\n".join(tables(measured({"lanes": lanes}), Estate())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
