"""Opening a store: the one place that knows which adapter serves which URL scheme."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError
from heavylift.locations import Location
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.ports import ObjectStore

if TYPE_CHECKING:
    from heavylift.platforms.http import HttpSettings

_CONN_TYPES = {
    "s3": {"aws", "s3"},
    "gs": {"google_cloud_platform", "gcpbigquery"},
    "az": {"wasb", "azure", "azure_data_lake", "adls"},
    "file": {"file", "fs"},
}


@asynccontextmanager
async def open_store(
    location: Location,
    connection: Connection | None,
    *,
    settings: HttpSettings | None = None,
    pacer: Pacer | None = None,
    carried: frozenset[str] = frozenset(),
) -> AsyncIterator[ObjectStore]:
    """Open the store of ``location`` and close it at the end of the block.

    :param connection: may be None for ``file://``.
    :param carried: entries of metadata by which time, mode and owner of files come and go.
    :raises ConnectionConfigError: the connection is of another kind, or lacks a field.
    """
    store = _make(location, connection, settings, pacer or Pacer(), carried)
    try:
        yield store
    finally:
        await store.close()


def _make(
    location: Location,
    connection: Connection | None,
    settings: HttpSettings | None,
    pacer: Pacer,
    carried: frozenset[str],
) -> ObjectStore:
    _check_kind(location, connection)
    adapter = load_adapter(location.scheme)
    if location.scheme == "file":
        return cast("ObjectStore", adapter(location, pacer=pacer, carried=carried))
    from heavylift.platforms.http import HttpSettings

    settings = settings or HttpSettings()
    return cast("ObjectStore", adapter(location, connection, settings=settings, pacer=pacer))


def load_adapter(scheme: str) -> Any:
    """Import the adapter that serves a URL scheme and return its class; each costs what it imports."""
    if scheme == "file":
        from heavylift.platforms.local.posix import PosixStore

        return PosixStore
    if scheme == "s3":
        from heavylift.platforms.aws.s3 import S3Store

        return S3Store
    if scheme == "gs":
        from heavylift.platforms.gcp.gcs import GcsStore

        return GcsStore
    from heavylift.platforms.azure.blob import AzureBlobStore

    return AzureBlobStore


def _check_kind(location: Location, connection: Connection | None) -> None:
    if location.scheme == "file":
        return
    allowed = _CONN_TYPES[location.scheme]
    got = connection.conn_type if connection else "no connection"
    if got not in allowed:
        raise ConnectionConfigError(
            f"opening {location}",
            got=f"connection of type {got}",
            expected=" or ".join(sorted(allowed)),
            state="nothing was touched",
            remedy=f"name a connection that belongs to {location.scheme}://",
            code="2320",
        )
