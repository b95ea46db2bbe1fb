"""The first steps of a stream: is it allowed, and a row that names its slot before there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.errors import ConflictError
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.table_records import PreflightRecord
from heavylift.tables.postgres.preflight import preflight
from heavylift.tables.postgres.replication import identify
from heavylift.tables.postgres.schema_notes import ensure_notes
from heavylift.tables.postgres.slot import slot_name
from heavylift.tables.postgres.state import StreamPhase, StreamState, ensure_state, read_stream, write_stream
from heavylift.tables.postgres.state_lock import lock_state

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest


def ensure_stream(request: TablesRequest, *, source: Session, target: Session) -> tuple[Finding, ...]:
    """Note the stream on the target where it is not, after a preflight without blockers.

    :return: the preflight's findings; none for a stream that is known.
    :raises ConflictError: the preflight has blockers.
    """
    if read_stream(target, request.stream) is not None:
        ensure_notes(target)
        return ()
    record = preflight(request, source=source, target=target)
    demand_passed(record)
    identity = identify(request.source.connection)
    name = slot_name(request.stream)
    state = StreamState(
        id=request.stream,
        engine=record.engine,
        source_system=identity.system,
        source_timeline=identity.timeline,
        source_database=identity.database,
        slot=name,
        publication=name,
        phase=StreamPhase.COPYING,
    )
    ensure_state(target)
    ensure_notes(target)
    with target.transaction():
        # Of two that begin at once, the second must not write over what the first has noted since.
        lock_state(target)
        if read_stream(target, request.stream) is None:
            write_stream(target, state)
    return record.findings


def demand_passed(record: PreflightRecord) -> None:
    """Refuse where something stands in the way.

    :raises ConflictError: the preflight found blockers; the message names the first few.
    """
    blockers = [finding for finding in record.findings if finding.severity is Severity.BLOCKER]
    if not blockers:
        return
    shown = "; ".join(f"{each.rule}: {each.subject}: {each.detail}" for each in blockers[:3])
    more = f"; and {len(blockers) - 3} more" if len(blockers) > 3 else ""
    raise ConflictError(
        f"the preflight of database {record.database!r} ({record.source} to {record.target})",
        got=f"{len(blockers)} blocker(s): {shown}{more}",
        expected="no blocker",
        state="nothing was touched",
        remedy=blockers[0].remedy or "mend what each blocker's remedy says, then run this again",
        code="6110",
    )
