"""Sealing one object: its key file first, then the object, in parts that a killed run has sent or not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass, field

from heavylift.checksums import Algorithm, Body, combine_crc32c, crc32c_of, digest
from heavylift.envelopes.folder import Folder, cipher_of, sums_of
from heavylift.envelopes.key_file import BegunUpload, KeyFile, WrappedKey, sealed_name, shown
from heavylift.envelopes.opening import digest_of
from heavylift.envelopes.requests import MIB, PART_BYTES
from heavylift.envelopes.stream import SEGMENT, Cipher, Layout, new_header, new_key
from heavylift.errors import (
    AlreadyExistsError,
    ConflictError,
    IntegrityError,
    NotFoundError,
    PreconditionError,
)
from heavylift.evidence.envelope_records import EnvelopeRow
from heavylift.platforms.keys import WrappingKey
from heavylift.platforms.ports import (
    ListedObject,
    ObjectAttributes,
    ObjectStore,
    PartReceipt,
    StoreTraits,
    Upload,
)

_ATTRIBUTES = ObjectAttributes(content_type="application/octet-stream")
_PARTS_IN_FLIGHT = 3


@dataclass
class Sealer:
    """Seals objects of one prefix into another.

    :param digests: (name, id of the key file) → SHA-256, of earlier sealings.
    :param sent_bytes: counted as it goes.
    """

    source: ObjectStore
    source_prefix: str
    folder: Folder
    key: WrappingKey
    replace: bool = False
    part_bytes: int = PART_BYTES
    digests: dict[tuple[str, str], str] = field(default_factory=dict)
    sent_bytes: int = 0

    async def seal(self, listed: ListedObject) -> EnvelopeRow:
        """Seal one object, or find it sealed.

        :raises ConflictError: something else lies there; it is untouched.
        :raises PreconditionError: the source's object changed meanwhile.
        """
        name = listed.key.removeprefix(self.source_prefix)
        facts = name, listed.size_bytes, listed.version
        there = await self._there(name)
        if there is not None:
            if there.facts == facts:
                return await self._equal(there)
            if not self.replace:
                raise self._occupied(name, "an older version of the object, sealed", "--replace")
        found, cipher, upload = await self._begin(facts)
        try:
            sha = await self._send(found, cipher, upload, replace=there is not None)
        except AlreadyExistsError:
            # Another run was faster; what it sealed may be the same.
            there = await self._there(name)
            if there is None or there.facts != facts:
                raise self._occupied(name, "what another run put there meanwhile", "a second run") from None
            return await self._equal(there)
        return _row(found, "done", sha, "source")

    async def _there(self, name: str) -> KeyFile | None:
        try:
            found = await self.folder.current(name)
        except NotFoundError:
            return None
        if found is None:
            raise self._occupied(name, "an object that is no sealed one", "another prefix")
        return found

    async def _equal(self, there: KeyFile) -> EnvelopeRow:
        known = self.digests.get((there.name, there.id))
        if known:
            return _row(there, "equal", known, "source")
        # A sealing that was killed left no manifest: what is proved here is what the key opens.
        return _row(there, "equal", await digest_of(self.folder, there, self.key), "target")

    async def _begin(self, facts: tuple[str, int, str]) -> tuple[KeyFile, Cipher, Upload | None]:
        """Return the key file, made anew or left by a killed run, and the upload that belongs to it."""
        layout = Layout(facts[1])
        part_bytes = _part_bytes(layout, self.part_bytes, self.folder.store.traits)
        in_parts = layout.sealed_bytes > part_bytes
        for key_id in self.folder.key_files.get(facts[0], ()):
            left = await self._left_behind(facts, key_id, part_bytes if in_parts else None)
            if left is not None:
                return left
        upload = None
        if in_parts:
            at = self.folder.prefix + sealed_name(facts[0])
            upload = await self.folder.store.begin_upload(at, _ATTRIBUTES)
        data_key, header = new_key(), new_header()
        found = KeyFile(
            name=facts[0],
            size_bytes=facts[1],
            source_version=facts[2],
            header=base64.b64encode(header).decode(),
            wrapped=WrappedKey(kind="", key="", data=""),
            upload=BegunUpload(upload_id=upload.upload_id, part_bytes=part_bytes) if upload else None,
        )
        found = found.model_copy(update={"wrapped": shown(await self.key.wrap(data_key, found.context))})
        self.sent_bytes += await self.folder.put_key_file(found, create_only=True)
        return found, Cipher(found.data_key(data_key), layout.segments), upload

    async def _left_behind(
        self, facts: tuple[str, int, str], key_id: str, part_bytes: int | None
    ) -> tuple[KeyFile, Cipher, Upload | None] | None:
        """Return what a killed run left of just this content; None where that is no use.

        Its key and header are used again for the very same bytes only: the version is in what the key of
        the segments is derived from.
        """
        try:
            found = await self.folder.key_file(facts[0], key_id)
            if found.facts != facts or (found.upload.part_bytes if found.upload else None) != part_bytes:
                return None
            cipher = await cipher_of(found, self.key)
        except IntegrityError:
            # Damaged, or wrapped by a key of before: left alone, and a new one is made.
            return None
        if found.upload is None:
            return found, cipher, None
        upload = Upload(self.folder.prefix + sealed_name(facts[0]), found.upload.upload_id)
        gone = await self.folder.store.finished_parts(upload) is None
        return None if gone else (found, cipher, upload)

    async def _send(self, found: KeyFile, cipher: Cipher, upload: Upload | None, *, replace: bool) -> str:
        """Send the object and return the SHA-256 of what was sealed."""
        layout, sha = Layout(found.size_bytes), hashlib.sha256()
        store, at = self.folder.store, self.folder.prefix + sealed_name(found.name)
        if upload is None:
            body = await self._sealed(found, cipher, range(layout.segments), sha)
            await store.put(at, body, _ATTRIBUTES, sums_of(store, body), create_only=not replace)
            self.sent_bytes += len(body)
            return sha.hexdigest()
        receipts = await self._send_parts(found, cipher, upload, sha)
        crc = combine_crc32c((each.crc32c, each.size_bytes) for each in receipts)
        try:
            await store.complete_upload(
                upload, receipts, _ATTRIBUTES, {Algorithm.CRC32C: crc}, create_only=not replace
            )
        except AlreadyExistsError:
            await store.abort_upload(upload)
            raise
        return sha.hexdigest()

    async def _send_parts(
        self, found: KeyFile, cipher: Cipher, upload: Upload, sha: hashlib._Hash
    ) -> list[PartReceipt]:
        """Send what the target does not have yet; all of it is read, for the digest of the whole."""
        there = await self.folder.store.finished_parts(upload) or {}
        at_once = (found.upload.part_bytes if found.upload else self.part_bytes) // SEGMENT
        receipts: dict[int, PartReceipt] = {}
        room = asyncio.Semaphore(_PARTS_IN_FLIGHT)

        async def send(number: int, body: bytes) -> None:
            try:
                receipts[number] = await self._part(upload, number, body, there.get(number))
            finally:
                room.release()

        try:
            async with asyncio.TaskGroup() as group:
                for number, numbers in enumerate(Layout(found.size_bytes).ranges(at_once), 1):
                    await room.acquire()
                    body = await self._sealed(found, cipher, numbers, sha)
                    group.create_task(send(number, body))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [receipts[number] for number in sorted(receipts)]

    async def _part(self, upload: Upload, number: int, body: bytes, known: PartReceipt | None) -> PartReceipt:
        crc = crc32c_of(body)
        if known is not None and _is_same(known, body, crc):
            return PartReceipt(number, len(body), crc, known.token, known.md5)
        receipt = await self.folder.store.put_part(upload, number, body, crc)
        self.sent_bytes += len(body)
        return receipt

    async def _sealed(self, found: KeyFile, cipher: Cipher, numbers: range, sha: hashlib._Hash) -> bytes:
        """Read the plaintext of some segments from the pinned version, and seal them."""
        layout = Layout(found.size_bytes)
        start, end = layout.plain_start(numbers.start), layout.plain_start(numbers.stop)
        plain: Body = b""
        if end > start:
            fetched = await self.source.fetch(
                self.source_prefix + found.name,
                version=found.source_version,
                offset=start,
                length=end - start,
            )
            plain = fetched.body
        if len(plain) != end - start:
            raise PreconditionError(
                f"reading {self.source.location.url_of(self.source_prefix + found.name)}",
                got=f"{len(plain)} bytes at {start}",
                expected=f"{end - start} bytes",
                state="nothing is visible on the target",
                remedy="run again: the object has probably changed",
                code="9360",
            )

        def work() -> bytes:
            sha.update(plain)
            return cipher.seal(numbers, plain, layout)

        return await asyncio.to_thread(work)

    def _occupied(self, name: str, got: str, way_out: str) -> ConflictError:
        return ConflictError(
            f"sealing {self.source.location.url_of(self.source_prefix + name)}",
            got=f"{got} at {self.folder.url(sealed_name(name))}",
            expected="nothing there, or this version of the object, sealed",
            state="what is there is untouched",
            remedy=f"use {way_out}, or move away what is there",
            code="9358",
        )


def _row(found: KeyFile, outcome: str, sha256: str, digest_from: str) -> EnvelopeRow:
    return EnvelopeRow(
        name=found.name,
        outcome=outcome,  # type: ignore[arg-type]
        size_bytes=found.size_bytes,
        sha256=sha256,
        digest_from=digest_from,
        source_version=found.source_version,
        key_id=found.id,
        sealed_bytes=Layout(found.size_bytes).sealed_bytes,
    )


def _part_bytes(layout: Layout, wanted: int, traits: StoreTraits) -> int:
    """Return the size of parts: whole segments, as many parts as the store takes."""
    needed = -(-layout.sealed_bytes // traits.max_parts)
    size = max(wanted, needed, traits.min_part_bytes)
    return -(-size // MIB) * MIB


def _is_same(known: PartReceipt, body: bytes, crc: str) -> bool:
    """Tell whether a part that the store has is this one; where it does not tell, it is sent again."""
    if known.size_bytes != len(body):
        return False
    if known.crc32c:
        return known.crc32c == crc
    return known.token.strip('"') == digest(body, Algorithm.MD5)[Algorithm.MD5]
