"""Each act on a stream with its evidence: what the operators and the command line call.

The Kafka client blocks, so the work runs in a thread; cancelling it sets the mirror's stop event, waits
until what is done is noted, and then passes the cancellation on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from heavylift import errors
from heavylift.errors import HeavyliftError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.evidence.stream_paths import (
    stream_groups_path,
    stream_mirror_path,
    stream_plan_path,
    stream_verification_path,
)
from heavylift.evidence.stream_records import (
    StreamGroupsRecord,
    StreamMirrorRecord,
    StreamPlanRecord,
    StreamStatus,
    StreamVerificationRecord,
)
from heavylift.fencing import Side, WriteState
from heavylift.streams.engines import open_mirror
from heavylift.streams.ports import StreamMirror, StreamProgress, Watch
from heavylift.streams.requests import StreamRequest

T = TypeVar("T")
Report = Callable[[StreamProgress], None]


async def plan_stream(request: StreamRequest) -> tuple[StreamPlanRecord, EvidenceRef]:
    """Look at both sides and write the plan; it holds what stands in the way (:func:`refuse`).

    :raises NotFoundError: a topic is missing on the source.
    :raises CredentialError: a broker refuses the credentials.
    """
    async with _evidence(request) as store:
        plan = await _in_thread(request, lambda mirror, _watch: mirror.plan())
        _, ref = await write_next(store, lambda n: stream_plan_path(request.run, request.stream, n), plan)
    return plan, ref


async def mirror_stream(
    request: StreamRequest, report: Report | None = None
) -> tuple[StreamMirrorRecord, EvidenceRef]:
    """Mirror what the source has now, and write what was done. Stopping it leaves a record too.

    :raises HeavyliftError: something stands in the way, or could not be read or written.
    :raises asyncio.CancelledError: it was stopped; what is done is in the evidence.
    """
    async with _evidence(request) as store:
        watch = _watch(report)
        record, cancelled = await _finishing(request, watch, lambda mirror: mirror.mirror(watch))
        _, ref = await asyncio.shield(
            write_next(store, lambda n: stream_mirror_path(request.run, request.stream, n), record)
        )
    if cancelled:
        raise asyncio.CancelledError
    return record, ref


async def verify_stream(
    request: StreamRequest, report: Report | None = None
) -> tuple[StreamVerificationRecord, EvidenceRef]:
    """Compare both sides afresh and write the result.

    :raises ServerUnavailableError: something could not be read; nothing was concluded.
    """
    async with _evidence(request) as store:
        record = await _in_thread(request, lambda mirror, watch: mirror.verify(watch), report)
        _, ref = await write_next(
            store, lambda n: stream_verification_path(request.run, request.stream, n), record
        )
    return record, ref


async def translate_groups(request: StreamRequest) -> tuple[StreamGroupsRecord, EvidenceRef]:
    """Translate consumer groups, put them on the target unless this is a dry run, and write what was done."""
    write = not request.options.dry_run
    async with _evidence(request) as store:
        record = await _in_thread(request, lambda mirror, _watch: mirror.translate_groups(write=write))
        _, ref = await write_next(store, lambda n: stream_groups_path(request.run, request.stream, n), record)
    return record, ref


async def stream_status(request: StreamRequest) -> StreamStatus:
    """Return where a stream stands; writes nothing."""
    return await _in_thread(request, lambda mirror, _watch: mirror.status())


async def producers_state(request: StreamRequest, side: Side) -> WriteState:
    """Tell whether producers may write to ``side`` of a request that is not reversed; changes nothing."""
    return await _in_thread(request, lambda mirror, _watch: mirror.fence_state(side))


async def fence_producers(request: StreamRequest, side: Side, epoch: int, *, frozen: bool) -> None:
    """Keep producers from writing to ``side`` of a request that is not reversed, or let them. Idempotent.

    :raises ConflictError: the side has seen a higher epoch (code 8701).
    """
    await _in_thread(request, lambda mirror, _watch: mirror.fence(side, epoch, frozen=frozen))


async def live_request(request: StreamRequest) -> StreamRequest:
    """Return the request in the direction that records flow now: away from the side that is written to.

    To the target until a cutover, back after it, to the target again after a rollback. Of a stream that no
    cutover switches it is the request itself.
    """
    if not request.fence.switched:
        return request
    source, target = await producers_state(request, Side.SOURCE), await producers_state(request, Side.TARGET)
    return request.reversed() if (target.opened or 0) > (source.opened or 0) else request


async def stream_flows(request: StreamRequest) -> bool:
    """Tell whether a mirror this way was begun, and not ended; changes nothing."""
    return await _in_thread(request, lambda mirror, _watch: mirror.flows())


async def prepare_stream_back(request: StreamRequest) -> int:
    """Make the offset map of the way back of what has come this way; return its new spans. Idempotent.

    :raises ConflictError: a mirror is at work on the way back.
    """
    return await _in_thread(request, lambda mirror, _watch: mirror.prepare_way_back())


async def end_stream_mirror(request: StreamRequest) -> None:
    """Note that nothing is mirrored this way any more; topics and offset maps stay. Idempotent."""
    await _in_thread(request, lambda mirror, _watch: mirror.end())


def refuse(plan: StreamPlanRecord) -> None:
    """Raise what stands in the way of a plan.

    :raises HeavyliftError: the first refusal, with the number of the others in its state.
    """
    if not plan.refusals:
        return
    first = plan.refusals[0]
    more = f"; {len(plan.refusals) - 1} more things stand in the way, the plan lists them"
    raise _kind(str(first["type"]))(
        str(first["what"]),
        got=str(first["got"]),
        expected=str(first["expected"]),
        state=str(first["state"]) + (more if len(plan.refusals) > 1 else ""),
        remedy=str(first["remedy"]),
        retry_safe=bool(first["retry_safe"]),
        code=str(first["code"]).removeprefix("HL-"),
    )


def _kind(name: str) -> type[HeavyliftError]:
    found = getattr(errors, name, HeavyliftError)
    return found if isinstance(found, type) and issubclass(found, HeavyliftError) else HeavyliftError


@asynccontextmanager
async def _evidence(request: StreamRequest) -> AsyncIterator[EvidenceStore]:
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        yield store


def _watch(report: Report | None) -> Watch:
    return Watch(report=report) if report is not None else Watch()


async def _in_thread(
    request: StreamRequest, act: Callable[[StreamMirror, Watch], T], report: Report | None = None
) -> T:
    watch = _watch(report)
    result, cancelled = await _finishing(request, watch, lambda mirror: act(mirror, watch))
    if cancelled:
        raise asyncio.CancelledError
    return result


async def _finishing(
    request: StreamRequest, watch: Watch, act: Callable[[StreamMirror], T]
) -> tuple[T, bool]:
    """Run ``act`` in a thread to its end; when cancelled, ask it to stop, and say so afterwards."""

    def work() -> T:
        mirror = open_mirror(request)
        try:
            return act(mirror)
        finally:
            mirror.close()

    running: asyncio.Future[Any] = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled = False
    while True:
        try:
            return await asyncio.shield(running), cancelled
        except asyncio.CancelledError:
            if running.done() and running.cancelled():
                raise
            cancelled = True
            watch.stop.set()
        except HeavyliftError:
            if cancelled:
                raise asyncio.CancelledError from None
            raise
