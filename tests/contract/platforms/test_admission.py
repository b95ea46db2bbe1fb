"""A store that asks for less gets less: from all requests of its client, and until it said so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from heavylift.errors import HeavyliftError, ServerUnavailableError, ThrottledError
from heavylift.platforms.admission import Admission
from heavylift.platforms.http import HttpClient, HttpSettings
from heavylift.platforms.limiter import AdaptiveLimit
from heavylift.platforms.request_rate import RequestRate
from tests.contract.platforms.scripted import (
    Act,
    Exchange,
    ScriptedServer,
    answer,
    hang_up,
    say_nothing,
    scripted,
)
from tests.contract.platforms.test_http import QUICK, client, request


@asynccontextmanager
async def gated(
    limit: AdaptiveLimit, *script: Act, settings: HttpSettings = QUICK
) -> AsyncIterator[tuple[HttpClient, ScriptedServer]]:
    """Run a scripted server and a client that is held to ``limit``."""
    async with scripted(*script) as server:
        http = client(replace(settings, admission=Admission(limit)))
        try:
            yield http, server
        finally:
            await http.close()


async def test_a_refusal_halves_the_limit_and_is_counted() -> None:
    limit = AdaptiveLimit(16, start=16)
    async with gated(limit, answer(429), answer(503), answer(200)) as (http, server):
        await http.send(request(server))
    assert (limit.current, limit.throttled_count, limit.in_flight) == (8, 2, 0)


async def test_a_wait_that_is_asked_for_holds_for_requests_that_were_not_refused() -> None:
    limit = AdaptiveLimit(16, start=16)
    async with gated(limit, answer(503, Retry_After="1"), answer(200)) as (http, server):
        refused = asyncio.create_task(http.send(request(server, path="/refused")))
        while limit.pause_seconds == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        began = time.monotonic()
        await http.send(request(server, path="/other"))
        assert time.monotonic() - began > 0.8
        await refused
    assert limit.in_flight == 0


@pytest.mark.parametrize("act", [answer(404), answer(500), hang_up])
async def test_what_tells_nothing_of_load_changes_no_limit(act: Act) -> None:
    limit = AdaptiveLimit(16, start=16)
    async with gated(limit, act) as (http, server):
        with pytest.raises(HeavyliftError):
            await http.send(request(server))
    assert (limit.current, limit.throttled_count, limit.in_flight) == (16, 0, 0)


async def test_a_store_that_falls_silent_counts_as_overloaded() -> None:
    limit = AdaptiveLimit(16, start=16)
    slow = replace(QUICK, attempts=1, stall_seconds=0.2)
    async with gated(limit, say_nothing, settings=slow) as (http, server):
        with pytest.raises(ServerUnavailableError):
            await http.send(request(server))
    assert (limit.current, limit.throttled_count, limit.in_flight) == (8, 1, 0)


async def test_no_more_requests_are_on_their_way_than_the_limit_allows() -> None:
    limit = AdaptiveLimit(3, start=3)
    at_once = most = 0

    async def slowly(exchange: Exchange) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02)
        at_once -= 1
        await answer(200)(exchange)

    async with gated(limit, slowly) as (http, server):
        await asyncio.gather(*(http.send(request(server)) for _ in range(20)))
    assert (most, limit.in_flight) == (3, 0)


async def test_who_reads_a_body_may_ask_the_same_store_for_more() -> None:
    limit = AdaptiveLimit(1, start=1)
    async with gated(limit, answer(200, b"x" * 100)) as (http, server), http.stream(request(server)):
        async with asyncio.timeout(5):
            assert (await http.send(request(server))).status == 200


async def test_a_request_that_is_given_up_keeps_no_slot() -> None:
    limit = AdaptiveLimit(1, start=1)
    async with gated(limit, say_nothing) as (http, server):
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await http.send(request(server))
    assert (limit.in_flight, limit.throttled_count) == (0, 0)


async def test_a_store_under_a_flood_is_asked_for_less_until_it_bears_it() -> None:
    """A server that refuses whatever comes above four at once; in the end all is done."""
    limit = AdaptiveLimit(64, start=64, window_seconds=0.05)
    at_once = refused = 0

    async def four_at_once(exchange: Exchange) -> None:
        nonlocal at_once, refused
        at_once += 1
        busy = at_once > 4
        refused += busy
        await asyncio.sleep(0.005)
        at_once -= 1
        await answer(503 if busy else 200)(exchange)

    patient = replace(QUICK, attempts=20, base_delay_seconds=0.01, max_delay_seconds=0.1)
    async with gated(limit, four_at_once, settings=patient) as (http, server):
        await asyncio.gather(*(http.send(request(server)) for _ in range(400)))
    assert limit.current <= 8
    assert limit.throttled_count == refused


async def test_requests_are_held_to_their_rate() -> None:
    async with scripted(answer(200)) as server:
        http = client(replace(QUICK, admission=Admission(None, RequestRate(100))))
        began = time.monotonic()
        await asyncio.gather(*(http.send(request(server)) for _ in range(40)))
        await http.close()
    assert time.monotonic() - began >= 0.29
    assert len(server.requests) == 40


async def test_a_refusal_that_stays_is_the_error_it_is() -> None:
    limit = AdaptiveLimit(4)
    async with gated(limit, answer(429)) as (http, server):
        with pytest.raises(ThrottledError):
            await http.send(request(server))
    assert limit.throttled_count == QUICK.attempts
