"""Fencing tables of MySQL and MariaDB: triggers that refuse, put on all tables under one lock.

These products commit each definition by itself. So all tables are locked first, which waits for every
transaction at them and lets none begin; then the triggers are made, and the locks let go: to applications it
is one act. Where the server or this process dies in between, the tables that have their triggers refuse and
the others do not, which :meth:`MysqlFence.state` tells, and the next call does the rest.

A lock by name, which ends with its session, lets two acts on a side come one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from heavylift.fencing import Writes, WriteState, superseded
from heavylift.tables.fences.port import FenceDone, demand_tables, in_the_way, judged
from heavylift.tables.mysql import fence_sql as parts
from heavylift.tables.mysql.connect import connect, execute, one, where
from heavylift.tables.mysql.faults import number_of, told_as
from heavylift.tables.mysql.position import current_place
from heavylift.tables.postgres.lsn import lsn_to_text

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.fences.port import Fenced, FenceNote
    from heavylift.tables.model import TableName
    from heavylift.tables.mysql.connect import Session

_STATE = "heavylift tables writes tells which tables refuse writes; run again, it does the rest"
_RETRIED = (1205, 1213, 1969, 3024)
"""A lock not got in time, a deadlock, the time for the statement over."""
_FIRST, _LONGEST = 1, 3
"""Seconds for which locks are waited for at a time: everybody waits behind us meanwhile."""
Change = tuple["TableName", str]
"""A table, and the letter of one of its triggers."""


class MysqlFence:
    """See :class:`heavylift.tables.fences.port.Fence`."""

    def freeze(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Put three triggers on each moved table, under one lock; idempotent."""
        what = "freezing the writes"
        with _Acting.at(fenced, work, what, within_seconds) as acting:
            note = acting.demand_turn(epoch)
            session = acting.session
            while True:
                names = parts.names_of(session, fenced)
                demand_tables(fenced, names, where(fenced.connection))
                there = parts.triggers_on(session, fenced)
                missing = [(n, act) for n in names for act in parts.ACTS if act not in there.get(n, set())]
                # A table may have come until the others were locked.
                if not missing or not acting.change(missing, [], epoch):
                    break
            parts.write_note(session, fenced, epoch, Writes.FROZEN)
            unchanged = not acting.changed and (note.epoch, note.writes) == (epoch, Writes.FROZEN)
            return acting.done(len(names), already=unchanged)

    def unfreeze(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Take the triggers away, under one lock; idempotent."""
        with _Acting.at(fenced, work, "opening the writes", within_seconds) as acting:
            note = acting.demand_turn(epoch)
            tables = acting.take_away(epoch)
            unchanged = not tables and (note.epoch, note.writes) == (epoch, Writes.OPEN)
            if not unchanged:
                parts.write_note(acting.session, fenced, epoch, Writes.OPEN)
            return acting.done(tables, already=unchanged)

    def drop(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Take the triggers away, and the side's note; idempotent."""
        with _Acting.at(fenced, work, "dropping the fence", within_seconds) as acting:
            note = acting.demand_turn(epoch)
            tables = acting.take_away(epoch)
            parts.erase_note(acting.session, fenced)
            return acting.done(tables, already=not tables and not note.epoch)

    def state(self, fenced: Fenced) -> WriteState:
        """Look at the triggers of all moved tables, and at the side's note."""
        with (
            told_as(f"looking up the writes of {fenced.in_words}", "nothing was touched"),
            closing(connect(fenced.connection)) as session,
        ):
            if not parts.has_fences(session):
                return WriteState(Writes.OPEN)
            note = parts.read_note(session, fenced)
            there = parts.triggers_on(session, fenced)
            on = {name for name, acts in there.items() if acts == set(parts.ACTS)}
            names = parts.names_of(session, fenced)
            found = judged(note, names, on)
            halves = {str(name) for name in names if name in there and name not in on}
            if halves and found.writes is Writes.OPEN:
                # Some of what an application does is refused.
                return WriteState(
                    Writes.OPEN, found.epoch, tuple(sorted({*found.partly, *halves})), note.opened
                )
            return found


class _Acting:
    """One act on a side, which holds the side's lock by name."""

    def __init__(
        self, session: Session, fenced: Fenced, work: Work, what: str, within_seconds: float
    ) -> None:
        self.session, self._fenced, self._work, self._what = session, fenced, work, what
        self._seconds, self._began = within_seconds, time.monotonic()
        self._until = self._began + within_seconds
        self._attempts = 0
        self.changed = False

    @classmethod
    @contextmanager
    def at(cls, fenced: Fenced, work: Work, what: str, within_seconds: float) -> Iterator[_Acting]:
        """Open a session for an act, and hold the side.

        :raises TransientError: another act holds it for all of the time.
        """
        with (
            told_as(f"{what} of {fenced.in_words}", _STATE),
            closing(connect(fenced.connection)) as session,
        ):
            parts.ensure_fences(session)
            if one(session, "SELECT GET_LOCK(%s, %s)", [fenced.trigger, max(1, int(within_seconds))]) != 1:
                raise in_the_way(what, fenced, ["another act on the same fence"], within_seconds)
            # Ends with the session.
            yield cls(session, fenced, work, what, within_seconds)

    def demand_turn(self, epoch: int) -> FenceNote:
        """Note the act's epoch before anything is changed; return what was noted before.

        :raises ConflictError: the side has seen a higher one.
        """
        note = parts.raise_epoch(self.session, self._fenced, epoch)
        if note.epoch > epoch:
            raise superseded(f"{self._what} of {self._fenced.in_words}", note.epoch, epoch)
        return note

    def take_away(self, epoch: int) -> int:
        """Take all triggers of the fence away; return from how many tables."""
        there = parts.triggers_on(self.session, self._fenced)
        if there:
            self.change([], [(name, act) for name in sorted(there) for act in sorted(there[name])], epoch)
        return len(there)

    def change(self, make: Sequence[Change], remove: Sequence[Change], epoch: int) -> bool:
        """Make and remove triggers while nobody else is at their tables; tell that something was done."""
        names = sorted({name for name, _ in (*make, *remove)})
        wait = _FIRST
        while not self._lock(names, wait):
            sessions = parts.holders(self.session)
            if time.monotonic() >= self._until:
                raise in_the_way(self._what, self._fenced, sessions, self._seconds)
            # Whoever waits behind us gets a turn.
            self._work.stop.wait(min(0.5, max(self._until - time.monotonic(), 0.0)))
            wait = min(wait + 1, _LONGEST)
        made: list[Change] = []
        try:
            for name, act in make:
                execute(self.session, parts.create(self._fenced, name, act, epoch))
                made.append((name, act))
            if remove:
                # Noted first: cut off in between, the side is open, and changes flow away from it.
                parts.write_note(self.session, self._fenced, epoch, Writes.OPEN)
            for name, act in remove:
                execute(self.session, parts.drop(self._fenced, name, act))
        except BaseException:
            self._take_back(made)
            raise
        execute(self.session, "UNLOCK TABLES")
        self.changed = True
        return True

    def done(self, tables: int, *, already: bool) -> FenceDone:
        """Return what the act has done."""
        position = ""
        if one(self.session, "SELECT @@global.log_bin"):
            position = lsn_to_text(current_place(self.session)[0].number)
        seconds = time.monotonic() - self._began
        return FenceDone(tables, already, max(self._attempts, 1), seconds, position)

    def _lock(self, names: Sequence[TableName], wait: int) -> bool:
        import pymysql

        self._work.check(f"{self._what} of {self._fenced.in_words}")
        self._attempts += 1
        try:
            execute(self.session, f"SET SESSION lock_wait_timeout = {wait}")
            execute(self.session, parts.lock(names))
        except pymysql.MySQLError as error:
            if number_of(error) not in _RETRIED:
                raise
            execute(self.session, "UNLOCK TABLES")
            return False
        return True

    def _take_back(self, made: Sequence[Change]) -> None:
        """Take away what a failed act has made, as far as the session still lives; the locks go with it."""
        import pymysql

        with suppress(pymysql.MySQLError):
            for name, act in made:
                execute(self.session, parts.drop(self._fenced, name, act))
            execute(self.session, "UNLOCK TABLES")
