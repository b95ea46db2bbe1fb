"""Ratios and verdicts: a benchmark that flatters is worse than none."""

from __future__ import annotations

import pytest

from tests.benchmarks.figures import as_text, goals_as_text, table
from tests.benchmarks.goals import Goal, judge
from tests.benchmarks.measure import Found, Sample


def samples(*cpu: float, wall: float = 1.0, mib: float = 10.0, **extra: float) -> list[Sample]:
    return [Sample(wall, seconds, mib, extra) for seconds in cpu]


def test_a_ratio_is_the_median_of_runs_not_the_ratio_of_medians() -> None:
    found = Found({"us": samples(1, 2, 9), "peer": samples(2, 1, 3)})
    (verdict,) = judge([Goal("cpu_seconds", 2.0, ("peer",))], found, "us")
    assert verdict.value == 2.0
    assert verdict.word == "met"


def test_the_better_peer_of_each_run_counts() -> None:
    found = Found({"us": samples(1, 1), "a": samples(2, 8), "b": samples(8, 4)})
    (verdict,) = judge([Goal("cpu_seconds", 0.5, ("a", "b"))], found, "us")
    assert verdict.value == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert "the better of a, b" in verdict.text()


def test_a_figure_just_above_its_bound_is_missed() -> None:
    found = Found({"us": samples(1.0), "peer": samples(1.99)})
    (verdict,) = judge([Goal("cpu_seconds", 0.5, ("peer",))], found, "us")
    assert verdict.word == "missed"
    assert "missed" in verdict.text()


def test_a_peer_without_figures_is_named_and_left_out() -> None:
    found = Found({"us": samples(1), "a": samples(4), "b": samples(9)}, {"b": "it ended with 1"})
    (verdict,) = judge([Goal("cpu_seconds", 0.5, ("a", "b"))], found, "us")
    assert verdict.value == 0.25
    assert "without b" in verdict.text()
    (alone,) = judge([Goal("cpu_seconds", 0.5, ("b",))], found, "us")
    assert alone.word == "no figure"


def test_ours_without_figures_meets_nothing() -> None:
    found = Found({"us": samples(0.1), "peer": samples(4)}, {"us": "left 3 objects behind"})
    verdicts = judge([Goal("cpu_seconds", 0.5, ("peer",)), Goal("peak_mib", 100)], found, "us")
    assert [verdict.word for verdict in verdicts] == ["no figure", "no figure"]
    rows = table(found, "us")
    assert rows[0] == {"tool": "us", "no_figure": "left 3 objects behind"}
    assert "cpu_ratio" not in rows[1]
    assert "left 3 objects behind" in as_text(rows, "us")


def test_bounds_without_peers_and_figures_of_a_lane() -> None:
    found = Found({"us": samples(1, 1, 1, mib=151, writes=0)})
    memory, writes = judge([Goal("peak_mib", 150), Goal("writes", 0)], found, "us")
    assert (memory.word, writes.word) == ("missed", "met")


def test_a_scaled_run_is_marked_in_every_line() -> None:
    found = Found({"us": samples(1)})
    verdicts = judge([Goal("peak_mib", 150), Goal("wall_seconds", 8)], found, "us")
    assert goals_as_text(verdicts, 0.05).count("scaled to 0.05") == 2
    assert "scaled" not in goals_as_text(verdicts, 1.0)


def test_the_table_has_medians_and_ratios_of_ours_to_each() -> None:
    found = Found({"us": samples(1, 2, 3), "peer": samples(2, 4, 12)})
    us, peer = table(found, "us")
    assert (us["cpu_seconds"], us["cpu_ratio"]) == (2, 1)
    assert (peer["cpu_seconds"], peer["cpu_ratio"]) == (4, 0.5)
    assert len(peer["runs"]) == 3
