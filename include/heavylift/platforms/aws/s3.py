"""Amazon S3 and servers that speak its API, behind the object store port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from heavylift.checksums import OF_PARTS, Algorithm, Body, Checksums
from heavylift.connections import Connection
from heavylift.errors import AlreadyExistsError, NotFoundError, PermanentError, TransientError
from heavylift.locations import Location
from heavylift.platforms.aws import container, naming, refusals, shutting, versions
from heavylift.platforms.aws.access_lists import ObjectAccessLists
from heavylift.platforms.aws.attributes import attribute_problems, sendable, unsendable
from heavylift.platforms.aws.headers import (
    attribute_headers,
    checksum_headers,
    read_checksums,
    read_head,
    unquoted,
)
from heavylift.platforms.aws.listing import Listing
from heavylift.platforms.aws.open_uploads import open_uploads
from heavylift.platforms.aws.settings import endpoint_setting
from heavylift.platforms.aws.uploads import Uploads
from heavylift.platforms.aws.wire import BucketWire, not_s3
from heavylift.platforms.aws.xml import MalformedXmlError, read_tags
from heavylift.platforms.containers import ContainerTrait
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.listed_pages import ListedPage
from heavylift.platforms.open_uploads import OpenUpload
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.ports import (
    Fetched,
    ListedObject,
    ObjectAttributes,
    ObjectHead,
    PartReceipt,
    PutReceipt,
    StoreTraits,
    Upload,
)
from heavylift.platforms.streams import HttpStream, byte_range, check_range, most_bytes, whole_answer
from heavylift.platforms.versions import Afterlife, ObjectVersion

_MIB = 1 << 20
_GIB = 1 << 30
_MD5 = frozenset({Algorithm.MD5})
_NONE: frozenset[Algorithm] = frozenset()
_CHECKING_SERVERS = ("AmazonS3", "SeaweedFS")
"""Servers that answer BadDigest to a wrong Content-MD5
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html; SeaweedFS 4.48). moto does not."""
_TELL_CHECKSUMS = {"x-amz-checksum-mode": "ENABLED"}

TRAITS = StoreTraits(
    verifies=frozenset({Algorithm.CRC32C}),
    reports=frozenset({Algorithm.CRC32C, Algorithm.MD5}),
    reports_parts=frozenset({Algorithm.CRC32C}),
    min_part_bytes=5 * _MIB,
    max_part_bytes=5 * _GIB,
    max_parts=10_000,
    max_put_bytes=5 * _GIB,
    max_object_bytes=50 * 10**12,
    keeps_tags=True,
    tells_part_md5=True,
)
"""S3's limits (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). A server that
does not report what S3 would is told apart by its receipts, which then lack the checksum."""


def _pinned(version: str | None, wanted: str | None) -> dict[str, str]:
    headers = dict(_TELL_CHECKSUMS)
    if wanted is not None:
        headers["range"] = wanted
    if version is not None:
        headers["if-match"] = f'"{version}"'
    return headers


class S3Store:
    """One S3 bucket.

    ``version`` is the ETag, without quotes; ``get`` pins it with ``If-Match``. Listings tell of
    checksums just ``ETAG``, for an ETag is an MD5 only without KMS or customer encryption, which
    a GET or HEAD tells.

    Credentials: the connection's login, password and ``extra.aws_session_token``; else
    ``extra.profile_name``; else botocore's chain; ``extra.role_arn`` is then assumed. They
    renew themselves. Also read from extra: ``region_name``, ``endpoint_url`` (path style),
    ``service_config``, ``verify``, ``config_kwargs.s3.addressing_style`` and
    ``.payload_signing_enabled``, ``config_kwargs.signature_version: unsigned``.

    :raises ConnectionConfigError: the connection contradicts itself.
    """

    traits = TRAITS

    def __init__(
        self, location: Location, connection: Connection, *, settings: HttpSettings, pacer: Pacer
    ) -> None:
        self.location = location
        self._wire = BucketWire(location, connection, settings=settings, pacer=pacer)
        self._uploads = Uploads(self._wire)
        self._is_aws = endpoint_setting(connection, "s3") is None
        self._listing = Listing(self._wire, is_aws=self._is_aws)

    @property
    def refuses(self) -> frozenset[Algorithm]:
        """MD5, on servers that are known to refuse a body that is not what Content-MD5 says."""
        return _MD5 if self._wire.server.startswith(_CHECKING_SERVERS) else _NONE

    async def check(self) -> None:
        """Make sure the bucket exists and may be listed; changes nothing.

        :raises NotFoundError: no such bucket.
        :raises CredentialError: refused.
        """
        await self._listing.probe()

    def list_pages(self, prefix: str = "", *, start_after: str = "") -> AsyncIterator[list[ListedObject]]:
        """Yield the objects under ``prefix``, 1,000 a page, in the server's order (S3: UTF-8)."""
        return self._listing.pages(prefix, start_after)

    def list_unread(self, prefix: str = "", *, start_after: str = "") -> AsyncIterator[ListedPage]:
        """Yield the objects under ``prefix`` by pages of 1,000, whose rows are read on demand."""
        return self._listing.unread(prefix, start_after)

    async def folders(self, prefix: str) -> list[str]:
        """Return where a listing may be cut; see the port. Only AWS itself is taken to list in order."""
        return await self._listing.folders(prefix) if self._wire.server.startswith("AmazonS3") else []

    async def head(self, key: str) -> ObjectHead:
        """Return what S3 tells of ``key``; of a multipart object also the sizes of its parts.

        Those cost one or two more requests. They are taken to be equal but for the last one,
        which the first's and last's sizes and the total must bear out; else they stay unknown.

        :raises NotFoundError: no such object.
        """
        request = self._wire.request("HEAD", "head of", key, _TELL_CHECKSUMS)
        headers = (await self._wire.send(request)).headers
        head = read_head(key, headers, request.what)
        told = next((value for name, value in head.object.checksums.items() if name in OF_PARTS), None)
        if told is None:
            return head
        return replace(head, part_sizes=await self._part_sizes(head.object, int(told.rpartition("-")[2])))

    async def _part_sizes(self, item: ListedObject, count: int) -> tuple[int, ...]:
        if not item.size_bytes:
            # Asked for a part of nothing, SeaweedFS says 500.
            return (0,) * count
        wanted = sorted({1, count})
        sizes = await asyncio.gather(*(self._part_size(item, number, count) for number in wanted))
        first, last = sizes[0], sizes[-1]
        if first is None or last is None or first * (count - 1) + last != item.size_bytes:
            return ()
        return (first,) * (count - 1) + (last,)

    async def _part_size(self, item: ListedObject, number: int, count: int) -> int | None:
        request = self._wire.request(
            "HEAD", f"head of part {number} of", item.key, None, b"", partNumber=str(number)
        )
        try:
            answer = (await self._wire.send(request)).headers
        except PermanentError:
            # A server without partNumber: the sizes stay unknown, which the port allows.
            return None
        told = answer.get("x-amz-mp-parts-count") == str(count)
        return int(answer["Content-Length"]) if told else None

    async def tags(self, key: str) -> dict[str, str]:
        """Return the object's tags.

        :raises CredentialError: ``s3:GetObjectTagging`` is not allowed.
        """
        request = self._wire.request("GET", "tags of", key, None, b"", tagging="")
        try:
            return dict(read_tags((await self._wire.send(request)).body))
        except MalformedXmlError as error:
            raise not_s3(request.what, error) from None
        except NotFoundError as error:
            # Some servers have no tags rather than an empty set of them.
            if "NoSuchTagSet" not in error.got:
                raise
            return {}

    @asynccontextmanager
    async def get(
        self, key: str, *, version: str | None = None, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[HttpStream]:
        """Open a download; of a range where ``offset`` or ``length`` say so.

        :raises PreconditionError: the object is no longer ``version``.
        :raises NotFoundError: it is gone.
        """
        wanted = byte_range(offset, length)
        headers = _pinned(version, wanted)
        request = self._wire.request("HEAD" if length == 0 else "GET", "get of", key, headers)
        async with self._wire.stream(request) as answer:
            check_range(answer, wanted, request.what)
            head = read_head(key, answer.headers, request.what)
            if version not in {None, head.object.version}:
                raise refusals.changed(request.what, f"version {head.object.version}")
            body = None if length == 0 else answer
            yield HttpStream(head, self._wire.http, body, request.what, offset=offset, length=length)

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

        :raises PreconditionError: the object is no longer ``version``.
        :raises NotFoundError: it is gone.
        """
        wanted = byte_range(offset, length)
        request = self._wire.request(
            "HEAD" if length == 0 else "GET", "get of", key, _pinned(version, wanted)
        )
        check = whole_answer(request.what, wanted, offset, length)
        answer = await self._wire.send(request, check=check, most_bytes=most_bytes(length), into=into)
        head = read_head(key, answer.headers, request.what)
        if version is not None and version != head.object.version:
            raise refusals.changed(request.what, f"version {head.object.version}")
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
        """Write an object whole. S3 checks it against ``checksums``: one CRC or SHA, and MD5.

        Where an attempt of ours went unanswered and the next finds the object there, it counts
        as written if the server's checksum of it is that of ``body``.

        :raises AlreadyExistsError: ``create_only`` and something is there; it is untouched.
        :raises IntegrityError: S3 received other bytes than were sent.
        :raises UnsupportedError: an attribute cannot be sent in a header.
        """
        if not sendable(attributes):
            raise unsendable(f"put of {self._wire.shown(key)}", attributes)
        headers = attribute_headers(attributes) | checksum_headers(checksums)
        if create_only:
            headers["if-none-match"] = "*"
        if Algorithm.SHA256 in checksums:
            headers["x-amz-content-sha256"] = checksums[Algorithm.SHA256]
        failures: list[TransientError] = []
        request = self._wire.request("PUT", "put of", key, headers, body)
        try:
            answer = (await self._wire.send(request, failures=failures)).headers
        except AlreadyExistsError:
            mine = await self._put_before(key, len(body), checksums) if failures else None
            if mine is None:
                raise
            return mine
        return PutReceipt(unquoted(answer.get("ETag", "")), read_checksums(answer))

    async def _put_before(self, key: str, size_bytes: int, checksums: Checksums) -> PutReceipt | None:
        request = self._wire.request("HEAD", "check of", key, _TELL_CHECKSUMS)
        try:
            answer = (await self._wire.send(request)).headers
        except NotFoundError:
            return None
        told = read_checksums(answer)
        common = set(told) & set(checksums)
        same_size = answer.get("Content-Length") == str(size_bytes)
        if not (same_size and common and all(told[name] == checksums[name] for name in common)):
            return None
        return PutReceipt(unquoted(answer.get("ETag", "")), told)

    async def begin_upload(self, key: str, attributes: ObjectAttributes) -> Upload:
        """Begin a multipart upload; its attributes and tags are given now.

        :raises UnsupportedError: an attribute cannot be sent in a header.
        """
        if not sendable(attributes):
            raise unsendable(f"upload of {self._wire.shown(key)}", attributes)
        return await self._uploads.begin(key, attributes)

    async def put_part(self, upload: Upload, number: int, body: Body, crc32c: str) -> PartReceipt:
        """Send part ``number``; S3 checks its CRC32C.

        :raises NotFoundError: the upload is gone.
        :raises IntegrityError: S3 received other bytes than were sent.
        """
        return await self._uploads.put(upload, number, body, crc32c)

    async def finished_parts(self, upload: Upload) -> dict[int, PartReceipt] | None:
        """Return the parts that the server has, or None where the upload is gone.

        AWS tells each part's CRC32C. Where a server does not (SeaweedFS, moto), ``crc32c`` is
        empty: the caller's own record of the same token and size may stand in for it.
        """
        return await self._uploads.finished(upload)

    async def complete_upload(
        self,
        upload: Upload,
        parts: list[PartReceipt],
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Join the parts into the object; ``attributes`` were given when the upload began.

        The receipt's CRC32C of the whole is the server's own (FULL_OBJECT), or combined from
        the parts' where the server's composite of them equals ours: it has then confirmed each
        part and their order. A server that says neither leaves the receipt without it.

        :raises AlreadyExistsError: ``create_only`` and something is there; it is untouched.
        :raises IntegrityError: the server's checksum is not that of the parts or of ``checksums``.
        :raises NotFoundError: the upload is gone.
        """
        return await self._uploads.complete(upload, parts, checksums, create_only=create_only)

    async def abort_upload(self, upload: Upload) -> None:
        """Drop the upload and its parts; no error if it is already gone."""
        await self._uploads.abort(upload)

    def open_uploads(self, prefix: str) -> AsyncIterator[list[OpenUpload]]:
        """Yield the uploads in progress for keys under ``prefix``, whoever began them."""
        return open_uploads(self._wire, prefix)

    async def delete(self, key: str) -> None:
        """Delete one object; in a versioned bucket this hides it behind a delete marker."""
        await self._wire.send(self._wire.request("DELETE", "deletion of", key))

    async def delete_version(self, key: str, version: str) -> None:
        """Delete one object if its ETag is still ``version``; see ``deleting``.

        S3 holds the condition itself
        (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html).

        :raises PreconditionError: it is another version now.
        """
        headers = {"if-match": f'"{version}"'}
        await self._wire.send(self._wire.request("DELETE", "deletion of", key, headers))

    async def keeps_versions(self) -> bool:
        """Tell whether versioning is, or was, switched on."""
        return await versions.keeps_versions(self._wire)

    def list_versions(self, prefix: str) -> AsyncIterator[list[ObjectVersion]]:
        """Yield the versions and delete markers under ``prefix``."""
        return versions.list_versions(self._wire, prefix, is_aws=self._is_aws)

    async def delete_exactly(self, key: str, version_id: str) -> None:
        """Delete one version, or one delete marker, for good; no error if it is gone."""
        await versions.delete_exactly(self._wire, key, version_id)

    async def afterlife(self) -> Afterlife:
        """Tell whether what is deleted may be brought back."""
        return await versions.afterlife(self._wire)

    async def shut(self, prefix: str, note: str) -> str:
        """Make what lies under ``prefix`` unreachable, by the bucket's policy; see ``shutting``."""
        return await shutting.shut(self._wire, prefix, note)

    async def open_again(self, prefix: str, note: str) -> str:
        """Take exactly that back."""
        return await shutting.open_again(self._wire, note)

    async def is_shut(self, prefix: str, note: str) -> bool:
        """Tell whether it is so."""
        return await shutting.is_shut(self._wire, note)

    async def describe_container(self) -> list[ContainerTrait]:
        """Return what is set for the container as a whole and does not move with its objects."""
        return await container.describe(self._wire)

    def access_lists(self) -> ObjectAccessLists:
        """Return who tells of single objects' access lists."""
        return ObjectAccessLists(self._wire)

    def key_problem(self, key: str) -> str | None:
        """Return why S3's documented rules cannot hold ``key``, or None."""
        return naming.key_problem(key)

    def attribute_problems(self, attributes: ObjectAttributes) -> list[str]:
        """Return what of ``attributes`` S3 cannot keep as it is; empty when all."""
        return attribute_problems(attributes)

    async def close(self) -> None:
        """Close connections."""
        await self._wire.close()
