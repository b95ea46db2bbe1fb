"""Checksums: computed while bytes stream by, written as lower-case hex everywhere.

CRC32C is google-crc32c's, CRC32 and CRC64NVME are awscrt's. The latter takes long to load, and
most runs never do: no store needs these two where it tells or takes a CRC32C.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, cast


class Algorithm(StrEnum):
    """Digests that object stores report or verify."""

    CRC32C = "crc32c"
    CRC64NVME = "crc64nvme"
    CRC32 = "crc32"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    MD5_PARTS = "md5_parts"
    """An S3 multipart ETag, ``<hex>-<parts>``: needs the part sizes to be recomputed."""
    CRC32_PARTS = "crc32_parts"
    """An S3 COMPOSITE checksum, ``<hex>-<parts>``: the CRC32 of the parts' CRC32s; as MD5_PARTS."""
    CRC32C_PARTS = "crc32c_parts"
    SHA1_PARTS = "sha1_parts"
    SHA256_PARTS = "sha256_parts"
    ETAG = "etag"
    """An ETag of the shape of an MD5 or MD5_PARTS, of which a listing does not tell whether it is
    one (the object may be encrypted): equal to another side's, it proves equal content; unequal,
    it proves nothing; it cannot be recomputed."""


Body = bytes | bytearray | memoryview
"""Bytes of an object, in whatever buffer they arrived."""

_HASHES = frozenset({Algorithm.MD5, Algorithm.SHA1, Algorithm.SHA256})

Checksums = Mapping[Algorithm, str]
"""Algorithm → lower-case hex."""

_PIECE = 64 * 2**10
"""google_crc32c takes bytes alone. Pieces of this size stay in the processor's cache when they are copied
for it, which makes it faster than libraries that need no copy."""

_CRC_BYTES = {Algorithm.CRC32C: 4, Algorithm.CRC32: 4, Algorithm.CRC64NVME: 8}
COMBINABLE = frozenset(_CRC_BYTES)
"""Those of a whole can be computed from those of its parts."""

OF_PARTS: Mapping[Algorithm, Algorithm] = {
    Algorithm.MD5_PARTS: Algorithm.MD5,
    Algorithm.CRC32_PARTS: Algorithm.CRC32,
    Algorithm.CRC32C_PARTS: Algorithm.CRC32C,
    Algorithm.SHA1_PARTS: Algorithm.SHA1,
    Algorithm.SHA256_PARTS: Algorithm.SHA256,
}
"""S3's checksums of parts' checksums
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html): they
can be recomputed only by who knows the sizes of the parts."""


class Digester:
    """Computes several checksums of one byte stream in one pass.

    :param algorithms: what to compute; those of parts also need ``part_sizes``.
    :param part_sizes: sizes of the source's parts, in bytes, in order.
    """

    def __init__(self, algorithms: Iterable[Algorithm], part_sizes: Iterable[int] = ()) -> None:
        wanted = set(algorithms)
        self._crcs: dict[Algorithm, int] = {a: 0 for a in wanted if a in _CRC_BYTES}
        self._hashes: dict[Algorithm, Any] = {
            a: hashlib.new(a.value, usedforsecurity=False) for a in wanted if a in _HASHES
        }
        sizes = tuple(part_sizes)
        self._parts = {a: _Parted(a, sizes) for a in wanted if a in OF_PARTS}
        self.size_bytes = 0

    def update(self, data: Body) -> None:
        """Take in the next bytes."""
        self.size_bytes += len(data)
        for algorithm, value in self._crcs.items():
            self._crcs[algorithm] = _crc(algorithm, data, value)
        for digest in self._hashes.values():
            digest.update(data)
        for parted in self._parts.values():
            parted.update(memoryview(data))

    def checksums(self) -> dict[Algorithm, str]:
        """Return the checksums of all that was taken in so far."""
        result = {a: f"{v:0{_CRC_BYTES[a] * 2}x}" for a, v in self._crcs.items()}
        result.update({a: d.hexdigest() for a, d in self._hashes.items()})
        result.update({a: parted.value() for a, parted in self._parts.items()})
        return result


class _Parted:
    """A checksum of parts' checksums, in one pass."""

    def __init__(self, algorithm: Algorithm, sizes: Iterable[int]) -> None:
        self._algorithm = algorithm
        self._sizes = iter(sizes)
        self._current = Digester([OF_PARTS[algorithm]])
        self._digests: list[str] = []
        self._left = next(self._sizes, None)
        self._close_empty_parts()

    def update(self, data: memoryview) -> None:
        while len(data):
            take = len(data) if self._left is None else min(self._left, len(data))
            self._current.update(data[:take])
            data = data[take:]
            if self._left is not None:
                self._left -= take
                if self._left == 0:
                    self._close_part()

    def _close_part(self) -> None:
        inner = OF_PARTS[self._algorithm]
        self._digests.append(self._current.checksums()[inner])
        self._current = Digester([inner])
        self._left = next(self._sizes, None)
        self._close_empty_parts()

    def _close_empty_parts(self) -> None:
        # An empty object that was uploaded in parts has one part, and no byte will come to close it.
        while self._left == 0:
            self._left = None
            self._close_part()

    def value(self) -> str:
        return of_parts(self._algorithm, self._digests)


def of_parts(algorithm: Algorithm, digests: Sequence[str]) -> str:
    """Return S3's checksum of an object from its parts' checksums (hex, in order)."""
    joined = b"".join(bytes.fromhex(value) for value in digests)
    inner = OF_PARTS[algorithm]
    return f"{digest(joined, inner)[inner]}-{len(digests)}"


def _crc32c(data: Body, previous: int) -> int:
    extend = _extend_crc32c()
    if isinstance(data, bytes) or len(data) <= _PIECE:
        return extend(previous, bytes(data))
    view = memoryview(data)
    for start in range(0, len(view), _PIECE):
        previous = extend(previous, bytes(view[start : start + _PIECE]))
    return previous


@lru_cache(maxsize=1)
def _extend_crc32c() -> Callable[[int, bytes], int]:
    from google_crc32c import extend

    return cast("Callable[[int, bytes], int]", extend)


def _crc(algorithm: Algorithm, data: Body, previous: int) -> int:
    if algorithm is Algorithm.CRC32C:
        return _crc32c(data, previous)
    from awscrt import checksums

    if algorithm is Algorithm.CRC32:
        return int(checksums.crc32(data, previous))
    return int(checksums.crc64nvme(data, previous))


def crc32c_of(data: Body) -> str:
    """Return the CRC32C of ``data``, hex; ``digest`` without its cost for small objects."""
    return f"{_crc32c(data, 0):08x}"


def digest(data: Body, *algorithms: Algorithm) -> dict[Algorithm, str]:
    """Return the named checksums of ``data``."""
    digester = Digester(algorithms)
    digester.update(data)
    return digester.checksums()


def combine(algorithm: Algorithm, parts: Iterable[tuple[str, int]]) -> str:
    """Return the CRC of a whole from its parts' ``(hex, size in bytes)``, in order.

    :raises KeyError: the algorithm is none of ``COMBINABLE``.
    """
    digits = _CRC_BYTES[algorithm] * 2
    total = 0
    for value, size in parts:
        total = _times(total, _shift(algorithm, size), algorithm) ^ int(value, 16)
    return f"{total:0{digits}x}"


# A CRC is a remainder of polynomials over GF(2). That of bytes with n bytes after them is the one
# without them, times x^(8n); so one of a whole comes from those of its parts (zlib's crc32_combine).
_POLYNOMIALS = {
    Algorithm.CRC32C: 0x82F63B78,
    Algorithm.CRC32: 0xEDB88320,
    Algorithm.CRC64NVME: 0x9A6C9329AC4BC9B5,
}
"""Their lowest power is the highest bit, and the leading one is left out."""


def _times(one: int, other: int, algorithm: Algorithm) -> int:
    """Return the product of two remainders."""
    polynomial, bit, product = _POLYNOMIALS[algorithm], 1 << (_CRC_BYTES[algorithm] * 8 - 1), 0
    while bit:
        if one & bit:
            product ^= other
        bit >>= 1
        other = other >> 1 ^ (polynomial if other & 1 else 0)
    return product


@lru_cache(maxsize=256)
def _shift(algorithm: Algorithm, size: int) -> int:
    """Return the remainder of x^(8 * size)."""
    width = _CRC_BYTES[algorithm] * 8
    power, result, left = 1 << (width - 1 - 8), 1 << (width - 1), size
    while left:
        if left & 1:
            result = _times(result, power, algorithm)
        power = _times(power, power, algorithm)
        left >>= 1
    return result


def combine_crc32c(parts: Iterable[tuple[str, int]]) -> str:
    """Return the CRC32C of a whole from its parts' ``(crc32c hex, size in bytes)``, in order."""
    return combine(Algorithm.CRC32C, parts)


def hex_to_base64(value: str) -> str:
    """Return a hex digest in the base64 form that HTTP headers of all three clouds use."""
    return base64.b64encode(bytes.fromhex(value)).decode()


def base64_to_hex(value: str) -> str:
    """Return a base64 digest header as lower-case hex.

    :raises ValueError: not base64.
    """
    return binascii.a2b_base64(value, strict_mode=True).hex()
