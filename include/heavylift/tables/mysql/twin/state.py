"""What is known of a stream that ends in MySQL: kept in the database ``heavylift`` of the target.

The same rows as on a PostgreSQL target (:mod:`heavylift.tables.postgres.state`), and the same rule: a range
that is noted is there, and a position that is noted has been applied, because both are in one transaction
with the rows. All tables are InnoDB's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from heavylift.tables.model import TableName
from heavylift.tables.mysql.connect import ask, execute, one
from heavylift.tables.mysql.lease import LogLease, mark, read_mark
from heavylift.tables.mysql.ranges import Range
from heavylift.tables.postgres.state import (
    Lease,
    StreamPhase,
    StreamState,
    TablePhase,
    TableState,
    busy,
    no_stream,
    taken_over,
)

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session

_OF = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
_DDL = (
    f"CREATE DATABASE IF NOT EXISTS heavylift {_OF}",
    f"""CREATE TABLE IF NOT EXISTS heavylift.stream (
    id varchar(200) PRIMARY KEY, engine varchar(32) NOT NULL, source_system varchar(200) NOT NULL,
    source_database varchar(64) NOT NULL, log_name varchar(200) NOT NULL, mark text NOT NULL,
    state varchar(16) NOT NULL, reason text NOT NULL, consistent bigint unsigned, applied bigint unsigned,
    applied_at datetime(6), caught_up_at datetime(6), epoch bigint NOT NULL DEFAULT 0,
    changes bigint NOT NULL DEFAULT 0, updated_at datetime(6) NOT NULL) ENGINE = InnoDB {_OF}""",
    f"""CREATE TABLE IF NOT EXISTS heavylift.stream_table (
    stream varchar(200) NOT NULL, schema_name varchar(64) NOT NULL, table_name varchar(64) NOT NULL,
    state varchar(16) NOT NULL, signature longtext NOT NULL, copied bigint unsigned,
    settled bigint unsigned, row_count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (stream, schema_name, table_name),
    FOREIGN KEY (stream) REFERENCES heavylift.stream (id) ON DELETE CASCADE) ENGINE = InnoDB {_OF}""",
    f"""CREATE TABLE IF NOT EXISTS heavylift.stream_range (
    stream varchar(200) NOT NULL, schema_name varchar(64) NOT NULL, table_name varchar(64) NOT NULL,
    number int NOT NULL, bounds text NOT NULL, snapshot bigint unsigned, row_count bigint, size_bytes bigint,
    done_at datetime(6), PRIMARY KEY (stream, schema_name, table_name, number),
    FOREIGN KEY (stream, schema_name, table_name)
        REFERENCES heavylift.stream_table (stream, schema_name, table_name)
        ON DELETE CASCADE) ENGINE = InnoDB {_OF}""",
    f"""CREATE TABLE IF NOT EXISTS heavylift.stream_schema (
    stream varchar(200) NOT NULL, entry varchar(255) NOT NULL, statement longtext NOT NULL,
    made boolean NOT NULL, PRIMARY KEY (stream, entry),
    FOREIGN KEY (stream) REFERENCES heavylift.stream (id) ON DELETE CASCADE) ENGINE = InnoDB {_OF}""",
)
_NOW = "UTC_TIMESTAMP(6)"


def ensure_state(session: Session) -> None:
    """Make the database and its tables where they are missing."""
    for statement in _DDL:
        execute(session, statement)


def has_state(session: Session) -> bool:
    """Tell whether all of the tables exist."""
    query = (
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'heavylift' AND table_name IN"
        " ('stream', 'stream_table', 'stream_range', 'stream_schema')"
    )
    return int(one(session, query)) == len(_DDL) - 1


def read_stream(session: Session, stream: str) -> StreamState | None:
    """Return what is known of a stream, or None where nothing is."""
    if not has_state(session):
        return None
    rows = ask(
        session,
        "SELECT id, engine, source_system, source_database, log_name, mark, state, reason, consistent,"
        " applied, applied_at, epoch, changes, caught_up_at FROM heavylift.stream WHERE id = %s",
        [stream],
    )
    if not rows:
        return None
    row = rows[0]
    return StreamState(
        id=row[0],
        engine=row[1],
        source_system=row[2],
        source_timeline=0,
        source_database=row[3],
        slot=row[4],
        publication=row[5],
        phase=StreamPhase(row[6]),
        reason=row[7],
        consistent=row[8],
        applied=row[9],
        applied_at=_in_utc(row[10]),
        epoch=row[11],
        changes=row[12],
        caught_up_at=_in_utc(row[13]),
    )


def write_stream(session: Session, state: StreamState, *, over: bool = True) -> None:
    """Write a stream's row; the epoch is left as it is.

    :param over: one that is there; else that one stays as it is.
    """
    values = {
        "engine": state.engine,
        "source_system": state.source_system,
        "source_database": state.source_database,
        "log_name": state.slot,
        "mark": state.publication,
        "state": state.phase.value,
        "reason": state.reason,
        "consistent": state.consistent,
        "applied": state.applied,
        "applied_at": _naive(state.applied_at),
        "changes": state.changes,
    }
    names = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    sets = ", ".join(f"{name} = VALUES({name})" for name in [*values, "updated_at"]) if over else "id = id"
    execute(
        session,
        f"INSERT INTO heavylift.stream (id, {names}, updated_at) VALUES (%s, {marks}, {_NOW})"
        f" ON DUPLICATE KEY UPDATE {sets}",
        [state.id, *values.values()],
    )


def read_tables(session: Session, stream: str) -> dict[TableName, TableState]:
    """Return what is known of a stream's tables."""
    rows = ask(
        session,
        "SELECT schema_name, table_name, state, signature, copied, settled, row_count"
        " FROM heavylift.stream_table WHERE stream = %s ORDER BY 1, 2",
        [stream],
    )
    return {
        TableName(row[0], row[1]): TableState(
            TableName(row[0], row[1]),
            TablePhase(row[2]),
            tuple((str(name), str(type_), bool(made)) for name, type_, made in json.loads(row[3])),
            copied=row[4],
            settled=row[5],
            rows=row[6],
        )
        for row in rows
    }


def write_table(session: Session, stream: str, state: TableState) -> None:
    """Write a table's row, over one that is there."""
    execute(
        session,
        "INSERT INTO heavylift.stream_table (stream, schema_name, table_name, state, signature, copied,"
        " settled, row_count) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE"
        " state = VALUES(state), signature = VALUES(signature), copied = VALUES(copied),"
        " settled = VALUES(settled), row_count = VALUES(row_count)",
        [
            stream,
            state.name.schema,
            state.name.name,
            state.phase.value,
            json.dumps(state.signature),
            state.copied,
            state.settled,
            state.rows,
        ],
    )


def write_ranges(session: Session, stream: str, table: TableName, ranges: Sequence[Range]) -> None:
    """Note a table's ranges, in the place of those that were noted before."""
    own = [stream, table.schema, table.name]
    execute(
        session,
        "DELETE FROM heavylift.stream_range WHERE stream = %s AND schema_name = %s AND table_name = %s",
        own,
    )
    with session.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO heavylift.stream_range (stream, schema_name, table_name, number, bounds)"
            " VALUES (%s, %s, %s, %s, %s)",
            [[*own, each.number, json.dumps([each.lower, each.upper])] for each in ranges],
        )


def note_range(
    session: Session, stream: str, table: TableName, number: int, *, snapshot: int, rows: int, size_bytes: int
) -> None:
    """Note a range as copied, within the transaction that brings its rows."""
    execute(
        session,
        f"UPDATE heavylift.stream_range SET snapshot = %s, row_count = %s, size_bytes = %s, done_at = {_NOW}"
        " WHERE stream = %s AND schema_name = %s AND table_name = %s AND number = %s",
        [snapshot, rows, size_bytes, stream, table.schema, table.name, number],
    )


def read_ranges(session: Session, stream: str) -> dict[TableName, tuple[Range, ...]]:
    """Return the ranges of a stream's tables, in order."""
    found: dict[TableName, list[Range]] = {}
    rows = ask(
        session,
        "SELECT schema_name, table_name, number, bounds, IF(done_at IS NULL, NULL, snapshot),"
        " coalesce(row_count, 0), coalesce(size_bytes, 0)"
        " FROM heavylift.stream_range WHERE stream = %s ORDER BY 1, 2, 3",
        [stream],
    )
    for schema, name, number, bounds, done_at, count, size in rows:
        lower, upper = json.loads(bounds)
        found.setdefault(TableName(schema, name), []).append(
            Range(number, lower, upper, done_at, count, size)
        )
    return {name: tuple(ranges) for name, ranges in found.items()}


def read_notes(session: Session, stream: str, *, made: bool) -> dict[str, str]:
    """Return the notes of a stream's objects: of what has been made, or of what waits."""
    rows = ask(
        session,
        "SELECT entry, statement FROM heavylift.stream_schema WHERE stream = %s AND made = %s",
        [stream, made],
    )
    return {row[0]: row[1] for row in rows}


def write_note(session: Session, stream: str, entry: str, statement: str, *, made: bool) -> None:
    """Note an object, over what was noted of it."""
    execute(
        session,
        "REPLACE INTO heavylift.stream_schema (stream, entry, statement, made) VALUES (%s, %s, %s, %s)",
        [stream, entry, statement, made],
    )


def forget_note(session: Session, stream: str, entry: str) -> None:
    """Forget an object."""
    execute(session, "DELETE FROM heavylift.stream_schema WHERE stream = %s AND entry = %s", [stream, entry])


@contextmanager
def leased(session: Session, stream: str) -> Iterator[Lease]:
    """Hold the stream for the block, by a lock that ends with ``session``.

    :raises NotFoundError: there is no such stream.
    :raises TransientError: another run is at it, or a killed one's session has not ended yet.
    """
    import pymysql

    # Names of locks are the server's and short, whatever a stream is called.
    key = f"heavylift {hashlib.sha256(stream.encode()).hexdigest()[:40]}"
    if one(session, "SELECT GET_LOCK(%s, 0)", [key]) != 1:
        holder = one(session, "SELECT IS_USED_LOCK(%s)", [key])
        raise busy(stream, f", in the target's session {holder}")
    try:
        execute(session, "UPDATE heavylift.stream SET epoch = epoch + 1 WHERE id = %s", [stream])
        epoch = one(session, "SELECT epoch FROM heavylift.stream WHERE id = %s", [stream])
        if epoch is None:
            raise no_stream(stream)
        yield Lease(stream, int(epoch))
    finally:
        with suppress(pymysql.MySQLError):
            # A session that has ended has given it back already.
            one(session, "SELECT RELEASE_LOCK(%s)", [key])


def demand(session: Session, lease: Lease) -> None:
    """Demand, within the caller's transaction, that nobody has taken over, and keep it so to its end.

    :raises ConflictError: another run has taken over.
    """
    query = "SELECT 1 FROM heavylift.stream WHERE id = %s AND epoch = %s FOR UPDATE"
    if not ask(session, query, [lease.stream, lease.epoch]):
        raise taken_over(lease.stream)


def advance(
    session: Session, lease: LogLease, applied: int, applied_at: datetime | None, changes: int
) -> None:
    """Note, within the caller's transaction, that everything below ``applied`` is on the target.

    :param changes: rows that this transaction adds to the stream's count.
    :raises ConflictError: another run has taken over; the caller's transaction must not commit.
    """
    demand(session, lease)
    execute(
        session,
        "UPDATE heavylift.stream SET applied = GREATEST(coalesce(applied, 0), %s),"
        # Never the value that is there: the log has only what changes, and the way back knows our
        # transactions by this change.
        " applied_at = coalesce(%s, applied_at), changes = changes + %s, updated_at ="
        f" GREATEST({_NOW}, updated_at + INTERVAL 1 MICROSECOND) WHERE id = %s",
        [applied, _naive(applied_at), changes, lease.stream],
    )
    _note_file(session, lease, applied)


def caught_up(session: Session, lease: LogLease, applied: int, at: datetime) -> None:
    """Note, within the caller's transaction, that at ``at`` the source had nothing beyond ``applied``."""
    advance(session, lease, applied, None, 0)
    execute(
        session, "UPDATE heavylift.stream SET caught_up_at = %s WHERE id = %s", [_naive(at), lease.stream]
    )


def _note_file(session: Session, lease: LogLease, applied: int) -> None:
    """Note who began the file in which a position lies; an empty batch keeps the last transaction's GTID."""
    file = applied >> 32
    birth = lease.seen.births.get(file)
    if not applied or birth is None:
        return
    gtid = lease.seen.gtids.get(applied)
    if gtid is None:
        before = one(session, "SELECT mark FROM heavylift.stream WHERE id = %s", [lease.stream])
        gtid = str(read_mark(str(before)).get("gtid", ""))
    execute(
        session,
        "UPDATE heavylift.stream SET mark = %s WHERE id = %s",
        [mark(file, birth, gtid), lease.stream],
    )
    lease.seen.forget_before(applied)


def _in_utc(moment: Any) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
