"""Proof: judging bytes by what the stores themselves say about them.

A hash of our own bytes compared with the target proves nothing about the read. So what was
read is compared with the source's own checksum, and what was written with the target's; only
where a store says nothing are the bytes read a second time.
"""

from __future__ import annotations

from collections.abc import Iterable

from heavylift.checksums import OF_PARTS, Algorithm, Checksums, Digester
from heavylift.errors import ServerUnavailableError
from heavylift.platforms.ports import ObjectStore

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

MOST_CUTS = 5
"""How often a read is taken up in a row without a byte more."""

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


async def read_checksums(
    store: ObjectStore,
    key: str,
    version: str | None,
    wanted: Iterable[Algorithm],
    part_sizes: Iterable[int] = (),
    *,
    size_bytes: int | None = None,
) -> tuple[int, dict[Algorithm, str]]:
    """Read an object whole and return its size and checksums; nothing is kept in memory.

    A body that ends early is taken up where it broke off, at the same version.

    :param size_bytes: what a listing or head told: an answer that is shorter, and says of itself
        that it is whole, is taken for one that broke off.
    :raises ServerUnavailableError: it broke off too often without a byte between.
    """
    digester = Digester(wanted, part_sizes)
    in_vain = 0
    while True:
        begun_at = digester.size_bytes
        try:
            async with store.get(key, version=version, offset=begun_at) as stream:
                version = stream.head.object.version
                size_bytes = stream.head.object.size_bytes if size_bytes is None else size_bytes
                async for chunk in stream.chunks():
                    digester.update(chunk)
            broke_off = _broke_off(store, key, digester.size_bytes, size_bytes)
        except ServerUnavailableError as error:
            broke_off = error
        if size_bytes is not None and digester.size_bytes >= size_bytes:
            return digester.size_bytes, digester.checksums()
        in_vain = in_vain + 1 if digester.size_bytes == begun_at else 1
        if in_vain >= MOST_CUTS:
            raise broke_off


def _broke_off(store: ObjectStore, key: str, got: int, expected: int) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"reading of {store.location.url_of(key)}",
        got=f"{got} bytes",
        expected=f"{expected} bytes",
        state="nothing was concluded from them",
        remedy="run again; look for a proxy or gateway that cuts bodies short",
        code="5033",
    )
