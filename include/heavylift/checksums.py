"""Checksums: computed while bytes stream by, written as lower-case hex everywhere.

CRC32C and CRC64NVME come from awscrt: it takes any buffer without a copy, runs at memory
speed, and can combine the CRCs of parts into that of the whole object. It takes a tenth of a second to
load, and a run that meets small objects only never does: their CRC32C is google-crc32c's, which takes
``bytes``, and so is that of any ``bytes``. CRC32 is zlib's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
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

_SMALL = 64 * 2**10
"""Bytes up to which a copy costs less than the choice of a library that needs none."""

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
    if isinstance(data, bytes) or len(data) <= _SMALL:
        return _small_crc32c()(previous, bytes(data))
    return _large_crc32c()(data, previous)


@lru_cache(maxsize=1)
def _small_crc32c() -> Callable[[int, bytes], int]:
    from google_crc32c import extend

    return cast("Callable[[int, bytes], int]", extend)


@lru_cache(maxsize=1)
def _large_crc32c() -> Callable[[Body, int], int]:
    from awscrt import checksums

    return cast("Callable[[Body, int], int]", checksums.crc32c)


def _crc(algorithm: Algorithm, data: Body, previous: int) -> int:
    if algorithm is Algorithm.CRC32C:
        return _crc32c(data, previous)
    if algorithm is Algorithm.CRC32:
        # As fast as awscrt's, which takes some 50 ms to be imported.
        return zlib.crc32(data, previous)
    from awscrt import checksums

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
    from awscrt import checksums

    function = {
        Algorithm.CRC32C: checksums.combine_crc32c,
        Algorithm.CRC32: checksums.combine_crc32,
        Algorithm.CRC64NVME: checksums.combine_crc64nvme,
    }[algorithm]
    total = 0
    for value, size in parts:
        total = int(function(total, int(value, 16), size))
    return f"{total:0{_CRC_BYTES[algorithm] * 2}x}"


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
