"""The containers of an object store, with the number and bytes of their objects: all of them are listed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from heavylift.errors import ConnectionConfigError
from heavylift.evidence.inventory_records import Kind
from heavylift.inventory.native.plane import NativePlane, Question
from heavylift.inventory.rows import Extra, Row
from heavylift.locations import Location
from heavylift.platforms.control import Account, Answer, Limits

if TYPE_CHECKING:
    from heavylift.connections import Connection

_SCHEMES = {"aws": "s3", "s3": "s3", "google_cloud_platform": "gs", "wasb": "az", "azure": "az", "adls": "az"}
_PERMISSIONS = {
    "s3": ("s3:ListAllMyBuckets", "s3:ListBucket"),
    "gs": ("storage.buckets.list", "storage.objects.list"),
    "az": (
        "Microsoft.Storage/storageAccounts/blobServices/containers/read",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
    ),
}

ROWS = (
    Row(
        "objects", "Objects::Container", Kind.DATASET, "containers", "rows", "id", "name", is_global=True,
        last_used="sums.newest", size_bytes="sums.bytes", objects="sums.objects", aliases=("{uri}",),
        extras=(Extra("count", {"name": "name"}, "sums", "sums"),),
    ),
)  # fmt: skip
"""What is read of an object store; a bucket has the id that its cloud's inventory gives it."""


class ObjectsPlane(NativePlane):
    """Reads the store of a connection of type ``aws``, ``google_cloud_platform`` or ``wasb``."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
    ) -> None:
        self._connection = connection
        scheme = _SCHEMES.get(connection.conn_type)
        if scheme is None:
            raise ConnectionConfigError(
                f"using connection {connection.conn_id!r} for an object store",
                got=f"the type {connection.conn_type!r}",
                expected=f"one of {', '.join(sorted(_SCHEMES))}",
                state="nothing was touched",
                remedy="name a connection of an object store",
                code="7683",
            )
        self._scheme = scheme
        listing, objects = _PERMISSIONS[scheme]
        questions = {
            "containers": Question(self._containers, listing),
            "count": Question(self._count, objects),
        }
        super().__init__(limits, Account(connection.conn_id), questions)

    def _containers(self, _region: str, _arguments: Answer) -> Iterator[Answer]:
        with self.asking(f"listing the containers of {self._connection.conn_id!r}", "containers"):
            for names in getattr(self, f"_names_{self._scheme}")():
                yield {"rows": [self._row(name) for name in names]}

    def _row(self, name: str) -> dict[str, Any]:
        if self._scheme == "s3":
            return {"name": name, "id": f"arn:aws:s3:::{name}", "uri": f"s3://{name}"}
        if self._scheme == "gs":
            return {"name": name, "id": f"//storage.googleapis.com/{name}", "uri": f"gs://{name}"}
        from heavylift.platforms.azure.containers import account_name

        uri = f"az://{account_name(self._connection)}/{name}"
        return {"name": name, "id": uri, "uri": uri}

    def _names_s3(self) -> Iterator[list[str]]:
        from heavylift.platforms.aws.control import AwsControlPlane
        from heavylift.platforms.aws.settings import region_of

        plane = AwsControlPlane(self._connection, self._turns.limits)
        for page in plane.pages("s3", "ListBuckets", region_of(self._connection), {}):
            yield [str(each["Name"]) for each in page.get("Buckets") or ()]

    def _names_gs(self) -> Iterator[list[str]]:
        from heavylift.platforms.gcp.control import GoogleControlPlane

        plane = GoogleControlPlane(self._connection, self._turns.limits)
        try:
            for page in plane.pages("storage", "GET storage/v1/b?project={project}", "", {}):
                yield [str(each["name"]) for each in page.get("items") or ()]
        finally:
            plane.close()

    def _names_az(self) -> Iterator[list[str]]:
        from heavylift.platforms.azure.containers import container_names

        async def every() -> list[list[str]]:
            return [names async for names in container_names(self._connection)]

        yield from asyncio.run(every())

    def _count(self, _region: str, arguments: Answer) -> Iterator[Answer]:
        name = str(arguments["name"])
        with self.asking(f"listing {name}", "count"):
            yield {"sums": asyncio.run(self._sums(Location(self._scheme, name)))}

    async def _sums(self, location: Location) -> dict[str, Any]:
        from heavylift.platforms.wiring import open_store

        objects = size = newest = 0
        classes: dict[str, int] = {}
        async with open_store(location, self._connection) as store:
            async for page in store.list_pages():
                await asyncio.to_thread(self._turns.take)
                for each in page:
                    objects, size = objects + 1, size + each.size_bytes
                    newest = max(newest, each.modified_us)
                    classes[each.storage_class] = classes.get(each.storage_class, 0) + each.size_bytes
        told = datetime.fromtimestamp(newest / 1_000_000, UTC).isoformat() if newest else ""
        return {"objects": objects, "bytes": size, "newest": told, "bytes_by_class": classes}
