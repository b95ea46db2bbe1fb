"""The port behind which each product fences its tables: what :mod:`heavylift.tables.fences.acts` calls."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from heavylift.errors import TransientError
from heavylift.fencing import Side, Writes, WriteState
from heavylift.tables.model import TableName, demand_some
from heavylift.tables.postgres.state import no_stream

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.engine import Work
    from heavylift.tables.requests import TablesOptions

PREFIX = "heavylift_fence_"
"""What the names of our triggers begin with; whoever copies or compares a schema leaves them out."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 2.5
"""Seconds for which locks are waited for at a time: new writers wait behind us meanwhile.

The longest is more than PostgreSQL's deadlock_timeout (1 s), after which an autovacuum gives way."""


@dataclass(frozen=True)
class Fenced:
    """One side of a migration's database, whose moved tables are fenced.

    :param stream: of the forward direction; the target's notes say by it which tables were moved.
    """

    migration: str
    database: str
    side: Side
    stream: str
    connection: Connection
    options: TablesOptions

    @property
    def trigger(self) -> str:
        """Return the name of this fence's trigger, no other migration's."""
        digest = hashlib.sha256(f"{self.migration}/{self.database}/{self.side.value}".encode()).hexdigest()
        return f"{PREFIX}{digest[:12]}"

    @property
    def in_words(self) -> str:
        """Return what is fenced, for messages."""
        return f"the {self.side.value} of database {self.database!r}"


@dataclass(frozen=True)
class FenceDone:
    """What an act has done.

    :param tables: relations that are fenced now, and were before for an act that opens.
    :param already: nothing had to be changed.
    """

    tables: int
    already: bool
    attempts: int
    waited_seconds: float
    position: str


@dataclass(frozen=True)
class FenceNote:
    """What a side's note says; see :class:`heavylift.fencing.WriteState`."""

    epoch: int
    writes: Writes
    opened: int | None


class Fence(Protocol):
    """Fences tables of one product. All of it blocks."""

    def freeze(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Let no application write to the moved tables any more, once every earlier writer has ended.

        :raises ConflictError: the side has seen a higher epoch.
        :raises TransientError: writers were in the way for all of the time; nothing is frozen.
        """
        ...

    def unfreeze(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Let applications write again.

        :raises ConflictError: the side has seen a higher epoch.
        :raises TransientError: locks were in the way for all of the time; nothing is opened.
        """
        ...

    def drop(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Take the fence away, with the note of its epoch; idempotent."""
        ...

    def state(self, fenced: Fenced) -> WriteState:
        """Tell whether applications may write, by looking at the tables themselves; changes nothing."""
        ...


def judged(note: FenceNote, names: Sequence[TableName], on: set[TableName]) -> WriteState:
    """Return how a side stands, by its triggers; only where they disagree does the note count.

    :param names: what must be fenced.
    :param on: what is.
    """
    refusing = [name for name in names if name in on]
    if len(refusing) in {0, len(names)}:
        return WriteState(Writes.FROZEN if refusing else Writes.OPEN, note.epoch, opened=note.opened)
    frozen = note.writes is Writes.FROZEN
    partly = tuple(str(name) for name in names if (name in on) is not frozen)
    return WriteState(note.writes, note.epoch, partly, note.opened)


def demand_tables(fenced: Fenced, names: Sequence[TableName], where: str) -> None:
    """Refuse to fence nothing.

    :raises NotFoundError: nothing was ever moved to this target.
    :raises SpecError: the patterns choose nothing of this source.
    """
    if names:
        return
    if fenced.side is Side.TARGET:
        raise no_stream(fenced.stream)
    demand_some((), fenced.options.tables, where)


def in_the_way(what: str, fenced: Fenced, sessions: Sequence[str], within_seconds: float) -> TransientError:
    """Return the error of an act that got no hold of the tables in time.

    :param sessions: who was in the way, one after the other, in words that hold nothing of their queries.
    """
    named = "; ".join(sessions[:10]) or "sessions that had ended when they were looked for"
    more = f" and {len(sessions) - 10} more" if len(sessions) > 10 else ""
    return TransientError(
        f"{what} of {fenced.in_words}",
        got=f"{named}{more} in the way for {within_seconds:g} s",
        expected="every transaction that writes to the tables to end",
        state="nothing was changed: the tables are as open or frozen as before",
        remedy="end these sessions or let their transactions end, then run this again; or allow it more time",
        code="8781",
    )
