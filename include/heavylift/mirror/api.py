"""What operators and commands call to follow a registry's database, to prove it, and to end that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.aio import in_thread
from heavylift.errors import ConflictError, NotFoundError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.registry_records import RegistryMoveRecord, RegistryTableProof, registry_path
from heavylift.evidence.store import open_evidence
from heavylift.fencing import Side
from heavylift.mirror.proving import prove_moment, seen_towards
from heavylift.mirror.requests import STAY_SECONDS, demand_deletes_follow, stream_of
from heavylift.registry.api import verify_registry
from heavylift.registry.store.moving import move_to
from heavylift.registry.work import RegistryProgress, Tell, silent
from heavylift.registry.work import Work as RegistryWork
from heavylift.tables import api as tables
from heavylift.tables.engine import TablesProgress
from heavylift.tables.engine import Work as TablesWork
from heavylift.tables.fences.acts import AGAINST
from heavylift.tables.follow import Watching, follow_tables
from heavylift.tables.postgres.adopting import begin_beside
from heavylift.tables.requests import Direction

if TYPE_CHECKING:
    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.registry_records import RegistryVerificationRecord
    from heavylift.evidence.table_records import StreamEndRecord, StreamStatus, SyncRecord
    from heavylift.registry.requests import RegistryRequest
    from heavylift.tables.requests import TablesRequest

FIRST_EPOCH = 1
"""Of the fence that keeps clients off the target from the beginning; each switch takes a higher one."""


async def begin_following(
    request: RegistryRequest, tell: Tell = silent, *, anew: bool = False
) -> tuple[RegistryMoveRecord, EvidenceRef] | None:
    """Make the stream, bring the target to the moment at which it begins, and close the target to clients.

    A target that is empty is copied to; one that was copied before is brought up to date, row by row. Safe to
    run again after any end; None where the stream flows already.

    :param anew: give up a stream that is invalid or has ended; the source wins over what the target has.
    :raises SpecError: ``deletes`` is not ``propagate``, or the prefixes cannot be turned around.
    :raises ConflictError: something stands in the way; nothing was touched.
    """
    demand_deletes_follow(request)
    stream = await _stream(request)
    if anew:
        stream = replace(stream, options=replace(stream.options, anew=True))
        request = replace(request, options=replace(request.options, overwrite=True))
        await _open_for_copy(stream)

    def act(stop: threading.Event, relay: Callable[[RegistryProgress], None]) -> RegistryMoveRecord | None:
        ours, theirs = RegistryWork(stop, relay), TablesWork(stop)
        return begin_beside(stream, theirs, lambda snapshot: move_to(request, ours, snapshot))

    record = await in_thread(act, tell)
    await _close_target(stream)
    if record is None:
        return None
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        _, ref = await write_next(
            store, lambda number: registry_path(request.run, request.registry, "copy", number), record
        )
    return record, ref


async def sync_following(request: RegistryRequest, tell: Tell = silent) -> tuple[SyncRecord, EvidenceRef]:
    """Apply what the live side has committed until now, to the target or after a switch back to the source.

    :raises NotFoundError: the registry is not followed.
    """
    live = await live_stream(request)
    return await tables.sync_tables(live, _relayed(tell))


async def follow_registry(
    request: RegistryRequest,
    watching: Watching,
    *,
    for_seconds: float | None = None,
    until_idle: bool = False,
    stay_seconds: float = STAY_SECONDS,
) -> None:
    """Apply changes as they come, in whichever direction they flow: a switch turns the follower around.

    :param for_seconds: end after about so long; None for never.
    :param until_idle: end after a round that brought nothing.
    :raises NotFoundError: the registry is not followed.
    """
    stream = await _stream(request)
    await _status(stream)
    stay = 0.0 if until_idle else stay_seconds if for_seconds is None else min(stay_seconds, for_seconds)
    stream = replace(stream, options=replace(stream.options, stay_seconds=stay))
    while True:
        try:
            await follow_tables(
                await tables.live_request(stream),
                watching,
                pause_seconds=0.0,
                for_seconds=for_seconds,
                until_idle=until_idle,
            )
        except ConflictError as error:
            if error.code != AGAINST:
                raise
            continue
        return


async def verify_following(
    request: RegistryRequest, tell: Tell = silent
) -> tuple[RegistryVerificationRecord, EvidenceRef]:
    """Prove a followed registry: by the databases at one moment, and through the interface of both servers.

    The follower steps aside for each moment, and goes on by itself.

    :return: the record tells whether they are equal; if not, nothing is raised.
    """
    stream = await _stream(request)
    live = await tables.live_request(stream)
    seen = seen_towards(request, Side.TARGET if live.direction is Direction.FORWARD else Side.SOURCE)

    def follow(_request: RegistryRequest, work: RegistryWork) -> tuple[None, tuple[RegistryTableProof, ...]]:
        return None, prove_moment(seen, live, TablesWork(work.stop))

    return await verify_registry(seen, tell, follow=follow if request.options.live else None)


async def end_following(request: RegistryRequest) -> tuple[tuple[StreamEndRecord, EvidenceRef], ...]:
    """Give back what the streams of both directions hold; the tables, notes and fences stay. Idempotent."""
    stream = await _stream(request)
    ended = [await tables.end_stream(stream)]
    try:
        await _status(stream.reversed())
    except NotFoundError:
        return tuple(ended)
    return (*ended, await tables.end_stream(stream.reversed()))


async def following_status(request: RegistryRequest) -> tuple[StreamStatus, ...]:
    """Tell how the streams of both directions stand, as far as they have been begun; changes nothing."""
    return await tables.both_directions(await _stream(request))


async def live_stream(request: RegistryRequest) -> TablesRequest:
    """Return the stream in the direction in which changes flow now; changes nothing."""
    return await tables.live_request(await _stream(request))


async def _stream(request: RegistryRequest) -> TablesRequest:
    return await in_thread(lambda _stop, _relay: stream_of(request), lambda _nothing: None)


async def _status(stream: TablesRequest) -> StreamStatus:
    return await tables.tables_status(stream)


async def _close_target(stream: TablesRequest) -> None:
    """Let no client write to the target until the switch; a fence that is there stays as it is."""
    if (await tables.writes_state(stream, side=Side.TARGET)).epoch == 0:
        await tables.freeze_writes(stream, side=Side.TARGET, epoch=FIRST_EPOCH, within_seconds=30.0)


async def _open_for_copy(stream: TablesRequest) -> None:
    """Take the target's fence away: a copy begins over, and its sessions are no stream's."""
    try:
        epoch = (await tables.writes_state(stream, side=Side.TARGET)).epoch
        await tables.drop_fence(stream, side=Side.TARGET, epoch=epoch, though_frozen=True)
    except NotFoundError:
        return


def _relayed(tell: Tell) -> Callable[[TablesProgress], None]:
    return lambda seen: tell(RegistryProgress(doing=seen.detail or seen.step, rows=seen.rows_done))
