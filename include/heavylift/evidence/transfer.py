"""Moves evidence bytes to and from an object store, with bounded memory."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path

from heavylift.checksums import Algorithm, Checksums, Digester, digest
from heavylift.errors import AlreadyExistsError, IntegrityError, NotFoundError, ServerUnavailableError
from heavylift.evidence.records import EvidenceRef
from heavylift.platforms.ports import ObjectAttributes, ObjectStore, PartReceipt, PutReceipt, Upload

WHOLE_BYTES = 8 * 1024 * 1024
"""Files up to this size are sent in one request; larger ones in parts of at least this size."""

_READ_ATTEMPTS = 5


async def read_chunks(objects: ObjectStore, key: str) -> AsyncIterator[bytes]:
    """Yield an object's bytes; a body that is cut short goes on where it stopped.

    :raises NotFoundError: no such object.
    :raises PreconditionError: it changed while it was being read.
    """
    offset = 0
    version: str | None = None
    for attempt in range(1, _READ_ATTEMPTS + 1):
        try:
            async with objects.get(key, version=version, offset=offset) as stream:
                version = stream.head.object.version
                async for chunk in stream.chunks():
                    yield bytes(chunk)
                    offset += len(chunk)
            return
        except ServerUnavailableError:
            if attempt == _READ_ATTEMPTS:
                raise
            await asyncio.sleep(0.2 * 2**attempt)


async def put_bytes(objects: ObjectStore, key: str, data: bytes, content_type: str) -> None:
    """Create an object from ``data``.

    :raises AlreadyExistsError: something is there.
    :raises IntegrityError: the store received other bytes.
    """
    sums = digest(data, Algorithm.CRC32C, *objects.traits.verifies)
    receipt = await objects.put(key, data, ObjectAttributes(content_type=content_type), sums)
    _compare(objects, key, sums, receipt)


async def put_file(objects: ObjectStore, key: str, local: Path, ref: EvidenceRef, content_type: str) -> None:
    """Create an object from the local file that ``ref`` describes.

    :raises AlreadyExistsError: something is there.
    :raises IntegrityError: the file changed meanwhile, or the store received other bytes.
    """
    if ref.size_bytes <= min(WHOLE_BYTES, objects.traits.max_put_bytes):
        data = await asyncio.to_thread(local.read_bytes)
        _demand_unchanged(local, ref, digest(data, Algorithm.SHA256)[Algorithm.SHA256])
        await put_bytes(objects, key, data, content_type)
        return
    await _refuse_taken(objects, key)
    attributes = ObjectAttributes(content_type=content_type)
    upload = await objects.begin_upload(key, attributes)
    try:
        parts, sums = await _send_parts(objects, upload, local, ref)
        _demand_unchanged(local, ref, sums[Algorithm.SHA256])
        receipt = await objects.complete_upload(upload, parts, attributes, sums)
    except BaseException:
        await objects.abort_upload(upload)
        raise
    _compare(objects, key, sums, receipt)


async def _refuse_taken(objects: ObjectStore, key: str) -> None:
    """Spare a large upload that its last request would refuse."""
    try:
        await objects.head(key)
    except NotFoundError:
        return
    raise AlreadyExistsError(
        f"writing {objects.location.url_of(key)}",
        got="an object there",
        expected="none",
        state="it is untouched",
        remedy="use another run or attempt number",
        code="4013",
    )


async def _send_parts(
    objects: ObjectStore, upload: Upload, local: Path, ref: EvidenceRef
) -> tuple[list[PartReceipt], Checksums]:
    digester = Digester({Algorithm.CRC32C, Algorithm.SHA256, *objects.traits.verifies})
    parts: list[PartReceipt] = []
    size = _part_size(objects, ref.size_bytes)
    with await asyncio.to_thread(local.open, "rb") as source:
        while data := await asyncio.to_thread(source.read, size):
            digester.update(data)
            crc32c = digest(data, Algorithm.CRC32C)[Algorithm.CRC32C]
            parts.append(await objects.put_part(upload, len(parts) + 1, data, crc32c))
    return parts, digester.checksums()


def _part_size(objects: ObjectStore, size_bytes: int) -> int:
    traits = objects.traits
    wanted = max(WHOLE_BYTES, traits.min_part_bytes, math.ceil(size_bytes / traits.max_parts))
    return min(wanted, traits.max_part_bytes)


def _demand_unchanged(local: Path, ref: EvidenceRef, sha256: str) -> None:
    if sha256 == ref.sha256:
        return
    raise IntegrityError(
        f"writing {local.name} as evidence {ref.path}",
        got="a file that changed while it was read",
        expected="a finished file",
        state="nothing was written to the evidence store",
        remedy="close the file before it is handed over",
        code="4014",
    )


def _compare(objects: ObjectStore, key: str, sums: Checksums, receipt: PutReceipt) -> None:
    wrong = sorted(name for name, value in receipt.checksums.items() if sums.get(name, value) != value)
    if not wrong:
        return
    raise IntegrityError(
        f"writing {objects.location.url_of(key)}",
        got=f"another {', '.join(wrong)} from the store",
        expected="the checksum of what was sent",
        state="a damaged file lies there and no record refers to it",
        remedy="delete that file and run the task again",
        code="4015",
    )
