"""Opening what one piece of work needs: both stores, held to the limits, and the evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.objects.manners import Manners
from heavylift.objects.requests import TransferRequest
from heavylift.platforms.file_entries import entries_of
from heavylift.platforms.ports import ObjectStore
from heavylift.platforms.wiring import open_store


def evidence_of(request: TransferRequest) -> AbstractAsyncContextManager[EvidenceStore]:
    """Open the request's evidence store."""
    return open_evidence(request.evidence_url, request.evidence_connection)


@asynccontextmanager
async def open_both(
    request: TransferRequest, manners: Manners | None = None, *, both_ways: bool = False
) -> AsyncIterator[tuple[ObjectStore, ObjectStore]]:
    """Open source and target.

    Only the source is paced: writes follow reads, and pacing both would halve the rate.

    :param manners: holds both back; where None, the request's limits for a task that is alone.
    :param both_ways: objects are read on the target, too, so that it is paced as well.
    """
    manners = manners or Manners(request.options.limits)
    source, target = request.source, request.target
    carried = entries_of(request.options.metadata.posix)
    async with (
        open_store(
            source.location,
            source.connection,
            settings=manners.settings("source", source.location),
            pacer=manners.pacer,
            carried=carried,
        ) as source_store,
        open_store(
            target.location,
            target.connection,
            settings=manners.settings("target", target.location),
            pacer=manners.pacer if both_ways else None,
            carried=carried,
        ) as target_store,
    ):
        yield source_store, target_store
