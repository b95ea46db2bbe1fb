"""Downloads from S3: ranges, and bodies that must be as long as announced."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp

from heavylift.errors import PreconditionError, ServerUnavailableError, UnsupportedError
from heavylift.platforms.aws.headers import unquoted
from heavylift.platforms.http import HttpClient, Request
from heavylift.platforms.ports import ObjectHead


def range_header(offset: int, length: int | None) -> dict[str, str]:
    """Return the Range header; none for the whole object or for nothing of it."""
    if length == 0 or (offset == 0 and length is None):
        return {}
    return {"range": f"bytes={offset}-" + ("" if length is None else str(offset + length - 1))}


def check_answer(request: Request, answer: aiohttp.ClientResponse) -> None:
    """Make sure that a server honoured the range and the version that were asked for.

    :raises UnsupportedError: it sent the whole object instead of the range.
    :raises PreconditionError: it sent another version.
    """
    if "range" in request.headers and answer.status != 206:
        raise UnsupportedError(
            request.what,
            got=f"HTTP {answer.status} for a range",
            expected="HTTP 206",
            state="nothing was read",
            remedy="use a server or proxy that supports range requests",
            code="3142",
        )
    wanted = request.headers.get("if-match")
    got = answer.headers.get("ETag", "")
    if wanted is not None and unquoted(got) != unquoted(wanted):
        raise PreconditionError(
            request.what,
            got=f"version {got}",
            expected=wanted,
            state="nothing was read",
            remedy="run again: the new version is found and moved",
            code="3143",
        )


class S3Stream:
    """An open download."""

    def __init__(
        self, head: ObjectHead, answer: aiohttp.ClientResponse, request: Request, http: HttpClient
    ) -> None:
        self.head = head
        self._answer = answer
        self._request = request
        self._http = http

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes in order, in chunks of at most 256 KiB.

        :raises ServerUnavailableError: the body was cut short or stalled.
        """
        if self._request.method == "HEAD":
            return
        announced = int(self._answer.headers.get("Content-Length", "-1"))
        read = 0
        async for chunk in self._http.body_chunks(self._answer, self._request.what):
            read += len(chunk)
            yield chunk
        if announced not in {read, -1}:
            raise ServerUnavailableError(
                self._request.what,
                got=f"{read} bytes",
                expected=f"{announced} bytes",
                state="the body was cut short",
                remedy="read again from where it broke off",
                code="3144",
            )
