"""Opening sealed objects: piece by piece, each proved before a byte of it is used."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

from heavylift.checksums import Algorithm, Body, combine_crc32c, crc32c_of
from heavylift.envelopes.folder import Folder, cipher_of, sums_of
from heavylift.envelopes.key_file import KeyFile, sealed_name
from heavylift.envelopes.requests import MIB
from heavylift.envelopes.stream import SEGMENT, Layout, NotAuthenticError
from heavylift.errors import AlreadyExistsError, ConflictError, IntegrityError, NotFoundError
from heavylift.platforms.keys import WrappingKey
from heavylift.platforms.ports import ObjectAttributes, ObjectStore, PartReceipt, Upload

_AT_ONCE = 8
"""Segments that are read at once."""
_PLAIN = ObjectAttributes(content_type="application/octet-stream")


async def plaintext(folder: Folder, found: KeyFile, key: WrappingKey) -> AsyncIterator[bytes]:
    """Yield the plaintext of a sealed object in pieces of at most 8 MiB.

    :raises IntegrityError: another key wrapped its data key, or the object is not what was sealed.
    """
    layout, name = Layout(found.size_bytes), sealed_name(found.name)
    cipher = await cipher_of(found, key)
    head = await folder.store.head(folder.prefix + name)
    if head.object.size_bytes != layout.sealed_bytes:
        raise _altered(folder, name, f"{head.object.size_bytes} bytes", f"{layout.sealed_bytes} bytes")
    for numbers in layout.ranges(_AT_ONCE):
        fetched = await folder.store.fetch(
            folder.prefix + name,
            version=head.object.version,
            offset=numbers.start * SEGMENT,
            length=len(numbers) * SEGMENT,
        )
        try:
            yield await asyncio.to_thread(cipher.open, numbers, fetched.body)
        except NotAuthenticError as error:
            raise _altered(
                folder, name, f"{error} that is not authentic", "what was sealed under this name"
            ) from None


async def digest_of(folder: Folder, found: KeyFile, key: WrappingKey) -> str:
    """Return the SHA-256 of what was sealed, by opening all of it.

    :raises IntegrityError: as :func:`plaintext`.
    """
    sha = hashlib.sha256()
    async for piece in plaintext(folder, found, key):
        await asyncio.to_thread(sha.update, piece)
    return sha.hexdigest()


async def open_into(
    folder: Folder, found: KeyFile, key: WrappingKey, store: ObjectStore, at: str
) -> tuple[bool, str]:
    """Write the plaintext under the key ``at``; it becomes visible only when all of it was proved.

    Returns whether it was written, and its SHA-256. What is there already is compared, never overwritten.

    :raises ConflictError: something else is there.
    """
    there = await _sha256_at(store, at)
    if there is not None:
        return False, await _demand_same(folder, found, key, store, at, there)
    writer = _Writer(store, at, found.size_bytes)
    try:
        async for piece in plaintext(folder, found, key):
            await writer.add(piece)
        await writer.finish()
    except AlreadyExistsError:
        await writer.drop()
        there = await _sha256_at(store, at) or ""
        return False, await _demand_same(folder, found, key, store, at, there)
    except BaseException:
        await writer.drop()
        raise
    return True, writer.sha.hexdigest()


async def _demand_same(
    folder: Folder, found: KeyFile, key: WrappingKey, store: ObjectStore, at: str, there: str
) -> str:
    wanted = await digest_of(folder, found, key)
    if wanted != there:
        raise ConflictError(
            f"opening {folder.url(sealed_name(found.name))}",
            got=f"another object at {store.location.url_of(at)}",
            expected="nothing there, or what was sealed",
            state="what is there is untouched",
            remedy="open into another place, or move away what is there",
            code="9366",
        )
    return wanted


async def _sha256_at(store: ObjectStore, at: str) -> str | None:
    sha = hashlib.sha256()
    try:
        async with store.get(at) as stream:
            async for chunk in stream.chunks():
                sha.update(chunk)
    except NotFoundError:
        return None
    return sha.hexdigest()


class _Writer:
    """Takes pieces in, and sends parts of one size."""

    def __init__(self, store: ObjectStore, at: str, size_bytes: int) -> None:
        traits = store.traits
        needed = -(-size_bytes // traits.max_parts)
        self._store, self._at = store, at
        self._part = min(max(8 * MIB, needed, traits.min_part_bytes), traits.max_part_bytes)
        self._buffer = bytearray()
        self._upload: Upload | None = None
        self._parts: list[PartReceipt] = []
        self.sha = hashlib.sha256()

    async def add(self, piece: bytes) -> None:
        await asyncio.to_thread(self.sha.update, piece)
        self._buffer += piece
        while len(self._buffer) > self._part:
            await self._send(bytes(self._buffer[: self._part]))
            del self._buffer[: self._part]

    async def finish(self) -> None:
        body = bytes(self._buffer)
        if self._upload is None:
            await self._store.put(self._at, body, _PLAIN, sums_of(self._store, body))
            return
        await self._send(body)
        crc = combine_crc32c((each.crc32c, each.size_bytes) for each in self._parts)
        upload, self._upload = self._upload, None
        await self._store.complete_upload(upload, self._parts, _PLAIN, {Algorithm.CRC32C: crc})

    async def drop(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            await self._store.abort_upload(upload)

    async def _send(self, body: Body) -> None:
        if self._upload is None:
            self._upload = await self._store.begin_upload(self._at, _PLAIN)
        crc = crc32c_of(body)
        receipt = await self._store.put_part(self._upload, len(self._parts) + 1, body, crc)
        self._parts.append(receipt)


def _altered(folder: Folder, name: str, got: str, expected: str) -> IntegrityError:
    return IntegrityError(
        f"opening {folder.url(name)}",
        got=got,
        expected=expected,
        state="nothing of it became visible",
        remedy="put the object back from a version or a copy of the bucket, or seal it anew from the source",
        code="9356",
    )
