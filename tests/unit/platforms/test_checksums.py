"""A CRC32C is the same whichever library computes it."""

from __future__ import annotations

import os
import zlib

import pytest
from awscrt import checksums as crt
from hypothesis import given
from hypothesis import strategies as st

from heavylift.checksums import Algorithm, Digester, combine, combine_crc32c, crc32c_of, digest

KNOWN = b"123456789"
BORDER = 64 * 2**10


def test_known_values() -> None:
    assert digest(KNOWN, Algorithm.CRC32C, Algorithm.CRC32, Algorithm.CRC64NVME) == {
        Algorithm.CRC32C: "e3069283",
        Algorithm.CRC32: f"{zlib.crc32(KNOWN):08x}",
        Algorithm.CRC64NVME: "ae8b14860a799888",
    }


@pytest.mark.parametrize("size", [0, 1, BORDER - 1, BORDER, BORDER + 1, 3 * BORDER])
@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_crc32c_is_the_same_in_pieces_of_any_size_and_buffer(size: int, buffer: type) -> None:
    data = os.urandom(size)
    whole = Digester([Algorithm.CRC32C])
    for start in range(0, size, 1000):
        whole.update(buffer(data[start : start + 1000]))
    assert crc32c_of(buffer(data)) == whole.checksums()[Algorithm.CRC32C]
    assert combine_crc32c([(crc32c_of(data), size), (crc32c_of(KNOWN), 9)]) == crc32c_of(data + KNOWN)


COMBINING = {
    Algorithm.CRC32: crt.combine_crc32,
    Algorithm.CRC32C: crt.combine_crc32c,
    Algorithm.CRC64NVME: crt.combine_crc64nvme,
}


@pytest.mark.parametrize("algorithm", COMBINING)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_the_checksum_of_a_whole_comes_from_those_of_its_parts(
    algorithm: Algorithm, parts: list[bytes]
) -> None:
    told = [(digest(part, algorithm)[algorithm], len(part)) for part in parts]
    assert combine(algorithm, told) == digest(b"".join(parts), algorithm)[algorithm]


@pytest.mark.parametrize("algorithm", COMBINING)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 2**43))
def test_parts_of_any_size_are_combined_as_another_library_does(
    algorithm: Algorithm, one: int, other: int, size: int
) -> None:
    width = 16 if algorithm is Algorithm.CRC64NVME else 8
    found = combine(algorithm, [(f"{one:x}", 1), (f"{other:x}", size)])
    assert found == f"{COMBINING[algorithm](one, other, size):0{width}x}"
