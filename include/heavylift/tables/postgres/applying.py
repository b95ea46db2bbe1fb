"""From a reader to an applier, batch after batch, for every engine that has changes as ``pgoutput``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from heavylift.tables.postgres.reader import Ended, Reader

if TYPE_CHECKING:
    from heavylift.tables.postgres.batches import Batch
    from heavylift.tables.postgres.pump import Tally

TELL_SECONDS = 5.0
_TURN_SECONDS = 0.0005
"""How long the reading thread may keep Python to itself while the applying one has an answer to look at: a
tenth of Python's own, which every answer of the target could have to wait for."""


class AppliesBatches(Protocol):
    """What batches are applied by."""

    def apply(self, batch: Batch) -> None:
        """Apply a batch and, where it is complete, commit it with its position."""


def nothing_to_note() -> None:
    """Note nothing: for sources that are never told what they may forget."""


def apply_all(
    reader: Reader,
    applier: AppliesBatches,
    tally: Tally,
    upto: int,
    tell: Callable[[], None],
    note: Callable[[], None] = nothing_to_note,
) -> None:
    """Apply what a reader gives until it ends; what went wrong while reading is raised here.

    :param tally: takes what was applied, and whether ``upto`` was reached.
    :param tell: is called now and then.
    :param note: notes on the target that everything before ``upto`` is there. Only then is the source told
        so: a run that dies between the two would leave a source that has forgotten more than is noted.
    """
    with _short_turns():
        _apply_until_end(reader, applier, tally, upto, tell, note)


@contextmanager
def _short_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _TURN_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _apply_until_end(
    reader: Reader,
    applier: AppliesBatches,
    tally: Tally,
    upto: int,
    tell: Callable[[], None],
    note: Callable[[], None],
) -> None:
    told = time.monotonic()
    while True:
        item = reader.next(1.0)
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, Ended):
            tally.reached = item.reached
            if item.reached:
                note()
                reader.applied(max(tally.applied, upto))
            return
        if item is not None:
            applier.apply(item)
            tally.add(item)
            if item.complete:
                reader.applied(item.end_lsn)
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            tell()
