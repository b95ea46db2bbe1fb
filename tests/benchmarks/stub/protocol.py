"""HTTP/1.1 for the stub store: the least of it that S3 clients need, without a framework."""

from __future__ import annotations

import asyncio
from typing import cast

from tests.benchmarks.stub.store import Request, Store, answer

_HEAD_LIMIT = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.BufferedProtocol):
    """One client's connection. Bodies are counted and thrown away.

    :param scratch: where the kernel puts what arrives. All connections share it: it is emptied
        before the event loop turns to another one.
    """

    def __init__(self, store: Store, scratch: bytearray) -> None:
        self._store = store
        self._scratch = scratch
        self._head = b""
        self._left = 0
        self._request: Request | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Lend the shared buffer."""
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Go on with what has arrived: the rest of a body, then any number of requests."""
        if self._left > nbytes:
            self._left -= nbytes
            return
        self.feed(bytes(memoryview(self._scratch)[self._left : nbytes]), done=self._left)

    def feed(self, data: bytes, *, done: int = 0) -> None:
        """Take in bytes after ``done`` bytes of a body.

        :param data: what comes after them.
        """
        self._left -= done
        if self._request is not None and not self._left:
            self._answer(self._request)
        data = self._head + data
        while data:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                break
            data = self._begin(data[:end], data[end + 4 :])
        self._head = data
        if len(data) > _HEAD_LIMIT:
            self._end(answer(431))

    def _begin(self, head: bytes, rest: bytes) -> bytes:
        """Begin a request; return what of ``rest`` is not its body."""
        line, _, fields = head.partition(b"\r\n")
        words = line.split(b" ")
        if len(words) != 3:
            return self._end(answer(400))
        request = Request(words[0], words[1], b"\r\n" + fields.lower())
        if b"\r\ntransfer-encoding:" in request.fields:
            return self._end(answer(501))
        length = int(request.field(b"content-length") or 0)
        if not length:
            self._answer(request)
            return rest
        if b"\r\nexpect:" in request.fields and self._transport is not None:
            self._transport.write(_CONTINUE)
        request = Request(request.method, request.target, request.fields, length)
        if len(rest) >= length:
            self._answer(request)
            return rest[length:]
        self._request, self._left = request, length - len(rest)
        return b""

    def _answer(self, request: Request) -> None:
        self._request = None
        assert self._transport is not None
        self._transport.writelines(self._store.handle(request))

    def _end(self, last: list[bytes | memoryview]) -> bytes:
        assert self._transport is not None
        self._transport.writelines(last)
        self._transport.close()
        return b""
