"""Proof: judging bytes by what the stores themselves say about them.

A hash of our own bytes compared with the target proves nothing about the read. So what was
read is compared with the source's own checksum, and what was written with the target's; only
where a store says nothing are the bytes read a second time.
"""

from __future__ import annotations

from collections.abc import Iterable

from heavylift.checksums import OF_PARTS, Algorithm, Checksums, Digester
from heavylift.platforms.ports import ObjectHead, ObjectStore

PREFERENCE = (
    Algorithm.CRC32C,
    Algorithm.CRC64NVME,
    Algorithm.CRC32,
    Algorithm.CRC32C_PARTS,
    Algorithm.CRC32_PARTS,
    Algorithm.SHA256,
    Algorithm.SHA256_PARTS,
    Algorithm.SHA1,
    Algorithm.SHA1_PARTS,
    Algorithm.MD5,
    Algorithm.MD5_PARTS,
)
"""From the cheapest to compute to the dearest; each is as good against faults."""

READ_TWICE = "read_twice"
READ_BACK = "read_back"


def usable_algorithm(checksums: Checksums, part_sizes: tuple[int, ...] = ()) -> Algorithm | None:
    """Return the cheapest checksum that can be recomputed from the bytes, or None."""
    for algorithm in PREFERENCE:
        if algorithm in checksums and (algorithm not in OF_PARTS or part_sizes):
            return algorithm
    return None


def common_algorithm(one: Checksums, other: Checksums) -> Algorithm | None:
    """Return a checksum that both sides tell, or None.

    Two checksums of parts decide only where they are equal: they depend on the part sizes.
    """
    for algorithm in PREFERENCE:
        if algorithm in one and algorithm in other:
            if algorithm in OF_PARTS and one[algorithm] != other[algorithm]:
                continue
            return algorithm
    return None


def agree(one: Checksums, other: Checksums) -> bool | None:
    """Return whether two sets of checksums say the same; None where they have none in common."""
    algorithm = common_algorithm(one, other)
    return None if algorithm is None else one[algorithm] == other[algorithm]


def digester_for(head: ObjectHead, also: Iterable[Algorithm]) -> Digester:
    """Return a digester that computes CRC32C, what proves the read, and ``also``."""
    proof = usable_algorithm(head.object.checksums, head.part_sizes)
    wanted = {Algorithm.CRC32C, *also} | ({proof} if proof else set())
    return Digester(wanted, head.part_sizes)


async def read_checksums(
    store: ObjectStore,
    key: str,
    version: str | None,
    wanted: Iterable[Algorithm],
    part_sizes: Iterable[int] = (),
) -> tuple[int, dict[Algorithm, str]]:
    """Read an object whole and return its size and checksums; nothing is kept in memory."""
    digester = Digester(wanted, part_sizes)
    async with store.get(key, version=version) as stream:
        async for chunk in stream.chunks():
            digester.update(chunk)
    return digester.size_bytes, digester.checksums()
