"""How a large object is cut into parts: by the store's limits, and along the source's own parts.

A target object whose parts are the source's own gets the source's own multipart ETag: equality is
then told by both stores, and by their listings, without a byte being hashed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from heavylift.platforms.ports import ObjectHead, StoreTraits

MOST_SOURCE_PART_BYTES = 64 * 2**20
"""Larger parts of a source are not kept as they are: too few of them fit into memory at once."""


@dataclass(frozen=True)
class Part:
    """One part to send.

    :param number: from 1.
    :param inner_sizes: sizes of the source's own parts that it is made of; empty where it does
        not begin and end with parts of the source.
    """

    number: int
    offset: int
    size_bytes: int
    inner_sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Layout:
    """All parts of one object.

    :param part_bytes: size of each but the last.
    :param along_source: each part is made of whole parts of the source.
    """

    part_bytes: int
    parts: tuple[Part, ...]
    along_source: bool

    @property
    def one_to_one(self) -> bool:
        """Whether the parts are just the source's."""
        return self.along_source and all(len(part.inner_sizes) == 1 for part in self.parts)


def part_size(size_bytes: int, wanted_bytes: int, traits: StoreTraits) -> int:
    """Return the part size for an object: as wanted, unless the store's limits ask for more."""
    needed = -(-size_bytes // traits.max_parts)
    return min(max(wanted_bytes, needed, traits.min_part_bytes), traits.max_part_bytes)


def layout_of(head: ObjectHead, wanted_bytes: int, traits: StoreTraits) -> Layout:
    """Return how to cut an object up for a target with ``traits``.

    The source's parts are kept where they are of one size that the target takes and that memory
    has room for; else as many of them as come to ``wanted_bytes`` are put together.
    """
    size = head.object.size_bytes
    own = _uniform(head.part_sizes, size)
    if own is None:
        return _cut(size, part_size(size, wanted_bytes, traits), None)
    lower = part_size(size, traits.min_part_bytes, traits)
    most = min(max(wanted_bytes, MOST_SOURCE_PART_BYTES), traits.max_part_bytes)
    if lower <= own <= most:
        return _cut(size, own, own)
    together = max(1, part_size(size, wanted_bytes, traits) // own)
    while own * together < lower:
        together += 1
    if own * together <= most:
        return _cut(size, own * together, own)
    return _cut(size, part_size(size, wanted_bytes, traits), None)


def _uniform(sizes: tuple[int, ...], size_bytes: int) -> int | None:
    """Return the size of all parts but the last, or None where they differ or are not known."""
    if not sizes or sum(sizes) != size_bytes or sizes[-1] > sizes[0]:
        return None
    return sizes[0] if all(size == sizes[0] for size in sizes[:-1]) else None


def _cut(size_bytes: int, part_bytes: int, inner: int | None) -> Layout:
    offsets = range(0, size_bytes, part_bytes)
    parts = tuple(
        Part(number, offset, length, _inner(length, inner))
        for number, offset in enumerate(offsets, 1)
        for length in (min(part_bytes, size_bytes - offset),)
    )
    return Layout(part_bytes, parts, inner is not None)


def _inner(length: int, inner: int | None) -> tuple[int, ...]:
    if inner is None:
        return ()
    ends = [min(end, length) for end in accumulate([inner] * -(-length // inner))]
    return tuple(end - begin for begin, end in zip([0, *ends], ends, strict=False))
