"""Google Cloud Storage over its JSON API.

- Names are sent percent-encoded as a whole, so every name arrives as it is.
- Bytes are read as stored: ``Accept-Encoding: gzip`` turns decompressive transcoding off
  (https://cloud.google.com/storage/docs/transcoding).
- A media answer of this API carries no custom metadata (and HTTP would fold the case of its
  names), so ``get`` asks for the object's resource beside its bytes.
- Every write is compared with the CRC32C that Cloud Storage computed over what it received.
- Large objects: see ``composing``. Tags: see ``resources``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from heavylift.checksums import Algorithm, Body, Checksums, digest
from heavylift.connections import Connection
from heavylift.errors import PreconditionError, UnsupportedError
from heavylift.locations import Location
from heavylift.platforms.containers import ContainerTrait
from heavylift.platforms.gcp import container, rules, versions
from heavylift.platforms.gcp.access_lists import ObjectAccessLists
from heavylift.platforms.gcp.composing import Composer, name_upload
from heavylift.platforms.gcp.faults import changed
from heavylift.platforms.gcp.open_uploads import open_uploads
from heavylift.platforms.gcp.resources import (
    HEAD_FIELDS,
    checksums_of,
    listed_object,
    object_head,
    resource_of,
)
from heavylift.platforms.gcp.wire import PAGE, BucketWire, Resource, understood
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.http_answer import Answer
from heavylift.platforms.open_uploads import OpenUpload
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.ports import (
    Fetched,
    ListedObject,
    ObjectAttributes,
    ObjectHead,
    PartReceipt,
    PutReceipt,
    Upload,
)
from heavylift.platforms.streams import HttpStream, byte_range, check_range, most_bytes, whole_answer
from heavylift.platforms.versions import Afterlife, ObjectVersion


class GcsStore:
    """One bucket.

    :param connection: of Airflow's type ``google_cloud_platform``; see ``credentials`` and ``wire``.
    """

    traits = rules.TRAITS

    def __init__(
        self,
        location: Location,
        connection: Connection,
        *,
        settings: HttpSettings | None = None,
        pacer: Pacer | None = None,
    ) -> None:
        self.location = location
        self._wire = BucketWire(
            location, connection, settings=settings or HttpSettings(), pacer=pacer or Pacer()
        )
        self._composer = Composer(self._wire)

    async def check(self) -> None:
        """Make sure that the bucket exists and may be listed; changes nothing."""
        await self._wire.read(self._wire.request("GET", "check", None, query={"maxResults": "1"}))

    async def list_pages(
        self, prefix: str = "", *, start_after: str = ""
    ) -> AsyncIterator[list[ListedObject]]:
        """Yield the objects under ``prefix`` in UTF-8 byte order; components of uploads are no objects."""
        query = {"startOffset": start_after} if start_after else {}
        async for page in self._wire.pages(prefix, **query):
            # startOffset itself is included by the API.
            rows = [
                row
                for row in understood(f"list of {self.location}", _rows, page)
                if row.key != start_after and not rules.is_own_name(row.key)
            ]
            if rows:
                yield rows

    async def folders(self, prefix: str) -> list[str]:
        """Return the folders directly under ``prefix`` that the first page tells; see the port."""
        query = {"prefix": prefix, "delimiter": "/", "maxResults": str(PAGE), "fields": "prefixes"}
        found = await self._wire.read(self._wire.request("GET", "list", None, query=query))
        return [str(folder) for folder in found.get("prefixes", [])]

    async def head(self, key: str) -> ObjectHead:
        """Return what Cloud Storage tells about ``key``, tags included."""
        what = f"head of {self.location.url_of(key)}"
        return understood(what, object_head, await self._wire.resource(key, "head"))

    async def tags(self, key: str) -> dict[str, str]:
        """Return the tags that were carried along in the custom metadata."""
        return dict((await self.head(key)).attributes.tags)

    @asynccontextmanager
    async def get(
        self, key: str, *, version: str | None = None, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[HttpStream]:
        """Open a download; see the port.

        :raises PreconditionError: the object's generation is no longer ``version``.
        """
        what = f"get of {self.location.url_of(key)}"
        if version is None or length == 0 or not version.isdecimal():
            head = await self.head(key)
            _check_version(what, head.object.version, version)
            version = head.object.version
            if length == 0:
                yield HttpStream(head, self._wire.http, None, what)
                return
            known = _done(head)
        else:
            known = self._pinned_head(key, version, what)
        async with AsyncExitStack() as stack:
            try:
                pending = await stack.enter_async_context(_beside(known))
                answer = await stack.enter_async_context(self._media(key, version, offset, length))
                head = await pending
            except PreconditionError:
                # An object that is gone fails the condition too.
                await self.head(key)
                raise
            yield HttpStream(head, self._wire.http, answer, what, offset=offset, length=length)

    async def _pinned_head(self, key: str, version: str, what: str) -> ObjectHead:
        resource = await self._wire.resource(key, "head", ifGenerationMatch=version)
        head = understood(what, object_head, resource)
        _check_version(what, head.object.version, version)
        return head

    @property
    def refuses(self) -> frozenset[Algorithm]:
        """Nothing is left to the service: what it stored is compared here with what was read."""
        return frozenset()

    async def fetch(
        self,
        key: str,
        *,
        version: str | None = None,
        offset: int = 0,
        length: int | None = None,
        into: bytearray | None = None,
    ) -> Fetched:
        """Read an object, or a range of it, into memory; see the port.

        :raises PreconditionError: the object's generation is no longer ``version``.
        """
        what = f"get of {self.location.url_of(key)}"
        if version is None or length == 0 or not version.isdecimal():
            head = await self.head(key)
            _check_version(what, head.object.version, version)
            body = b"" if length == 0 else await self._bytes(key, head.object.version, offset, length, into)
            return Fetched(head, body)
        try:
            async with _beside(self._pinned_head(key, version, what)) as pending:
                body = await self._bytes(key, version, offset, length, into)
                return Fetched(await pending, body)
        except PreconditionError:
            # An object that is gone fails the condition too.
            await self.head(key)
            raise

    async def _bytes(
        self, key: str, version: str, offset: int, length: int | None, into: bytearray | None
    ) -> Body:
        wanted = byte_range(offset, length)
        headers = {"Accept-Encoding": "gzip"} | ({"Range": wanted} if wanted else {})
        query = {"alt": "media", "ifGenerationMatch": version}
        request = self._wire.request("GET", "get", key, headers=headers, query=query)
        check = whole_answer(request.what, wanted, offset, length)
        answer = await self._wire.http.send(request, check=check, most_bytes=most_bytes(length), into=into)
        _check_version(request.what, answer.headers.get("x-goog-generation", ""), version)
        return answer.body

    @asynccontextmanager
    async def _media(self, key: str, version: str, offset: int, length: int | None) -> AsyncIterator[Answer]:
        wanted = byte_range(offset, length)
        headers = {"Accept-Encoding": "gzip"} | ({"Range": wanted} if wanted else {})
        request = self._wire.request(
            "GET", "get", key, headers=headers, query={"alt": "media", "ifGenerationMatch": version}
        )
        async with self._wire.http.stream(request) as answer:
            _check_version(request.what, answer.headers.get("x-goog-generation", ""), version)
            check_range(answer, wanted, request.what)
            yield answer

    async def put(
        self,
        key: str,
        body: Body,
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Write an object whole; see the port.

        :raises IntegrityError: Cloud Storage's CRC32C is another; what had arrived was deleted.
        """
        self._refuse_unholdable(key, "put")
        crc32c = checksums.get(Algorithm.CRC32C) or digest(body, Algorithm.CRC32C)[Algorithm.CRC32C]
        fields = resource_of(attributes)
        return _receipt(
            await self._wire.insert(key, fields, body, crc32c, act="put", create_only=create_only)
        )

    async def begin_upload(self, key: str, attributes: ObjectAttributes) -> Upload:
        """Begin an upload in parts; its components are hidden from listings."""
        upload = self.name_upload(key)
        await self.begin_named(upload, attributes)
        return upload

    def name_upload(self, key: str) -> Upload:
        """Choose the id of an upload; see the port."""
        self._refuse_unholdable(key, "upload")
        return name_upload(key)

    async def begin_named(self, upload: Upload, attributes: ObjectAttributes) -> None:
        """Begin an upload whose id is known already; see the port."""
        await self._composer.begin(upload)

    async def put_part(self, upload: Upload, number: int, body: Body, crc32c: str) -> PartReceipt:
        """Send part ``number``. Sending it again replaces it.

        :raises IntegrityError: Cloud Storage's CRC32C is another.
        """
        return await self._composer.put_part(upload, number, body, crc32c)

    async def finished_parts(self, upload: Upload) -> dict[int, PartReceipt] | None:
        """Return the parts that are there, or None where the upload is gone or was completed."""
        return await self._composer.finished_parts(upload)

    async def complete_upload(
        self,
        upload: Upload,
        parts: list[PartReceipt],
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Compose the object of ``parts``; see the port.

        :raises IntegrityError: the composed object's CRC32C is another; it was deleted.
        """
        found = await self._composer.complete(upload, parts, attributes, checksums, create_only=create_only)
        crc32c = checksums_of(found)[Algorithm.CRC32C]
        return PutReceipt(str(found["generation"]), {Algorithm.CRC32C: crc32c})

    async def describe(self, key: str, attributes: ObjectAttributes, *, version: str) -> str:
        """Give an object other attributes without its bytes; see ``heavylift.platforms.describing``."""
        request = self._wire.request(
            "PATCH",
            "description",
            key,
            headers={"Content-Type": "application/json"},
            body=json.dumps(resource_of(attributes)).encode(),
            query={"fields": HEAD_FIELDS, "ifGenerationMatch": version},
        )
        return understood(request.what, object_head, await self._wire.read(request)).object.version

    async def abort_upload(self, upload: Upload) -> None:
        """Delete the upload's components; no error if it is already gone."""
        await self._composer.abort(upload)

    def open_uploads(self, prefix: str) -> AsyncIterator[list[OpenUpload]]:
        """Yield the uploads of the whole bucket that have components; Cloud Storage tells no key of them."""
        return open_uploads(self._wire)

    async def delete(self, key: str) -> None:
        """Delete one object; no error if it is already gone."""
        await self._wire.delete(key)

    async def delete_version(self, key: str, version: str) -> None:
        """Delete one object if its generation is still ``version``; see ``deleting``.

        :raises PreconditionError: it is another generation now.
        """
        await self._wire.delete(key, ifGenerationMatch=version)

    async def keeps_versions(self) -> bool:
        """Tell whether the bucket keeps older generations."""
        return await versions.keeps_versions(self._wire)

    def list_versions(self, prefix: str) -> AsyncIterator[list[ObjectVersion]]:
        """Yield the generations under ``prefix``."""
        return versions.list_versions(self._wire, prefix)

    async def delete_exactly(self, key: str, version_id: str) -> None:
        """Delete one generation; no error if it is gone."""
        await versions.delete_exactly(self._wire, key, version_id)

    async def afterlife(self) -> Afterlife:
        """Tell for how long the bucket keeps what is deleted."""
        return await versions.afterlife(self._wire)

    async def describe_container(self) -> list[ContainerTrait]:
        """Return what is set for the container as a whole and does not move with its objects."""
        return await container.describe(self._wire)

    def access_lists(self) -> ObjectAccessLists:
        """Return who tells of single objects' access lists."""
        return ObjectAccessLists(self._wire)

    def key_problem(self, key: str) -> str | None:
        """Return why no object can have this name, or None."""
        return rules.key_problem(key)

    def attribute_problems(self, attributes: ObjectAttributes) -> list[str]:
        """Return what of ``attributes`` cannot be kept as it is; tags are, but as metadata."""
        return rules.attribute_problems(attributes)

    async def close(self) -> None:
        """Close connections. The store cannot be used afterwards."""
        await self._wire.http.close()

    def _refuse_unholdable(self, key: str, act: str) -> None:
        if problem := rules.key_problem(key):
            raise UnsupportedError(
                f"{act} of {self.location.url_of(key)}",
                got=f"the key {key!r}",
                expected=f"a key that Cloud Storage can hold: {problem}",
                state="nothing was written",
                remedy="exclude the object or rename it at the source",
                code="3266",
            )


def _rows(page: list[Resource]) -> list[ListedObject]:
    return [listed_object(resource) for resource in page]


def _receipt(resource: Resource) -> PutReceipt:
    return PutReceipt(str(resource["generation"]), checksums_of(resource))


def _check_version(what: str, got: str, expected: str | None) -> None:
    # The server was asked the same; not every server that speaks this API heeds it.
    if expected is not None and got != expected:
        raise changed(what, f"generation {got}", f"generation {expected}")


async def _done(head: ObjectHead) -> ObjectHead:
    return head


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, ObjectHead]) -> AsyncIterator[asyncio.Task[ObjectHead]]:
    """Run ``work`` beside the block; it is over when the block is."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
