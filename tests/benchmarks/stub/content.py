"""The one content that every object of the stub store has, and what S3 would say of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache

from awscrt import checksums

FILL = b"\xa5"
"""Every byte of every object. One content makes every answer a constant."""

_BLOCK_BYTES = 1 << 20


@cache
def crc32c(size_bytes: int) -> str:
    """Return the CRC32C of that many bytes as S3 writes it."""
    value, left, block = 0, size_bytes, FILL * _BLOCK_BYTES
    while left:
        step = min(left, _BLOCK_BYTES)
        value = checksums.crc32c(block[:step] if step < _BLOCK_BYTES else block, value)
        left -= step
    return base64.b64encode(value.to_bytes(4, "big")).decode()


@cache
def md5(size_bytes: int) -> bytes:
    """Return the MD5 of that many bytes."""
    digest, left, block = hashlib.md5(usedforsecurity=False), size_bytes, FILL * _BLOCK_BYTES
    while left:
        step = min(left, _BLOCK_BYTES)
        digest.update(memoryview(block)[:step])
        left -= step
    return digest.digest()


def etag(size_bytes: int) -> str:
    """Return the ETag of an object that was put whole."""
    return f'"{md5(size_bytes).hex()}"'


def parts_etag(sizes: Sequence[int]) -> str:
    """Return the ETag of an object that was put in parts of these sizes."""
    digest = hashlib.md5(b"".join(md5(size) for size in sizes), usedforsecurity=False)
    return f'"{digest.hexdigest()}-{len(sizes)}"'
