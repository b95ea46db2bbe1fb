"""An S3Store on a scripted server, and the answers that S3 gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from heavylift.checksums import Algorithm, combine_crc32c, digest, hex_to_base64
from heavylift.connections import Connection
from heavylift.locations import Location
from heavylift.platforms.aws.s3 import S3Store
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.pacing import Pacer
from heavylift.platforms.ports import PartReceipt, Upload
from tests.contract.platforms.scripted import Act, ScriptedServer, answer, scripted
from tests.contract.stores.subject import crc32c

BODY = b"the body"
CRC = crc32c(BODY)
MD5 = digest(BODY, Algorithm.MD5)[Algorithm.MD5]
PARTS = [PartReceipt(1, 5, crc32c(b"first"), MD5), PartReceipt(2, 3, crc32c(b"2nd"), "0" * 32)]
WHOLE = combine_crc32c((part.crc32c, part.size_bytes) for part in PARTS)
UPLOAD = Upload("key", "upload-1")


@asynccontextmanager
async def s3(*script: Act, attempts: int = 4, **extra: Any) -> AsyncIterator[tuple[S3Store, ScriptedServer]]:
    """Open a store on a scripted server."""
    async with scripted(*script) as server:
        extra = {"endpoint_url": server.url, "region_name": "us-east-1"} | extra
        login = None if "profile_name" in extra else "AKIAEXAMPLE"
        connection = Connection("target", "aws", login, "secret-key" if login else None, extra=extra)
        settings = HttpSettings(attempts=attempts, base_delay_seconds=0.001)
        store = S3Store(Location("s3", "bucket"), connection, settings=settings, pacer=Pacer())
        try:
            yield store, server
        finally:
            await store.close()


def fault(code: str, more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>Because</Message>{more}</Error>".encode()


def told(crc: str = CRC, etag: str = MD5, size: int = len(BODY), **more: Any) -> Act:
    """Answer a HEAD, or a PUT, about an object."""
    headers: dict[str, Any] = {"ETag": f'"{etag}"', "x_amz_checksum_crc32c": hex_to_base64(crc)} | more
    return answer(200, b"x" * size, **headers)
