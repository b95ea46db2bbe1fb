"""TLS: whom the client trusts, and that S3 bodies then go unsigned."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import PermanentError
from heavylift.locations import Location
from heavylift.platforms.http import HttpClient, HttpSettings, Request, Response
from heavylift.platforms.wiring import open_store
from tests.contract.platforms.authority import self_signed
from tests.contract.platforms.scripted import answer, scripted
from tests.contract.stores.subject import put

QUICK = HttpSettings(attempts=3, base_delay_seconds=0.001)


async def as_given(request: Request) -> Mapping[str, str]:
    return request.headers


async def get(url: str, tls: ssl.SSLContext | None) -> Response:
    """Get ``url``."""
    http = HttpClient(as_given, lambda *_: None, settings=QUICK, tls=tls)
    try:
        return await http.send(Request("GET", url, "get of key", {}))
    finally:
        await http.close()


async def test_a_private_authority_is_trusted_when_it_is_named(tmp_path: Path) -> None:
    shown, context = self_signed(tmp_path, "localhost")
    async with scripted(answer(200, b"fine"), tls=context) as server:
        assert (await get(server.url, ssl.create_default_context(cafile=str(shown)))).body == b"fine"


@pytest.mark.parametrize(("host", "trusted"), [("localhost", False), ("elsewhere.example", True)])
async def test_a_certificate_that_is_not_to_be_trusted_is_final(
    tmp_path: Path, host: str, trusted: bool
) -> None:
    shown, context = self_signed(tmp_path, host)
    tls = ssl.create_default_context(cafile=str(shown)) if trusted else None
    async with scripted(answer(200), tls=context) as server:
        with pytest.raises(PermanentError, match="no trusted TLS connection") as caught:
            await get(server.url, tls)
    assert caught.value.code == "3008"
    assert server.requests == []


@pytest.mark.parametrize("how", ["named", "unchecked"])
async def test_s3_over_tls_signs_no_body(tmp_path: Path, how: str) -> None:
    shown, context = self_signed(tmp_path, "localhost")
    extra: dict[str, Any] = {"region_name": "us-east-1", "verify": str(shown) if how == "named" else False}
    async with scripted(answer(200), tls=context) as server:
        connection = Connection("c", "aws", "AKIA", "secret", extra=extra | {"endpoint_url": server.url})
        async with open_store(Location("s3", "bucket"), connection, settings=QUICK) as store:
            await put(store, "key", b"x" * 100_000)
    [sent] = server.requests
    assert sent.body == b"x" * 100_000
    assert sent.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
