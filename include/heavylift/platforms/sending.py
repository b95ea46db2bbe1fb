"""Sending one request's body: in paced chunks, to a server that must keep taking them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

import aiohttp

from heavylift.platforms.pacing import Pacer

SEND_CHUNK = 256 * 1024
SMALL_BODY = 64 * 1024
"""Bodies up to this size are handed over whole: the socket's buffer takes them at once."""


class Sending:
    """One attempt's body: paced, and each chunk must be taken within ``stall_seconds``.

    aiohttp's own read timeout starts only after the whole body has been sent, so that a
    server which stops reading would hold the request for ever.
    """

    def __init__(self, body: bytes, pacer: Pacer, stall_seconds: float) -> None:
        self._body = body
        self._pacer = pacer
        self._stall_seconds = stall_seconds
        self._stall: asyncio.Timeout | None = None
        self.done = False

    async def watched(self, answer: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
        """Wait for the answer, or until the other side has stopped taking the body."""
        if self.done:
            return await answer
        async with asyncio.timeout(None) as self._stall:
            try:
                return await answer
            finally:
                self._stall = None

    async def data(self) -> bytes | AsyncIterator[memoryview] | None:
        """Return what aiohttp is to send."""
        if len(self._body) > SMALL_BODY:
            return self._chunks()
        self.done = True
        if self._body:
            await self._pacer.take(len(self._body))
        return self._body or None

    async def _chunks(self) -> AsyncIterator[memoryview]:
        view = memoryview(self._body)
        for start in range(0, len(view), SEND_CHUNK):
            chunk = view[start : start + SEND_CHUNK]
            self._watch(None)
            await self._pacer.take(len(chunk))
            self._watch(self._stall_seconds)
            self.done = start + SEND_CHUNK >= len(view)
            yield chunk
        self._watch(None)

    def _watch(self, seconds: float | None) -> None:
        if self._stall is not None:
            self._stall.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)
