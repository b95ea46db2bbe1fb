"""Fencing tables of MySQL and MariaDB: triggers that look at one row, and refuse where it says so.

These products commit each definition by itself, and those of some hundred tables take seconds. So the
triggers are made first, table by table, while applications go on writing: as long as the side's note says
``open`` they let everybody pass. Then all tables are locked at once, which waits for every transaction at
them and lets none begin; the note is changed, and the locks are let go. That one row freezes all tables,
and opens them: whatever is cut off, a side is either open or frozen.

A lock by name, which ends with its session, lets two acts on a side come one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from heavylift.fencing import Writes, WriteState, superseded
from heavylift.tables.fences.port import FenceDone, demand_tables, in_the_way
from heavylift.tables.mysql import fence_sql as parts
from heavylift.tables.mysql.connect import connect, execute, one, where
from heavylift.tables.mysql.faults import number_of, told_as
from heavylift.tables.mysql.position import current_place
from heavylift.tables.postgres.lsn import lsn_to_text

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.fences.port import Fenced, FenceNote
    from heavylift.tables.mysql.connect import Session

_STATE = "heavylift tables writes tells how the side stands; what was done of it stays"
_RETRIED = (1205, 1213, 1969, 3024)
"""A lock not got in time, a deadlock, the time for the statement over."""
_FIRST, _LONGEST = 1, 3
"""Seconds for which locks are waited for at a time: everybody waits behind us meanwhile."""


class MysqlFence:
    """See :class:`heavylift.tables.fences.port.Fence`."""

    def freeze(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Make three triggers on each moved table, then let the note say ``frozen``; idempotent."""
        with _Acting.at(fenced, work, "freezing the writes", within_seconds) as acting:
            session, note = acting.session, acting.demand_turn(epoch)
            changed = False
            while True:
                names = parts.names_of(session, fenced)
                demand_tables(fenced, names, where(fenced.connection))
                there = parts.triggers_on(session, fenced)
                missing = [(n, act) for n in names for act in parts.ACTS if act not in there.get(n, set())]
                for name, act in missing:
                    acting.patiently(parts.create(fenced, name, act))
                if changed and not missing:
                    break
                # A table may have come until the others were locked.
                acting.note(epoch, Writes.FROZEN, parts.lock(names))
                changed = changed or bool(missing) or (note.epoch, note.writes) != (epoch, Writes.FROZEN)
                if not changed:
                    break
            return acting.done(len(names), already=not changed)

    def unfreeze(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Let the note say ``open``, then take the triggers away, as far as nobody is at them; idempotent."""
        with _Acting.at(fenced, work, "opening the writes", within_seconds) as acting:
            note = acting.demand_turn(epoch)
            there = parts.triggers_on(acting.session, fenced)
            already = (note.epoch, note.writes) == (epoch, Writes.OPEN)
            if not already:
                acting.note(epoch, Writes.OPEN)
            done = acting.done(len(there), already=already)
            # They let everybody pass now. One that a transaction keeps is left until the fence is dropped.
            execute(acting.session, f"SET SESSION lock_wait_timeout = {_FIRST}")
            for name in sorted(there):
                for act in sorted(there[name]):
                    statement = parts.drop(fenced, name, act)
                    acting.tried(partial(execute, acting.session, statement))
            return done

    def drop(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Open the side, take the triggers away, and the note; idempotent."""
        with _Acting.at(fenced, work, "dropping the fence", within_seconds) as acting:
            note = acting.demand_turn(epoch)
            there = parts.triggers_on(acting.session, fenced)
            acting.note(epoch, Writes.OPEN)
            for name in sorted(there):
                for act in sorted(there[name]):
                    acting.patiently(parts.drop(fenced, name, act))
            parts.erase_note(acting.session, fenced)
            return acting.done(len(there), already=not there and not note.epoch)

    def state(self, fenced: Fenced) -> WriteState:
        """Look at the side's note, and whether all moved tables have the triggers that look at it."""
        with (
            told_as(f"looking up the writes of {fenced.in_words}", "nothing was touched"),
            closing(connect(fenced.connection)) as session,
        ):
            if not parts.has_fences(session):
                return WriteState(Writes.OPEN)
            note = parts.read_note(session, fenced)
            if note.writes is Writes.OPEN:
                return WriteState(Writes.OPEN, note.epoch, opened=note.opened)
            there, every = parts.triggers_on(session, fenced), set(parts.ACTS)
            names = parts.names_of(session, fenced)
            bare = tuple(str(name) for name in names if there.get(name) != every)
            if len(bare) == len(names):
                return WriteState(Writes.OPEN, note.epoch, opened=note.opened)
            return WriteState(Writes.FROZEN, note.epoch, bare, note.opened)


class _Acting:
    """One act on a side, which holds the side's lock by name."""

    def __init__(
        self, session: Session, fenced: Fenced, work: Work, what: str, within_seconds: float
    ) -> None:
        self.session, self._fenced, self._work, self._what = session, fenced, work, what
        self._seconds, self._began = within_seconds, time.monotonic()
        self._until = self._began + within_seconds
        self._attempts = 1
        self._waited = 0.0

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
        before: list[FenceNote] = []
        self._until_got(lambda: before.append(parts.raise_epoch(self.session, self._fenced, epoch)))
        if before[-1].epoch > epoch:
            raise superseded(f"{self._what} of {self._fenced.in_words}", before[-1].epoch, epoch)
        return before[-1]

    def note(self, epoch: int, writes: Writes, lock: str = "") -> None:
        """Let the note say something, once everybody who has looked at it has ended.

        :param lock: takes the tables first, where writers that have not looked at it must end, too.
        """

        def act() -> None:
            if lock:
                execute(self.session, lock)
            parts.write_note(self.session, self._fenced, epoch, writes)

        began = time.monotonic()
        self._until_got(act)
        if lock:
            execute(self.session, "UNLOCK TABLES")
        self._waited += time.monotonic() - began

    def patiently(self, statement: str) -> None:
        """Run a definition, once nobody is at its table."""
        self._until_got(lambda: execute(self.session, statement))

    def tried(self, act: Callable[[], None]) -> bool:
        """Act; tell whether the locks for it were there in time."""
        import pymysql

        try:
            act()
        except pymysql.MySQLError as error:
            if number_of(error) not in _RETRIED:
                raise
            execute(self.session, "UNLOCK TABLES")
            return False
        return True

    def done(self, tables: int, *, already: bool) -> FenceDone:
        """Return what the act has done."""
        position = ""
        if one(self.session, "SELECT @@global.log_bin"):
            position = lsn_to_text(current_place(self.session)[0].number)
        return FenceDone(tables, already, self._attempts, self._waited, position)

    def _until_got(self, act: Callable[[], None]) -> None:
        """Act until the locks for it are there, or the time is over.

        :raises TransientError: others were in the way for all of the time.
        """
        wait = _FIRST
        while True:
            self._work.check(f"{self._what} of {self._fenced.in_words}")
            execute(
                self.session,
                f"SET SESSION lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {wait}",
            )
            if self.tried(act):
                return
            self._attempts += 1
            sessions = parts.holders(self.session)
            if time.monotonic() >= self._until:
                raise in_the_way(self._what, self._fenced, sessions, self._seconds)
            # Whoever waits behind us gets a turn.
            self._work.stop.wait(min(0.5, max(self._until - time.monotonic(), 0.0)))
            wait = min(wait + 1, _LONGEST)
