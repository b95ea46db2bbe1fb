"""The stream that flows back between two servers of one kind, so that a rollback loses no row.

It is made while nobody writes to either side and both are equal, so that it needs no snapshot: it begins
where the target's log ends now. Everything else is the way there with the sides exchanged. Each direction
leaves out what the other one has brought: it is known by its transaction's first change, which is that of
the other stream's position.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.evidence.table_records import ReverseRecord
from heavylift.tables.model import TableName
from heavylift.tables.mysql.catalog import SourceTable, read_source
from heavylift.tables.mysql.chosen import database_of
from heavylift.tables.mysql.connect import connect
from heavylift.tables.mysql.faults import told_as
from heavylift.tables.mysql.lease import mark
from heavylift.tables.mysql.log import birth_of
from heavylift.tables.mysql.position import base_text, current_place
from heavylift.tables.mysql.preflight import preflight
from heavylift.tables.mysql.start import ENGINE, stream_of, system_of
from heavylift.tables.mysql.twin import kept
from heavylift.tables.mysql.twin.apply import OWN
from heavylift.tables.mysql.twin.preflight import BACK_CHECKS
from heavylift.tables.mysql.twin.target import TwinTarget, open_twin
from heavylift.tables.postgres.lsn import lsn_to_text
from heavylift.tables.postgres.reverse import demand_all, demand_unbroken
from heavylift.tables.postgres.snapshot_begin import demand_passed
from heavylift.tables.postgres.state import StreamPhase, StreamState, TablePhase, TableState

if TYPE_CHECKING:
    from heavylift.evidence.records import Finding
    from heavylift.tables.engine import Work
    from heavylift.tables.mysql.connect import Session
    from heavylift.tables.requests import TablesRequest


def prepare_reverse(request: TablesRequest, work: Work) -> ReverseRecord:
    """Make the stream from the target back to the source, before anybody may write to the target.

    Idempotent: a stream that is ready is left as it is, at its place in the log. One that has ended is begun
    anew, which is right only as long as nobody has written to the target since.

    :param request: in the forward direction; its stream must have been drained.
    :raises ConflictError: the target lacks tables of the stream, its log cannot be read, or another run is
        at work.
    :raises PermanentError: the way back was prepared before, and has lost changes since.
    """
    back = request.reversed()
    what = f"preparing the way back of database {request.database!r}"
    with (
        told_as(what, "run it again: it goes on"),
        closing(open_twin(request)) as forth,
        closing(open_twin(back)) as here,
        closing(connect(back.source.connection)) as reads,
    ):
        stream_of(forth, request)
        with forth.leased(request.stream):
            known = forth.tables(request.stream)
            tables = [table for table in read_source(reads, OWN, ["*.*"]) if table.name in known]
            demand_all(known, (table.name for table in tables))
            state = here.stream(back.stream)
            demand_unbroken(state)
            findings: tuple[Finding, ...] = ()
            if state is None or state.phase is not StreamPhase.STREAMING:
                work.check(what)
                state, findings = _make(back, reads, here, tables)
        return ReverseRecord(
            run=request.run,
            database=request.database,
            act="prepared",
            slot="",
            publication="",
            consistent_position=lsn_to_text(state.consistent or 0),
            tables=tuple(str(table.name) for table in tables),
            findings=findings,
        )


def _make(
    back: TablesRequest, reads: Session, here: TwinTarget, tables: list[SourceTable]
) -> tuple[StreamState, tuple[Finding, ...]]:
    """Note the stream on the side that it ends in: the migration's source.

    :param reads: a session of the server whose log is read: the migration's target.
    """
    names = {table.name for table in tables}
    record = preflight(back, BACK_CHECKS, OWN, source=reads, target=here, only=names)
    demand_passed(record)
    begun = StreamState(
        id=back.stream,
        engine=ENGINE,
        source_system=system_of(reads),
        source_timeline=0,
        source_database=database_of(back) or "*",
        slot="",
        publication="",
        phase=StreamPhase.COPYING,
    )
    here.begin(begun)
    # An end that was cut off may have left some of them away.
    here.wake_triggers(back.stream)
    triggers = here.triggers_of(names)
    apart = [name for name in _chosen(back, reads) if name not in names]
    # Nothing that is written to the target from here on gets lost.
    place, gtids = current_place(reads)
    birth = birth_of(back.source.connection, place)
    number = place.number
    state = replace(
        begun,
        slot=base_text(place),
        publication=mark(place.file, birth, gtids),
        phase=StreamPhase.STREAMING,
        consistent=number,
        applied=number,
    )
    with here.transaction():
        kept.note(here.session, back.stream, apart, triggers)
        for table in tables:
            signature = table.table.signature
            known = TableState(table.name, TablePhase.COPIED, signature, copied=number, settled=number)
            here.write_table(back.stream, known)
        here.write_stream(state)
    return state, record.findings


def _chosen(back: TablesRequest, reads: Session) -> list[TableName]:
    options = back.options
    found = read_source(reads, OWN, options.tables, options.exclude, database=database_of(back))
    return [table.name for table in found]
