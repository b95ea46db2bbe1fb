"""What a stream has on its source: a publication and a slot, made and given back so that none is lost."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import TransientError
from heavylift.tables.model import Table, TableName
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.postgres.state import StreamPhase, leased, read_stream, write_stream

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

_LOOK_AGAIN = 0.2
"""Seconds until a session that was told to end is looked for again."""

_STATUS = """
SELECT s.slot_name, s.plugin, s.database, s.active, s.active_pid, coalesce(s.wal_status, ''),
    s.safe_wal_size, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn), 0)::bigint,
    s.confirmed_flush_lsn::text, pg_current_wal_lsn()::text,
    coalesce(to_jsonb(s) ->> 'failover', 'false')::bool
FROM pg_replication_slots s WHERE s.slot_name = %s
"""


@dataclass(frozen=True)
class SlotStatus:
    """A slot, as the source has it now.

    :param wal_status: ``reserved``, ``extended``, ``unreserved`` (about to be lost) or ``lost``.
    :param safe_bytes: log that may still be written before the slot is in danger; None for no limit.
    :param retained_bytes: log that the source keeps for the slot.
    :param position: the source's own, at the same moment.
    """

    name: str
    plugin: str
    database: str
    active: bool
    active_pid: int | None
    wal_status: str
    safe_bytes: int | None
    retained_bytes: int
    confirmed: int | None
    position: int
    failover: bool = False


def slot_name(stream: str) -> str:
    """Return the name of a stream's slot and publication: valid, short, and no other stream's."""
    readable = re.sub(r"[^a-z0-9_]+", "_", stream.lower()).strip("_")
    return f"heavylift_{readable[:36]}_{hashlib.sha256(stream.encode()).hexdigest()[:12]}"


def temporary_slot_name(stream: str) -> str:
    """Return a name for a slot that lives as long as its connection; another attempt's may still live."""
    return f"{slot_name(stream)[:50]}_{time.time_ns() % 10**11}"


def slot_status(session: Session, slot: str) -> SlotStatus | None:
    """Return a slot's state on the source, or None where there is no such slot."""
    row = session.execute(_STATUS, [slot]).fetchone()
    if row is None:
        return None
    name, plugin, database, active, pid, wal_status, safe, retained, confirmed, position, failover = row
    return SlotStatus(
        name,
        plugin,
        database,
        active,
        pid,
        wal_status,
        safe,
        retained,
        None if confirmed is None else lsn_from_text(confirmed),
        lsn_from_text(position),
        failover,
    )


def ensure_publication(source: Session, publication: str, tables: Iterable[Table]) -> None:
    """Publish exactly these tables, each partition as itself and by its own name.

    As their root, a TRUNCATE of one partition would not be in the stream at all; and by its name it is
    known from one that is made later. Done before the slot is made: what the log says before a publication
    exists cannot be decoded for it.
    """
    wanted = publishable(tables)
    if published(source, publication) == set(wanted):
        # Also where an owner has made it for a role that may not.
        return
    # ONLY: a table that others inherit from does not bring them with it.
    names = sql.SQL(", ").join(sql.SQL("ONLY {}").format(_qualified(each)) for each in wanted)
    name = sql.Identifier(publication)
    there = source.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", [publication]).fetchone()
    if there:
        source.execute(sql.SQL("ALTER PUBLICATION {} SET TABLE {}").format(name, names))
        return
    source.execute(
        sql.SQL(
            "CREATE PUBLICATION {} FOR TABLE {} WITH (publish = 'insert, update, delete, truncate',"
            " publish_via_partition_root = false)"
        ).format(name, names)
    )


def publish_more(source: Session, publication: str, tables: Iterable[Table]) -> None:
    """Publish further tables and their partitions; those that are published already are passed over."""
    known = published(source, publication)
    for name in publishable(tables):
        if name not in known:
            source.execute(
                sql.SQL("ALTER PUBLICATION {} ADD TABLE ONLY {}").format(
                    sql.Identifier(publication), _qualified(name)
                )
            )


def publishable(tables: Iterable[Table]) -> list[TableName]:
    """Return what a publication of the tables names: each, and each of its partitions that holds rows."""
    return [name for table in tables for name in (table.name, *table.leaves)]


def published(source: Session, publication: str) -> set[TableName]:
    """Return the tables that a publication names."""
    rows = source.execute(
        "SELECT n.nspname, c.relname FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid"
        " JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE p.pubname = %s",
        [publication],
    ).fetchall()
    return {TableName(row[0], row[1]) for row in rows}


def unpublished(source: Session, publication: str, tables: Iterable[TableName]) -> list[TableName]:
    """Return those of the tables that are there but not published: the log of the stream lacks them.

    Partitions are none of them; see :mod:`heavylift.tables.postgres.partitions`.
    """
    wanted = sorted(tables)
    rows = source.execute(
        "SELECT w.schema, w.name FROM unnest(%s::text[], %s::text[]) w(schema, name)"
        " JOIN pg_namespace n ON n.nspname = w.schema"
        " JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind IN ('r', 'p')"
        " AND NOT c.relispartition"
        " WHERE NOT EXISTS (SELECT FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid"
        " WHERE p.pubname = %s AND r.prrelid = c.oid) ORDER BY 1, 2",
        [[name.schema for name in wanted], [name.name for name in wanted], publication],
    ).fetchall()
    return [TableName(row[0], row[1]) for row in rows]


def drop_slot(source: Session, slot: str, *, patience: float = 20.0) -> None:
    """Drop a slot where it exists, after its reader, if it still has one, was ended.

    :raises TransientError: the reader does not let go.
    """
    until = time.monotonic() + patience
    while True:
        status = slot_status(source, slot)
        if status is None:
            return
        if not status.active:
            source.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s",
                [slot],
            )
            return
        if time.monotonic() > until:
            raise TransientError(
                f"dropping the replication slot {slot}",
                got=f"a reader that holds it (pid {status.active_pid} on the source)",
                expected="nobody to read from it",
                state="the slot is still there and keeps log on the source",
                remedy="end that session (SELECT pg_terminate_backend(...)), then run this again",
                code="6121",
            )
        # We hold the stream's lease: a reader now is what is left of a run that is gone.
        source.execute("SELECT pg_terminate_backend(%s)", [status.active_pid])
        time.sleep(_LOOK_AGAIN)


def end_reader(source: Session, slot: str, *, patience: float = 5.0) -> None:
    """End whoever reads a slot; to be called by the holder of its stream, whose reader has not begun yet.

    A reader that does not end in time is left to what begins to read: that tells of it.
    """
    until = time.monotonic() + patience
    while time.monotonic() < until:
        status = slot_status(source, slot)
        if status is None or not status.active:
            return
        source.execute("SELECT pg_terminate_backend(%s)", [status.active_pid])
        time.sleep(_LOOK_AGAIN)


def drop_publication(source: Session, publication: str) -> None:
    """Drop a publication where it exists."""
    source.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(publication)))


def end_stream(request: TablesRequest) -> bool:
    """Give slot and publication back to the source, and note on the target that the stream has ended.

    Idempotent. The tables and what is noted of them stay.

    :return: whether there was anything to give back.
    :raises ConflictError: a run is at work on the stream.
    """
    target, source = request.target.connection, request.source.connection
    with (
        told_as(f"ending stream {request.stream}", "what is left is dropped when this is run again"),
        connect(source, "end") as there,
        connect(target, "end") as here,
    ):
        state = read_stream(here, request.stream)
        if state is None:
            return _drop_both(there, slot_name(request.stream), slot_name(request.stream))
        with leased(here, request.stream):
            found = _drop_both(there, state.slot, state.publication)
            current = read_stream(here, request.stream) or state
            write_stream(here, replace(current, phase=StreamPhase.ENDED, reason="given back"))
        return found


def _drop_both(source: Session, slot: str, publication: str) -> bool:
    there = source.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", [publication]).fetchone()
    found = slot_status(source, slot) is not None or there is not None
    drop_slot(source, slot)
    drop_publication(source, publication)
    return found


def _qualified(name: TableName) -> sql.Identifier:
    return sql.Identifier(name.schema, name.name)
