"""A stream beside a copy that somebody else makes: the slot's own snapshot is lent to whoever copies.

The copier must bring the target to exactly that snapshot; from there the stream goes on without a gap. It
knows its tables, its rewriting and its proofs; here nothing is copied and no schema made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from heavylift.errors import ConflictError, CredentialError
from heavylift.evidence.records import Finding, Severity
from heavylift.tables.model import Table, TableName, demand_some
from heavylift.tables.postgres import preflight_source as of_source
from heavylift.tables.postgres import preflight_tables as of_tables
from heavylift.tables.postgres import preflight_target as of_target
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect, where
from heavylift.tables.postgres.copy_pool import shared_snapshot
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.guard import demand_valid
from heavylift.tables.postgres.holding import hold, let_go
from heavylift.tables.postgres.preflight_common import Checked
from heavylift.tables.postgres.quiet import quieten
from heavylift.tables.postgres.replication import exported_snapshot, identify
from heavylift.tables.postgres.schema_notes import FINISHED, ensure_notes, note
from heavylift.tables.postgres.slot import (
    drop_publication,
    drop_slot,
    end_reader,
    ensure_publication,
    slot_name,
)
from heavylift.tables.postgres.state import (
    Lease,
    StreamPhase,
    StreamState,
    TablePhase,
    TableState,
    ensure_state,
    leased,
    names,
    read_stream,
    write_stream,
    write_table,
)

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.engine import Work
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

T = TypeVar("T")
Fill = Callable[[str], T]
"""Brings the target to a snapshot of the source, whose name it is given; may be called again after a kill."""

_RULES = (
    of_source.check_server,
    of_source.check_rights,
    of_source.check_reading,
    of_source.check_waiting,
    of_source.check_log,
    of_tables.check_identity,
    of_target.check_target_server,
)
_STATE = "the slot keeps log until this is run again, or the stream is ended"


def begin_beside(request: TablesRequest, work: Work, fill: Fill[T]) -> T | None:
    """Make publication and slot, let ``fill`` copy under the slot's snapshot, and let the stream go on there.

    Idempotent: a stream that flows is left as it is, and None returned. What a killed call left half-made is
    made anew, and ``fill`` called again: it brings what is there to the later snapshot.

    :raises ConflictError: something stands in the way of reading the source's log; nothing was touched.
    :raises CredentialError: a role may not write as replication does.
    :raises PermanentError: the stream is invalid or has ended; ``anew`` begins another.
    :raises TransientError: another run is at it, or a server went away.
    """
    with (
        told_as(f"beginning to follow {request.database!r}", _STATE),
        connect(request.source.connection, "adopt") as source,
        connect(request.target.connection, "adopt") as target,
    ):
        if request.options.anew:
            _give_up(request, source, target)
        state = read_stream(target, request.stream)
        if state is not None:
            demand_valid(state)
            if state.phase is StreamPhase.STREAMING:
                return None
        tables = _tables(request, source, target)
        _demand_ready(request, tables, source, target)
        if state is None:
            ensure_state(target)
            write_stream(target, _new_state(request))
        with leased(target, request.stream) as lease:
            return _begin(request, work, fill, tables, source, target, lease)


def end_holder(request: TablesRequest) -> None:
    """End the session of a run that holds the stream, if there is one: it looks anew, and goes on."""
    with (
        connect(request.source.connection, "adopt") as source,
        connect(request.target.connection, "adopt") as target,
    ):
        key = f"heavylift {request.stream}"
        if hold(target, key, take_over=True):
            # What it reads by ends too: it would notice the other's end at the end of its round only.
            end_reader(source, slot_name(request.stream))
            let_go(target, key)


def demand_replica_role(connection: Connection, side: str) -> None:
    """Refuse a role that cannot apply changes without firing triggers and foreign keys.

    :raises CredentialError: it may not set ``session_replication_role``.
    """
    with connect(connection, "adopt") as session:
        if quieten(session):
            return
        raise CredentialError(
            f"looking whether changes can be applied to the {side} in {where(connection)}",
            got="a role that may not set session_replication_role",
            expected="a role that may: its tables have foreign keys, which rows must not be checked by again",
            state="nothing was touched",
            remedy="GRANT SET ON PARAMETER session_replication_role TO the role (15 and newer), or use the"
            " service's administrator",
            code="9501",
        )


def _give_up(request: TablesRequest, source: Session, target: Session) -> None:
    """Forget a stream that was there before; the tables and their rows stay."""
    state = read_stream(target, request.stream)
    if state is None:
        return
    with leased(target, request.stream) as lease:
        drop_slot(source, state.slot)
        drop_publication(source, state.publication)
        with target.transaction():
            lease.demand(target)
            target.execute("DELETE FROM heavylift.stream WHERE id = %s", [lease.stream])


def _tables(request: TablesRequest, source: Session, target: Session) -> tuple[Table, ...]:
    options = request.options
    tables = read_catalog(source, options.tables, options.exclude)
    demand_some((t.name for t in tables), options.tables, where(request.source.connection))
    there = {table.name: table for table in read_catalog(target, ("*.*",))}
    wrong: list[TableName] = [
        table.name
        for table in tables
        if table.name not in there or there[table.name].signature != table.signature
    ]
    if wrong:
        raise ConflictError(
            f"beginning to follow {request.database!r}",
            got=f"tables that the target lacks or has with other columns: {names(wrong)}",
            expected="the same tables in schemas of the same name on both sides",
            state="nothing was touched",
            remedy="make them on the target as they are on the source, in a schema of the same name",
            code="9502",
        )
    return tables


def _demand_ready(
    request: TablesRequest, tables: Sequence[Table], source: Session, target: Session
) -> tuple[Finding, ...]:
    checked = Checked(request, source, target, tuple(tables))
    findings = tuple(finding for rule in _RULES for finding in rule(checked))
    blockers = [each for each in findings if each.severity is Severity.BLOCKER]
    if blockers:
        raise ConflictError(
            f"beginning to follow {request.database!r}",
            got="; ".join(f"{each.rule}: {each.subject}: {each.detail}" for each in blockers),
            expected="a source whose log can be read",
            state="nothing was touched",
            remedy="; ".join(each.remedy for each in blockers if each.remedy),
            code="9503",
        )
    demand_replica_role(request.target.connection, "target")
    return findings


def _new_state(request: TablesRequest) -> StreamState:
    identity = identify(request.source.connection)
    name = slot_name(request.stream)
    return StreamState(
        id=request.stream,
        engine="changes",
        source_system=identity.system,
        source_timeline=identity.timeline,
        source_database=identity.database,
        slot=name,
        publication=name,
        phase=StreamPhase.COPYING,
    )


def _begin(
    request: TablesRequest,
    work: Work,
    fill: Fill[T],
    tables: Sequence[Table],
    source: Session,
    target: Session,
    lease: Lease,
) -> T:
    state = read_stream(target, request.stream) or _new_state(request)
    ensure_publication(source, state.publication, tables)
    # One that is there was made by a run that died before the end: its snapshot is gone.
    drop_slot(source, state.slot)
    connection = request.source.connection
    with ExitStack() as stack:
        with exported_snapshot(connection, state.slot, stop=work.stop) as exported:
            _holder, snapshot = stack.enter_context(shared_snapshot(connection, exported.snapshot, tables))
        done = fill(snapshot)
    begun = exported.consistent
    ensure_notes(target)
    with target.transaction():
        # Nothing of the schema is left to be made: the tables were there.
        note(target, request.stream, FINISHED, "all of the schema", made=False)
        lease.demand(target)
        for table in tables:
            noted = TableState(table.name, TablePhase.COPIED, table.signature, copied=begun, settled=begun)
            write_table(target, request.stream, noted)
        write_stream(target, replace(state, phase=StreamPhase.STREAMING, consistent=begun, applied=begun))
    return done
