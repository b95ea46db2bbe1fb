"""What is moved: how many objects, of which sizes, under which keys, with which contents."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

MIB = 1 << 20
PIECE_BYTES = 8 * MIB
"""Contents are made in pieces of this size; each begins with bytes of its own."""

_SIGMA = 2.0
_OWN_BYTES = 16


@dataclass(frozen=True)
class Load:
    """Objects of a source bucket.

    :param size_bytes: of each object, or of all together where sizes differ.
    :param mixed: sizes are log-normal, as those of real buckets roughly are.
    """

    name: str
    objects: int
    size_bytes: int
    mixed: bool = False

    @property
    def large(self) -> bool:
        """Return whether objects are so large that their parts matter more than their number."""
        return not self.mixed and self.size_bytes > PIECE_BYTES

    def scaled(self, scale: float) -> Load:
        """Return a load of the same kind with less in it: fewer objects, or smaller large ones."""
        if scale == 1:
            return self
        if self.large:
            return replace(self, size_bytes=max(4 * PIECE_BYTES, int(self.size_bytes * scale)))
        objects = max(10, int(self.objects * scale))
        size = int(self.size_bytes * objects / self.objects) if self.mixed else self.size_bytes
        return replace(self, objects=objects, size_bytes=size)

    def sizes(self) -> list[int]:
        """Return the size of each object; the same at each call."""
        if not self.mixed:
            return [self.size_bytes] * self.objects
        drawn = random.Random(20260101)
        weights = [drawn.lognormvariate(0, _SIGMA) for _ in range(self.objects)]
        each = self.size_bytes / sum(weights)
        return [max(1, int(weight * each)) for weight in weights]

    def total_bytes(self) -> int:
        """Return the bytes of all objects."""
        return sum(self.sizes())

    def text(self) -> str:
        """Return the load in words."""
        if self.mixed:
            return f"{self.objects:,} objects of log-normal sizes, {self.size_bytes / 1e9:g} GB in all"
        unit = f"{self.size_bytes // MIB} MiB" if self.size_bytes >= MIB else f"{self.size_bytes // 1024} KiB"
        return f"{self.objects:,} object{'' if self.objects == 1 else 's'} of {unit}"


def key(number: int) -> str:
    """Return the key of an object."""
    return f"data/{number % 50:02d}/object-{number:06d}"


def pieces(number: int, size_bytes: int, noise: bytes) -> Iterator[bytes]:
    """Yield an object's content: noise that cannot be compressed, and no two pieces alike.

    :param noise: ``PIECE_BYTES`` random bytes.
    """
    for at in range(0, size_bytes, PIECE_BYTES):
        length = min(PIECE_BYTES, size_bytes - at)
        own = (number << 64 | at).to_bytes(_OWN_BYTES, "big")
        yield (own + noise[_OWN_BYTES:length])[:length]


SMALL = Load("small", 10_000, 16 * 1024)
LARGE = Load("large", 4, 256 * MIB)
HUGE = Load("huge", 1, 2048 * MIB)
MIXED = Load("mixed", 20_000, 2_000_000_000, mixed=True)
