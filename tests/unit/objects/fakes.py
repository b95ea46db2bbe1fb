"""A store in memory that can be told to misbehave in the ways real ones do."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from heavylift.checksums import Algorithm, Checksums, digest
from heavylift.errors import (
    AlreadyExistsError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
    ServerUnavailableError,
)
from heavylift.locations import Location
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

CHUNK = 1000
TRAITS = StoreTraits(
    verifies=frozenset({Algorithm.CRC32C}),
    reports=frozenset({Algorithm.CRC32C}),
    reports_parts=frozenset({Algorithm.CRC32C}),
    min_part_bytes=1,
    max_part_bytes=1 << 20,
    max_parts=1000,
    max_put_bytes=1 << 20,
    max_object_bytes=1 << 40,
    keeps_tags=True,
)


@dataclass
class Stored:
    body: bytes
    attributes: ObjectAttributes = field(default_factory=ObjectAttributes)


@dataclass
class FakeStream:
    head: ObjectHead
    body: bytes
    cut: bool

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), CHUNK):
            if self.cut and start:
                raise ServerUnavailableError("reading", got="a cut body")
            yield self.body[start : start + CHUNK]
        if self.cut:
            raise ServerUnavailableError("reading", got="a cut body")


@dataclass
class FakeStore:
    """``tells`` are the checksums it reports; the counters make its next answers go wrong.

    :param flips: so many downloads get one flipped bit.
    :param shorts: so many downloads end at the middle and say that this is the whole.
    :param cuts: so many downloads break off.
    :param lying_puts: so many puts store one flipped bit and say so in their receipt.
    :param rejects: so many bodies are refused as not what their checksum says.
    :param compares: checksums that a put's body is compared with before it is visible.
    :param no_md5: what it tells as MD5 is none, as some gateways' ETags are.
    :param on_get: called before each download; tests change objects there.
    """

    location: Location = field(default_factory=lambda: Location("s3", "fake"))
    objects: dict[str, Stored] = field(default_factory=dict)
    tells: frozenset[Algorithm] = frozenset({Algorithm.CRC32C})
    part_sizes: tuple[int, ...] = ()
    receipts: bool = True
    flips: int = 0
    shorts: int = 0
    cuts: int = 0
    lying_puts: int = 0
    rejects: int = 0
    compares: frozenset[Algorithm] = frozenset()
    no_md5: bool = False
    puts: list[str] = field(default_factory=list)
    parts_sent: list[int] = field(default_factory=list)
    gets: list[str] = field(default_factory=list)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    on_get: Callable[[FakeStore, str], None] | None = None
    traits: StoreTraits = TRAITS

    def fill(self, key: str, body: bytes, attributes: ObjectAttributes | None = None) -> None:
        self.objects[key] = Stored(body, attributes or ObjectAttributes())

    def version(self, key: str) -> str:
        stored = self.objects[key]
        return hashlib.sha256(stored.body + repr(stored.attributes).encode()).hexdigest()

    async def check(self) -> None:
        return

    async def list_pages(
        self, prefix: str = "", *, start_after: str = ""
    ) -> AsyncIterator[list[ListedObject]]:
        yield [self._listed(k) for k in sorted(self.objects) if k.startswith(prefix) and k > start_after]

    def _listed(self, key: str) -> ListedObject:
        body = self.objects[key].body
        plain = self.tells - {Algorithm.MD5_PARTS}
        sums = digest(body, *plain) if plain else {}
        if Algorithm.MD5_PARTS in self.tells:
            sums |= parted(body, self.part_sizes)
        if self.no_md5:
            sums |= {Algorithm.MD5: "0" * 32}
        return ListedObject(key, len(body), self.version(key), 0, sums)

    async def head(self, key: str) -> ObjectHead:
        if key not in self.objects:
            raise NotFoundError(f"head of {key}", got="no object")
        return ObjectHead(self._listed(key), self.objects[key].attributes, self.part_sizes)

    async def tags(self, key: str) -> dict[str, str]:
        return dict(self.objects[key].attributes.tags)

    @asynccontextmanager
    async def get(
        self, key: str, *, version: str | None = None, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[FakeStream]:
        self.gets.append(key)
        if self.on_get:
            self.on_get(self, key)
        head = replace(await self.head(key), part_sizes=())
        if version not in {None, head.object.version}:
            raise PreconditionError(f"get of {key}", got="another version")
        body = self.objects[key].body[offset : None if length is None else offset + length]
        if self.flips and body:
            self.flips -= 1
            body = self.flipped(body)
        if self.shorts and length is None and body:
            self.shorts -= 1
            body = body[: len(body) // 2]
            head = replace(head, object=replace(head.object, size_bytes=offset + len(body)))
        cut = self.cuts > 0
        self.cuts -= cut
        yield FakeStream(head, body, cut)

    def flipped(self, body: bytes) -> bytes:
        return flip(body)

    @property
    def refuses(self) -> frozenset[Algorithm]:
        return self.compares

    async def fetch(
        self,
        key: str,
        *,
        version: str | None = None,
        offset: int = 0,
        length: int | None = None,
        into: bytearray | None = None,
    ) -> Fetched:
        for _ in range(5):
            try:
                async with self.get(key, version=version, offset=offset, length=length) as stream:
                    body = b"".join([chunk async for chunk in stream.chunks()])
                    return Fetched(stream.head, body)
            except ServerUnavailableError:
                continue
        raise ServerUnavailableError("reading", got="a cut body")

    async def put(
        self,
        key: str,
        body: bytes,
        attributes: ObjectAttributes,
        checksums: Checksums,
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        if create_only and key in self.objects:
            raise AlreadyExistsError(f"put of {key}")
        self._reject(key)
        for algorithm in self.compares & checksums.keys():
            if digest(body, algorithm)[algorithm] != checksums[algorithm]:
                raise IntegrityError(f"put of {key}", got=f"another {algorithm.value}")
        if self.lying_puts:
            self.lying_puts -= 1
            body = flip(body)
        self.puts.append(key)
        self.fill(key, body, attributes)
        return PutReceipt(self.version(key), digest(body, Algorithm.CRC32C) if self.receipts else {})

    def _reject(self, key: str) -> None:
        if self.rejects:
            self.rejects -= 1
            raise IntegrityError(f"put of {key}", got="another checksum")

    async def begin_upload(self, key: str, attributes: ObjectAttributes) -> Upload:
        upload = Upload(key, f"upload-{len(self.uploads)}")
        self.uploads[upload.upload_id] = {}
        return upload

    async def put_part(self, upload: Upload, number: int, body: bytes, crc32c: str) -> PartReceipt:
        self._reject(upload.key)
        self.parts_sent.append(number)
        self.uploads[upload.upload_id][number] = bytes(body)
        return PartReceipt(number, len(body), crc32c, str(number))

    async def finished_parts(self, upload: Upload) -> dict[int, PartReceipt] | None:
        if upload.upload_id not in self.uploads:
            return None
        return {
            number: PartReceipt(
                number, len(body), digest(body, Algorithm.CRC32C)[Algorithm.CRC32C], str(number)
            )
            for number, body in self.uploads[upload.upload_id].items()
        }

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
        receipt = await self.put(upload.key, body, attributes, checksums, create_only=create_only)
        del self.uploads[upload.upload_id]
        return receipt

    async def abort_upload(self, upload: Upload) -> None:
        self.uploads.pop(upload.upload_id, None)

    async def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def key_problem(self, key: str) -> str | None:
        return "no key may hold a colon here" if ":" in key else None

    def attribute_problems(self, attributes: ObjectAttributes) -> list[str]:
        return []

    async def close(self) -> None:
        return


def flip(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def parted(body: bytes, sizes: tuple[int, ...]) -> dict[Algorithm, str]:
    digests, position = [], 0
    for size in sizes:
        digests.append(hashlib.md5(body[position : position + size]).digest())
        position += size
    return {Algorithm.MD5_PARTS: f"{hashlib.md5(b''.join(digests)).hexdigest()}-{len(sizes)}"}
