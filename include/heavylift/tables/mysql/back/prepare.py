"""Preparing the way back from PostgreSQL to the MySQL server that a database came from."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.evidence.records import Severity
from heavylift.evidence.table_records import PreflightRecord, ReverseRecord
from heavylift.tables.model import Table, TableName
from heavylift.tables.mysql.back.run import system_text
from heavylift.tables.mysql.catalog import read_source
from heavylift.tables.mysql.connect import policy_of
from heavylift.tables.mysql.connect import where as where_mysql
from heavylift.tables.mysql.faults import told_as as told_as_mysql
from heavylift.tables.mysql.preflight_tables import Checked as MysqlChecked
from heavylift.tables.mysql.preflight_tables import inexact
from heavylift.tables.mysql.start import stream_of
from heavylift.tables.mysql.to_postgres import PostgresProduct
from heavylift.tables.mysql.twin import kept
from heavylift.tables.mysql.twin.preflight import check_rights as check_rights_mysql
from heavylift.tables.mysql.twin.target import TwinTarget, open_twin
from heavylift.tables.postgres import preflight_source as of_source
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect, where
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.lsn import lsn_from_text, lsn_to_text
from heavylift.tables.postgres.preflight_common import Checked, setting
from heavylift.tables.postgres.replication import identify
from heavylift.tables.postgres.reverse import demand_all, demand_unbroken, publish_marker
from heavylift.tables.postgres.slot import drop_slot, ensure_publication, slot_name
from heavylift.tables.postgres.snapshot_begin import demand_passed
from heavylift.tables.postgres.state import StreamPhase, StreamState, TablePhase, TableState

if TYPE_CHECKING:
    from heavylift.tables.engine import Work
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

ENGINE = "changes"
_REASON = "PostgreSQL's log is decoded by us, and its values are written in the form in which they came"


def prepare_reverse(request: TablesRequest, work: Work) -> ReverseRecord:
    """Make the stream from PostgreSQL back to MySQL, before anybody may write to the target.

    Idempotent: a stream that is ready is left as it is. What a killed call left half-made is made anew, which
    is right only as long as nobody has written to the target.

    :param request: in the forward direction; its stream must have been drained.
    :raises ConflictError: something would not come back exactly, or another run is at work.
    """
    back = request.reversed()
    what = f"preparing the way back of database {request.database!r}"
    with (
        told_as(what, "run it again: it goes on"),
        told_as_mysql(what, "run it again: it goes on"),
        closing(PostgresProduct().connect(request, "reverse")) as forth,
        closing(open_twin(back)) as here,
    ):
        stream_of(forth, request)
        with forth.leased(request.stream):
            known = forth.tables(request.stream)
            tables = [table for table in read_catalog(forth.session, ("*.*",)) if table.name in known]
            demand_all(known, (table.name for table in tables))
            state = here.stream(back.stream)
            demand_unbroken(state)
            if state is None or state.phase is not StreamPhase.STREAMING:
                work.check(what)
                state = _make(back, forth.session, here, tables)
        return ReverseRecord(
            run=request.run,
            database=request.database,
            act="prepared",
            slot=state.slot,
            publication=state.publication,
            consistent_position=lsn_to_text(state.consistent or 0),
            tables=tuple(str(table.name) for table in tables),
        )


def preflight(request: TablesRequest) -> PreflightRecord:
    """Look for what would stand in the way, on both sides; changes neither."""
    with (
        closing(connect(request.source.connection, "preflight")) as source,
        closing(open_twin(request)) as target,
    ):
        known = target.tables(request.stream)
        tables = [table for table in read_catalog(source, ("*.*",)) if table.name in known]
        return _checked(request, source, target, tables)


def _checked(
    back: TablesRequest, source: Session, target: TwinTarget, tables: list[Table]
) -> PreflightRecord:
    names = {table.name for table in tables}
    policy = policy_of(back.target.connection)
    theirs = [t for t in read_source(target.session, policy, ["*.*"]) if t.name in names]
    checked = Checked(back, source, source, tuple(tables), frozenset())
    there = MysqlChecked(back, target.session, target, tuple(theirs), policy)
    findings = (
        *of_source.check_server(checked),
        *of_source.check_rights(checked),
        *check_rights_mysql(there),
        *inexact(theirs, policy.zero_dates),
    )
    return PreflightRecord(
        run=back.run,
        database=back.database,
        direction=back.direction.value,
        source=where(back.source.connection),
        target=where_mysql(back.target.connection),
        source_version=setting(source, "server_version"),
        target_version=str(target.session.get_server_info()),
        engine=ENGINE,
        engine_reason=_REASON,
        tables=len(tables),
        row_estimate=sum(max(0, each.row_estimate) for each in tables),
        size_bytes=sum(each.size_bytes for each in tables),
        findings=findings,
        passed=not any(each.severity is Severity.BLOCKER for each in findings),
    )


def _make(back: TablesRequest, reads: Session, here: TwinTarget, tables: list[Table]) -> StreamState:
    """Make publication, slot and notes.

    :param reads: a session of PostgreSQL.
    :param here: one of MySQL.
    """
    demand_passed(_checked(back, reads, here, tables))
    identity = identify(back.source.connection)
    name = slot_name(back.stream)
    begun = StreamState(
        id=back.stream,
        engine=ENGINE,
        source_system=system_text(identity.system, identity.timeline),
        source_timeline=0,
        source_database=identity.database,
        slot=name,
        publication=name,
        phase=StreamPhase.COPYING,
    )
    here.begin(begun)
    here.wake_triggers(back.stream)
    triggers = here.triggers_of({table.name for table in tables})
    for table in tables:
        # Old rows whole: an update tells all of a row's values, those of long ago and far away too.
        reads.execute(_identity(table.name, "FULL"))
    ensure_publication(reads, name, tables)
    publish_marker(reads, name)
    drop_slot(reads, name)
    # Told before it is made: from here on nothing that is written to the target gets lost.
    row = reads.execute(
        "SELECT lsn::text FROM pg_create_logical_replication_slot(%s, 'pgoutput')", [name]
    ).fetchone()
    at = lsn_from_text(row[0]) if row else 0
    state = replace(begun, phase=StreamPhase.STREAMING, consistent=at, applied=at)
    with here.transaction():
        kept.note(here.session, back.stream, (), triggers)
        for table in tables:
            noted = TableState(table.name, TablePhase.COPIED, table.signature, copied=at, settled=at)
            here.write_table(back.stream, noted)
        here.write_stream(state)
    return state


def _identity(table: TableName, kind: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} REPLICA IDENTITY {}").format(
        sql.Identifier(table.schema, table.name), sql.SQL(kind)
    )


def give_back(request: TablesRequest, source: Session, target: TwinTarget) -> None:
    """Let PostgreSQL's log hold what it held before; idempotent."""
    there = {table.name for table in read_catalog(source, ("*.*",))}
    for name in target.tables(request.stream):
        if name in there:
            source.execute(_identity(name, "DEFAULT"))
    target.wake_triggers(request.stream)
