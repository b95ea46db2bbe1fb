"""Azure Blob Storage over its REST API: block blobs of one container.

- Names are sent percent-encoded as a whole, so every name that the service can hold arrives.
- A blob written in one request is checked by the service against the MD5 that is sent; one made
  of blocks has each block checked, but no checksum of the whole, so the caller reads back.
- Metadata names and values are encoded where Azure's rules demand it: see ``names``.
- Tags are blob index tags where they fit those rules, else a metadata entry: see ``headers``.
- Folders of an account with hierarchical namespace are not objects, and such an account cannot
  hold both a blob ``a`` and a blob ``a/b``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from heavylift.checksums import Algorithm, Body, Checksums, hex_to_base64
from heavylift.connections import Connection
from heavylift.errors import (
    AlreadyExistsError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
    TransientError,
    UnsupportedError,
)
from heavylift.locations import Location
from heavylift.platforms.azure import afterlife, blocks, container, headers, listing, rules
from heavylift.platforms.azure.faults import changed
from heavylift.platforms.azure.wire import ContainerWire, etag_of, not_azure
from heavylift.platforms.containers import ContainerTrait
from heavylift.platforms.http import HttpSettings, Response
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
from heavylift.platforms.tokens import CloudRequest
from heavylift.platforms.versions import Afterlife


class AzureBlobStore:
    """One container.

    :param connection: of Airflow's type ``wasb``; see ``settings.account_of``.
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
        self._wire = ContainerWire(
            location, connection, settings=settings or HttpSettings(), pacer=pacer or Pacer()
        )
        self._aborted: set[str] = set()

    async def check(self) -> None:
        """Make sure that the container exists and may be listed; changes nothing."""
        query = {"restype": "container", "comp": "list", "maxresults": "1"}
        await self._wire.read_xml(self._wire.request("GET", "check", None, query=query))

    def list_pages(self, prefix: str = "", *, start_after: str = "") -> AsyncIterator[list[ListedObject]]:
        """Yield the blobs under ``prefix``; folders of a hierarchical namespace are no objects."""
        return listing.pages(self._wire, prefix, start_after)

    async def head(self, key: str) -> ObjectHead:
        """Return what Blob Storage tells about ``key``."""
        request = self._wire.request("HEAD", "head", key)
        return _head(request, key, (await self._wire.send(request)).headers)

    async def tags(self, key: str) -> dict[str, str]:
        """Return the blob's index tags, or those that its metadata carries."""
        found = await self._wire.read_xml(self._wire.request("GET", "tags", key, query={"comp": "tags"}))
        tags = {tag.get("Key"): tag.get("Value") for tag in found.iter("Tag")}
        return tags or dict((await self.head(key)).attributes.tags)

    @asynccontextmanager
    async def get(
        self, key: str, *, version: str | None = None, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[HttpStream]:
        """Open a download; see the port.

        :raises PreconditionError: the blob's ETag is no longer ``version``.
        """
        wanted = byte_range(offset, length)
        asked = {"x-ms-range": wanted} if wanted else {}
        asked |= {} if version is None else {"If-Match": f'"{version}"'}
        request = self._wire.request("HEAD" if length == 0 else "GET", "get", key, headers=asked)
        async with AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(self._wire.http.stream(request))
            except PreconditionError:
                # A blob that is gone fails the condition too.
                await self.head(key)
                raise
            head = _head(request, key, answer.headers)
            if version is not None and head.object.version != version:
                raise changed(request.what, f"ETag {head.object.version}", f"ETag {version}")
            check_range(answer, wanted, request.what)
            body = None if length == 0 else answer
            yield HttpStream(head, self._wire.http, body, request.what, offset=offset, length=length)

    @property
    def refuses(self) -> frozenset[Algorithm]:
        """MD5: Put Blob checks a body against Content-MD5 before the blob appears.

        https://learn.microsoft.com/rest/api/storageservices/put-blob
        """
        return frozenset({Algorithm.MD5})

    async def fetch(
        self,
        key: str,
        *,
        version: str | None = None,
        offset: int = 0,
        length: int | None = None,
        into: bytearray | None = None,
    ) -> Fetched:
        """Read a blob, or a range of it, into memory; see the port.

        :raises PreconditionError: the blob's ETag is no longer ``version``.
        """
        wanted = byte_range(offset, length)
        asked = {"x-ms-range": wanted} if wanted else {}
        asked |= {} if version is None else {"If-Match": f'"{version}"'}
        request = self._wire.request("HEAD" if length == 0 else "GET", "get", key, headers=asked)
        check = whole_answer(request.what, wanted, offset, length)
        try:
            answer = await self._wire.http.send(
                request, check=check, most_bytes=most_bytes(length), into=into
            )
        except PreconditionError:
            # A blob that is gone fails the condition too.
            await self.head(key)
            raise
        head = _head(request, key, answer.headers)
        if version is not None and head.object.version != version:
            raise changed(request.what, f"ETag {head.object.version}", f"ETag {version}")
        return Fetched(head, answer.body)

    async def put(
        self,
        key: str,
        body: Body,
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Write a blob whole; see the port.

        :raises IntegrityError: the body's MD5 is another; nothing is visible.
        """
        self._refuse_unholdable(key, "put")
        md5 = checksums.get(Algorithm.MD5) or await blocks.md5_of(body)
        told = hex_to_base64(md5)
        sent = headers.headers_of(attributes)
        sent |= {
            "x-ms-blob-type": "BlockBlob",
            "Content-MD5": told,
            "x-ms-blob-content-md5": told,
        }
        sent |= {"If-None-Match": "*"} if create_only else {}
        request = self._wire.request("PUT", "put", key, headers=sent, body=body, creates=create_only)
        return await self._create(request, key, len(body), md5)

    async def _create(self, request: CloudRequest, key: str, size_bytes: int, md5: str) -> PutReceipt:
        failures: list[TransientError] = []
        try:
            response = await self._wire.send(request, failures=failures)
        except AlreadyExistsError:
            if not failures:
                raise
            # An attempt whose answer was lost may have written it: the same bytes are ours.
            found = (await self.head(key)).object
            if (found.size_bytes, found.checksums.get(Algorithm.MD5)) != (size_bytes, md5):
                raise
            return PutReceipt(found.version, found.checksums)
        return _receipt(request, response, md5)

    async def begin_upload(self, key: str, attributes: ObjectAttributes) -> Upload:
        """Begin an upload in parts; nothing is written yet, but container and permission are tried.

        :raises NotFoundError: no such container.
        :raises CredentialError: refused.
        """
        self._refuse_unholdable(key, "upload")
        return await blocks.begin(self._wire, key)

    async def put_part(self, upload: Upload, number: int, body: Body, crc32c: str) -> PartReceipt:
        """Send part ``number``; Blob Storage checks its MD5. Sending it again replaces it."""
        return await blocks.put(self._wire, upload, number, body, crc32c)

    async def finished_parts(self, upload: Upload) -> dict[int, PartReceipt] | None:
        """Return the parts that are there, or None where they make up the blob already.

        An upload whose blocks have expired, a week after the last, is found empty and not gone.
        """
        if upload.upload_id in self._aborted:
            return None
        return await blocks.finished(self._wire, upload)

    async def complete_upload(
        self,
        upload: Upload,
        parts: list[PartReceipt],
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Make the blob of ``parts``; see the port. The receipt holds no checksum: read back."""
        return PutReceipt(
            await blocks.commit(self._wire, upload, parts, attributes, checksums, create_only=create_only)
        )

    async def abort_upload(self, upload: Upload) -> None:
        """Forget the upload. Its blocks cannot be dropped and expire by themselves in a week."""
        self._aborted.add(upload.upload_id)

    async def delete(self, key: str) -> None:
        """Delete one blob; no error if it is already gone.

        :raises ConflictError: it has snapshots, which are not ours to delete.
        """
        try:
            await self._wire.send(self._wire.request("DELETE", "delete", key))
        except NotFoundError:
            return

    async def delete_version(self, key: str, version: str) -> None:
        """Delete one blob if its ETag is still ``version``; see ``deleting``.

        :raises PreconditionError: it is another version now.
        :raises ConflictError: it has snapshots, which are not ours to delete.
        """
        condition = {"If-Match": f'"{version}"'}
        await self._wire.send(self._wire.request("DELETE", "delete", key, headers=condition))

    async def afterlife(self) -> Afterlife:
        """Tell for how long the account keeps deleted blobs."""
        return await afterlife.afterlife(self._wire)

    async def describe_container(self) -> list[ContainerTrait]:
        """Return what is set for the container as a whole and does not move with its objects."""
        return await container.describe(self._wire)

    def key_problem(self, key: str) -> str | None:
        """Return why no blob can have this name, or None."""
        return rules.key_problem(key)

    def attribute_problems(self, attributes: ObjectAttributes) -> list[str]:
        """Return what of ``attributes`` cannot be kept as it is."""
        return headers.attribute_problems(attributes)

    async def close(self) -> None:
        """Close connections. The store cannot be used afterwards."""
        await self._wire.http.close()

    def _refuse_unholdable(self, key: str, act: str) -> None:
        if problem := rules.key_problem(key):
            raise UnsupportedError(
                f"{act} of {self.location.url_of(key)}",
                got=f"the key {key!r}",
                expected=f"a key that Blob Storage can hold: {problem}",
                state="nothing was written",
                remedy="exclude the object or rename it at the source",
                code="3384",
            )


def _head(request: CloudRequest, key: str, found: Mapping[str, str]) -> ObjectHead:
    try:
        return headers.head_of(key, found)
    except (KeyError, ValueError) as error:
        raise not_azure(request.what, f"{type(error).__name__} in a header") from None


def _receipt(request: CloudRequest, response: Response, md5: str) -> PutReceipt:
    stored = headers.md5_of(response.headers)
    if stored.get(Algorithm.MD5, md5) != md5:
        raise IntegrityError(
            request.what,
            got=f"MD5 {stored[Algorithm.MD5]}",
            expected=f"MD5 {md5}",
            state="the blob holds other bytes than were sent",
            remedy="delete the blob, then run again; look for a proxy or memory that changes bytes",
            code="3385",
        )
    return PutReceipt(etag_of(request.what, response), stored)
