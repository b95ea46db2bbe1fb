"""When objects may be copied: open or closed, until when, and when next.

A window is wall-clock time of its zone, and never open while the clock on the wall there shows a
time outside it. Where clocks go forward, times that are left out do not exist: a window shrinks to
what is there. Where they go back, an hour that comes twice counts as the second one for a begin and
as the first one for an end; midnight is always the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from heavylift.spec.windows import DAY_MINUTES, Window, parse_window

_DAYS_AHEAD = 16
"""Every window opens at least once a week, if clocks going forward do not swallow it; twice that."""


class Windows:
    """The time windows of a dataset; without any it is always open.

    All moments are aware datetimes; what is returned is in UTC.

    :param texts: as in the spec.
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._windows = tuple(parse_window(text) for text in texts)
        self._zones = {window.zone: ZoneInfo(window.zone) for window in self._windows}

    def is_open(self, now: datetime) -> bool:
        """Tell whether objects may be copied at ``now``."""
        return not self._windows or any(begin <= now < end for begin, end in self._spans(now, 1))

    def closes_at(self, now: datetime) -> datetime | None:
        """Return the first moment from ``now`` on that is not open, or None where none comes."""
        if not self._windows:
            return None
        horizon = now + timedelta(days=_DAYS_AHEAD)
        moment = now.astimezone(UTC)
        for begin, end in sorted(self._spans(now, _DAYS_AHEAD)):
            if begin > moment:
                break
            moment = max(moment, end)
        return None if moment >= horizon - timedelta(days=1) else moment

    def next_open(self, now: datetime) -> datetime:
        """Return ``now`` where it is open, else the moment at which it opens next."""
        if self.is_open(now):
            return now.astimezone(UTC)
        return min(begin for begin, _end in self._spans(now, _DAYS_AHEAD) if begin > now)

    def _spans(self, now: datetime, days_ahead: int) -> Iterator[tuple[datetime, datetime]]:
        """Yield all ``(begin, end)`` in UTC of windows that open up to so many days from ``now``."""
        for window in self._windows:
            zone = self._zones[window.zone]
            today = now.astimezone(zone).date()
            for ahead in range(-2, days_ahead + 1):
                day = today + timedelta(days=ahead)
                if day.weekday() in window.days:
                    begin, end = _span(window, day, zone)
                    if begin < end:
                        yield begin, end


def _span(window: Window, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    return _moment(day, window.opens, zone, fold=1), _moment(day, window.closes, zone, fold=0)


def _moment(day: date, minutes: int, zone: ZoneInfo, *, fold: int) -> datetime:
    """Return the moment at which the clocks of ``zone`` show so many minutes after ``day``'s midnight.

    :param fold: which one is meant of two; where there is none, it is the moment of the jump.
    """
    days, minute = divmod(minutes, DAY_MINUTES)
    naive = datetime(day.year, day.month, day.day) + timedelta(days=days, minutes=minute)  # noqa: DTZ001
    wall = naive.replace(tzinfo=zone, fold=0 if minute == 0 else fold)
    moment = wall.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == naive:
        return moment
    return _jump(wall.replace(fold=1).astimezone(UTC), wall.replace(fold=0).astimezone(UTC), zone)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment between the two at which the clocks of ``zone`` go forward, to the second."""
    offset = before.astimezone(zone).utcoffset()
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)
