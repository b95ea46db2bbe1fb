"""What is known of a stream: kept in the target database, in one transaction with the data itself.

The schema ``heavylift`` of the target holds a row for each stream of changes that ends there, one for
each of its tables, and one for each range of a snapshot that has arrived. Nothing else remembers a
position: a range that is noted is there, and a position that is noted has been applied.

Two runs at once: whoever works takes an advisory lock, which ends with its session, and raises the
stream's ``epoch``; every later transaction demands that epoch, so that a run that was cut off and
believes itself alone changes nothing any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from heavylift.errors import ConflictError, NotFoundError, TransientError
from heavylift.tables.model import TableName
from heavylift.tables.postgres.holding import hold, let_go
from heavylift.tables.postgres.lsn import lsn_from_text, lsn_to_text
from heavylift.tables.postgres.state_lock import lock_state

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

SCHEMA = "heavylift"
"""The schema of our own tables, on whichever side changes arrive."""

_DDL = """
CREATE SCHEMA IF NOT EXISTS heavylift;
CREATE TABLE IF NOT EXISTS heavylift.stream (
    id text PRIMARY KEY,
    engine text NOT NULL,
    source_system text NOT NULL,
    source_timeline integer NOT NULL,
    source_database text NOT NULL,
    slot text NOT NULL,
    publication text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL DEFAULT '',
    consistent_lsn pg_lsn,
    applied_lsn pg_lsn,
    applied_at timestamptz,
    caught_up_at timestamptz,
    epoch bigint NOT NULL DEFAULT 0,
    changes bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS heavylift.stream_table (
    stream text NOT NULL REFERENCES heavylift.stream ON DELETE CASCADE,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    state text NOT NULL,
    signature jsonb NOT NULL,
    storage text NOT NULL DEFAULT '',
    copied_lsn pg_lsn,
    settled_lsn pg_lsn,
    rows bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (stream, schema_name, table_name)
);
CREATE TABLE IF NOT EXISTS heavylift.stream_range (
    stream text NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    number integer NOT NULL,
    leaf text NOT NULL,
    lower_page bigint NOT NULL,
    upper_page bigint,
    snapshot_lsn pg_lsn,
    rows bigint,
    size_bytes bigint,
    done_at timestamptz,
    PRIMARY KEY (stream, schema_name, table_name, number),
    FOREIGN KEY (stream, schema_name, table_name) REFERENCES heavylift.stream_table ON DELETE CASCADE
);
"""


class StreamPhase(StrEnum):
    """How far a stream has come."""

    COPYING = "copying"
    """The snapshot is under way; the slot keeps every change since its beginning."""
    STREAMING = "streaming"
    """The snapshot is complete; changes are applied."""
    INVALID = "invalid"
    """The source no longer has all changes since the position: only a new snapshot helps."""
    ENDED = "ended"
    """Slot and publication have been given back."""


class TablePhase(StrEnum):
    """How far one table has come."""

    COPYING = "copying"
    COPIED = "copied"


@dataclass(frozen=True)
class StreamState:
    """One stream, as its target remembers it.

    :param source_system: the source's system identifier; another one is another database.
    :param consistent: the log position at which the slot began.
    :param applied: end position of the last source transaction that is on the target.
    :param applied_at: when that transaction was committed on the source.
    :param changes: rows changed so far, over all runs.
    :param caught_up_at: when the target last had all that the source had at that moment.
    """

    id: str
    engine: str
    source_system: str
    source_timeline: int
    source_database: str
    slot: str
    publication: str
    phase: StreamPhase
    reason: str = ""
    consistent: int | None = None
    applied: int | None = None
    applied_at: datetime | None = None
    epoch: int = 0
    changes: int = 0
    caught_up_at: datetime | None = None


@dataclass(frozen=True)
class TableState:
    """One table of a stream.

    :param signature: the columns for which the target was made; see :attr:`Table.signature`.
    :param storage: what the source's files were called when ranges of pages were planned; another
        name means that the pages have been rewritten.
    :param copied: transactions that were committed from here on must be applied to the table.
    :param settled: up to here the table may be ahead of the stream, because ranges of a resumed
        snapshot were read later; from here on it is exactly the source at the stream's position.
    """

    name: TableName
    phase: TablePhase
    signature: tuple[tuple[str, str, bool], ...]
    storage: str = ""
    copied: int | None = None
    settled: int | None = None
    rows: int = 0


def ensure_state(session: Session) -> None:
    """Make the schema and its tables where they are missing; needs CREATE on the database."""
    with session.transaction():
        # Two that begin at once would both try to create.
        lock_state(session)
        session.execute(_DDL)


def has_state(session: Session) -> bool:
    """Tell whether the schema's tables exist."""
    row = session.execute("SELECT to_regclass('heavylift.stream_range') IS NOT NULL").fetchone()
    return bool(row and row[0])


def read_stream(session: Session, stream: str) -> StreamState | None:
    """Return what is known of a stream, or None where nothing is."""
    if not has_state(session):
        return None
    row = session.execute(
        "SELECT id, engine, source_system, source_timeline, source_database, slot, publication, state,"
        " reason, consistent_lsn::text, applied_lsn::text, applied_at, epoch, changes, caught_up_at"
        " FROM heavylift.stream WHERE id = %s",
        [stream],
    ).fetchone()
    if row is None:
        return None
    return StreamState(
        id=row[0],
        engine=row[1],
        source_system=row[2],
        source_timeline=row[3],
        source_database=row[4],
        slot=row[5],
        publication=row[6],
        phase=StreamPhase(row[7]),
        reason=row[8],
        consistent=_position(row[9]),
        applied=_position(row[10]),
        applied_at=row[11],
        epoch=row[12],
        changes=row[13],
        caught_up_at=row[14],
    )


def write_stream(session: Session, state: StreamState) -> None:
    """Write a stream's row, over one that is there; the epoch is left as it is."""
    session.execute(
        "INSERT INTO heavylift.stream AS s (id, engine, source_system, source_timeline, source_database,"
        " slot, publication, state, reason, consistent_lsn, applied_lsn, applied_at, changes)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET (engine, source_system, source_timeline, source_database, slot,"
        " publication, state, reason, consistent_lsn, applied_lsn, applied_at, changes, updated_at)"
        " = (EXCLUDED.engine, EXCLUDED.source_system, EXCLUDED.source_timeline, EXCLUDED.source_database,"
        " EXCLUDED.slot, EXCLUDED.publication, EXCLUDED.state, EXCLUDED.reason, EXCLUDED.consistent_lsn,"
        " EXCLUDED.applied_lsn, EXCLUDED.applied_at, EXCLUDED.changes, now())",
        [
            state.id,
            state.engine,
            state.source_system,
            state.source_timeline,
            state.source_database,
            state.slot,
            state.publication,
            state.phase.value,
            state.reason,
            _text(state.consistent),
            _text(state.applied),
            state.applied_at,
            state.changes,
        ],
    )


def read_tables(session: Session, stream: str) -> dict[TableName, TableState]:
    """Return what is known of a stream's tables."""
    rows = session.execute(
        "SELECT schema_name, table_name, state, signature, storage, copied_lsn::text, settled_lsn::text, rows"
        " FROM heavylift.stream_table WHERE stream = %s ORDER BY 1, 2",
        [stream],
    ).fetchall()
    return {
        TableName(row[0], row[1]): TableState(
            TableName(row[0], row[1]),
            TablePhase(row[2]),
            tuple((str(name), str(type_), bool(generated)) for name, type_, generated in row[3]),
            row[4],
            _position(row[5]),
            _position(row[6]),
            row[7],
        )
        for row in rows
    }


def write_table(session: Session, stream: str, state: TableState) -> None:
    """Write a table's row, over one that is there."""
    session.execute(
        "INSERT INTO heavylift.stream_table (stream, schema_name, table_name, state, signature, storage,"
        " copied_lsn, settled_lsn, rows) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (stream, schema_name, table_name) DO UPDATE SET (state, signature, storage,"
        " copied_lsn, settled_lsn, rows) = (EXCLUDED.state, EXCLUDED.signature, EXCLUDED.storage,"
        " EXCLUDED.copied_lsn, EXCLUDED.settled_lsn, EXCLUDED.rows)",
        [
            stream,
            state.name.schema,
            state.name.name,
            state.phase.value,
            json.dumps(state.signature),
            state.storage,
            _text(state.copied),
            _text(state.settled),
            state.rows,
        ],
    )


def forget_tables(session: Session, stream: str, tables: Iterable[TableName]) -> None:
    """Take away what is noted of tables, and of their ranges."""
    for name in tables:
        session.execute(
            "DELETE FROM heavylift.stream_table WHERE stream = %s AND schema_name = %s AND table_name = %s",
            [stream, name.schema, name.name],
        )


@dataclass(frozen=True)
class Lease:
    """The right to change a stream's tables, as long as nobody takes it again."""

    stream: str
    epoch: int

    def advance(self, session: Session, applied: int, applied_at: datetime | None, changes: int) -> None:
        """Note, within the caller's transaction, that everything below ``applied`` is on the target.

        It is each transaction's first statement: whoever reads the target's log knows by it which
        transactions are ours, and does not send them back.

        :param changes: rows that this transaction adds to the stream's count.
        :raises ConflictError: another run has taken over; the caller's transaction must not commit.
        """
        done = session.execute(
            "UPDATE heavylift.stream SET applied_lsn = greatest(applied_lsn, %s),"
            " applied_at = coalesce(%s, applied_at), changes = changes + %s, updated_at = clock_timestamp()"
            " WHERE id = %s AND epoch = %s",
            [lsn_to_text(applied), applied_at, changes, self.stream, self.epoch],
        )
        if done.rowcount != 1:
            raise taken_over(self.stream)

    def caught_up(self, session: Session, applied: int, at: datetime) -> None:
        """Note, within the caller's transaction, that at ``at`` the source had nothing beyond ``applied``."""
        self.advance(session, applied, None, 0)
        session.execute("UPDATE heavylift.stream SET caught_up_at = %s WHERE id = %s", [at, self.stream])

    def demand(self, session: Session) -> None:
        """Demand, within the caller's transaction, that nobody has taken over, and keep it so to its end.

        :raises ConflictError: another run has taken over.
        """
        row = session.execute(
            "SELECT 1 FROM heavylift.stream WHERE id = %s AND epoch = %s FOR UPDATE",
            [self.stream, self.epoch],
        ).fetchone()
        if row is None:
            raise taken_over(self.stream)


@contextmanager
def leased(session: Session, stream: str, *, take_over: bool = False) -> Iterator[Lease]:
    """Hold the stream for the block, by a lock that ends with ``session``.

    :param session: in autocommit mode, and used for nothing that could end it.
    :param take_over: end the session of a run that holds it; what that has committed stays.
    :raises NotFoundError: there is no such stream.
    :raises TransientError: another run is at it, or a killed one's session has not ended yet.
    """
    key = f"heavylift {stream}"
    if not hold(session, key, take_over=take_over):
        raise busy(stream)
    try:
        taken = session.execute(
            "UPDATE heavylift.stream SET epoch = epoch + 1 WHERE id = %s RETURNING epoch", [stream]
        ).fetchone()
        if taken is None:
            raise no_stream(stream)
        yield Lease(stream, int(taken[0]))
    finally:
        let_go(session, key)


def no_stream(stream: str) -> NotFoundError:
    """Return the error of a stream that was never begun."""
    return NotFoundError(
        f"looking up stream {stream!r} on the target",
        got="nothing noted of it",
        expected="a snapshot that began it",
        state="nothing was touched",
        remedy="run the snapshot first: the transfer phase, or heavylift tables snapshot",
        code="6021",
    )


def busy(stream: str, holder: str = "") -> TransientError:
    """Return the error of a stream that somebody else holds."""
    return TransientError(
        f"taking hold of stream {stream!r}",
        got=f"another run that is at work on it{holder}",
        expected="one run at a time",
        state="this run changed nothing",
        remedy="wait for the other run, or end it; a run that was killed lets go within two minutes",
        code="6020",
    )


def taken_over(stream: str) -> ConflictError:
    """Return the error of a run whose stream another one has taken since."""
    return ConflictError(
        f"working on stream {stream!r}",
        got="a later run that has taken it over",
        expected="one run at a time",
        state="this transaction was given up; what was committed before stays",
        remedy="let the later run go on",
        code="6022",
    )


def _position(text: Any) -> int | None:
    return None if text is None else lsn_from_text(text)


def _text(position: int | None) -> str | None:
    return None if position is None else lsn_to_text(position)


def names(tables: Sequence[TableName]) -> str:
    """Return tables for a message: the first few, and how many more."""
    shown = ", ".join(str(table) for table in tables[:5])
    return f"{shown} and {len(tables) - 5} more" if len(tables) > 5 else shown
