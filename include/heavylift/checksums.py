"""Checksums: computed while bytes stream by, written as lower-case hex everywhere.

CRC32C and CRC64NVME come from awscrt: it takes any buffer without a copy, runs at memory
speed, and can combine the CRCs of parts into that of the whole object.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any


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
    ETAG = "etag"
    """An ETag of the shape of an MD5 or MD5_PARTS, of which a listing does not tell whether it is
    one (the object may be encrypted): equal to another side's, it proves equal content; unequal,
    it proves nothing; it cannot be recomputed."""


Checksums = Mapping[Algorithm, str]
"""Algorithm → lower-case hex."""

_CRC_BYTES = {Algorithm.CRC32C: 4, Algorithm.CRC32: 4, Algorithm.CRC64NVME: 8}


class Digester:
    """Computes several checksums of one byte stream in one pass.

    :param algorithms: what to compute; MD5_PARTS also needs ``part_sizes``.
    :param part_sizes: sizes of the source's parts, in bytes, in order.
    """

    def __init__(self, algorithms: Iterable[Algorithm], part_sizes: Iterable[int] = ()) -> None:
        wanted = set(algorithms)
        self._crcs: dict[Algorithm, int] = {a: 0 for a in wanted if a in _CRC_BYTES}
        self._hashes: dict[Algorithm, Any] = {
            a: hashlib.new(a.value, usedforsecurity=False)
            for a in wanted
            if a not in _CRC_BYTES and a not in {Algorithm.MD5_PARTS, Algorithm.ETAG}
        }
        self._parts = _PartedMd5(part_sizes) if Algorithm.MD5_PARTS in wanted else None
        self.size_bytes = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take in the next bytes."""
        self.size_bytes += len(data)
        for algorithm, value in self._crcs.items():
            self._crcs[algorithm] = _crc(algorithm, data, value)
        for digest in self._hashes.values():
            digest.update(data)
        if self._parts is not None:
            self._parts.update(memoryview(data))

    def checksums(self) -> dict[Algorithm, str]:
        """Return the checksums of all that was taken in so far."""
        result = {a: f"{v:0{_CRC_BYTES[a] * 2}x}" for a, v in self._crcs.items()}
        result.update({a: d.hexdigest() for a, d in self._hashes.items()})
        if self._parts is not None:
            result[Algorithm.MD5_PARTS] = self._parts.value()
        return result


class _PartedMd5:
    """The S3 multipart ETag: MD5 over the MD5s of the parts, then ``-<number of parts>``."""

    def __init__(self, sizes: Iterable[int]) -> None:
        self._sizes = iter(sizes)
        self._left = next(self._sizes, None)
        self._current = hashlib.md5(usedforsecurity=False)
        self._digests: list[bytes] = []

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
        self._digests.append(self._current.digest())
        self._current = hashlib.md5(usedforsecurity=False)
        self._left = next(self._sizes, None)

    def value(self) -> str:
        joined = hashlib.md5(b"".join(self._digests), usedforsecurity=False)
        return f"{joined.hexdigest()}-{len(self._digests)}"


def _crc(algorithm: Algorithm, data: bytes | bytearray | memoryview, previous: int) -> int:
    from awscrt import checksums

    function = {
        Algorithm.CRC32C: checksums.crc32c,
        Algorithm.CRC32: checksums.crc32,
        Algorithm.CRC64NVME: checksums.crc64nvme,
    }[algorithm]
    return int(function(data, previous))


def digest(data: bytes | memoryview, *algorithms: Algorithm) -> dict[Algorithm, str]:
    """Return the named checksums of ``data``."""
    digester = Digester(algorithms)
    digester.update(data)
    return digester.checksums()


def combine_crc32c(parts: Iterable[tuple[str, int]]) -> str:
    """Return the CRC32C of a whole from its parts' ``(crc32c hex, size in bytes)``, in order."""
    from awscrt import checksums

    total = 0
    for value, size in parts:
        total = int(checksums.combine_crc32c(total, int(value, 16), size))
    return f"{total:08x}"


def hex_to_base64(value: str) -> str:
    """Return a hex digest in the base64 form that HTTP headers of all three clouds use."""
    return base64.b64encode(bytes.fromhex(value)).decode()


def base64_to_hex(value: str) -> str:
    """Return a base64 digest header as lower-case hex.

    :raises ValueError: not base64.
    """
    return base64.b64decode(value, validate=True).hex()
