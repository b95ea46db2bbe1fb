"""Windows, caps and filters in a spec: what is read, what is inherited, what is refused and how."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from heavylift.spec.moments import moment_of
from heavylift.spec.quantities import parse_requests
from heavylift.spec.resolve import resolve_dataset
from heavylift.spec.windows import DAY_MINUTES, parse_window
from tests.unit.spec.samples import load, minimal, problems_of, with_dataset

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "days", "opens", "closes", "zone"),
    [
        ("22:00-06:00 Europe/Berlin", range(7), 1320, 360 + DAY_MINUTES, "Europe/Berlin"),
        ("Sat-Sun", (5, 6), 0, DAY_MINUTES, "UTC"),
        ("sat, SUN UTC", (5, 6), 0, DAY_MINUTES, "UTC"),
        ("Fri-Mon 00:30-24:00 America/New_York", (4, 5, 6, 0), 30, DAY_MINUTES, "America/New_York"),
        ("Mon,Wed-Fri 6:00 - 7:30", (0, 2, 3, 4), 360, 450, "UTC"),
        ("22:00-00:00", range(7), 1320, DAY_MINUTES, "UTC"),
    ],
)
def test_what_a_window_means(text: str, days: Any, opens: int, closes: int, zone: str) -> None:
    window = parse_window(text)
    assert (window.days, window.opens, window.closes, window.zone) == (frozenset(days), opens, closes, zone)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("22-06", "write '22:00-06:00'"),
        ("10pm-6am Europe/Berlin", "write '22:00-06:00 Europe/Berlin'"),
        ("22:00–06:00", "write '22:00-06:00'"),
        ("weekends", "write 'Sat-Sun'"),
        ("Saturday-Sunday", "write 'Sat-Sun'"),
        ("weekdays 22:00-06:00", "write 'Mon-Fri 22:00-06:00'"),
        ("22:00-06:00 CET", "name a place, such as Europe/Berlin"),
        ("22:00-06:00 +01:00", "name a place, such as Europe/Berlin"),
        ("22:00-06:00 Europe/Berln", "perhaps Europe/Berlin is meant"),
        ("22:00-06:00 ../etc/passwd", ""),
        ("Mon-Fry", "perhaps Fri is meant"),
        ("22:00-22:00", "leave the times out"),
        ("25:00-06:00", ""),
        ("22:00-24:01", ""),
        ("24:00-06:00", ""),
        ("22:60-06:00", ""),
        ("Europe/Berlin", ""),
        ("22:00-06:00 Sat", ""),
        ("Sat 22:00-06:00 UTC UTC", ""),
        ("always", ""),
        ("", ""),
        ("0 22 * * *", ""),
    ],
)
def test_what_is_no_window_is_refused_and_what_was_meant_is_named(
    tmp_path: Path, text: str, hint: str
) -> None:
    (problem,) = problems_of(tmp_path, with_dataset(limits={"windows": ["Sat", text]}))
    assert (problem.code, problem.field) == ("2136", "datasets[0].limits.windows[1]")
    assert hint in problem.hint
    if not hint:
        assert problem.expected


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T08:00:00+01:00", "2026-11-01T07:00:00+00:00"),
        ("2026-11-01T08:00Z", "2026-11-01T08:00:00+00:00"),
        ("30d", "2026-10-23T12:00:00+00:00"),
        ("1h30m", "2026-11-22T10:30:00+00:00"),
    ],
)
def test_moments_and_ages(text: str, moment: str) -> None:
    assert moment_of(text, NOW).isoformat() == moment


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "2026-11-01T08:00", "", "-5d", "99999w", "1st May"]
)
def test_what_is_no_moment_is_refused(tmp_path: Path, text: str) -> None:
    (problem,) = problems_of(tmp_path, with_dataset(modified_since=text))
    assert (problem.code, problem.field) == ("2137", "datasets[0].modified_since")


@pytest.mark.parametrize(("text", "per_second"), [("500/s", 500), ("1 / s", 1), (20, 20)])
def test_requests_a_second(text: object, per_second: int) -> None:
    assert parse_requests(text) == per_second


@pytest.mark.parametrize("text", ["500", "500/m", "fast", "-1/s", "0.5/s", True, None])
def test_what_is_no_number_of_requests_a_second(text: object) -> None:
    with pytest.raises(PydanticCustomError, match="500/s"):
        parse_requests(text)


@pytest.mark.parametrize(
    ("outer", "inner", "tasks"),
    [
        ({}, {}, None),
        ({"max_bandwidth": "1MiB/s"}, {}, 4),
        ({}, {"max_requests": "10/s"}, 4),
        ({"max_bandwidth": "1MiB/s"}, {"max_tasks": 2}, 2),
        ({"max_tasks": 3}, {"max_bandwidth": "1MiB/s"}, 3),
        ({}, {"max_tasks": 9}, 9),
    ],
)
def test_a_cap_needs_a_number_of_tasks_to_be_shared_by(
    tmp_path: Path, outer: dict[str, Any], inner: dict[str, Any], tasks: int | None
) -> None:
    data = minimal() | {"defaults": {"limits": outer}}
    data["datasets"][0]["limits"] = inner
    import yaml

    spec = load(tmp_path, yaml.safe_dump(data))
    assert resolve_dataset(spec, spec.datasets[0]).limits.max_tasks == tasks


def test_a_dataset_may_lift_the_windows_of_the_migration(tmp_path: Path) -> None:
    import yaml

    data = minimal() | {"defaults": {"limits": {"windows": ["Sat-Sun"]}}}
    data["datasets"].append(
        data["datasets"][0] | {"name": "other", "target": "gs://other/", "limits": {"windows": []}}
    )
    spec = load(tmp_path, yaml.safe_dump(data))
    assert [resolve_dataset(spec, d).limits.windows for d in spec.datasets] == [("Sat-Sun",), ()]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"min_size": "2MiB", "max_size": "1MiB"}, "2170", "datasets[0].min_size"),
        ({"modified_since": "10d", "modified_before": "20d"}, "2171", "datasets[0].modified_since"),
        (
            {"modified_since": "2026-11-02", "modified_before": "2026-11-02"},
            "2171",
            "datasets[0].modified_since",
        ),
        (
            {"max_size": "1MiB", "expectations": [{"name": "t", "path": "*.csv", "format": "csv"}]},
            "2172",
            "datasets[0].expectations",
        ),
    ],
)
def test_filters_that_leave_nothing_or_half_a_table_are_refused(
    tmp_path: Path, fields: dict[str, Any], code: str, field: str
) -> None:
    (problem,) = problems_of(tmp_path, with_dataset(**fields))
    assert (problem.code, problem.field) == (code, field)
