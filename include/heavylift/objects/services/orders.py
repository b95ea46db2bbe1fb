"""From a plan to a service's order: the name, the list of keys, and where that list lies."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from heavylift.connections import Connection
from heavylift.errors import AlreadyExistsError, SpecError
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.transfer import put_file
from heavylift.locations import Location, parse_location
from heavylift.objects.requests import TransferRequest
from heavylift.platforms.wiring import open_store
from heavylift.spec.vocabulary import Via

MANIFESTS = "heavylift-manifests/"
MANIFEST_SCHEME = {Via.STORAGE_TRANSFER_SERVICE: "gs", Via.DATASYNC: "s3"}
"""Service → the store that it reads a list of keys from."""


def order_name(request: TransferRequest) -> str:
    """Return the job's name: the same for every attempt of one run at one dataset, and no other."""
    run, places = request.run, (str(request.source.location), str(request.target.location))
    text = "\n".join((run.migration, run.phase, run.run, request.dataset, *places))
    return f"heavylift-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def write_keys(path: Path, keys: Iterable[str]) -> None:
    """Write the list of keys as CSV of one column, quoted only where a key asks for it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([key] for key in keys)


def manifest_place(request: TransferRequest) -> tuple[Location, Connection | None]:
    """Return where the list of keys goes and the connection that opens it.

    By default a folder of its own beside the dataset's target, in the same bucket.

    :raises SpecError: there is no such place, so the spec has to name one.
    """
    scheme = MANIFEST_SCHEME[request.options.via]
    named = request.options.service.manifest
    if named is None:
        location = request.target.location
        inside = location.scheme == scheme and location.prefix and not MANIFESTS.startswith(location.prefix)
        if not inside:
            raise _no_place(request, f"none beside {location}")
        return Location(scheme, location.container, MANIFESTS), request.target.connection
    location = parse_location(named)
    connections = [
        side.connection for side in (request.target, request.source) if side.location.scheme == scheme
    ]
    if location.scheme != scheme or not connections:
        raise _no_place(request, named)
    return location, connections[0]


async def upload_manifest(request: TransferRequest, name: str, path: Path) -> str:
    """Put the list of keys where the service reads it, and return its URL.

    Idempotent: the list of one run never changes, so one that is there already is the same.
    """
    location, connection = manifest_place(request)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    key = f"{location.prefix}{name}-{digest[:12]}.csv"
    ref = EvidenceRef(path=path.name, sha256=digest, size_bytes=path.stat().st_size)
    async with open_store(location, connection) as store:
        # Named by its content: where one is there already, an earlier attempt put it.
        with suppress(AlreadyExistsError):
            await put_file(store, key, path, ref, "text/csv")
    return location.url_of(key)


async def remove_manifest(request: TransferRequest, url: str) -> None:
    """Delete a list of keys that :func:`upload_manifest` put; no error if it is gone."""
    location, connection = manifest_place(request)
    async with open_store(location, connection) as store:
        await store.delete(url.removeprefix(f"{location.scheme}://{location.container}/"))


def _no_place(request: TransferRequest, got: str) -> SpecError:
    scheme = MANIFEST_SCHEME[request.options.via]
    return SpecError(
        f"finding a place for the list of keys of dataset {request.dataset!r}",
        got=got,
        expected=f"a folder in a {scheme}:// bucket, outside of the dataset's target",
        state="nothing was moved",
        remedy=f"name one in service.manifest, such as {scheme}://bucket/heavylift-manifests/",
        code="5520",
    )
