"""Writes to a tracking server: as many requests at once as it bears, and nothing made twice.

A request that makes something and gets no answer may or may not have been carried out. So it is never
simply sent again: what it should have made is looked for first.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from heavylift.connections import Connection
from heavylift.errors import NotFoundError, ServerUnavailableError, TransientError
from heavylift.platforms.http import Request
from heavylift.platforms.http_answer import StreamedBody
from heavylift.platforms.limiter import AdaptiveLimit
from heavylift.platforms.overload import asks_for_less
from heavylift.registry.rest.client import TrackingServer

T = TypeVar("T")
ATTEMPTS = 8
_BASE_SECONDS, _MOST_SECONDS = 0.2, 15.0
_BUSY_DATABASE = "7142"


class Sendable(Protocol):
    """A file whose size is known, and that can be sent again."""

    @property
    def size(self) -> int:
        """Return how many bytes it has."""
        ...

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield it from its beginning."""
        ...


class WritingServer(TrackingServer):
    """The target of a move.

    :param writes: False makes it tell what would be written, and write nothing.
    """

    def __init__(self, connection: Connection, requests: int, *, writes: bool = True) -> None:
        super().__init__(connection, requests, attempts=1)
        self.writes = writes
        self.sent: Counter[str] = Counter()
        self._limit = AdaptiveLimit(requests, start=min(4, requests))
        self._made = itertools.count(1)

    async def write(
        self, method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Send what may be carried out twice without harm; until there is an answer."""
        self.sent[path.partition("/")[2] or path] += 1
        if not self.writes:
            return {}
        return await self._ask(self._with_body(method, path, body, headers))

    async def upload(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> None:
        """Send a file; a second time it replaces itself."""
        self.sent["artifact"] += 1
        what = f"{method} {path} on {self.name}"
        headers = {"Content-Type": "application/octet-stream"}
        await self._ask(Request(method, self._url(quote(path), query), what, headers, body))

    async def upload_from(self, method: str, path: str, query: Mapping[str, str], file: Sendable) -> None:
        """Send a file piece by piece; a second time it replaces itself."""
        self.sent["artifact"] += 1
        what = f"{method} {path} on {self.name}"
        headers = {"Content-Type": "application/octet-stream"}
        request = Request(method, self._url(quote(path), query), what, headers)

        async def act() -> None:
            async with aclosing(file.pieces()) as pieces:
                await self._once(replace(request, streamed=StreamedBody(file.size, pieces)))
                if await anext(pieces, None) is not None:
                    raise _answered_early(what)

        await again(act)

    async def create(
        self,
        path: str,
        body: Mapping[str, Any],
        pick: Callable[[dict[str, Any]], T],
        find: Callable[[], Awaitable[T | None]],
        planned: Callable[[str], T],
    ) -> T:
        """Make something once, however often an answer is lost.

        :param pick: takes the new thing's id out of an answer.
        :param find: looks for the thing on the server.
        :param planned: returns a stand-in for the id where nothing is written.
        """
        self.sent[path.partition("/")[2] or path] += 1
        if not self.writes:
            return planned(f"planned-{next(self._made)}")
        attempt = 1
        while True:
            try:
                return pick(await self._once(self._with_body("POST", path, body)))
            except TransientError as error:
                if attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(_pause(attempt, error))
                found = await find()
                if found is not None:
                    return found
            attempt += 1

    async def gone(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        """Send what takes something away; that it is away already is as good."""
        try:
            await self.write(method, path, body)
        except NotFoundError:
            return

    async def turn(self, path: str, body: Mapping[str, Any]) -> None:
        """Send what the server refuses as not there once it is done: an experiment's end or return.

        :raises NotFoundError: the first request was refused; after a lost answer it means that it is done.
        """
        self.sent[path.partition("/")[2] or path] += 1
        if not self.writes:
            return
        request, attempts = self._with_body("POST", path, body), itertools.count()

        async def act() -> None:
            repeated = next(attempts) > 0
            try:
                await self._once(request)
            except NotFoundError:
                if not repeated:
                    raise

        await again(act)

    async def text(self, path: str) -> str:
        """Return the answer to a GET as a line of text; empty where the server has no such page."""
        return await again(lambda: super(WritingServer, self).text(path))

    async def _ask(self, request: Request) -> dict[str, Any]:
        return await again(lambda: self._once(request))

    async def _once(self, request: Request) -> dict[str, Any]:
        await self._limit.enter()
        try:
            answer = await super()._ask(request)
        except BaseException as error:
            busy = asks_for_less(error) or getattr(error, "code", "") == _BUSY_DATABASE
            self._limit.leave(busy)
            raise
        self._limit.leave()
        return answer


def _answered_early(what: str) -> ServerUnavailableError:
    return ServerUnavailableError(
        what,
        got="an answer before the file's end",
        expected="one after it",
        state="the file may be there in part, and is sent again",
        remedy="run the same command again; if it stays so, look what stands before the server",
        code="9563",
    )


async def again(act: Callable[[], Awaitable[T]]) -> T:
    """Do what may be done twice, until it is done; a transient error is one only after several attempts."""
    attempt = 1
    while True:
        try:
            return await act()
        except TransientError as error:
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(_pause(attempt, error))
        attempt += 1


def segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")


def _pause(attempt: int, error: TransientError) -> float:
    asked = float(error.retry_after) if error.retry_after.isdigit() else 0.0
    ceiling = min(_BASE_SECONDS * 2**attempt, _MOST_SECONDS)
    return min(asked, _MOST_SECONDS) or random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret
