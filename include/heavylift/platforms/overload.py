"""What an error says of a store's load, and how long the store asks to wait."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from heavylift.errors import ServerUnavailableError, ThrottledError, TransientError


def asks_for_less(error: BaseException) -> bool:
    """Tell whether ``error`` is a sign that the store has too much to do.

    429 and ``SlowDown`` are; so are 503 without a reason, a time-out, and whatever came with a
    ``Retry-After``. A connection that was refused or cut is not: it tells of the network.
    """
    if isinstance(error, ThrottledError):
        return True
    if not isinstance(error, TransientError):
        return False
    if error.retry_after:
        return True
    if not isinstance(error, ServerUnavailableError):
        return False
    return "HTTP 503" in error.got or "Timeout" in error.got


def seconds_to_wait(retry_after: str, now: datetime | None = None) -> float:
    """Return the seconds that a ``Retry-After`` header asks for; 0 where it asks for nothing.

    Both forms of RFC 9110 §10.2.3: seconds, and a date.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
