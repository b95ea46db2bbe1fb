"""The reading thread: it leaves whenever the applying one has left, whatever it still has to tell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from heavylift.tables.postgres.reader import Reader


class Assembled:
    """Has one batch to hand over, and then nothing."""

    between_transactions = True

    def __init__(self) -> None:
        self.batches: list[object] = ["a batch"]

    @property
    def has_something(self) -> bool:
        return bool(self.batches)

    def take(self) -> object:
        return self.batches.pop()


class Breaking:
    """A stream that breaks once its batch waits to be applied."""

    sent = 0
    flushed = 0

    def __init__(self, assembled: Assembled, broken: threading.Event) -> None:
        self._assembled = assembled
        self._broken = broken

    def read(self) -> bytes | None:
        if self._assembled.has_something:
            return None
        self._broken.set()
        raise ConnectionError("the source has gone")

    def wait(self, _seconds: float) -> None:
        """Nothing comes."""

    def report(self) -> None:
        """Nobody listens."""


def begun() -> Reader:
    assembled, broken = Assembled(), threading.Event()

    @contextmanager
    def opened() -> Iterator[Any]:
        yield Breaking(assembled, broken)

    reader = Reader(opened, cast("Any", assembled), None, None, threading.Event())
    reader.start()
    assert broken.wait(60)
    return reader


def test_an_error_comes_behind_the_batch_that_waits() -> None:
    reader = begun()
    assert reader.next(60) == "a batch"
    assert isinstance(reader.next(60), ConnectionError)
    reader.finish()


def test_a_reader_whose_error_nobody_waits_for_leaves() -> None:
    reader = begun()
    leaving = threading.Thread(target=reader.finish, daemon=True)
    leaving.start()
    leaving.join(60)
    assert not leaving.is_alive()
