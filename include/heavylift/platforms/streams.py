"""Downloads over HTTP whose bodies must be as long as the object's head says."""

from __future__ import annotations

from collections.abc import AsyncIterator

from heavylift.errors import ServerUnavailableError, UnsupportedError
from heavylift.platforms.http import HttpClient
from heavylift.platforms.http_connection import Answer
from heavylift.platforms.ports import ObjectHead


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
        raise UnsupportedError(
            what,
            got=f"HTTP {answer.status}, the whole object, for a range",
            expected="HTTP 206",
            state="nothing was read",
            remedy="look for a proxy that drops Range headers",
            code="3275",
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
            raise ServerUnavailableError(
                self._what,
                got=f"{read} bytes",
                expected=f"{self._expected} bytes",
                state="the body is not to be used",
                remedy="read again; look for a proxy that cuts or decompresses bodies",
                code="3276",
            )
