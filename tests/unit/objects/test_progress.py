"""Progress figures come from what was counted and the clock alone."""

from __future__ import annotations

import pytest

from heavylift.evidence.records import Tally
from heavylift.objects.progress import Meter, Pressure


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rate_and_time_left() -> None:
    clock = Clock()
    meter = Meter(Tally(objects=4, size_bytes=1000), clock=clock)
    assert meter.look().seconds_left is None
    clock.now += 2
    meter.add_bytes(250)
    meter.add_object()
    seen = meter.look()
    assert (seen.bytes_per_second, seen.seconds_left) == (125.0, 6.0)
    assert (seen.objects_done, seen.objects_total) == (1, 4)


def test_empty_objects_have_a_time_left_too() -> None:
    clock = Clock()
    meter = Meter(Tally(objects=4, size_bytes=0), clock=clock)
    clock.now += 1
    meter.add_object()
    assert meter.look().seconds_left == 3.0


def test_samples_stay_bounded_and_keep_the_last() -> None:
    clock = Clock()
    meter = Meter(Tally(objects=1, size_bytes=10_000), clock=clock)
    for _ in range(2000):
        clock.now += 1
        meter.add_bytes(1)
        meter.sample()
    assert len(meter.samples) <= 241
    assert meter.samples[0].size_bytes == 0
    assert meter.samples[-1].size_bytes == 2000


def test_the_rate_is_that_of_the_last_seconds_and_not_the_average() -> None:
    clock = Clock()
    meter = Meter(Tally(objects=1, size_bytes=100_000), clock=clock)
    for second in range(200):
        clock.now += 1
        meter.add_bytes(100 if second < 100 else 10)
        meter.sample()
    seen = meter.look()
    assert seen.bytes_per_second == pytest.approx(10)
    assert seen.seconds_left == pytest.approx((100_000 - 11_000) / 10)


def test_many_small_objects_after_few_large_ones_are_reckoned_by_their_number() -> None:
    clock = Clock()
    meter = Meter(Tally(objects=10_100, size_bytes=10_100_000), clock=clock)
    for _ in range(20):
        clock.now += 1
        for _ in range(5):
            meter.add_bytes(100_000)
            meter.add_object()
        meter.sample()
    # 10,000 objects and 100,000 bytes are left: by bytes 0.2 s, by objects 2,000 s.
    assert meter.look().seconds_left == pytest.approx(2_000)


def test_few_large_objects_after_many_small_ones_are_reckoned_by_their_bytes() -> None:
    clock = Clock()
    meter = Meter(Tally(objects=1_002, size_bytes=2_001_000), clock=clock)
    for _ in range(10):
        clock.now += 1
        for _ in range(100):
            meter.add_bytes(1)
            meter.add_object()
        meter.sample()
    assert meter.look().seconds_left == pytest.approx(2_000_000 / 100)


def test_parts_of_large_objects_count_before_any_object_is_done() -> None:
    clock = Clock()
    meter = Meter(Tally(objects=4, size_bytes=4_000), clock=clock)
    for _ in range(5):
        clock.now += 1
        meter.add_bytes(600)
        meter.sample()
    meter.add_object()  # the first of four is done, but three quarters of all bytes are
    assert meter.look().seconds_left == pytest.approx(1_000 / 600)


def test_a_copy_that_stands_still_has_no_time_left() -> None:
    clock = Clock()
    meter = Meter(Tally(objects=4, size_bytes=4_000), clock=clock)
    clock.now += 1
    meter.add_bytes(600)
    for _ in range(60):
        clock.now += 1
        meter.sample()
    assert (meter.look().bytes_per_second, meter.look().seconds_left) == (0, None)


def test_what_an_earlier_attempt_has_done_is_no_speed_of_this_one() -> None:
    clock = Clock()
    meter = Meter(Tally(objects=10, size_bytes=1_000), clock=clock)
    meter.start_with(Tally(objects=9, size_bytes=900))
    clock.now += 1
    meter.add_bytes(10)
    seen = meter.look()
    assert (seen.bytes_done, seen.bytes_per_second, seen.seconds_left) == (910, 10, 9)


def test_nothing_left_takes_no_time() -> None:
    meter = Meter(Tally(), clock=Clock())
    assert meter.look().seconds_left == 0


def test_how_hard_the_stores_press_back_is_told() -> None:
    meter = Meter(Tally(objects=1, size_bytes=1), pressure=lambda: Pressure(7, 3), clock=Clock())
    seen = meter.look()
    assert (seen.throttled, seen.concurrency) == (7, 3)
