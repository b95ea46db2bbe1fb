"""One HTTP/1.1 connection: an exchange at a time, its answer parsed by llhttp (httptools).

Written for the data path, where a general client's share of the CPU is larger than that of all
else together (docs/adr/0008-http-client.md): no task, timer or lock is made for an exchange, and
a large body goes from the socket into the buffer in which it is kept.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httptools

from heavylift.checksums import Body
from heavylift.platforms.http_answer import Answer, StreamedBody
from heavylift.platforms.http_message import Headers

READ_BUFFER = 64 * 1024
SEND_CHUNK = 1024 * 1024
SMALL_BODY = 64 * 1024
"""Bodies up to this size go out together with their head."""
MOST_UNREAD = 1024 * 1024
"""So much of a streamed body waits for its reader before the socket is left alone."""
MOST_HEAD_BYTES = 256 * 1024
"""Headers beyond this are no answer of a store."""

Pace = Callable[[int], Awaitable[None]]


class BrokenConnectionError(ConnectionError):
    """The other side went away, or spoke something that is not HTTP, within an exchange."""


class Connection(asyncio.BufferedProtocol):
    """A connection of a pool.

    :param lost: called once when the connection can no longer be used.
    :param scratch: where received bytes lie while they are parsed. All connections of one event loop may
        have the same: the loop fills it and has it parsed in one go, and what is kept is copied.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, lost: Callable[[Connection], None], scratch: memoryview
    ) -> None:
        self._loop = loop
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._buffer = scratch
        self._error: BaseException | None = None
        self.usable = False
        self.active_at = 0.0
        self.holding = False
        """The silence is ours: the body is held back to a bandwidth, or its reader is slow."""
        self._unsent = 0
        self._reset()

    def _reset(self) -> None:
        self._parser: Any = None
        self._headers = Headers()
        self._head_bytes = 0
        self._answer: Answer | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._gather = True
        self._is_head = False
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._size = -1
        self._direct: memoryview | None = None
        self._direct_at = 0
        self._finished = False
        self._most_bytes = 0
        self._into: bytearray | None = None
        self._reader: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._keep_alive = False
        self._sending = False

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport in."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=SEND_CHUNK // 2)
        self.usable = True

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        if self._direct is not None:
            return self._direct[self._direct_at :]
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take in bytes that have come."""
        self.active_at = self._loop.time()
        if self._direct is not None:
            self._direct_at += nbytes
            if self._direct_at == len(self._direct):
                self._finish()
            return
        if self._parser is None:
            self.abort(BrokenConnectionError("bytes that nobody asked for"))
            return
        if self._answer is None:
            self._head_bytes += nbytes
            if self._head_bytes > MOST_HEAD_BYTES:
                self.abort(BrokenConnectionError("a head without an end"))
                return
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except httptools.HttpParserError as error:
            self.abort(BrokenConnectionError(f"no HTTP ({type(error).__name__})"))
            return
        if self._gather and not self._finished and self._size > 2 * READ_BUFFER:
            self._read_directly()

    def _read_directly(self) -> None:
        """Let the rest of a large body be received where it is to stay."""
        # A buffer that was used before is in memory already: a new one faults in page by page.
        whole: bytearray | memoryview
        if self._into is not None and len(self._into) >= self._size:
            whole = memoryview(self._into)[: self._size]
        else:
            whole = bytearray(self._size)
        at = 0
        for piece in self._pieces:
            whole[at : at + len(piece)] = piece
            at += len(piece)
        self._pieces.clear()
        answer = cast("Answer", self._answer)
        answer.body = whole
        self._direct, self._direct_at = memoryview(whole), at

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        """End what is under way."""
        self.usable = False
        ends_here = self._answer is not None and self._size < 0 and not self._is_chunked()
        if ends_here and not self._finished and exc is None and self._error is None:
            # A body without a length ends where the other side closes the line, not where we cut it.
            self._finish()
        elif self._parser is not None and not self._finished:
            self._fail(self._error or exc or BrokenConnectionError("the line was closed"))
        self._wake()
        self._lost(self)

    def _is_chunked(self) -> bool:
        return "chunked" in (self._headers.get("transfer-encoding") or "")

    def pause_writing(self) -> None:
        """Stop sending until the other side has taken some."""
        if self._drained is None:
            self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """Go on sending."""
        self.active_at = self._loop.time()
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # --- the parser's side

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in one header field."""
        self._headers.add_raw(name, value)

    def on_headers_complete(self) -> None:
        """Judge what body will follow."""
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = Headers()
            return
        answer = self._answer = Answer(self, status, self._headers)
        self._keep_alive = self._parser.should_keep_alive()
        length = self._headers.get("content-length", "") or ""
        self._size = int(length) if length.isdigit() and not self._is_chunked() else -1
        if self._gather and self._size > self._most_bytes and not self._is_head:
            raise BrokenConnectionError("more than was asked for")
        if self._is_head:
            self._finish()
        elif not self._gather:
            self._tell(answer)

    def on_body(self, body: bytes) -> None:
        """Take in a piece of the body."""
        if self._is_head:
            return
        self._pieces.append(body)
        self._unread += len(body)
        if self._gather:
            if self._unread > self._most_bytes:
                raise BrokenConnectionError("more than was asked for")
        else:
            if self._unread > MOST_UNREAD and not self.holding and self._transport is not None:
                self.holding = True
                self._transport.pause_reading()
            self._wake_reader()

    def on_message_complete(self) -> None:
        """Take the end of the answer in."""
        if self._answer is not None and not self._finished:
            self._finish()

    # --- the client's side

    async def exchange(
        self,
        method: str,
        head: bytes,
        body: Body,
        *,
        most_bytes: int | None,
        pace: Pace | None,
        into: bytearray | None = None,
        streamed: StreamedBody | None = None,
    ) -> Answer:
        """Send a request and return its answer: whole, or as soon as its head is there.

        :param most_bytes: wait for the whole body, of so many bytes at most; None streams it.
        :param into: where a large body may be put.
        :param pace: waits until so many bytes may go; None where nothing holds them back.
        :param streamed: a body that is made while it is sent; ``body`` is then empty.
        :raises BrokenConnectionError: no whole answer came.
        """
        transport = self._begin(method, most_bytes)
        self._into = into
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._waiter = waiter
        try:
            if streamed is not None:
                transport.write(head)
                await self._send_pieces(streamed, pace)
            elif len(body) <= SMALL_BODY and pace is None:
                transport.writelines((head, body) if body else (head,))
            else:
                transport.write(head)
                await self._send(body, pace)
            return await waiter
        except BaseException:
            waiter.cancel()
            raise

    def _begin(self, method: str, most_bytes: int | None) -> asyncio.Transport:
        if self._transport is None or not self.usable:
            raise BrokenConnectionError("the line was closed")
        self._reset()
        self._parser = httptools.HttpResponseParser(self)
        self._gather, self._most_bytes = most_bytes is not None, most_bytes or 0
        self._is_head = method == "HEAD"
        self.active_at = self._loop.time()
        return self._transport

    async def _send(self, body: Body, pace: Pace | None) -> None:
        """Send a large body; stops where an answer comes before its end."""
        transport = cast("asyncio.Transport", self._transport)
        view = memoryview(body)
        self._sending = True
        step = SEND_CHUNK if pace is None else SEND_CHUNK // 4
        for start in range(0, len(view), step):
            if self._answer is not None or not self.usable:
                return
            chunk = view[start : start + step]
            if pace is not None:
                self.holding = True
                await pace(len(chunk))
                self.holding, self.active_at = False, self._loop.time()
            transport.write(chunk)
            if self._drained is not None:
                await self._drained
        self._sending = False

    async def _send_pieces(self, body: StreamedBody, pace: Pace | None) -> None:
        """Send a body as it is made; stops where an answer comes before its end."""
        transport = cast("asyncio.Transport", self._transport)
        self._sending = True
        while True:
            # While the next piece is made, the other side has nothing to do.
            self.holding = True
            piece = await anext(body.pieces, b"")
            if piece and pace is not None:
                await pace(len(piece))
            self.holding, self.active_at = False, self._loop.time()
            if self._answer is not None or not self.usable:
                return
            if not piece:
                break
            transport.write(piece)
            if self._drained is not None:
                await self._drained
        self._sending = False

    async def next_chunk(self) -> bytes:
        """Return the next piece of the body; empty at its end."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._finished:
                return b""
            self._reader = self._loop.create_future()
            await self._reader
        piece = self._pieces.popleft()
        self._unread -= len(piece)
        if self.holding and self._unread < MOST_UNREAD // 2 and self._transport is not None:
            self.holding, self.active_at = False, self._loop.time()
            if self.usable:
                self._transport.resume_reading()
        return piece

    def stalled(self, since: float) -> bool:
        """Return whether the other side has done nothing after ``since``, though it should have."""
        if self.holding or self._finished or self._transport is None:
            return False
        unsent = self._transport.get_write_buffer_size()
        if unsent < self._unsent:
            self.active_at = self._loop.time()
        self._unsent = unsent
        return self.active_at < since

    async def start_tls(self, tls: ssl.SSLContext, name: str) -> None:
        """Go on over TLS, on a line that a proxy has put through.

        :raises ssl.SSLError: the other side's certificate is not to be trusted.
        """
        transport = cast("asyncio.Transport", self._transport)
        secured = await self._loop.start_tls(transport, self, tls, server_hostname=name)
        self._transport = cast("asyncio.Transport", secured)
        self._transport.set_write_buffer_limits(high=SEND_CHUNK // 2)

    def abort(self, error: BaseException | None = None) -> None:
        """Cut the line; what is under way ends with ``error``."""
        self.usable = False
        self._error = self._error or error or BrokenConnectionError("the line was cut")
        if self._transport is not None:
            self._transport.abort()

    def reusable(self) -> bool:
        """Return whether another exchange may follow on this line."""
        return self.usable and self._finished and self._keep_alive and not self._sending

    @property
    def nothing_came(self) -> bool:
        """Whether not one byte has come in answer to the latest request."""
        return self._head_bytes == 0 and self._answer is None

    # --- endings

    def _finish(self) -> None:
        self._finished = True
        answer = cast("Answer", self._answer)
        answer.complete = True
        self._direct = None
        if self._gather:
            if self._pieces:
                answer.body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
                self._pieces.clear()
            self._tell(answer)
        elif self._waiter is not None and not self._waiter.done():
            self._tell(answer)
        self._parser = None
        self._wake()

    def _fail(self, error: BaseException) -> None:
        self._error = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self._parser = None
        self._direct = None

    def _tell(self, answer: Answer) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)
        if self._sending:
            # An answer before the body's end: the rest is not worth its bandwidth.
            self._release_sender()

    def _release_sender(self) -> None:
        drained = self._drained
        if drained is not None and not drained.done():
            drained.set_result(None)

    def _wake(self) -> None:
        self._release_sender()
        self._wake_reader()

    def _wake_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)
