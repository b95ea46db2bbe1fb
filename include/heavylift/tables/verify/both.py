"""Asking both databases at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

from heavylift.tables.verify.side import Side

T = TypeVar("T")
U = TypeVar("U")


def both(source: Callable[[], T], target: Callable[[], U], stop: Callable[[], None]) -> tuple[T, U]:
    """Call both, each in a thread, and return what they return.

    :param stop: called as soon as one of them fails, to cut the other one short.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="verify-source") as pool:
        future = pool.submit(_or_stop, source, stop)
        try:
            other = target()
        except BaseException:
            # Where the source failed first, that is what is told.
            failed = future.exception() if future.done() else None
            stop()
            if failed is not None:
                raise failed from None
            raise
        return future.result(), other


def _or_stop(act: Callable[[], T], stop: Callable[[], None]) -> T:
    try:
        return act()
    except BaseException:
        stop()
        raise


def stop_both(source: Side, target: Side) -> Callable[[], None]:
    """Return what cancels everything that runs on two sides."""

    def stop() -> None:
        source.stop()
        target.stop()

    return stop


def begun(source: Iterator[T], target: Iterator[T], stop: Callable[[], None]) -> tuple[Iterator[T], ...]:
    """Fetch the first row of two streams at once: both servers sort at the same time."""
    first = both(lambda: _first(source), lambda: _first(target), stop)
    return chain(first[0], source), chain(first[1], target)


def _first(stream: Iterator[T]) -> list[T]:
    return list(islice(stream, 1))
