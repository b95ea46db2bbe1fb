"""Fencing PostgreSQL's tables: triggers that refuse, put on all tables in one transaction.

The transaction takes every table in SHARE ROW EXCLUSIVE mode first, which waits for every transaction that
has written to it and lets none begin: once it has committed, each earlier writer has committed or failed, so
that all of it lies below the log's position, and no later one can write. Readers are not kept waiting.

To open a side its triggers are switched off, which waits for no reader either; they are dropped with the
fence. The note of a side is locked first of all, so that two acts on it come one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from heavylift.fencing import Writes, WriteState, superseded
from heavylift.tables.fences.port import (
    FIRST_WAIT,
    LONGEST_WAIT,
    FenceDone,
    FenceNote,
    demand_tables,
    in_the_way,
    judged,
)
from heavylift.tables.postgres import fence_sql as parts
from heavylift.tables.postgres.connect import connect, where
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.state_lock import ASLEEP

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.fences.port import Fenced
    from heavylift.tables.postgres.connect import Session

_STATE = "nothing was changed: the tables are as open or frozen as before"
_RETRIED = ("55P03", "57014", "40P01")
"""A lock not got in time, the time for the statement over, a deadlock with who was in the way."""
Act = Callable[["Session", "parts.Relations"], tuple[int, bool]]
"""Does its work within a transaction; returns how many relations it concerns, and whether all was so."""


class PostgresFence:
    """See :class:`heavylift.tables.fences.port.Fence`."""

    def freeze(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Put the triggers on all moved tables, in one transaction; idempotent."""

        def act(session: Session, relations: parts.Relations) -> tuple[int, bool]:
            note = _demand_turn(session, fenced, epoch, "freezing the writes")
            demand_tables(fenced, relations.names, where(fenced.connection))
            done = _put_up(session, fenced, relations, epoch)
            already = not done and (note.epoch, note.writes) == (epoch, Writes.FROZEN)
            parts.write_note(session, fenced, epoch, Writes.FROZEN)
            return len(relations.names), already

        return _within(fenced, work, "freezing the writes", act, within_seconds)

    def unfreeze(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Switch the triggers off, in one transaction; idempotent."""

        def act(session: Session, _relations: parts.Relations) -> tuple[int, bool]:
            note = _demand_turn(session, fenced, epoch, "opening the writes")
            on = sorted(name for name, is_on in parts.triggers_on(session, fenced).items() if is_on)
            if on:
                session.execute(parts.switch(fenced, on, on=False))
            if on or (note.epoch, note.writes) != (epoch, Writes.OPEN):
                parts.write_note(session, fenced, epoch, Writes.OPEN)
            return len(on), not on and (note.epoch, note.writes) == (epoch, Writes.OPEN)

        return _within(fenced, work, "opening the writes", act, within_seconds)

    def drop(self, fenced: Fenced, work: Work, *, epoch: int, within_seconds: float) -> FenceDone:
        """Drop the triggers and the side's note, in one transaction; idempotent."""

        def act(session: Session, _relations: parts.Relations) -> tuple[int, bool]:
            _demand_turn(session, fenced, epoch, "dropping the fence")
            there = sorted(parts.triggers_on(session, fenced))
            if there:
                session.execute(parts.remove(fenced, there))
            parts.erase_note(session, fenced)
            return len(there), not there

        return _within(fenced, work, "dropping the fence", act, within_seconds)

    def state(self, fenced: Fenced) -> WriteState:
        """Look at the triggers of all moved tables, and at the side's note."""
        with (
            told_as(f"looking up the writes of {fenced.in_words}", "nothing was touched"),
            closing(connect(fenced.connection, "fence")) as session,
        ):
            if not parts.has_fences(session):
                return WriteState(Writes.OPEN)
            note = parts.read_note(session, fenced)
            on = {name for name, is_on in parts.triggers_on(session, fenced).items() if is_on}
            return judged(note, parts.relations_of(session, fenced).names, on)


def _demand_turn(session: Session, fenced: Fenced, epoch: int, what: str) -> FenceNote:
    note = parts.read_note(session, fenced, hold=True)
    if note.epoch > epoch:
        raise superseded(f"{what} of {fenced.in_words}", note.epoch, epoch)
    return note


def _put_up(session: Session, fenced: Fenced, relations: parts.Relations, epoch: int) -> bool:
    """Fence what is not fenced yet; tell whether there was anything."""
    changed = False
    while True:
        known = parts.triggers_on(session, fenced)
        missing = [name for name in relations.names if name not in known]
        off = [name for name in relations.names if known.get(name) is False]
        if not missing and not off:
            return changed
        changed = True
        session.execute(parts.lock(sorted((*missing, *off))))
        if missing:
            session.execute(parts.create(fenced, missing, epoch))
        if off:
            session.execute(parts.switch(fenced, off, on=True))
        # A table or partition may have come until its parent was locked.
        relations = parts.relations_of(session, fenced)


def _within(fenced: Fenced, work: Work, what: str, act: Act, within_seconds: float) -> FenceDone:
    """Try an act until it gets its locks, or the time is over."""
    began = time.monotonic()
    until, wait, attempts = began + within_seconds, FIRST_WAIT, 0
    with (
        told_as(f"{what} of {fenced.in_words}", _STATE),
        closing(connect(fenced.connection, "fence")) as session,
    ):
        parts.ensure_fences(session)
        while True:
            work.check(f"{what} of {fenced.in_words}")
            attempts += 1
            left = max(until - time.monotonic(), 0.05)
            relations = parts.relations_of(session, fenced)
            found = _try(session, relations, act, min(wait, left), left)
            if found is not None:
                tables, already = found
                return FenceDone(tables, already, attempts, time.monotonic() - began, _position(session))
            sessions = parts.holders(session, relations)
            if time.monotonic() >= until:
                raise in_the_way(what, fenced, sessions, within_seconds)
            # Whoever waits behind us gets a turn.
            work.stop.wait(min(wait / 2, max(until - time.monotonic(), 0.0)))
            wait = min(wait * 2, LONGEST_WAIT)


def _try(
    session: Session, relations: parts.Relations, act: Act, wait: float, left: float
) -> tuple[int, bool] | None:
    """Do the act in one transaction; None where it did not get its locks."""
    import psycopg

    try:
        with session.transaction():
            # What is committed while we wait for locks must be seen.
            session.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            # What was committed before us, even without waiting for the disk, is in the log with us.
            session.execute("SET LOCAL synchronous_commit = on")
            session.execute(
                "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true),"
                # A process that is stopped here would hold all tables, until somebody found it.
                " set_config('idle_in_transaction_session_timeout', %s, true)",
                [f"{wait * 1000:.0f}ms", f"{max(left, 1.0) * 1000:.0f}ms", f"{ASLEEP * 1000:.0f}ms"],
            )
            return act(session, relations)
    except psycopg.Error as error:
        if error.sqlstate not in _RETRIED:
            raise
        return None


def _position(session: Session) -> str:
    row = session.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    return str(row[0]) if row else ""
