"""Cutting large objects up, and proving them from their parts in whatever order these come."""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.checksums import OF_PARTS, Algorithm, Digester, combine, digest, of_parts
from heavylift.objects.part_layout import layout_of
from heavylift.objects.part_proof import proof_for
from heavylift.platforms.ports import (
    ListedObject,
    ObjectAttributes,
    ObjectHead,
    PartReceipt,
    StoreTraits,
)

TRAITS = StoreTraits(
    verifies=frozenset(),
    reports=frozenset(),
    reports_parts=frozenset(),
    min_part_bytes=5,
    max_part_bytes=1000,
    max_parts=100,
    max_put_bytes=1000,
    max_object_bytes=10**9,
)
BODY = bytes(range(256)) * 4


def head(size: int, part_sizes: tuple[int, ...] = (), **sums: str) -> ObjectHead:
    told = {Algorithm(name): value for name, value in sums.items()}
    return ObjectHead(ListedObject("k", size, "v", 0, told), ObjectAttributes(), part_sizes)


@given(st.integers(1, 5000), st.integers(5, 900), st.integers(0, 12), st.integers(1, 700))
def test_parts_cover_the_object_and_keep_to_the_stores_limits(
    size: int, wanted: int, count: int, own: int
) -> None:
    sizes = (own,) * count + (max(1, size - own * count),) if own * count < size else ()
    layout = layout_of(head(size, sizes), wanted, TRAITS)
    assert [part.number for part in layout.parts] == list(range(1, len(layout.parts) + 1))
    assert [part.offset for part in layout.parts] == [layout.part_bytes * n for n in range(len(layout.parts))]
    assert sum(part.size_bytes for part in layout.parts) == size
    assert len(layout.parts) <= TRAITS.max_parts
    assert all(part.size_bytes >= TRAITS.min_part_bytes for part in layout.parts[:-1])
    assert all(part.size_bytes <= TRAITS.max_part_bytes for part in layout.parts)
    for part in layout.parts:
        assert not part.inner_sizes or sum(part.inner_sizes) == part.size_bytes
    if layout.along_source:
        assert tuple(size for part in layout.parts for size in part.inner_sizes) == sizes


def test_parts_of_a_source_are_kept_where_they_fit() -> None:
    assert layout_of(head(250, (100, 100, 50)), 64, TRAITS).one_to_one
    # Too small for the target: as many as come to the wanted size go together.
    together = layout_of(head(13, (3, 3, 3, 3, 1)), 6, TRAITS)
    assert together.part_bytes == 6
    assert [part.inner_sizes for part in together.parts] == [(3, 3), (3, 3), (1,)]
    # Of several sizes: they cannot be kept.
    assert not layout_of(head(250, (100, 50, 100)), 64, TRAITS).along_source


async def proved(told: ObjectHead, order: list[int], md5_of_parts: bool = False) -> dict[Algorithm, str]:
    layout = layout_of(told, 100, TRAITS)
    proof = proof_for(told, layout, md5_of_parts=md5_of_parts)
    bodies = {p.number: BODY[p.offset : p.offset + p.size_bytes] for p in layout.parts}
    parts = [layout.parts[number % len(layout.parts)] for number in order]
    await asyncio.gather(*(proof.add(part, bodies[part.number]) for part in dict.fromkeys(parts)))
    receipts = [
        PartReceipt(n, len(body), "", "", hashlib.md5(body).hexdigest()) for n, body in sorted(bodies.items())
    ]
    return dict(proof.checksums(receipts))


def sizes_of(part: int) -> tuple[int, ...]:
    full, rest = divmod(len(BODY), part)
    return (part,) * full + ((rest,) if rest else ())


def parted(algorithm: Algorithm, part: int) -> str:
    inner = OF_PARTS[algorithm]
    pieces = [BODY[start : start + part] for start in range(0, len(BODY), part)]
    return of_parts(algorithm, [digest(piece, inner)[inner] for piece in pieces])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["crc32c", "crc32", "crc64nvme", "sha256", "sha1", "md5"])
async def test_a_checksum_of_the_whole_is_found_from_parts_in_any_order(name: str, seed: int) -> None:
    algorithm = Algorithm(name)
    right = digest(BODY, algorithm)[algorithm]
    order = list(range(11))
    random.Random(seed).shuffle(order)
    found = await asyncio.wait_for(proved(head(len(BODY), **{name: right}), order), 10)
    assert found[algorithm] == right
    assert found[Algorithm.CRC32C] == digest(BODY, Algorithm.CRC32C)[Algorithm.CRC32C]


@pytest.mark.parametrize("part", [100, 33])
@pytest.mark.parametrize("algorithm", sorted(OF_PARTS))
async def test_a_checksum_of_the_sources_parts_is_found(algorithm: Algorithm, part: int) -> None:
    right = parted(algorithm, part)
    told = head(len(BODY), sizes_of(part), **{algorithm.value: right})
    assert (await proved(told, list(range(40))))[algorithm] == right
    # The same in one pass, as a verification reads.
    digester = Digester([algorithm], sizes_of(part))
    for start in range(0, len(BODY), 7):
        digester.update(BODY[start : start + 7])
    assert digester.checksums()[algorithm] == right


async def test_the_targets_md5s_stand_in_for_ours_only_along_the_sources_parts() -> None:
    right = parted(Algorithm.MD5_PARTS, 100)
    told = head(len(BODY), sizes_of(100), md5_parts=right)
    assert (await proved(told, list(range(11)), md5_of_parts=True))[Algorithm.MD5_PARTS] == right
    proof = proof_for(told, layout_of(told, 100, TRAITS), md5_of_parts=True)
    assert proof.by_receipts
    small = head(len(BODY), sizes_of(33), md5_parts=parted(Algorithm.MD5_PARTS, 33))
    together = layout_of(small, 100, replace(TRAITS, min_part_bytes=50))
    assert not proof_for(small, together, md5_of_parts=True).by_receipts


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_crcs_combine(parts: list[bytes]) -> None:
    for algorithm in (Algorithm.CRC32C, Algorithm.CRC32, Algorithm.CRC64NVME):
        told = [(digest(part, algorithm)[algorithm], len(part)) for part in parts]
        assert combine(algorithm, told) == digest(b"".join(parts), algorithm)[algorithm]
