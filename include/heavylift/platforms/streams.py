"""Downloads over HTTP whose bodies must be as long as the object's head says."""

from __future__ import annotations

from collections.abc import AsyncIterator

from heavylift.errors import HeavyliftError, ServerUnavailableError, UnsupportedError
from heavylift.platforms.http import AnswerCheck, HttpClient, Response
from heavylift.platforms.http_answer import Answer
from heavylift.platforms.ports import ObjectHead

MOST_BODY_BYTES = 5 * 2**30
"""The longest object that is read into memory at once: what one put may hold."""


def byte_range(offset: int, length: int | None) -> str | None:
    """Return the value of a Range header; None for the whole object or for nothing of it."""
    if length == 0 or (offset == 0 and length is None):
        return None
    return f"bytes={offset}-" + ("" if length is None else str(offset + length - 1))


def check_range(answer: Answer, wanted: str | None, what: str) -> None:
    """Make sure that the server honoured a range.

    :raises UnsupportedError: it, or a proxy before it, sends the whole object instead.
    """
    if wanted is not None and answer.status != 206:
        raise no_range(what, answer.status)


def no_range(what: str, status: int) -> UnsupportedError:
    """Return the error for a whole object where a range was asked for."""
    return UnsupportedError(
        what,
        got=f"HTTP {status}, the whole object, for a range",
        expected="HTTP 206",
        state="nothing was read",
        remedy="look for a proxy that drops Range headers",
        code="3275",
    )


def most_bytes(length: int | None) -> int:
    """Return how long a body may be that was asked for with ``length``."""
    return MOST_BODY_BYTES if length is None else length


def whole_answer(what: str, wanted: str | None, offset: int, length: int | None) -> AnswerCheck | None:
    """Return a check of an answer read whole: that it is all, and only, what was asked for.

    Answers with a Content-Length are of that length already; this is for those without one,
    and for servers that send the whole object for a range.
    """

    def check(answer: Response) -> HeavyliftError | None:
        if wanted is not None and answer.status != 206:
            return no_range(what, answer.status)
        if length is not None and len(answer.body) > length:
            return wrong_length(what, len(answer.body), length)
        told = answer.headers.get("content-range" if wanted else "content-length", "")
        expected = _expected(told, wanted is not None)
        if length != 0 and expected not in {None, len(answer.body)}:
            return wrong_length(what, len(answer.body), expected or 0)
        return None

    return check


def _expected(told: str, ranged: bool) -> int | None:
    if not ranged:
        return int(told) if told.isdigit() else None
    first, _, last = told.removeprefix("bytes ").partition("/")[0].partition("-")
    return int(last) - int(first) + 1 if first.isdigit() and last.isdigit() else None


def wrong_length(what: str, got: int, expected: int) -> ServerUnavailableError:
    """Return the error for a body that is not as long as it should be."""
    return ServerUnavailableError(
        what,
        got=f"{got} bytes",
        expected=f"{expected} bytes",
        state="the body is not to be used",
        remedy="read again; look for a proxy that cuts or decompresses bodies",
        code="3276",
    )


class HttpStream:
    """An open download.

    :param answer: None where nothing of the object was asked for.
    """

    def __init__(
        self,
        head: ObjectHead,
        http: HttpClient,
        answer: Answer | None,
        what: str,
        *,
        offset: int = 0,
        length: int | None = None,
    ) -> None:
        self.head = head
        self._http = http
        self._answer = answer
        self._what = what
        left = max(0, head.object.size_bytes - offset)
        self._expected = left if length is None else min(left, length)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes in order.

        :raises ServerUnavailableError: the body was cut short, stalled, or is longer than the object.
        """
        if self._answer is None:
            return
        read = 0
        async for chunk in self._http.body_chunks(self._answer, self._what):
            read += len(chunk)
            if read <= self._expected:
                yield chunk
        if read != self._expected:
            raise wrong_length(self._what, read, self._expected)
