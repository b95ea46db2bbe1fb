"""The stream that flows back after a cutover, so that a rollback loses nothing of what was written since.

It is made while nobody writes to either side and both are equal, so that it needs no snapshot. Each side
knows the other's transactions when they come back and leaves them out: by the replication origin that the
apply session carries, or where its role may not set one, by their first statement, which changes our own
table of positions; for that the table is part of both publications.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import ConflictError, PermanentError
from heavylift.evidence.table_records import ReverseRecord
from heavylift.tables.model import Table, TableName
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.lsn import lsn_from_text, lsn_to_text
from heavylift.tables.postgres.pump import stream_of
from heavylift.tables.postgres.replication import identify
from heavylift.tables.postgres.slot import drop_slot, ensure_publication, published, slot_name
from heavylift.tables.postgres.state import (
    SCHEMA,
    StreamPhase,
    StreamState,
    TablePhase,
    TableState,
    ensure_state,
    has_state,
    leased,
    names,
    read_stream,
    read_tables,
    write_stream,
    write_table,
)

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

MARKER = TableName(SCHEMA, "stream")
"""The table that the first statement of each of our transactions changes."""


def prepare_reverse(request: TablesRequest, work: Work) -> ReverseRecord:
    """Make the stream from the target back to the source, before anybody may write to the target.

    Idempotent: a stream that is ready is left as it is; what a killed call left half-made is made anew,
    which is right only as long as nobody has written to the target.

    :param request: in the forward direction; its stream must have been drained.
    :raises ConflictError: the target lacks tables of the stream, or another run is at work.
    """
    back = request.reversed()
    with (
        told_as(f"preparing the way back of database {request.database!r}", "run it again: it goes on"),
        closing(connect(request.source.connection, "reverse")) as source,
        closing(connect(request.target.connection, "reverse")) as target,
    ):
        forward = stream_of(target, request)
        known = read_tables(target, request.stream)
        tables = [table for table in read_catalog(target, ("*.*",)) if table.name in known]
        demand_all(known, (table.name for table in tables))
        state = read_stream(source, back.stream) if has_state(source) else None
        demand_unbroken(state)
        if state is None or state.phase is not StreamPhase.STREAMING:
            with leased(target, request.stream, take_over=request.options.take_over):
                work.check("preparing the way back")
                state = _make(back, target, source, tables)
        # The way forth must know what the way back writes, should it ever be taken up again.
        publish_marker(source, forward.publication)
        return ReverseRecord(
            run=request.run,
            database=request.database,
            act="prepared",
            slot=state.slot,
            publication=state.publication,
            consistent_position=lsn_to_text(state.consistent or 0),
            tables=tuple(str(table.name) for table in tables),
        )


def _make(back: TablesRequest, reads: Session, writes: Session, tables: list[Table]) -> StreamState:
    """Make publication, slot and notes of the reverse stream.

    :param reads: a session of the database that the stream is read from: the migration's target.
    :param writes: a session of the one that it is applied to: the migration's source.
    """
    ensure_state(writes)
    identity = identify(back.source.connection)
    name = slot_name(back.stream)
    state = StreamState(
        back.stream,
        "changes",
        identity.system,
        identity.timeline,
        identity.database,
        name,
        name,
        StreamPhase.COPYING,
    )
    write_stream(writes, state)
    ensure_publication(reads, name, tables)
    publish_marker(reads, name)
    drop_slot(reads, name)
    # Told before it is made: from here on nothing that is written to the target gets lost.
    row = reads.execute(
        "SELECT lsn::text FROM pg_create_logical_replication_slot(%s, 'pgoutput')", [name]
    ).fetchone()
    begun = lsn_from_text(row[0]) if row else 0
    state = replace(state, phase=StreamPhase.STREAMING, consistent=begun, applied=begun)
    with writes.transaction():
        for table in tables:
            write_table(
                writes,
                back.stream,
                TableState(table.name, TablePhase.COPIED, table.signature, copied=begun, settled=begun),
            )
        write_stream(writes, state)
    return state


def publish_marker(session: Session, publication: str) -> None:
    """Add our table of positions to a publication, so that its changes tell whose a transaction is."""
    if _is_gone(session, publication) or MARKER in published(session, publication):
        return
    session.execute(
        sql.SQL("ALTER PUBLICATION {} ADD TABLE ONLY {}").format(
            sql.Identifier(publication), sql.Identifier(MARKER.schema, MARKER.name)
        )
    )


def _is_gone(session: Session, publication: str) -> bool:
    """Tell whether a publication is no longer there to be added to."""
    row = session.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", [publication]).fetchone()
    return row is None


def demand_unbroken(state: StreamState | None) -> None:
    """Refuse to begin a way back over that has lost changes: what lies between would never come.

    :raises PermanentError: it is invalid.
    """
    if state is not None and state.phase is StreamPhase.INVALID:
        raise PermanentError(
            "preparing the way back",
            got=f"stream {state.id!r}, which is invalid" + (f": {state.reason}" if state.reason else ""),
            expected="none yet, or one that has kept every change",
            state="nothing was made; changes written to the target since are missing on the source",
            remedy="a rollback would lose them: move the tables back by a migration of its own, with this"
            " target as its source; or end the stream, if nobody has written to the target, and prepare anew",
            retry_safe=False,
            code="6048",
        )


def demand_all(known: Iterable[TableName], there: Iterable[TableName]) -> None:
    """Refuse a way back of tables that the target lacks.

    :raises ConflictError: there are such tables.
    """
    missing = sorted(set(known) - set(there))
    if missing:
        raise ConflictError(
            "preparing the way back",
            got=f"tables of the stream that the target lacks: {names(missing)}",
            expected="every table that was moved",
            state="nothing was made",
            remedy="find out who dropped them; verify again before any switch",
            code="6044",
        )
