"""Which errors tell of too much load, and how long to wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from heavylift.errors import HeavyliftError, NotFoundError, ThrottledError
from heavylift.platforms.aws.faults import error_of, read_fault
from heavylift.platforms.http import Request
from heavylift.platforms.http_errors import error_for_status, no_answer
from heavylift.platforms.overload import asks_for_less, seconds_to_wait

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def with_wait(error: HeavyliftError) -> HeavyliftError:
    error.retry_after = "3"  # type: ignore[attr-defined]
    return error


def s3(status: int, body: bytes = b"") -> HeavyliftError:
    return error_of(Request("GET", "http://h/b/k", "get", {}), read_fault(status, {}, body))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ThrottledError("put"), True),
        (error_for_status("put", 429, ""), True),
        (error_for_status("put", 503, "ServiceUnavailable"), True),
        (s3(503), True),
        (s3(503, b"<Error><Code>SlowDown</Code></Error>"), True),
        (with_wait(error_for_status("put", 500, "")), True),
        (no_answer("put", TimeoutError()), True),
        (error_for_status("put", 500, ""), False),
        (no_answer("put", ConnectionResetError("reset by peer")), False),
        (NotFoundError("put"), False),
        (ValueError("x"), False),
    ],
)
def test_what_asks_for_less(error: BaseException, expected: bool) -> None:
    assert asks_for_less(error) is expected


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Sun, 22 Nov 2026 12:01:30 GMT", 90),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("٣", 0),
    ],
)
def test_how_long_to_wait(header: str, seconds: float) -> None:
    assert seconds_to_wait(header, NOW) == seconds
