"""Whether a copy through the interface ever came to its end: what the target shows cannot tell that.

Things bear their origin from the request on that makes them, so a killed copy looks begun, and no more. A
sync would go on from it, but leave aside what only a copy looks at in runs that have ended: links, files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.registry_records import (
    RegistryMoveRecord,
    RegistryPreflightRecord,
    registry_path,
)
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.registry.interface.moving import has_begun, look_ahead
from heavylift.registry.rest.client import server_url

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.work import Work


async def is_copied_through(request: RegistryRequest) -> bool:
    """Tell whether a copy came to its end without a failure, and the target still has something of it.

    Where the evidence has gone it was not: a further copy writes nothing twice, and looks at everything.
    """
    return await has_begun(request) and await _finished(request)


async def look_through(request: RegistryRequest, work: Work) -> RegistryPreflightRecord:
    """Look ahead, and tell what has come to its end from what was begun."""
    record = await look_ahead(request, work)
    return record.model_copy(update={"copied": record.copied and await _finished(request)})


async def _finished(request: RegistryRequest) -> bool:
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        return await _finished_copy(store, request)


async def _finished_copy(store: EvidenceStore, request: RegistryRequest) -> bool:
    copy = registry_path(request.run, request.registry, "copy", 1).removeprefix(request.run.folder)
    copies, target = copy.rpartition("-")[0], server_url(request.target.connection)
    # Runs lie in the order of their names, most often that of time: the first copies come early.
    async for page in store.name_pages(f"{request.run.migration}/{request.run.phase}"):
        for path in page:
            if path.rpartition("-")[0].endswith(copies) and await _is_whole(store, path, target):
                return True
    return False


async def _is_whole(store: EvidenceStore, path: str, target: str) -> bool:
    record = await store.read_record(path, RegistryMoveRecord)
    whole = record.path == "api" and not record.dry_run and not record.failure_count
    return whole and record.target == target
