"""Sizes, rates, durations and schedules as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from heavylift.spec.cron import PRESETS, check_cron
from heavylift.spec.quantities import (
    DURATION_UNITS,
    SIZE_UNITS,
    format_duration,
    format_size,
    parse_duration,
    parse_rate,
    parse_size,
)

amounts = st.integers(0, 2**63 - 1)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0), ("1B", 1), ("64MiB", 64 * 2**20), ("64 MiB", 64 * 2**20), ("10GiB", 10 * 2**30),
        ("1.5KiB", 1536), ("0.5GiB", 2**29), ("2MB", 2_000_000), ("3kB", 3000), ("3KB", 3000),
        ("1TiB", 2**40), ("1TB", 10**12), (" 7B ", 7), (123, 123), (0, 0),
    ],
)  # fmt: skip
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "MiB", "64", "64M", "64Mi", "64Mb", "64 mib", "-1B", "1.B", "1e3B", "0.3B", "1,5MiB", "64MiB/s",
     "٣MiB", "9999999TiB", -1, 1.5, True, None, [], {}],
)  # fmt: skip
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_size(text)


@pytest.mark.parametrize("text", ["200MiB", "200MiB/h", "200MiB/s/s", "MiB/s", "200/s", "200mbit/s", True])
def test_what_is_no_rate(text: object) -> None:
    with pytest.raises(PydanticCustomError):
        parse_rate(text)


def test_rates() -> None:
    assert parse_rate("200MiB/s") == 200 * 2**20
    assert parse_rate("1.5MB/s") == 1_500_000
    assert parse_rate(42) == 42


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600), ("1h30m", 5400), (5, 5)],
)
def test_durations(text: object, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "1 h", "1.5h", "-1s", "1h 30m", "30S", "1y", "9" * 30 + "w"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(PydanticCustomError):
        parse_duration(text)


def test_a_duration_beyond_all_bounds_is_none() -> None:
    with pytest.raises(PydanticCustomError):
        parse_duration("999999999999w" * 20)


@given(amounts)
def test_a_size_that_is_written_is_read_again(size: int) -> None:
    if len(format_size(size)) <= 16:
        assert parse_size(format_size(size)) == size
    assert parse_size(size) == size


@given(st.integers(0, 10**11))
def test_a_duration_that_is_written_is_read_again(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, 10**6), st.sampled_from(sorted(SIZE_UNITS)))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * SIZE_UNITS[unit]
    assert parse_rate(f"{number}{unit}/s") == number * SIZE_UNITS[unit]


@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.sampled_from(sorted(DURATION_UNITS))), min_size=1, max_size=5
    )
)
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == sum(number * DURATION_UNITS[unit] for number, unit in parts)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (1, "1B"), (1024, "1KiB"), (1536, "1536B"), (16 * 2**20, "16MiB")]
)
def test_sizes_are_written_in_the_largest_unit_that_fits(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (90, "90s"), (120, "2m"), (3600, "1h"), (604_800, "7d")]
)
def test_durations_are_written_in_the_largest_unit_that_fits(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    "text",
    ["* * * * *", "0 * * * *", "*/15 0-6 1,15 * mon-fri", "0 0 1 jan sun", "59 23 31 12 7", "5-55/10 * * * *",
     "0 22 * * FRI", *PRESETS],
)  # fmt: skip
def test_schedules(text: str) -> None:
    assert check_cron(text) is None


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
     "5-1 * * * *", "*/0 * * * *", "*/99 * * * *", "a * * * *", "1, * * * *", "jan * * * *", "@once",
     "@reboot", "１ * * * *", "-1 * * * *", "1-2-3 * * * *"],
)  # fmt: skip
def test_what_is_no_schedule(text: str) -> None:
    assert check_cron(text) is not None


fields = st.one_of(
    st.text(alphabet="0123456789*/,-abcdefjlmnoprstuvy", max_size=8),
    st.sampled_from(["*", "1", "*/2", "mon"]),
)


@given(st.lists(fields, min_size=5, max_size=5))
def test_what_airflows_cron_library_refuses_is_refused_here_too(parts: list[str]) -> None:
    from croniter import croniter  # type: ignore[import-untyped]

    text = " ".join(parts)
    if check_cron(text) is None:
        assert croniter.is_valid(text)
