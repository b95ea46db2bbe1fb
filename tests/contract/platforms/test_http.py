"""HttpClient against a server that refuses, cuts, stalls and answers too early."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    IntegrityError,
    NotFoundError,
    PermanentError,
    ServerUnavailableError,
    ThrottledError,
    TransientError,
)
from heavylift.platforms.http import HttpClient, HttpSettings, Request, Response
from heavylift.platforms.pacing import Pacer
from tests.contract.platforms.scripted import (
    Act,
    Exchange,
    ScriptedServer,
    answer,
    answer_at_once,
    hang_up,
    say_nothing,
    scripted,
    take_nothing,
)

QUICK = HttpSettings(attempts=4, base_delay_seconds=0.001, max_delay_seconds=0.01, stall_seconds=5)
IMPATIENT = replace(QUICK, attempts=2, stall_seconds=0.2)


async def as_given(request: Request) -> Mapping[str, str]:
    return request.headers


def no_reading(_request: Request, _status: int, _headers: Mapping[str, str], _body: bytes) -> None:
    return None


def client(settings: HttpSettings = QUICK, pacer: Pacer | None = None) -> HttpClient:
    return HttpClient(as_given, no_reading, settings=settings, pacer=pacer)


def request(server: ScriptedServer, method: str = "GET", path: str = "/key", body: bytes = b"") -> Request:
    return Request(method, server.url + path, f"{method} of {path}", {"x-test": "1"}, body)


async def send(
    *script: Act, method: str = "GET", body: bytes = b"", settings: HttpSettings = QUICK
) -> tuple[Response, ScriptedServer]:
    """Send one request to a server with this script."""
    async with scripted(*script) as server:
        http = client(settings)
        try:
            return await http.send(request(server, method, body=body)), server
        finally:
            await http.close()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_transient_status_is_tried_again(status: int) -> None:
    response, server = await send(answer(status), answer(status), answer(200, b"fine"))
    assert response.body == b"fine"
    assert len(server.requests) == 3


async def test_a_line_that_is_cut_before_the_answer_is_tried_again() -> None:
    response, server = await send(hang_up, answer(200, b"fine"), method="PUT", body=b"x" * 10)
    assert response.body == b"fine"
    assert [r.body for r in server.requests] == [b"x" * 10] * 2


async def test_an_answer_that_is_cut_is_tried_again() -> None:
    response, _ = await send(answer(200, b"half", announced=8), answer(200, b"complete"))
    assert response.body == b"complete"


@pytest.mark.parametrize(
    ("status", "kind"), [(429, ThrottledError), (503, ServerUnavailableError), (500, ServerUnavailableError)]
)
async def test_it_gives_up_after_the_attempts_allowed(status: int, kind: type[HeavyliftError]) -> None:
    async with scripted(answer(status)) as server:
        http = client()
        with pytest.raises(kind):
            await http.send(request(server))
        await http.close()
    assert len(server.requests) == QUICK.attempts


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, PermanentError), (401, CredentialError), (403, CredentialError), (404, NotFoundError)],
)
async def test_a_permanent_status_is_not_tried_again(status: int, kind: type[HeavyliftError]) -> None:
    async with scripted(answer(status, b"why")) as server:
        http = client()
        with pytest.raises(kind):
            await http.send(request(server))
        await http.close()
    assert len(server.requests) == 1


async def test_redirects_are_not_followed() -> None:
    async with scripted(answer(302, Location="http://127.0.0.1:9/elsewhere")) as server:
        http = client()
        with pytest.raises(PermanentError):
            await http.send(request(server))
        await http.close()
    assert len(server.requests) == 1


async def test_the_target_and_headers_are_sent_as_they_are() -> None:
    path = "/b/a//b/./c/../%2E%2e/%20+%2B%C3%A9;=&?uploads=&x=%2F+%20"
    async with scripted(answer(200)) as server:
        http = client()
        await http.send(request(server, path=path))
        await http.close()
    [received] = server.requests
    assert received.target == path
    assert set(received.headers) <= {"host", "x-test", "user-agent", "accept-encoding", "accept"}
    assert "accept-encoding" not in received.headers
    assert "content-type" not in received.headers


async def test_an_empty_put_announces_its_length() -> None:
    _, server = await send(answer(200), method="PUT")
    assert server.requests[0].headers["content-length"] == "0"


@pytest.mark.parametrize("size", [1, 65_536, 65_537, 262_144, 262_145, 1_000_001])
async def test_a_body_arrives_whole_with_its_length(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    _, server = await send(answer(503), answer(200), method="PUT", body=body[:size])
    assert [r.body for r in server.requests] == [body[:size]] * 2
    assert {r.headers["content-length"] for r in server.requests} == {str(size)}
    assert not [r for r in server.requests if "transfer-encoding" in r.headers]


async def test_connections_are_used_again() -> None:
    async with scripted(answer(200, b"x" * 100_000)) as server:
        http = client()
        for _ in range(5):
            await http.send(request(server, "PUT", body=b"b" * 200_000))
            async with http.stream(request(server)) as opened:
                assert len(b"".join([c async for c in http.body_chunks(opened, "read")])) == 100_000
        await http.close()
    assert server.connections == 1


async def test_a_body_left_unread_does_not_reach_the_next_answer() -> None:
    async with scripted(answer(200, b"x" * 3_000_000), answer(200, b"next")) as server:
        http = client()
        async with http.stream(request(server)) as opened:
            async for _ in http.body_chunks(opened, "read"):
                break
        assert (await http.send(request(server))).body == b"next"
        await http.close()


async def test_a_cut_body_is_an_error_and_not_a_short_one() -> None:
    got: list[bytes] = []

    async def read(http: HttpClient, server: ScriptedServer) -> None:
        async with http.stream(request(server)) as opened:
            got.extend([chunk async for chunk in http.body_chunks(opened, "read")])

    async with scripted(answer(200, b"x" * 1_000, announced=2_000)) as server:
        http = client()
        with pytest.raises(ServerUnavailableError):
            await read(http, server)
        await http.close()
    assert got == []


async def begin_without_a_length(exchange: Exchange) -> None:
    """Announce a body that ends with the line, send some of it, and then nothing."""
    await exchange.read_body()
    exchange.writer.write(b"HTTP/1.1 200 OK\r\n\r\nsome")
    await asyncio.Event().wait()


async def test_a_body_without_a_length_that_we_cut_is_an_error_and_not_a_short_one() -> None:
    async with scripted(begin_without_a_length) as server:
        http = client(IMPATIENT)
        with pytest.raises(ServerUnavailableError):
            await http.send(request(server))
        await http.close()


async def test_opening_a_stream_is_tried_again() -> None:
    async with scripted(answer(503), hang_up, answer(200, b"fine")) as server:
        http = client()
        async with http.stream(request(server)) as opened:
            assert await opened.read() == b"fine"
        await http.close()


@pytest.mark.parametrize(("act", "size"), [(say_nothing, 10), (take_nothing, 30_000_000)])
async def test_a_silent_server_is_left_after_the_stall_time(act: Act, size: int) -> None:
    async with scripted(act) as server:
        http = client(IMPATIENT)
        with pytest.raises(ServerUnavailableError, match="no complete answer"):
            await asyncio.wait_for(http.send(request(server, "PUT", body=b"x" * size)), 20)
        await http.close()
    assert len(server.requests) == IMPATIENT.attempts


async def test_a_refusal_before_the_body_is_sent_comes_through() -> None:
    async with scripted(answer_at_once(403)) as server:
        http = client()
        with pytest.raises(CredentialError):
            await asyncio.wait_for(http.send(request(server, "PUT", body=b"x" * 30_000_000)), 20)
        await http.close()


async def test_pacing_does_not_count_as_a_stall() -> None:
    body = b"x" * 600_000
    async with scripted(answer(200)) as server:
        http = client(replace(IMPATIENT, attempts=1), Pacer(1_000_000))
        await http.send(request(server, "PUT", body=body))
        await http.close()
    assert server.requests[0].body == body


async def test_retry_after_is_heeded_up_to_the_longest_delay() -> None:
    async with scripted(answer(503, Retry_After="3600"), answer(200)) as server:
        http = client()
        response = await asyncio.wait_for(http.send(request(server)), 5)
        await http.close()
    assert response.status == 200


async def test_the_caller_learns_of_failed_attempts() -> None:
    failures: list[TransientError] = []
    async with scripted(hang_up, answer(503), answer(412)) as server:
        http = client()
        with pytest.raises(PermanentError):
            await http.send(request(server, "PUT", body=b"x"), failures=failures)
        await http.close()
    assert [type(failure) for failure in failures] == [ServerUnavailableError] * 2


async def test_an_error_hidden_in_a_success_is_raised_and_retried() -> None:
    def check(response: Response) -> HeavyliftError | None:
        return ServerUnavailableError("act", got="hidden") if response.body == b"hidden" else None

    async with scripted(answer(200, b"hidden"), answer(200, b"fine")) as server:
        http = client()
        assert (await http.send(request(server), check=check)).body == b"fine"
        await http.close()
    assert len(server.requests) == 2


async def test_the_adapter_reads_the_error_body() -> None:
    def read(_r: Request, status: int, headers: Mapping[str, str], body: bytes) -> HeavyliftError:
        return IntegrityError("act", got=f"{status} {headers['X-Why']} {body.decode()}")

    async with scripted(answer(400, b"digest", X_Why="because")) as server:
        http = HttpClient(as_given, read, settings=QUICK)
        with pytest.raises(IntegrityError, match="400 because digest"):
            await http.send(request(server))
        await http.close()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with scripted(answer(200)) as server:
        url = server.url
    http = client()
    with pytest.raises(ServerUnavailableError, match="no complete answer"):
        await http.send(Request("GET", url, "get of nothing", {}))
    await http.close()


async def garbage(exchange: Exchange) -> None:
    """Answer something that is no HTTP."""
    exchange.writer.write(b"NOT HTTP\r\n\r\n")
    exchange.writer.close()


async def test_a_malformed_answer_is_tried_again() -> None:
    response, _ = await send(garbage, answer(200, b"fine"))
    assert response.body == b"fine"


@pytest.mark.parametrize("size", [10, 100_000, 500_000])
@pytest.mark.parametrize("room", [None, 100, 500_000, 900_000])
async def test_a_body_comes_whole_whatever_buffer_is_offered(size: int, room: int | None) -> None:
    sent = bytes(range(256)) * (size // 256 + 1)
    buffer = None if room is None else bytearray(room)
    async with scripted(answer(200, sent[:size])) as server:
        http = client()
        response = await http.send(request(server), into=buffer)
        await http.close()
    assert response.body == sent[:size]
    if buffer is None:
        # Adapters read answers as text.
        assert isinstance(response.body, bytes | bytearray)
