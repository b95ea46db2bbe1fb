"""A folder of a POSIX file system as an object store.

Keys are relative paths below the location's root folder, which must exist. Nothing outside the
root can be reached: no link is followed below it. What is and is not kept:

- Regular files are objects. Symbolic links, pipes, sockets and devices are not: a listing passes
  them by and names each in ``PosixStore.unlisted``. Empty folders are not objects either, and
  hard links are separate objects. Time, mode and owner of files are carried where that is asked for.
- A file whose name is not valid UTF-8 is passed by and named in ``unlisted`` too, since neither another
  store nor a manifest could carry it; by a key with surrogate escapes (PEP 383) it can be read.
- Attributes and tags lie in an extended attribute where the file system has room for them.
- A file system keeps no checksum of a file: ``reports`` is empty, so the caller reads back.

Writes appear whole and durably (fsync of file and folder) or not at all, and ``create_only`` is
held by the file system itself (link or rename without replacing), against any other writer too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from heavylift.checksums import Algorithm, Body, Checksums
from heavylift.locations import Location
from heavylift.platforms.local import names
from heavylift.platforms.local.files import Files, name_upload
from heavylift.platforms.local.listing import Walk
from heavylift.platforms.local.open_uploads import open_uploads
from heavylift.platforms.local.reading import OpenFile
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

_T = TypeVar("_T")
_THREADS = 16

TRAITS = StoreTraits(
    verifies=frozenset(),
    reports=frozenset(),
    reports_parts=frozenset(),
    min_part_bytes=1,
    max_part_bytes=5 * 1024**3,
    max_parts=10_000,
    max_put_bytes=5 * 1024**3,
    max_object_bytes=2**63 - 1,
    hierarchical=True,
    keeps_tags=True,
)


class PosixStream:
    """An open file as an object stream."""

    def __init__(self, opened: OpenFile, first: bytes, store: PosixStore) -> None:
        self.head = opened.head
        self._opened = opened
        self._first = first
        self._store = store

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes in order.

        :raises PreconditionError: the file was written to while it was read.
        """
        chunk = self._first
        while chunk:
            await self._store.pacer.take(len(chunk))
            yield chunk
            chunk = (
                b"" if self._opened.position >= self._opened.end else await self._store.run(self._opened.read)
            )


class PosixStore:
    """The files below one root folder.

    :param location: its container is the root's absolute path.
    :param pacer: holds reads and writes to a bandwidth.
    :param carried: entries of metadata by which time, mode and owner of files come and go
        (``file_entries.py``); none: they are nobody's business.
    """

    traits = TRAITS

    def __init__(
        self, location: Location, *, pacer: Pacer | None = None, carried: frozenset[str] = frozenset()
    ) -> None:
        self.location = location
        self.pacer = pacer or Pacer()
        self.unlisted: dict[str, str] = {}
        """Path → what it is, of all that listings of this store met and passed by."""
        self._root = location.container
        self._files = Files(location, carried)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="heavylift-posix")

    async def run(self, function: Callable[[], _T]) -> _T:
        """Run blocking work in one of this store's threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    async def check(self) -> None:
        """Make sure that the root is a folder that may be listed; changes nothing."""
        await self.run(self._files.check)

    async def list_pages(
        self, prefix: str = "", *, start_after: str = ""
    ) -> AsyncIterator[list[ListedObject]]:
        """Yield the files under ``prefix`` in the byte order of their keys.

        :raises NotFoundError: the root does not exist.
        :raises CredentialError: a folder may not be read; it is never just passed by.
        """
        pages = Walk(self._root, prefix, start_after, self.unlisted).pages()
        while page := await self.run(partial(next, pages, None)):
            yield page

    async def head(self, key: str) -> ObjectHead:
        """Return what the file system tells about ``key``.

        :raises NotFoundError: no regular file of this key.
        """
        return await self.run(partial(self._files.head, key))

    async def tags(self, key: str) -> dict[str, str]:
        """Return the tags kept with the file."""
        return dict((await self.head(key)).attributes.tags)

    @asynccontextmanager
    async def get(
        self, key: str, *, version: str | None = None, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[PosixStream]:
        """Open a download; see the port.

        :raises PreconditionError: the file is no longer ``version``.
        """
        opening = self._threads.submit(self._files.open, key, version, offset, length)
        try:
            opened, first = await asyncio.shield(asyncio.wrap_future(opening))
        except asyncio.CancelledError:
            # The thread cannot be stopped; what it opens is closed when it is done.
            opening.add_done_callback(_close_opened)
            raise
        try:
            yield PosixStream(opened, first, self)
        finally:
            opened.close()

    @property
    def refuses(self) -> frozenset[Algorithm]:
        """Nothing is taken on trust: what is written is computed here."""
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
        """Read a file, or a range of it, into memory; see the port.

        :raises PreconditionError: the file is no longer ``version``, or was written to meanwhile.
        """
        head, body = await self.run(partial(self._files.fetch, key, version, offset, length, into))
        await self.pacer.take(len(body))
        return Fetched(head, body)

    async def put(
        self,
        key: str,
        body: Body,
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Write a file whole; see the port. Of ``checksums`` a CRC32C is checked before writing."""
        await self.pacer.take(len(body))
        return await self.run(partial(self._files.put, key, body, attributes, checksums, create_only))

    async def begin_upload(self, key: str, attributes: ObjectAttributes) -> Upload:
        """Begin an upload in a hidden folder beside the target, and clean up after killed writers."""
        upload = self.name_upload(key)
        await self.begin_named(upload, attributes)
        return upload

    def name_upload(self, key: str) -> Upload:
        """Choose the id of an upload; see the port."""
        return name_upload(key)

    async def begin_named(self, upload: Upload, attributes: ObjectAttributes) -> None:
        """Begin an upload whose id is known already; see the port."""
        await self.run(partial(self._files.begin, upload))

    async def put_part(self, upload: Upload, number: int, body: Body, crc32c: str) -> PartReceipt:
        """Write part ``number`` durably. Writing it again replaces it.

        :raises NotFoundError: the upload was completed or aborted.
        """
        await self.pacer.take(len(body))
        return await self.run(partial(self._files.put_part, upload, number, body, crc32c))

    async def finished_parts(self, upload: Upload) -> dict[int, PartReceipt] | None:
        """Return the parts that are durably written, or None where the upload is gone."""
        return await self.run(partial(self._files.finished_parts, upload))

    async def complete_upload(
        self,
        upload: Upload,
        parts: list[PartReceipt],
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Publish the file of ``parts``; see the port.

        :raises IntegrityError: a part is not there as its receipt tells; nothing is visible.
        """
        return await self.run(partial(self._files.complete, upload, parts, attributes, create_only))

    async def abort_upload(self, upload: Upload) -> None:
        """Drop the upload and its parts; no error if it is already gone."""
        await self.run(partial(self._files.abort, upload))

    async def open_uploads(self, prefix: str) -> AsyncIterator[list[OpenUpload]]:
        """Yield the uploads that have hidden folders below the folder of ``prefix``."""
        pages = open_uploads(self._root, prefix, f"list of uploads in progress at {self.location}")
        while page := await self.run(partial(next, pages, None)):
            yield page

    async def delete(self, key: str) -> None:
        """Delete one regular file; its folders stay. No error if it is already gone."""
        await self.run(partial(self._files.delete, key))

    async def delete_version(self, key: str, version: str) -> None:
        """Delete one regular file if it is still ``version``; see ``deleting``.

        Looking and deleting are two system calls, as no file system joins them: a writer that
        replaces the file in the microseconds between is not seen.

        :raises PreconditionError: it is another version now.
        """
        await self.run(partial(self._files.delete_version, key, version))

    def key_problem(self, key: str) -> str | None:
        """Return why no file can have this key, or None; see path_resolution(7)."""
        return names.key_problem(key, self._root)

    def attribute_problems(self, attributes: ObjectAttributes) -> list[str]:
        """Return what of ``attributes`` would be lost here; asks the file system once per size."""
        return self._files.attribute_problems(attributes)

    async def close(self) -> None:
        """End the threads. The store cannot be used afterwards."""
        self._threads.shutdown(wait=False)


def _close_opened(opening: Future[tuple[OpenFile, bytes]]) -> None:
    if opening.exception() is None:
        opening.result()[0].close()
