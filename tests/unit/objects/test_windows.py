"""Windows by the clock on the wall: weekdays, midnight, and the nights when clocks change."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.objects.windows import Windows
from heavylift.spec.windows import DAYS

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def wall(moment: datetime | None, zone: str = "UTC") -> str | None:
    return moment.astimezone(ZoneInfo(zone)).strftime("%a %d %H:%M") if moment else None


# 2026-11-22 is a Sunday.
@pytest.mark.parametrize(
    ("window", "now", "is_open", "closes", "opens"),
    [
        ("22:00-06:00", "2026-11-22T21:59", False, None, "Sun 22 22:00"),
        ("22:00-06:00", "2026-11-22T22:00", True, "Mon 23 06:00", None),
        ("22:00-06:00", "2026-11-23T05:59", True, "Mon 23 06:00", None),
        ("22:00-06:00", "2026-11-23T06:00", False, None, "Mon 23 22:00"),
        ("Sat-Sun", "2026-11-20T23:59", False, None, "Sat 21 00:00"),
        ("Sat-Sun", "2026-11-22T23:59", True, "Mon 23 00:00", None),
        ("Fri-Mon", "2026-11-24T00:00", False, None, "Fri 27 00:00"),
        ("Mon-Fri 20:00-24:00", "2026-11-23T23:00", True, "Tue 24 00:00", None),
        ("Fri 22:00-06:00", "2026-11-28T05:00", True, "Sat 28 06:00", None),
        ("Fri 22:00-06:00", "2026-11-27T05:00", False, None, "Fri 27 22:00"),
        ("Mon,Wed", "2026-11-24T12:00", False, None, "Wed 25 00:00"),
        ("Mon-Sun", "2026-11-24T12:00", True, None, None),
    ],
)
def test_open_until_when_and_when_next(
    window: str, now: str, is_open: bool, closes: str | None, opens: str | None
) -> None:
    windows, moment = Windows([window]), at(now)
    assert windows.is_open(moment) is is_open
    if is_open:
        assert wall(windows.closes_at(moment)) == closes
        assert windows.next_open(moment) == moment
    else:
        assert windows.closes_at(moment) == moment
        assert wall(windows.next_open(moment)) == opens


def test_without_a_window_it_is_always_open() -> None:
    now = at("2026-11-22T12:00")
    assert (Windows().is_open(now), Windows().closes_at(now), Windows().next_open(now)) == (True, None, now)


def test_windows_that_touch_are_one() -> None:
    windows = Windows(["Mon-Fri 22:00-06:00 Europe/Berlin", "Sat-Sun Europe/Berlin"])
    friday = at("2026-11-27T23:00", "Europe/Berlin")
    assert wall(windows.closes_at(friday), "Europe/Berlin") == "Mon 30 00:00"


def test_the_zone_decides() -> None:
    windows = Windows(["22:00-06:00 Europe/Berlin"])
    assert wall(windows.next_open(at("2026-11-22T12:00"))) == "Sun 22 21:00"
    assert wall(windows.next_open(at("2026-07-22T12:00"))) == "Wed 22 20:00"


@pytest.mark.parametrize(
    ("window", "begin", "end"),
    [
        # In Berlin, 02:00 to 03:00 of 29 March 2026 do not exist: clocks go forward at 01:00 UTC.
        ("01:30-02:30 Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:00"),
        ("02:30-03:15 Europe/Berlin", "2026-03-29T01:00", "2026-03-29T01:15"),
        ("01:00-04:00 Europe/Berlin", "2026-03-29T00:00", "2026-03-29T02:00"),
        # On 25 October 2026 they come twice: clocks go back at 01:00 UTC.
        ("01:30-02:30 Europe/Berlin", "2026-10-24T23:30", "2026-10-25T00:30"),
        ("02:30-04:00 Europe/Berlin", "2026-10-25T01:30", "2026-10-25T03:00"),
        ("01:00-04:00 Europe/Berlin", "2026-10-24T23:00", "2026-10-25T03:00"),
    ],
)
def test_the_nights_when_clocks_change(window: str, begin: str, end: str) -> None:
    windows = Windows([window])
    start = at(begin)
    assert windows.next_open(start - timedelta(minutes=20)) == start
    assert windows.is_open(start)
    assert windows.closes_at(start) == at(end)


def test_a_window_inside_the_hour_that_is_left_out_opens_on_the_next_day() -> None:
    windows = Windows(["02:15-02:45 Europe/Berlin"])
    assert wall(windows.next_open(at("2026-03-29T00:00")), "Europe/Berlin") == "Mon 30 02:15"


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01", "2026-06-01"])
def test_whole_days_that_follow_each_other_have_no_gap_where_midnight_comes_twice(day: str) -> None:
    """In Havana clocks go back from 01:00 to 00:00, and forward from 00:00 to 01:00."""
    windows = Windows([f"{name} America/Havana" for name in DAYS])
    assert windows.closes_at(at(f"{day}T00:00") - timedelta(days=2)) is None


ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
]


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    day=st.sampled_from(["", "Mon ", "Fri-Mon ", "Tue,Sat "]),
    opens=st.integers(0, 1439),
    closes=st.integers(0, 1440),
    now=st.integers(0, 2 * 365 * 86_400).map(lambda seconds: at("2026-01-01") + timedelta(seconds=seconds)),
)
def test_the_three_answers_agree_and_the_clock_on_the_wall_with_them(
    zone: str, day: str, opens: int, closes: int, now: datetime
) -> None:
    if opens == closes:
        closes = (opens + 60) % 1440
    times = f"{opens // 60:02d}:{opens % 60:02d}-{closes // 60:02d}:{closes % 60:02d}"
    windows = Windows([f"{day}{times} {zone}"])
    if windows.is_open(now):
        closing = windows.closes_at(now)
        assert windows.next_open(now) == now
        local = now.astimezone(ZoneInfo(zone))
        minute = local.hour * 60 + local.minute
        inside = opens <= minute < closes if opens < closes else minute >= opens or minute < closes
        assert inside
        if closing is not None:
            assert closing > now
            assert not windows.is_open(closing)
            assert windows.is_open(closing - timedelta(microseconds=1))
    else:
        assert windows.closes_at(now) == now
        opening = windows.next_open(now)
        assert opening > now
        assert windows.is_open(opening)
        assert not windows.is_open(opening - timedelta(microseconds=1))
