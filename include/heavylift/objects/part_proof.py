"""Proving a large object whose parts were read side by side, in whatever order they came.

Checksums that can be put together from those of parts (CRCs, and S3's checksums of parts) are
computed part by part. Those that cannot (MD5, SHA) are fed in order, each part waiting for the
one before it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from heavylift.checksums import (
    COMBINABLE,
    OF_PARTS,
    Algorithm,
    Body,
    Checksums,
    combine,
    digest,
    of_parts,
)
from heavylift.objects.part_layout import Layout, Part
from heavylift.objects.proof import usable_algorithm
from heavylift.platforms.ports import ObjectHead, PartReceipt

_IN_THREAD_BYTES = 1024 * 1024


@dataclass(frozen=True)
class PartDigest:
    """What was computed of one part.

    :param inner: digests of the source's own parts in it, hex; in the algorithm that the
        source's checksum of parts is made with.
    """

    size_bytes: int
    sums: Checksums
    inner: tuple[str, ...] = ()


@dataclass
class PartsProof:
    """Gathers what proves one object.

    :param algorithm: what the source tells and can be recomputed; None: nothing.
    :param by_receipts: the target itself tells the digests of which the source's is made, so
        that none has to be computed here.
    """

    head: ObjectHead
    layout: Layout
    algorithm: Algorithm | None
    by_receipts: bool
    digests: dict[int, PartDigest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ordered = self.algorithm not in {None, *COMBINABLE, *OF_PARTS}
        self._hash: Any = hashlib.new(str(self.algorithm), usedforsecurity=False) if ordered else None
        self._turns = [asyncio.Event() for _ in self.layout.parts] if ordered else []

    async def add(self, part: Part, body: Body) -> str:
        """Take in one part's bytes and return its CRC32C; may be called again for the same part."""
        wanted = {Algorithm.CRC32C} | ({self.algorithm} if self.algorithm in COMBINABLE else set())
        sums = digest(body, *wanted)
        inner: tuple[str, ...] = ()
        if self.algorithm in OF_PARTS and not self.by_receipts:
            inner = await _inner_digests(body, part.inner_sizes, OF_PARTS[cast("Algorithm", self.algorithm)])
        if self._hash is not None and part.number not in self.digests:
            await self._in_turn(part, body)
        self.digests[part.number] = PartDigest(len(body), sums, inner)
        return sums[Algorithm.CRC32C]

    async def _in_turn(self, part: Part, body: Body) -> None:
        if part.number > 1:
            await self._turns[part.number - 2].wait()
        await asyncio.to_thread(self._hash.update, body)
        self._turns[part.number - 1].set()

    def knows(self, part: Part, receipt: PartReceipt) -> bool:
        """Take in a part that the target holds from an earlier attempt, if its receipt says enough."""
        enough = self.algorithm is Algorithm.CRC32C or (self.by_receipts and bool(receipt.md5))
        if not (enough and receipt.crc32c and receipt.size_bytes == part.size_bytes):
            return False
        self.digests[part.number] = PartDigest(part.size_bytes, {Algorithm.CRC32C: receipt.crc32c})
        return True

    def checksums(self, receipts: Sequence[PartReceipt]) -> Checksums:
        """Return the checksums of the whole: CRC32C, and the one that the source tells."""
        digests = [self.digests[number] for number in sorted(self.digests)]
        found = {Algorithm.CRC32C: _combined(Algorithm.CRC32C, digests)}
        if self.algorithm is None:
            return found
        if self._hash is not None:
            found[self.algorithm] = self._hash.hexdigest()
        elif self.by_receipts:
            found[self.algorithm] = of_parts(self.algorithm, [receipt.md5 for receipt in receipts])
        elif self.algorithm in OF_PARTS:
            inner = [value for one in digests for value in one.inner]
            found[self.algorithm] = of_parts(self.algorithm, inner)
        else:
            found[self.algorithm] = _combined(self.algorithm, digests)
        return found


def proof_for(head: ObjectHead, layout: Layout, *, md5_of_parts: bool) -> PartsProof:
    """Choose how an object is to be proved.

    :param md5_of_parts: the target tells the MD5 of each part that it took.
    """
    sums = head.object.checksums
    if md5_of_parts and layout.one_to_one and Algorithm.MD5_PARTS in sums:
        return PartsProof(head, layout, Algorithm.MD5_PARTS, by_receipts=True)
    sizes = head.part_sizes if layout.along_source else ()
    return PartsProof(head, layout, usable_algorithm(sums, sizes), by_receipts=False)


def _combined(algorithm: Algorithm, digests: Sequence[PartDigest]) -> str:
    return combine(algorithm, [(one.sums[algorithm], one.size_bytes) for one in digests])


async def _inner_digests(body: Body, sizes: Sequence[int], algorithm: Algorithm) -> tuple[str, ...]:
    if algorithm in COMBINABLE or len(body) < _IN_THREAD_BYTES:
        return _inner(body, sizes, algorithm)
    return await asyncio.to_thread(_inner, body, sizes, algorithm)


def _inner(body: Body, sizes: Sequence[int], algorithm: Algorithm) -> tuple[str, ...]:
    view, found, at = memoryview(body), [], 0
    for size in sizes:
        found.append(digest(view[at : at + size], algorithm)[algorithm])
        at += size
    return tuple(found)
