"""An object store in memory: the port's promises, and switches for what can go wrong."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from heavylift.checksums import Algorithm, Checksums, digest
from heavylift.errors import AlreadyExistsError, NotFoundError, PreconditionError, ServerUnavailableError
from heavylift.locations import Location
from heavylift.platforms.ports import (
    ListedObject,
    ObjectAttributes,
    ObjectHead,
    PartReceipt,
    PutReceipt,
    StoreTraits,
    Upload,
)

PAGE = 3
MIB = 1024 * 1024


TRAITS = StoreTraits(
    verifies=frozenset({Algorithm.MD5}),
    reports=frozenset({Algorithm.CRC32C}),
    reports_parts=frozenset({Algorithm.CRC32C}),
    min_part_bytes=5 * MIB,
    max_part_bytes=64 * MIB,
    max_parts=1000,
    max_put_bytes=64 * MIB,
    max_object_bytes=1 << 40,
)


@dataclass
class MemoryStream:
    head: ObjectHead
    data: bytes
    store: MemoryStore

    async def chunks(self) -> AsyncIterator[bytes]:
        step = max(1000, len(self.data) // 20)
        for start in range(0, len(self.data), step):
            if self.store.cuts_left and start:
                self.store.cuts_left -= 1
                raise ServerUnavailableError("reading", got="a cut body")
            yield self.data[start : start + step]


@dataclass
class MemoryStore:
    """``cuts_left`` bodies are cut after their first chunk; ``corrupt`` makes receipts lie."""

    location: Location = field(default_factory=lambda: Location("s3", "evidence", "root/"))
    objects: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str | None] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    cuts_left: int = 0
    corrupt: bool = False
    heads: int = 0
    lists: int = 0
    aborted: int = 0
    traits: StoreTraits = TRAITS

    async def check(self) -> None:
        return

    async def list_pages(
        self, prefix: str = "", *, start_after: str = ""
    ) -> AsyncIterator[list[ListedObject]]:
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > start_after)
        for start in range(0, len(keys), PAGE):
            self.lists += 1
            yield [self._listed(key) for key in keys[start : start + PAGE]]

    def _listed(self, key: str) -> ListedObject:
        data = self.objects[key]
        return ListedObject(key, len(data), hashlib.sha256(data).hexdigest(), 0)

    async def head(self, key: str) -> ObjectHead:
        self.heads += 1
        if key not in self.objects:
            raise NotFoundError(f"head of {key}")
        return ObjectHead(self._listed(key), ObjectAttributes(content_type=self.types.get(key)))

    async def tags(self, key: str) -> dict[str, str]:
        return {}

    @asynccontextmanager
    async def get(
        self, key: str, *, version: str | None = None, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[MemoryStream]:
        head = await self.head(key)
        if version not in {None, head.object.version}:
            raise PreconditionError(f"get of {key}")
        yield MemoryStream(head, self.objects[key][offset:], self)

    async def put(
        self,
        key: str,
        body: bytes,
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        await asyncio.sleep(0)
        if create_only and key in self.objects:
            raise AlreadyExistsError(f"put of {key}")
        self.objects[key] = body
        self.types[key] = attributes.content_type
        stored = body + b"!" if self.corrupt else body
        return PutReceipt(self._listed(key).version, digest(stored, Algorithm.CRC32C))

    async def begin_upload(self, key: str, attributes: ObjectAttributes) -> Upload:
        upload = Upload(key, f"upload-{len(self.uploads)}")
        self.uploads[upload.upload_id] = {}
        return upload

    async def put_part(self, upload: Upload, number: int, body: bytes, crc32c: str) -> PartReceipt:
        self.uploads[upload.upload_id][number] = body
        return PartReceipt(number, len(body), crc32c, str(number))

    async def finished_parts(self, upload: Upload) -> dict[int, PartReceipt] | None:
        return None

    async def complete_upload(
        self,
        upload: Upload,
        parts: list[PartReceipt],
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        sent = self.uploads[upload.upload_id]
        body = b"".join(sent[part.number] for part in parts)
        return await self.put(upload.key, body, attributes, checksums, create_only=create_only)

    async def abort_upload(self, upload: Upload) -> None:
        self.aborted += 1
        self.uploads.pop(upload.upload_id, None)

    async def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def key_problem(self, key: str) -> str | None:
        return None

    def attribute_problems(self, attributes: ObjectAttributes) -> list[str]:
        return []

    async def close(self) -> None:
        return
