"""Moments as a spec names them: a day, a time with its zone, or so long before the plan is made."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from heavylift.spec.base import wrong
from heavylift.spec.quantities import parse_duration

MOMENT_EXPECTED = (
    "a day such as 2026-11-01 (its begin in UTC), a time with its zone such as 2026-11-01T08:00:00+01:00,"
    " or an age such as 30d"
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST_AGE_SECONDS = 100 * 366 * 86_400


def moment_of(text: str, now: datetime) -> datetime:
    """Return the moment that ``text`` means, in UTC; an age is reckoned back from ``now``.

    :raises PydanticCustomError: ``text`` is neither a moment nor an age.
    """
    if _DAY.fullmatch(text):
        text += "T00:00:00+00:00"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return now.astimezone(UTC) - timedelta(seconds=_age_seconds(text))
    if moment.tzinfo is None:
        raise wrong("moment", MOMENT_EXPECTED, f"add the zone, for example {text}Z")
    return moment.astimezone(UTC)


def _age_seconds(text: str) -> int:
    try:
        seconds = parse_duration(text)
    except PydanticCustomError:
        raise wrong("moment", MOMENT_EXPECTED) from None
    if seconds > _LONGEST_AGE_SECONDS:
        raise wrong("moment", MOMENT_EXPECTED, "an age of at most a hundred years")
    return seconds


def _check(text: str) -> str:
    moment_of(text, datetime.now(UTC))
    return text


Moment = Annotated[str, AfterValidator(_check), Field(max_length=40)]
"""A moment or an age; see :func:`moment_of`."""
