"""Opening what one piece of work needs: both stores, held to the limits, and the evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.objects.requests import TransferRequest
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.ports import ObjectStore
from heavylift.platforms.wiring import open_store


def evidence_of(request: TransferRequest) -> AbstractAsyncContextManager[EvidenceStore]:
    """Open the request's evidence store."""
    return open_evidence(request.evidence_url, request.evidence_connection)


@asynccontextmanager
async def open_both(request: TransferRequest) -> AsyncIterator[tuple[ObjectStore, ObjectStore]]:
    """Open source and target.

    Only the source is paced: writes follow reads, and pacing both would halve the rate.
    """
    limits = request.options.limits
    settings = HttpSettings(connections=limits.max_concurrency + 8, stall_seconds=limits.stall_timeout)
    pacer = Pacer(limits.max_bandwidth)
    async with (
        open_store(
            request.source.location, request.source.connection, settings=settings, pacer=pacer
        ) as source,
        open_store(request.target.location, request.target.connection, settings=settings) as target,
    ):
        yield source, target
