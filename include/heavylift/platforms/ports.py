"""The object store port: what Heavylift needs of S3, GCS, Azure Blob and POSIX.

Keys are exact: an adapter carries every key byte for byte, or says in ``key_problem`` why
the store cannot hold it. It never rewrites one. All methods are asynchronous and raise the
errors of ``heavylift.errors``; transient ones have already been retried a few times with
backoff when they come out of a method that takes or returns whole bodies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import compress
from typing import Protocol, runtime_checkable

from heavylift.checksums import Algorithm, Body, Checksums
from heavylift.locations import Location


@dataclass(frozen=True, slots=True)
class ListedObject:
    """What a listing tells about one object.

    :param version: pins exactly this content: GCS generation, S3/Azure ETag, POSIX
        inode-mtime-size. Passed back to ``get`` it makes a changed object an error.
    :param checksums: of the whole object, as far as the listing tells them.
    :param modified_us: last modification, microseconds since 1970 UTC.
    """

    key: str
    size_bytes: int
    version: str
    modified_us: int
    checksums: Checksums = field(default_factory=dict)
    storage_class: str = ""


@dataclass(frozen=True, slots=True)
class ObjectAttributes:
    """What belongs to an object besides its bytes and is to be kept.

    :param metadata: user metadata; names as the store gives them, without its prefix.
    :param tags: object tags (S3, Azure); empty where the store has none.
    :param storage_class: what to write the object in; None for the store's default. Heads tell
        the class with the listed object, never here.
    :param own_headers: headers that S3 alone has, by name (``own_headers.py``).
    """

    content_type: str | None = None
    content_encoding: str | None = None
    cache_control: str | None = None
    content_disposition: str | None = None
    content_language: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    storage_class: str | None = None
    own_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """All that a store tells about one object without its bytes.

    :param part_sizes: sizes of a multipart S3 object's parts where they could be learnt;
        with them checksums of parts, such as MD5_PARTS, can be recomputed.
    :param tag_count: number of tags; None where the store does not say. A zero holds only if
        the credentials may read tags, which a call of ``tags`` shows.
    :param restored: it lies in an archive class, and a copy of it can be read for now.
    :param held_by: what keeps it from being changed or deleted, in words; as far as the reader may see it.
    """

    object: ListedObject
    attributes: ObjectAttributes
    part_sizes: tuple[int, ...] = ()
    tag_count: int | None = None
    restored: bool = False
    held_by: tuple[str, ...] = ()


class ObjectStream(Protocol):
    """An open download: its head, then its bytes in chunks of bounded size."""

    head: ObjectHead

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes in order.

        :raises ServerUnavailableError: the body was cut short or stalled; the caller may
            reopen at the offset it has reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object, or a range of one, read whole.

    :param head: of the whole object, whatever range was read.
    """

    head: ObjectHead
    body: Body


@dataclass(frozen=True, slots=True)
class PutReceipt:
    """What the store said of the object that a put created.

    :param checksums: those the *store* computed or verified over what it received; empty
        where it says nothing, so that the caller must read back.
    """

    version: str
    checksums: Checksums = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartReceipt:
    """One part that the store has accepted.

    :param crc32c: hex, verified by the store or carried in the part's own id; empty where a
        store that is asked later does not tell it.
    :param token: what completing the upload needs for this part (S3 ETag, GCS component name,
        Azure block id).
    :param md5: hex, computed by the store over what it received; empty where it does not tell.
    """

    number: int
    size_bytes: int
    crc32c: str
    token: str
    md5: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload in progress; plain JSON, so that a killed mover finds it again.

    :param upload_id: S3 upload id; GCS component prefix; Azure block id prefix.
    """

    key: str
    upload_id: str


@dataclass(frozen=True, slots=True)
class StoreTraits:
    """What a store can do, for planning.

    :param verifies: checksums that the store checks against a put's body when they are sent.
    :param tells_part_md5: receipts of parts hold the MD5 that the store computed.
    :param reports: checksums of the whole object that it reports for an object written here
        in one put.
    :param reports_parts: the same for an object written in parts; empty means read back.
    :param hierarchical: an object ``a`` and an object ``a/b`` cannot both exist.
    :param keeps_tags: has object tags of its own.
    """

    verifies: frozenset[Algorithm]
    reports: frozenset[Algorithm]
    reports_parts: frozenset[Algorithm]
    min_part_bytes: int
    max_part_bytes: int
    max_parts: int
    max_put_bytes: int
    max_object_bytes: int
    hierarchical: bool = False
    keeps_tags: bool = False
    tells_part_md5: bool = False


class ObjectStore(Protocol):
    """One container of one store. Open it with ``heavylift.platforms.wiring.open_store``.

    ``location.prefix`` is ignored by every method: keys are whole keys of the container.
    """

    location: Location
    traits: StoreTraits

    @property
    def refuses(self) -> frozenset[Algorithm]:
        """Checksums that, sent with a body that is another, keep it from becoming visible.

        As far as it is known that this very server looks at them. A caller that has one of
        them from the source need not compute it.
        """
        ...

    async def check(self) -> None:
        """Make sure the container exists and the credentials may list it; changes nothing.

        :raises NotFoundError: no such container.
        :raises CredentialError: refused.
        """
        ...

    def list_pages(self, prefix: str = "", *, start_after: str = "") -> AsyncIterator[list[ListedObject]]:
        """Yield the objects under ``prefix`` in pages, in the store's own order."""
        ...

    async def head(self, key: str) -> ObjectHead:
        """Return what the store tells about ``key``.

        :raises NotFoundError: no such object.
        """
        ...

    async def tags(self, key: str) -> dict[str, str]:
        """Return the object's tags; empty where it has none or the store has no tags."""
        ...

    def get(
        self, key: str, *, version: str | None = None, offset: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[ObjectStream]:
        """Open a download of the stored bytes (never decompressed on the way).

        :param version: as listed; the download fails if the object is no longer that version.
        :raises PreconditionError: the object changed.
        :raises NotFoundError: it is gone.
        """
        ...

    async def fetch(
        self,
        key: str,
        *,
        version: str | None = None,
        offset: int = 0,
        length: int | None = None,
        into: bytearray | None = None,
    ) -> Fetched:
        """Read an object, or a range of it, into memory; a read that is cut off is begun again.

        As ``get``, without the cost of a stream: for small objects, and parts of large ones.

        :param length: at most so many bytes; the caller has room for them.
        :param into: a buffer that may be used for the body, and then belongs to it; stores that
            have no use for it leave it alone.
        :raises PreconditionError: the object changed.
        :raises NotFoundError: it is gone.
        """
        ...

    async def put(
        self,
        key: str,
        body: Body,
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Write an object whole, with its attributes and tags, sending ``checksums`` along.

        :param checksums: of ``body``; at least those in ``traits.verifies``.
        :raises AlreadyExistsError: ``create_only`` and something is there; it is untouched.
        :raises IntegrityError: the store received other bytes than were sent.
        """
        ...

    async def begin_upload(self, key: str, attributes: ObjectAttributes) -> Upload:
        """Begin a multipart upload; nothing becomes visible under ``key``."""
        ...

    async def put_part(self, upload: Upload, number: int, body: Body, crc32c: str) -> PartReceipt:
        """Send part ``number`` (from 1). Sending it again replaces it."""
        ...

    async def finished_parts(self, upload: Upload) -> dict[int, PartReceipt] | None:
        """Return the parts that the store already has, or None where the upload is gone."""
        ...

    async def complete_upload(
        self,
        upload: Upload,
        parts: list[PartReceipt],
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Make the object of ``parts`` visible, with attributes and tags.

        :param checksums: of the whole object; at least CRC32C.
        :raises AlreadyExistsError: ``create_only`` and something is there; it is untouched.
        """
        ...

    async def abort_upload(self, upload: Upload) -> None:
        """Drop the upload and its parts; no error if it is already gone."""
        ...

    async def delete(self, key: str) -> None:
        """Delete one object; no error if it is already gone."""
        ...

    def key_problem(self, key: str) -> str | None:
        """Return why the store's documented rules cannot hold ``key``, or None."""
        ...

    def attribute_problems(self, attributes: ObjectAttributes) -> list[str]:
        """Return what of ``attributes`` the store cannot keep as it is; empty when all."""
        ...

    async def close(self) -> None:
        """Close connections. The store cannot be used afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class ListedColumns:
    """A page of a listing by column, for listings of many millions of objects.

    Numbers are decimal text: so stores tell them, and so they are written down.

    :param modified: microseconds since 1970 UTC.
    :param checksums: by algorithm, None where the listing tells none.
    :param storage_classes: None where the store has none.
    """

    keys: list[str]
    sizes: list[str]
    versions: list[str]
    modified: list[str]
    checksums: Mapping[Algorithm, Sequence[str | None]]
    storage_classes: list[str] | None = None

    def only(self, wanted: Sequence[bool]) -> ListedColumns:
        """Return the page with the objects for which ``wanted`` says so, in their order."""
        return ListedColumns(
            list(compress(self.keys, wanted)),
            list(compress(self.sizes, wanted)),
            list(compress(self.versions, wanted)),
            list(compress(self.modified, wanted)),
            {algorithm: list(compress(values, wanted)) for algorithm, values in self.checksums.items()},
            None if self.storage_classes is None else list(compress(self.storage_classes, wanted)),
        )


@runtime_checkable
class ListsRanges(Protocol):
    """A store that lists keys in the order of their bytes and can begin anywhere among them."""

    async def folders(self, prefix: str) -> list[str]:
        """Return longer prefixes under ``prefix``, ending in a slash: one page of them at most.

        They are places to cut a listing at, no more; empty where there are none, or where this
        server is not known to list in order.
        """
        ...


@runtime_checkable
class PassesBy(Protocol):
    """A store whose listings pass by things that are no objects, such as links and sockets.

    :param unlisted: whole key → why it was passed by; complete after a listing has ended.
    """

    unlisted: Mapping[str, str]
