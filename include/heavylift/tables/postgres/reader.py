"""Reading ahead: a thread of its own reads, decodes and folds while the last batch is applied."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from heavylift.tables.postgres.batches import Assembler, Batch
from heavylift.tables.postgres.pgoutput import Begin, decode

AHEAD = 1
"""Batches that may wait to be applied; then the source has to wait, which costs it no memory."""
_IDLE_SECONDS = 0.2
_SOON_SECONDS = 0.005
"""What has been read waits for no longer than that for its turn, where nothing more comes."""


class ChangeStream(Protocol):
    """What is read from: a source's log as messages of ``pgoutput``.

    :param sent: everything before it has been given, or was no business of ours.
    :param flushed: what the source may forget.
    """

    sent: int
    flushed: int

    def read(self) -> bytes | None:
        """Return the next message; None where there is none at the moment."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait for more, and let the source know that we live."""
        ...

    def report(self) -> None:
        """Tell the source what is flushed."""
        ...


@dataclass(frozen=True)
class Ended:
    """Nothing more comes.

    :param reached: everything before the position asked for has been given.
    """

    reached: bool


Item = Batch | Ended | BaseException


class Reader:
    """Reads a stream up to a position, in a thread of its own.

    :param upto: transactions committed from here on are left; None reads until it is told to stop.
    :param until: a moment of ``time.monotonic`` after which it ends at the next transaction's end.
    """

    def __init__(
        self,
        open_stream: Callable[[], AbstractContextManager[ChangeStream]],
        assembler: Assembler,
        upto: int | None,
        until: float | None,
        stop: threading.Event,
    ) -> None:
        self._open = open_stream
        self._assembler = assembler
        self._upto = upto
        self._until = until
        self._stop = stop
        self._leave = threading.Event()
        self._applied = 0
        self._items: queue.Queue[Item] = queue.Queue(AHEAD)
        self._thread = threading.Thread(target=self._run, name="heavylift changes", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def next(self, seconds: float) -> Item | None:
        """Return the next batch, the end, or what went wrong; None where nothing came in time."""
        try:
            return self._items.get(timeout=seconds)
        except queue.Empty:
            return None

    def applied(self, position: int) -> None:
        """Take note that everything before ``position`` is safe on the target."""
        self._applied = position

    def finish(self) -> None:
        """Tell the server the last position, close the stream, and wait until the thread has left."""
        self._leave.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._open() as stream:
                self._give(stream, Ended(self._read(stream)))
                while not self._leave.wait(_IDLE_SECONDS):
                    self._answer(stream)
                stream.flushed = max(stream.flushed, self._applied)
                stream.report()
        except BaseException as error:  # noqa: BLE001  (told to the thread that applies)
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Tell what went wrong behind what still waits; to nobody where the applying thread has left."""
        while not self._leave.is_set():
            try:
                self._items.put(error, timeout=_IDLE_SECONDS)
            except queue.Full:
                continue
            else:
                return

    def _answer(self, stream: ChangeStream) -> None:
        """Keep the server from giving us up while a long batch is applied."""
        stream.flushed = max(stream.flushed, self._applied)
        stream.wait(0)

    def _give(self, stream: ChangeStream, item: Item) -> None:
        while not self._leave.is_set():
            try:
                self._items.put(item, timeout=_IDLE_SECONDS)
            except queue.Full:
                self._answer(stream)
            else:
                return

    def _read(self, stream: ChangeStream) -> bool:
        """Read until the end; tell whether everything that was asked for has been given."""
        assembler = self._assembler
        while not self._leave.is_set():
            data = stream.read()
            if data is None:
                if assembler.between_transactions and self._pause(stream):
                    return self._upto is not None and stream.sent >= self._upto
                self._answer_or_wait(stream)
                continue
            if assembler.row(data):
                if assembler.is_full:
                    self._hand_over(stream)
                continue
            message = decode(data)
            if isinstance(message, Begin) and self._ends_before(message):
                self._hand_over(stream)
                return not self._is_late()
            if message is not None:
                assembler.feed(message)
        return False

    def _ends_before(self, message: Begin) -> bool:
        return (self._upto is not None and message.final_lsn >= self._upto) or self._is_late()

    def _pause(self, stream: ChangeStream) -> bool:
        """Hand over what there is where nothing more has arrived; tell whether that is the end."""
        at_end = self._upto is not None and stream.sent >= self._upto
        ends = at_end or self._is_late()
        if ends or self._items.empty():
            self._hand_over(stream)
        return ends

    def _answer_or_wait(self, stream: ChangeStream) -> None:
        stream.flushed = max(stream.flushed, self._applied)
        stream.wait(_SOON_SECONDS if self._assembler.has_something else _IDLE_SECONDS)

    def _is_late(self) -> bool:
        return self._stop.is_set() or (self._until is not None and time.monotonic() >= self._until)

    def _hand_over(self, stream: ChangeStream) -> None:
        if self._assembler.has_something:
            self._give(stream, self._assembler.take())
