"""Pieces of a command in processes of their own: several at once, and none leaves its memory behind.

Python runs one thread at a time, so one process copies small objects with one core. A piece is
forked, so that it costs no start of Python; the command itself does nothing meanwhile but wait, and
starts no thread. Where forking is not safe (outside of Linux, or within a program that has threads)
pieces run in the command's own process, one after the other.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn, TypeVar

from heavylift.cli.room import LOOK_EVERY_SECONDS, Room
from heavylift.errors import HeavyliftError, PermanentError

T = TypeVar("T")
Tell = Callable[[Any], None]
Piece = Callable[[Tell], T]
"""Work to be done; may call what it is given with news, which the command hears while it waits."""

MOST_PROCESSES = 8
"""By default; beyond it the stores, not processors, are the limit."""


@dataclass(frozen=True)
class Ended:
    """How a piece ended: with its result, or with what it raised."""

    result: Any = None
    error: BaseException | None = None

    def value(self) -> Any:
        """Return the result.

        :raises BaseException: what the piece raised.
        """
        if self.error is not None:
            raise self.error
        return self.result


def usable_processors() -> int:
    """Return how many pieces may run at once: the processors that this process may use, eight at most."""
    if not may_fork():
        return 1
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES)


def may_fork() -> bool:
    """Tell whether a piece may be forked: a lock that another thread holds would never be released in it."""
    return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1


def in_process(piece: Piece[T]) -> T:
    """Do one piece in a process of its own and return its result.

    :raises BaseException: what the piece raised; PermanentError if its process died.
    """
    with Pieces() as pieces:
        pieces.start(0, piece, lambda _news: None)
        ((_, ended),) = pieces.wait()
        return ended.value()  # type: ignore[no-any-return]


class Pieces:
    """Pieces that run at the same time, each known by a number.

    Leaving the block ends those that still run, as Ctrl-C would, and waits for them: what they
    have done is noted by then.
    """

    def __init__(self) -> None:
        self._children: dict[int, _Child] = {}
        self._done_here: list[tuple[int, Ended]] = []
        # Its other end is held by the command alone: it closes however the command ends.
        self._lifeline, self._held = os.pipe()

    def __len__(self) -> int:
        return len(self._children) + len(self._done_here)

    def start(self, number: int, piece: Piece[Any], heard: Tell) -> None:
        """Begin a piece.

        :param heard: takes the piece's news, in this process.
        """
        if may_fork():
            self._children[number] = _fork(piece, heard, self._lifeline, self._held)
        else:
            self._done_here.append((number, _outcome(piece, heard)))

    def under_way(self) -> list[int] | None:
        """Return the process ids of the pieces that run, once each of them has told some news."""
        children = self._children.values()
        if self._done_here:
            return None
        return [child.process.pid for child in children] if all(child.begun for child in children) else None

    def wait(self, seconds: float | None = None) -> list[tuple[int, Ended]]:
        """Pass news on until at least one piece has ended; return those that have, by number.

        :param seconds: do not wait longer than that for the next news.
        """
        if self._done_here:
            ended, self._done_here = self._done_here, []
            return ended
        ended = []
        while self._children and not ended:
            by_line = {child.line: number for number, child in self._children.items()}
            heard = wait(list(by_line), seconds)
            if not heard:
                break
            for line in heard:
                number = by_line[line]  # type: ignore[index]
                end = self._children[number].listen()
                if end is not None:
                    ended.append((number, end))
                    del self._children[number]
        return ended

    def __enter__(self) -> Pieces:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for child in self._children.values():
                child.interrupt()
            for child in self._children.values():
                # Not listened to: a message may have been cut in two by what interrupts us.
                child.close()
        finally:
            os.close(self._lifeline)
            os.close(self._held)


@dataclass
class _Child:
    process: Any
    line: Connection
    heard: Tell
    begun: bool = False

    def listen(self) -> Ended | None:
        """Take one message; return how the piece ended, once it has."""
        try:
            kind, what = self.line.recv()
        except EOFError:
            return Ended(error=_died(self.close()))
        if kind == "news":
            self.begun = True
            self.heard(what)
            return None
        self.close()
        return what  # type: ignore[no-any-return]

    def close(self) -> int:
        """Wait for the end of the process; return its exit status."""
        self.line.close()
        self.process.join()
        return int(self.process.exitcode)

    def interrupt(self) -> None:
        """Let it end as Ctrl-C would."""
        if self.process.is_alive():
            os.kill(self.process.pid, signal.SIGINT)


def _fork(piece: Piece[Any], heard: Tell, lifeline: int, held: int) -> _Child:
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_child_main, args=(piece, theirs, lifeline, held), daemon=True)
    process.start()
    theirs.close()
    return _Child(process, ours, heard)


def _child_main(piece: Piece[Any], line: Connection, lifeline: int, held: int) -> NoReturn:
    # A group of its own: the terminal's Ctrl-C goes to the command, which passes it on, once.
    os.setpgid(0, 0)
    os.close(held)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True).start()
    ended = _outcome(piece, lambda news: _send(line, ("news", news)))
    _send(line, ("ended", ended))
    sys.stderr.flush()
    # Nothing is left to be done, and to take Python and DuckDB down in order costs time.
    os._exit(0)


def _send(line: Connection, message: tuple[str, Any]) -> None:
    # Where the command does not listen any more it has been interrupted, and so is this piece: it still
    # has to note what it has done.
    with suppress(BrokenPipeError):
        line.send(message)


def _die_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(128 + signal.SIGKILL)


def _outcome(piece: Piece[Any], tell: Tell) -> Ended:
    try:
        return Ended(piece(tell))
    except (HeavyliftError, KeyboardInterrupt) as error:
        return Ended(error=error)
    except Exception as error:  # noqa: BLE001  (passed on to the command, which reports it)
        return Ended(error=_with_trace(error))


def _with_trace(error: Exception) -> Exception:
    """Return an error that survives a pipe, and tells where it came from."""
    import traceback

    return RuntimeError("".join(traceback.format_exception(error)))


def _died(status: int) -> PermanentError:
    name = signal.Signals(-status).name if status < 0 else f"status {status}"
    return PermanentError(
        "running a part of the command",
        got=f"its process ended by {name}",
        expected="a result",
        state="what it has finished is noted, and nothing half-written is visible",
        remedy="look for the out-of-memory killer in the system's log, lower --memory or --processes,"
        " and run again; it does only the rest",
        code="2198",
    )


def all_of(
    pieces: Sequence[tuple[int, Piece[Any], Tell]], at_once: int, room: Room | None = None
) -> Generator[tuple[int, Ended]]:
    """Run pieces, so many at once, and yield how each ended, as they end.

    Who may stop early has to close it: that ends what still runs, as leaving ``Pieces`` does.

    :param room: where it is given, another piece begins beside others only when it would find a processor.
    """
    with Pieces() as running:
        for number, piece, heard in pieces:
            while room is not None and len(running) and not _has_room(running, room):
                yield from running.wait(LOOK_EVERY_SECONDS)
            running.start(number, piece, heard)
            if len(running) >= at_once:
                yield from running.wait()
        while len(running):
            yield from running.wait()


def _has_room(running: Pieces, room: Room) -> bool:
    pids = running.under_way()
    return pids is not None and room.for_another(pids)
