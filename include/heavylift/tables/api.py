"""What operators and commands call to move tables: each act runs an engine and keeps its record.

An engine blocks and runs in a thread of its own; cancelling the act stops it between two
transactions. Whatever an act has done is written to the evidence store before it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from heavylift.errors import NotFoundError, UnsupportedError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import database_path
from heavylift.evidence.records import MAX_LISTED, EvidenceRef
from heavylift.evidence.store import open_evidence
from heavylift.evidence.table_records import (
    DrainRecord,
    PreflightRecord,
    ReverseRecord,
    SnapshotRecord,
    StreamEndRecord,
    StreamStatus,
    SyncRecord,
    TableComparison,
    TableVerificationRecord,
)
from heavylift.spec.vocabulary import VerifyMode
from heavylift.tables import wiring
from heavylift.tables.differences import keep_differences
from heavylift.tables.engine import Tell, Work, no_snapshot_back, silent
from heavylift.tables.fences import acts as fences
from heavylift.tables.requests import Direction, TablesRequest
from heavylift.tables.room import Room, room_at
from heavylift.tables.working import in_thread

if TYPE_CHECKING:
    from heavylift.evidence.base import Record
    from heavylift.evidence.fence_records import FenceRecord
    from heavylift.evidence.store import EvidenceStore
    from heavylift.fencing import Side, WriteState
    from heavylift.tables.engine import Comparison, TableEngine

RecordT = TypeVar("RecordT", bound="Record")


async def preflight_tables(
    request: TablesRequest, tell: Tell = silent
) -> tuple[PreflightRecord, EvidenceRef]:
    """Look for what stands in the way, on both sides; changes neither, refuses nothing."""
    return await _kept(request, "preflight", lambda engine, work: engine.preflight(request, work), tell)


async def snapshot_tables(request: TablesRequest, tell: Tell = silent) -> tuple[SnapshotRecord, EvidenceRef]:
    """Copy all tables as of one position, from which the stream of changes then goes on.

    :raises UnsupportedError: of the way back, whose target holds the tables already.
    """
    if request.direction is Direction.REVERSE:
        raise no_snapshot_back(request)
    return await _kept(
        request, "snapshot", lambda engine, work: engine.snapshot(request, work), tell, carries=True
    )


async def sync_tables(request: TablesRequest, tell: Tell = silent) -> tuple[SyncRecord, EvidenceRef]:
    """Apply what the source has committed until now.

    :raises NotFoundError: no snapshot has begun the stream.
    """
    return await _kept(request, "sync", lambda engine, work: engine.sync(request, work), tell, carries=True)


async def drain_tables(
    request: TablesRequest, *, within_seconds: float, tell: Tell = silent
) -> tuple[DrainRecord, EvidenceRef]:
    """Apply everything up to the source's position now, when nobody writes to it any more.

    :return: the record tells whether the position was reached in time; if not, nothing is raised.
    """

    def act(engine: TableEngine, work: Work) -> DrainRecord:
        return engine.drain(request, work, within_seconds=within_seconds)

    return await _kept(request, "drain", act, tell, carries=True)


async def prepare_reverse(request: TablesRequest, tell: Tell = silent) -> tuple[ReverseRecord, EvidenceRef]:
    """Make the stream that flows back, before anybody may write to the target.

    :param request: in the forward direction.
    """
    return await _kept(request, "reverse", lambda engine, work: engine.prepare_reverse(request, work), tell)


async def verify_tables(
    request: TablesRequest, *, frozen: bool, tell: Tell = silent
) -> tuple[TableVerificationRecord, EvidenceRef]:
    """Compare both databases inside of both, and keep what differs by its keys.

    :param frozen: nobody writes to the source; otherwise it is compared as of one position.
    :return: the record tells whether they are equal; if not, nothing is raised.
    """

    def act(work: Work) -> Comparison:
        engine = wiring.engine_for(request)
        if not frozen:
            # The other side is applied up to the position at which the two are compared.
            fences.demand_direction(request)
        return engine.compare(request, work, frozen=frozen)

    comparison = await in_thread(act, tell)
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        rows = await keep_differences(store, request, comparison)
        record = verification_of(request, comparison, rows)
        return record, await write_record(store, request, "verification", record)


async def end_stream(request: TablesRequest) -> tuple[StreamEndRecord, EvidenceRef]:
    """Give back what the stream of the request's direction holds on its source."""

    def act(engine: TableEngine, _work: Work) -> StreamEndRecord:
        return StreamEndRecord(
            run=request.run,
            database=request.database,
            direction=request.direction.value,
            status=engine.end(request),
        )

    return await _kept(request, "end", act, silent)


async def tables_status(request: TablesRequest) -> StreamStatus:
    """Tell how the stream of the request's direction stands; changes nothing, writes nothing.

    :raises NotFoundError: there is none.
    """
    return await in_thread(lambda _work: wiring.engine_for(request).status(request), silent)


async def both_directions(request: TablesRequest) -> tuple[StreamStatus, ...]:
    """Tell how the streams of both directions stand, as far as they have been begun."""
    found = []
    for each in (request, request.reversed()):
        try:
            found.append(await tables_status(each))
        except NotFoundError:
            continue
        except UnsupportedError:
            # Where there is no way back there is nothing to tell of it.
            if each is request:
                raise
    return tuple(found)


async def freeze_writes(
    request: TablesRequest, *, side: Side, epoch: int, within_seconds: float, tell: Tell = silent
) -> tuple[FenceRecord, EvidenceRef]:
    """Let no application write to the moved tables of one side any more; idempotent.

    When it returns, every transaction that has written before has been committed or given up, and lies below
    the record's position; Heavylift's own streams still write.

    :param epoch: of the cutover or rollback that this belongs to.
    :raises ConflictError: the side has seen a higher epoch (HL-8701).
    :raises TransientError: writers were in the way for all of the time (HL-8781, which names them); on
        PostgreSQL nothing is frozen then.
    :raises UnsupportedError: the side is none that can be fenced.
    """
    return await _fenced(
        request,
        lambda work: fences.freeze(request, work, side=side, epoch=epoch, within_seconds=within_seconds),
        tell,
    )


async def unfreeze_writes(
    request: TablesRequest,
    *,
    side: Side,
    epoch: int,
    within_seconds: float = 30.0,
    whatever_the_other: bool = False,
    tell: Tell = silent,
) -> tuple[FenceRecord, EvidenceRef]:
    """Let applications write to one side again, while the other is frozen; idempotent.

    :param whatever_the_other: also while the other side is open, or cannot be asked.
    :raises ConflictError: the side has seen a higher epoch (HL-8701), or the other is open (HL-8783).
    :raises TransientError: locks were in the way for all of the time.
    """
    return await _fenced(
        request,
        lambda work: fences.unfreeze(
            request, work, side=side, epoch=epoch, within_seconds=within_seconds,
            whatever_the_other=whatever_the_other,
        ),
        tell,
    )  # fmt: skip


async def drop_fence(
    request: TablesRequest,
    *,
    side: Side,
    epoch: int,
    within_seconds: float = 30.0,
    though_frozen: bool = False,
    tell: Tell = silent,
) -> tuple[FenceRecord, EvidenceRef]:
    """Take a side's fence away, its triggers and the note of its epochs; idempotent.

    :param though_frozen: also where that opens the side.
    :raises ConflictError: the side is frozen (HL-8784).
    """
    return await _fenced(
        request,
        lambda work: fences.drop(
            request, work, side=side, epoch=epoch, within_seconds=within_seconds, though_frozen=though_frozen
        ),
        tell,
    )


async def writes_state(request: TablesRequest, *, side: Side) -> WriteState:
    """Tell whether applications may write to one side, by looking at its tables; changes nothing.

    :raises UnsupportedError: the side is none that can be fenced.
    """
    return await in_thread(lambda _work: fences.state_of(request, side), silent)


async def connection_room(request: TablesRequest, *, side: Side) -> Room | None:
    """Tell how many connections one side has in use and free; None where its product does not tell.

    :raises TransientError: it does not answer.
    """
    return await in_thread(lambda _work: room_at(request, side), silent)


async def switched_to(request: TablesRequest) -> Side:
    """Tell which side applications write to: the open one, or while both are frozen the last that was.

    :raises ConflictError: both are open, although the target has been switched to (HL-8785).
    """
    return await in_thread(lambda _work: fences.switched_to(request), silent)


async def live_request(request: TablesRequest) -> TablesRequest:
    """Return the request in the direction in which changes flow now: away from the live side."""
    forward = request if request.direction is Direction.FORWARD else request.reversed()
    if await in_thread(lambda _work: fences.flows_back(forward), silent):
        return forward.reversed()
    return forward


def verification_of(
    request: TablesRequest, comparison: Comparison, rows: EvidenceRef | None
) -> TableVerificationRecord:
    """Return the record of a comparison; it passes only if nothing at all speaks against it."""
    frozen = comparison.mode == "frozen"
    return TableVerificationRecord.model_validate(
        {
            "run": request.run,
            "database": request.database,
            "direction": request.direction.value,
            "mode": comparison.mode,
            "position": comparison.position,
            "tables": comparison.tables,
            "differences": comparison.differences[:MAX_LISTED],
            "difference_count": comparison.difference_count,
            "rows": rows,
            "sequences_behind": comparison.sequences_behind,
            "statement": comparison.statement,
            "seconds": comparison.seconds,
            # While changes flow sequences are behind by nature: the drain advances them.
            "passed": bool(comparison.tables)
            and not comparison.difference_count
            and not (frozen and comparison.sequences_behind)
            and all(_is_equal(each, request.options.verify, comparison.mode) for each in comparison.tables),
        }
    )


def _is_equal(table: TableComparison, extent: VerifyMode, mode: str) -> bool:
    if not table.is_equal:
        return False
    # Of a sample only those rows are called equal that were looked at; sides that are written to are
    # counted at two moments.
    partly = extent is not VerifyMode.FULL or mode == "settled"
    return partly or table.equal == table.source_rows == table.target_rows


async def _kept(
    request: TablesRequest,
    kind: str,
    act: Callable[[TableEngine, Work], RecordT],
    tell: Tell,
    *,
    carries: bool = False,
) -> tuple[RecordT, EvidenceRef]:
    """Let the request's engine act, and keep the record of it.

    :param carries: the act writes rows in the request's direction, which fences may forbid.
    """

    def do(work: Work) -> RecordT:
        engine = wiring.engine_for(request)
        if carries:
            fences.demand_direction(request)
        return act(engine, work)

    record = await in_thread(do, tell)
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        return record, await write_record(store, request, kind, record)


async def _fenced(
    request: TablesRequest, act: Callable[[Work], FenceRecord], tell: Tell
) -> tuple[FenceRecord, EvidenceRef]:
    """Let a fence act, and keep the record of it."""
    record = await in_thread(act, tell)
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        return record, await write_record(store, request, "fence", record)


async def write_record(
    store: EvidenceStore, request: TablesRequest, kind: str, record: Record
) -> EvidenceRef:
    """Keep a record of a request's database under the next free number of its kind."""
    _number, ref = await write_next(
        store, lambda number: database_path(request.run, request.database, kind, number), record
    )
    return ref
