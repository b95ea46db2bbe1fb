"""Making a dataset's objects unusable, as far as its store can; a store that can't is only watched."""

from __future__ import annotations

from heavylift.decommission.requests import LeavingRequest
from heavylift.evidence.decommission_records import PlannedObjects
from heavylift.platforms.shutting import ShutsPrefixes
from heavylift.spec.resolve import find_dataset

WATCHED = "its store has no way to shut it that can be taken back: it is only watched"


async def shut(request: LeavingRequest, planned: PlannedObjects) -> str:
    """Shut a dataset of the plan on the source, where the spec wants that; tell how. Idempotent."""
    place = find_dataset(request.spec, planned.dataset).source
    async with request.open(place) as store:
        if not (request.section.shut_objects and isinstance(store, ShutsPrefixes)):
            return f"dataset {planned.dataset}: {WATCHED}"
        how = await store.shut(place.location.prefix, note_of(request, planned))
        return f"dataset {planned.dataset}: {how}"


async def open_again(request: LeavingRequest, planned: PlannedObjects) -> str:
    """Take back what :func:`shut` did; tell how. Idempotent."""
    place = find_dataset(request.spec, planned.dataset).source
    async with request.open(place) as store:
        if not isinstance(store, ShutsPrefixes):
            return f"dataset {planned.dataset}: nothing was shut"
        how = await store.open_again(place.location.prefix, note_of(request, planned))
        return f"dataset {planned.dataset}: {how}"


def note_of(request: LeavingRequest, planned: PlannedObjects) -> str:
    """Return what marks a setting of a store as this migration's own."""
    return f"heavylift-{request.spec.migration}-{planned.dataset}"
