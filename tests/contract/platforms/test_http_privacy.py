"""What HttpClient sends on behalf of whom, and what its errors keep back."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.errors import (
    HeavyliftError,
)
from heavylift.platforms.http import HttpClient, Request
from tests.contract.platforms.scripted import (
    Act,
    answer,
    hang_up,
    scripted,
)
from tests.contract.platforms.test_http import QUICK, client, garbage, no_reading, request


async def test_each_attempt_is_signed_afresh() -> None:
    count = iter(range(10))

    async def sign(_request: Request) -> Mapping[str, str]:
        return {"x-signed": str(next(count))}

    async with scripted(answer(503), answer(200)) as server:
        http = HttpClient(sign, no_reading, settings=QUICK)
        await http.send(request(server))
        await http.close()
    assert [r.headers["x-signed"] for r in server.requests] == ["0", "1"]


async def test_a_netrc_file_touches_no_signed_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    async def sign(_request: Request) -> Mapping[str, str]:
        return {"authorization": "AWS4-HMAC-SHA256 signed"}

    async with scripted(answer(200)) as server:
        http = HttpClient(sign, no_reading, settings=QUICK)
        await http.send(request(server))
        await http.close()
    assert server.requests[0].headers["authorization"] == "AWS4-HMAC-SHA256 signed"


async def test_a_proxy_of_the_environment_is_used_and_no_proxy_honoured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with scripted(answer(200, b"proxy")) as proxy, scripted(answer(200, b"direct")) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        http = client()
        assert (await http.send(request(server))).body == b"proxy"
        await http.close()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        http = client()
        assert (await http.send(request(server))).body == b"direct"
        await http.close()
    assert proxy.requests[0].target.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("act", [hang_up, answer(403), garbage, answer(200, b"x", announced=9)])
async def test_no_error_shows_a_signed_url(act: Act) -> None:
    secret = "-".join(("top", "secret"))
    async with scripted(act) as server:
        http = client(replace(QUICK, attempts=1))
        with pytest.raises(HeavyliftError) as caught:
            await http.send(Request("GET", f"{server.url}/k?sig={secret}", "get of k", {}))
        await http.close()
    assert secret not in "".join(traceback.format_exception(caught.value))
    assert secret not in repr(caught.value.attrs())
