"""The arithmetic of the extrapolation, and that it takes no figure of a trial."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.benchmarks.extrapolate import Estate, egress_dollars, measured, tables

LANES = ("objects-list", "objects-diff", "objects-small-stub", "objects-large", "objects-unchanged")


def figures(**changes: Any) -> dict[str, Any]:
    ours = {
        "tool": "heavylift",
        "cpu_seconds": 10.0,
        "wall_seconds": 20.0,
        "peak_mib": 100.0,
        "extra": {"file_mib": 50.0, "head": 0, "get": 10_000, "tags": 5_000, "put": 10_000},
    }
    lanes = [{"lane": lane, "scaled": False, "tools": [{"tool": "rclone"}, dict(ours)]} for lane in LANES]
    lanes[0].update(changes)
    return {"lanes": lanes}


def test_figures_become_figures_of_one_object() -> None:
    got = measured(figures())
    assert got.list_cpu * 1_000_000 == pytest.approx(10)
    assert got.row_bytes == pytest.approx(52.4, abs=0.1)
    assert got.diff_seconds * 20_000_000 == pytest.approx(20)
    assert (got.object_cpu, got.gib_cpu) == (0.001, 10)
    assert (got.reads, got.writes) == (1.5, 1.0)
    assert got.again_cpu * 100_000 == pytest.approx(10)


@pytest.mark.parametrize(
    "changes",
    [
        {"scaled": True},
        {"lane": "another"},
        {"tools": [{"tool": "heavylift", "no_figure": "it left 3 objects behind"}]},
        {"tools": []},
    ],
)
def test_a_trial_a_missing_lane_and_a_failure_are_not_measured(changes: dict[str, Any]) -> None:
    got = measured(figures(**changes))
    assert math.isnan(got.list_cpu)
    assert not math.isnan(got.object_cpu)
    lines = "\n".join(tables(got, Estate())).splitlines()
    assert [line.split("|")[1].strip() for line in lines if "not measured" in line] == [
        "listing, CPU of a million keys (`objects-list`)",
        "listing, bytes of a row in Parquet (`objects-list`)",
        "client CPU",
        "one side's rows",
    ]
    assert "nan" not in "".join(lines)


def test_egress_is_billed_by_tiers() -> None:
    assert egress_dollars("aws", 10_240) == pytest.approx(921.6)
    assert egress_dollars("aws", 10_241) == pytest.approx(921.6 + 0.085)
    assert egress_dollars("gcp", 2_048) == pytest.approx(1024 * 0.12 + 1024 * 0.11)
    with pytest.raises(KeyError):
        egress_dollars("nobody", 5)


def test_every_table_is_whole() -> None:
    printed = tables(measured(figures()), Estate())
    assert len(printed) == 5
    for table in printed:
        widths = {line.count("|") for line in table.splitlines()}
        assert len(widths) == 1, table
    text = "\n".join(printed)
    assert "1,000,000 requests" in text
    assert "not measured" not in text
    assert "| 10 Gbit/s | 46.3 days |" in text
