"""A device as an object store whose keys are exact, whatever its file system can hold.

Keys lie under their stored path; attributes are not given to the file system but kept for the
load manifest. The receipt of a write tells what was read back from the file, so a copy onto a
device is proved by the device.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace

from heavylift.checksums import Algorithm, Body, Checksums
from heavylift.locations import Location
from heavylift.objects.proof import read_checksums
from heavylift.platforms.local.folders import open_folder
from heavylift.platforms.ports import (
    Fetched,
    ListedObject,
    ObjectAttributes,
    ObjectHead,
    ObjectStore,
    ObjectStream,
    PartReceipt,
    PutReceipt,
    Upload,
)

READ_BACK = (Algorithm.CRC32C, Algorithm.CRC64NVME, Algorithm.MD5, Algorithm.SHA256)
"""What is computed of each file on a device: what stores tell, and a hash that nobody can forge."""

NO_ATTRIBUTES = ObjectAttributes()


class DeviceStore:
    """The data folder of one device. Keys are relative to the dataset, as in a plan.

    :param files: the device's data folder as a store.
    :param stored_paths: key → stored path of the keys that lie under another name than their own.
    """

    def __init__(self, files: ObjectStore, stored_paths: Mapping[str, str]) -> None:
        self._files = files
        self._paths = stored_paths
        self.location: Location = files.location
        self.traits = replace(files.traits, hierarchical=False, keeps_tags=False)
        self.attributes: dict[str, ObjectAttributes] = {}
        """Key → the attributes that were to be written with it; whoever takes one deletes it."""

    @property
    def refuses(self) -> frozenset[Algorithm]:
        """Return none: what was written is told by reading it back."""
        return frozenset()

    def stored_path(self, key: str) -> str:
        """Return where a key lies below the data folder."""
        return self._paths.get(key, key)

    async def check(self) -> None:
        """Make sure that the data folder is there."""
        await self._files.check()

    def list_pages(self, prefix: str = "", *, start_after: str = "") -> AsyncIterator[list[ListedObject]]:
        """Yield the files as they lie there, by stored path."""
        return self._files.list_pages(prefix, start_after=start_after)

    async def head(self, key: str) -> ObjectHead:
        """Return a file's head with its checksums: the file is read whole.

        :raises NotFoundError: no such file.
        """
        head = await self._files.head(self.stored_path(key))
        sums = await self._digest(self.stored_path(key), head.object.version)
        return replace(head, object=replace(head.object, key=key, checksums=sums), attributes=NO_ATTRIBUTES)

    async def tags(self, key: str) -> dict[str, str]:
        """Return none: they are in the load manifest."""
        return {}

    def get(
        self, key: str, *, version: str | None = None, offset: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[ObjectStream]:
        """Open a file for reading; see the port."""
        return self._files.get(self.stored_path(key), version=version, offset=offset, length=length)

    async def fetch(
        self,
        key: str,
        *,
        version: str | None = None,
        offset: int = 0,
        length: int | None = None,
        into: bytearray | None = None,
    ) -> Fetched:
        """Read a file, or a range of it, into memory; see the port."""
        return await self._files.fetch(self.stored_path(key), version=version, offset=offset, length=length)

    async def put(
        self,
        key: str,
        body: Body,
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Write a file durably and read it back; its attributes are kept for the manifest."""
        path = self.stored_path(key)
        receipt = await self._files.put(path, body, NO_ATTRIBUTES, checksums, create_only=create_only)
        return await self._written(key, receipt, attributes)

    async def begin_upload(self, key: str, attributes: ObjectAttributes) -> Upload:
        """Begin a file in parts; nothing is visible under its name yet."""
        upload = await self._files.begin_upload(self.stored_path(key), NO_ATTRIBUTES)
        return replace(upload, key=key)

    async def put_part(self, upload: Upload, number: int, body: Body, crc32c: str) -> PartReceipt:
        """Write one part durably."""
        return await self._files.put_part(self._inner(upload), number, body, crc32c)

    async def finished_parts(self, upload: Upload) -> dict[int, PartReceipt] | None:
        """Return the parts that are durably there, or None where the upload is gone."""
        return await self._files.finished_parts(self._inner(upload))

    async def complete_upload(
        self,
        upload: Upload,
        parts: list[PartReceipt],
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        """Publish the file of ``parts`` and read it back."""
        receipt = await self._files.complete_upload(
            self._inner(upload), parts, NO_ATTRIBUTES, checksums, create_only=create_only
        )
        return await self._written(upload.key, receipt, attributes)

    async def abort_upload(self, upload: Upload) -> None:
        """Drop the upload and its parts."""
        await self._files.abort_upload(self._inner(upload))

    async def delete(self, key: str) -> None:
        """Delete one file; no error if it is already gone."""
        await self._files.delete(self.stored_path(key))

    def key_problem(self, key: str) -> str | None:
        """Return None for every key that a plan placed here."""
        return self._files.key_problem(self.stored_path(key))

    def attribute_problems(self, attributes: ObjectAttributes) -> list[str]:
        """Return none: the load manifest keeps all."""
        return []

    async def close(self) -> None:
        """Close the store of the data folder."""
        await self._files.close()

    async def _written(self, key: str, receipt: PutReceipt, attributes: ObjectAttributes) -> PutReceipt:
        self.attributes[key] = attributes
        return replace(receipt, checksums=await self._digest(self.stored_path(key), receipt.version))

    async def _digest(self, path: str, version: str, wanted: Iterable[Algorithm] = READ_BACK) -> Checksums:
        _, sums = await read_checksums(self._files, path, version, wanted)
        return sums

    def _inner(self, upload: Upload) -> Upload:
        return replace(upload, key=self.stored_path(upload.key))


def forget_cached(root: str, path: str) -> None:
    """Let the system drop what it keeps of a file in memory, so that the next read asks the device.

    A hint: systems that cannot do it read from memory. See posix_fadvise(2).
    """
    if not hasattr(os, "posix_fadvise"):
        return
    *folders, name = path.split("/")
    with suppress(OSError), open_folder(root, folders) as folder:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
