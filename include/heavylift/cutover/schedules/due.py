"""When a schedule is due: five fields of cron, in a time zone, as Vixie's cron reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from heavylift.errors import SpecError
from heavylift.spec.cron import PRESETS, allowed_values, check_cron

MOST_DUE = 10_000
"""So many moments at most are told of one hold: of a schedule of each minute that is a week."""
_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def due_between(cron: str, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    """Return the moments at which a schedule is due after ``after`` and up to ``until``, in UTC.

    A time that the clocks skip is not due; one that they repeat is due once, the first time.

    :raises SpecError: this is no schedule.
    """
    found: list[datetime] = []
    for moment in _moments(cron, zone, after.astimezone(zone).date(), until.astimezone(zone).date()):
        if after < moment <= until:
            found.append(moment)
            if len(found) == MOST_DUE:
                break
    return found


def _moments(cron: str, zone: ZoneInfo, first: date, last: date) -> Iterator[datetime]:
    on = first - timedelta(days=1)
    while on <= last + timedelta(days=1):
        yield from _moments_of(cron, zone, on)
        on += timedelta(days=1)


@lru_cache(maxsize=32)  # each act of a switch asks, and for three days at least
def _moments_of(cron: str, zone: ZoneInfo, on: date) -> tuple[datetime, ...]:
    minutes, hours, days, months, weekdays = (sorted(each) for each in _fields(cron))
    _minute, _hour, day_text, _month, weekday_text = _text(cron).split()
    either = not day_text.startswith("*") and not weekday_text.startswith("*")
    day_fits, weekday_fits = on.day in days, on.isoweekday() % 7 in weekdays
    fits = (day_fits or weekday_fits) if either else (day_fits and weekday_fits)
    if on.month not in months or not fits:
        return ()
    found = (_in_utc(on, hour, minute, zone) for hour in hours for minute in minutes)
    return tuple(moment for moment in found if moment is not None)


def _in_utc(on: date, hour: int, minute: int, zone: ZoneInfo) -> datetime | None:
    local = datetime(on.year, on.month, on.day, hour, minute, tzinfo=zone)
    moment = local.astimezone(UTC)
    skipped = moment.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None)
    return None if skipped else moment


def _fields(cron: str) -> list[set[int]]:
    found = allowed_values(_text(cron))
    if found is None:
        problem = check_cron(cron)
        raise SpecError(
            f"reading the schedule {cron!r}",
            got=(problem.hint if problem else "") or "no schedule",
            expected=problem.expected if problem else f"five fields of cron, or one of {', '.join(PRESETS)}",
            state="nothing was touched",
            remedy="correct cutover.schedules",
            code="9635",
        )
    return found


def _text(cron: str) -> str:
    return _PRESETS.get(cron, cron)
