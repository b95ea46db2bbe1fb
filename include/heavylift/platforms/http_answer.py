"""An answer as its connection makes it, and a request's body that is made while it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.checksums import Body
from heavylift.platforms.http_message import Headers

if TYPE_CHECKING:
    from heavylift.platforms.http_connection import Connection


@dataclass(frozen=True)
class StreamedBody:
    """A body that is made while it is sent; it can be sent once.

    :param size: bytes, exactly.
    :param pieces: whoever opens them closes them; one that ends early must raise.
    """

    size: int
    pieces: AsyncIterator[bytes]


class Answer:
    """An answer: its head, and its body as far as it has come.

    :param body: the whole body, for an exchange that gathers it.
    """

    __slots__ = ("_connection", "body", "complete", "headers", "status")

    def __init__(self, connection: Connection, status: int, headers: Headers) -> None:
        self._connection = connection
        self.status = status
        self.headers = headers
        self.body: Body = b""
        self.complete = False

    async def next_chunk(self) -> bytes:
        """Return the next piece of a streamed body; empty at its end.

        :raises BrokenConnectionError: the body was cut off.
        """
        return await self._connection.next_chunk()

    async def read(self) -> bytes:
        """Return what is left of a streamed body."""
        pieces = []
        while piece := await self._connection.next_chunk():
            pieces.append(piece)
        return b"".join(pieces)
