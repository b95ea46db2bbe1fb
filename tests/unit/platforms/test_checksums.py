"""A CRC32C is the same whichever library computes it."""

from __future__ import annotations

import os
import zlib

import pytest

from heavylift.checksums import Algorithm, Digester, combine_crc32c, crc32c_of, digest

KNOWN = b"123456789"
BORDER = 64 * 2**10


def test_known_values() -> None:
    assert digest(KNOWN, Algorithm.CRC32C, Algorithm.CRC32, Algorithm.CRC64NVME) == {
        Algorithm.CRC32C: "e3069283",
        Algorithm.CRC32: f"{zlib.crc32(KNOWN):08x}",
        Algorithm.CRC64NVME: "ae8b14860a799888",
    }


@pytest.mark.parametrize("size", [0, 1, BORDER - 1, BORDER, BORDER + 1])
@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_crc32c_is_the_same_in_pieces_of_any_size_and_buffer(size: int, buffer: type) -> None:
    data = os.urandom(size)
    whole = Digester([Algorithm.CRC32C])
    for start in range(0, size, 1000):
        whole.update(buffer(data[start : start + 1000]))
    assert crc32c_of(buffer(data)) == whole.checksums()[Algorithm.CRC32C]
    assert combine_crc32c([(crc32c_of(data), size), (crc32c_of(KNOWN), 9)]) == crc32c_of(data + KNOWN)
