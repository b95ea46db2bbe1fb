"""Progress figures come from what was counted and the clock alone."""

from __future__ import annotations

from heavylift.evidence.records import Tally
from heavylift.objects.progress import Meter


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
