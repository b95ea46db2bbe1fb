"""What operators and commands call to move registries: each act does its work and keeps its record.

What blocks runs in a thread of its own; cancelling an act stops it between two statements. Whatever an
act has done is written to the evidence store before it returns.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from heavylift.evidence.numbered import write_next
from heavylift.evidence.registry_records import (
    RegistryMoveRecord,
    RegistryPreflightRecord,
    RegistryVerificationRecord,
    registry_path,
)
from heavylift.evidence.store import open_evidence
from heavylift.registry.store.moving import move_store
from heavylift.registry.store.preflight import look
from heavylift.registry.verifying import compare_servers, compare_stores, verification
from heavylift.registry.work import RegistryProgress, Tell, Work, silent

if TYPE_CHECKING:
    from pydantic import BaseModel

    from heavylift.evidence.records import EvidenceRef
    from heavylift.evidence.registry_records import RegistryTableProof
    from heavylift.registry.requests import RegistryRequest

T = TypeVar("T")


async def preflight_registry(request: RegistryRequest) -> tuple[RegistryPreflightRecord, EvidenceRef]:
    """Choose the way, look for what stands in it, and keep what was found; changes neither side.

    :raises UnsupportedError: no way is open.
    """
    record = await _in_thread(lambda _work: look(request).record, silent)
    return record, await _keep(request, "preflight", record)


async def copy_registry(
    request: RegistryRequest, tell: Tell = silent
) -> tuple[RegistryMoveRecord, EvidenceRef]:
    """Copy the whole registry; a copy that was interrupted goes on where it was.

    :raises ConflictError: something stands in the way; nothing was touched.
    """
    return await _move(request, "copy", tell)


async def sync_registry(
    request: RegistryRequest, tell: Tell = silent
) -> tuple[RegistryMoveRecord, EvidenceRef]:
    """Bring a copied registry up to date; where nothing is new, nothing is written.

    :raises NotFoundError: it has not been copied.
    """
    return await _move(request, "sync", tell)


async def verify_registry(
    request: RegistryRequest, tell: Tell = silent
) -> tuple[RegistryVerificationRecord, EvidenceRef]:
    """Compare both sides afresh: through the public interface, and where both are open by the databases.

    :return: the record tells whether they are equal; if not, nothing is raised.
    """
    began = time.monotonic()
    found = await compare_servers(request, Work(tell=tell))
    source, target = request.source.store, request.target.store
    tables: tuple[RegistryTableProof, ...] = ()
    if source is not None and target is not None:
        tables = await _in_thread(lambda _work: compare_stores(request, source, target), tell)
    record = verification(request, found, tables, began)
    return record, await _keep(request, "registry-verification", record)


async def _move(
    request: RegistryRequest, act: Literal["copy", "sync"], tell: Tell
) -> tuple[RegistryMoveRecord, EvidenceRef]:
    record = await _in_thread(lambda work: move_store(request, work, act), tell)
    return record, await _keep(request, act, record)


async def _keep(request: RegistryRequest, kind: str, record: BaseModel) -> EvidenceRef:
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        _number, ref = await write_next(
            store, lambda number: registry_path(request.run, request.registry, kind, number), record
        )
        return ref


async def _in_thread(act: Callable[[Work], T], tell: Tell) -> T:
    """Run ``act`` in a thread; when cancelled, ask it to stop and wait until it has left."""
    stop = threading.Event()
    loop = asyncio.get_running_loop()

    def relay(progress: RegistryProgress) -> None:
        loop.call_soon_threadsafe(tell, progress)

    running = asyncio.ensure_future(asyncio.to_thread(act, Work(stop, relay)))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({running})
        raise
