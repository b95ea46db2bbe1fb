"""The throughput of a run as SVG: bytes per second over the time of the copy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from markupsafe import Markup

from heavylift.evidence.records import ProgressSample, ShardResult
from heavylift.evidence.wording import size
from heavylift.report.scale import TimeScale, byte_step
from heavylift.report.story import RunStory
from heavylift.report.timeline import WIDTH

_LEFT, _RIGHT, _TOP, _PLOT = 96, 24, 12, 150
_SLOTS = 120


@dataclass(frozen=True)
class Throughput:
    """Bytes per second in equal slots of time.

    :param slot_seconds: length of one slot.
    """

    start: datetime
    slot_seconds: float
    rates: tuple[float, ...]

    @property
    def total_bytes(self) -> float:
        """Bytes of all slots; equals what the samples count."""
        return sum(self.rates) * self.slot_seconds

    @property
    def end(self) -> datetime:
        """When the last slot ends."""
        return self.start + timedelta(seconds=self.slot_seconds * len(self.rates))


def throughput_of(story: RunStory) -> Throughput | None:
    """Return the throughput of all attempts at all shards together, or None without any copy."""
    results = [kept.record for each in story.datasets for tries in each.attempts.values() for kept in tries]
    if not any(result.moved.size_bytes or result.samples for result in results):
        return None
    start = min(result.started_at for result in results)
    seconds = max((max(result.ended_at for result in results) - start).total_seconds(), 0.001)
    slots = [0.0] * _slots(seconds)
    for result in results:
        _spread(result, start, seconds / len(slots), slots)
    width = seconds / len(slots)
    return Throughput(start, width, tuple(amount / width for amount in slots))


def _slots(seconds: float) -> int:
    """Return how many slots so many seconds are divided into; none is shorter than half a second."""
    return max(1, min(_SLOTS, int(seconds * 2)))


def _spread(result: ShardResult, start: datetime, width: float, slots: list[float]) -> None:
    """Add a shard's bytes to the slots in which they were moved."""
    offset = (result.started_at - start).total_seconds()
    for one, other in pairwise(_samples(result)):
        begin, end = offset + one.seconds, offset + max(other.seconds, one.seconds + 1e-6)
        per_second = max(0, other.size_bytes - one.size_bytes) / (end - begin)
        for index in range(int(begin / width), len(slots)):
            overlap = min(end, (index + 1) * width) - max(begin, index * width)
            if overlap <= 0:
                break
            slots[index] += per_second * overlap


def _samples(result: ShardResult) -> Iterable[ProgressSample]:
    if len(result.samples) > 1:
        return result.samples
    seconds = (result.ended_at - result.started_at).total_seconds()
    moved = result.moved
    return (
        ProgressSample(seconds=0, objects=0, size_bytes=0),
        ProgressSample(seconds=seconds, objects=moved.objects, size_bytes=moved.size_bytes),
    )


def draw_throughput(throughput: Throughput) -> Markup:
    """Return the plot as SVG."""
    scale = TimeScale(throughput.start, throughput.end, _LEFT, WIDTH - _LEFT - _RIGHT)
    peak = max(throughput.rates)
    step = byte_step(peak or 1)
    top = step * max(1, -(-peak // step))
    parts = [_levels(step, top), _times(scale), _area(throughput, scale, top)]
    label = f"Throughput over time; at most {size(peak)} per second"
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}" class="plot">{}</svg>').format(
        WIDTH, _TOP + _PLOT + 30, label, Markup().join(parts)
    )


def _levels(step: float, top: float) -> Markup:
    line = Markup('<line x1="{}" x2="{}" y1="{:.2f}" y2="{:.2f}" class="grid"/>')
    text = Markup('<text x="{}" y="{:.2f}" class="level">{}</text>')
    parts = []
    for count in range(round(top / step) + 1):
        y = _y(step * count, top)
        parts += [
            line.format(_LEFT, WIDTH - _RIGHT, y, y),
            text.format(_LEFT - 10, y + 4, _rate(step * count)),
        ]
    return Markup().join(parts)


def _rate(value: float) -> str:
    return f"{size(value).replace('.0 ', ' ')}/s" if value else "0"


def _times(scale: TimeScale) -> Markup:
    text = Markup('<text x="{}" y="{}" class="tick">{}</text>')
    return Markup().join(text.format(x, _TOP + _PLOT + 20, label) for x, label in scale.ticks())


def _area(throughput: Throughput, scale: TimeScale, top: float) -> Markup:
    points = []
    for index, rate in enumerate(throughput.rates):
        left, right = (scale.at(throughput.slot_seconds * number) for number in (index, index + 1))
        points += [f"{left} {_y(rate, top):.2f}", f"{right} {_y(rate, top):.2f}"]
    outline = "L".join(points)
    base = _y(0, top)
    shape = Markup('<path d="M{} {:.2f}L{}L{} {:.2f}z" class="area"/><path d="M{}" class="curve"/>')
    return shape.format(scale.at(0), base, outline, scale.at(scale.seconds), base, outline)


def _y(value: float, top: float) -> float:
    return _TOP + _PLOT * (1 - value / top)
