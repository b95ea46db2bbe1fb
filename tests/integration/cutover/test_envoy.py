"""Envoy as what splits live traffic: under load, killed, asked out of turn, and with broken files."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from heavylift.connections import Connection, connection_from_env
from heavylift.cutover.ports import Split
from heavylift.cutover.traffic.envoy import EnvoyTraffic, open_envoy
from heavylift.cutover.traffic.observing import Observation
from heavylift.errors import (
    ConflictError,
    HeavyliftError,
    IntegrityError,
    NotFoundError,
    ServerUnavailableError,
)
from sandbox import processes, records, waiting
from sandbox.examples.scoring_model import BODY
from sandbox.live_requests import OpenLoad
from sandbox.stack import Stack
from tests.support.longer import first_then_long


def end(stack: Stack, name: str) -> None:
    """Kill one server of the sandbox, and wait until it is gone."""
    record = records.read(stack.state_dir, name)
    assert record is not None
    # A killed one answers for a moment longer, and a stack that is asked to start it leaves it alone then.
    assert processes.end([record.process], 5.0, signal.SIGKILL) == []

    def noted() -> bool:
        now = records.read(stack.state_dir, name)
        return now is not None and now.exit is not None

    # What its supervisor notes later would be taken for the end of the next one.
    assert waiting.until(noted, seconds=10)


KILLED = """
import asyncio, os, signal
from heavylift.connections import connection_from_env
from heavylift.cutover.traffic import envoy_files
from heavylift.cutover.traffic.envoy import open_envoy

real = envoy_files.write_document

def write(*given):
    if "{where}" == "after":
        real(*given)
    os.kill(os.getpid(), signal.SIGKILL)

envoy_files.write_document = write

async def main():
    async with open_envoy(connection_from_env("traffic")) as traffic:
        await traffic.shift({percent}, epoch={epoch})

asyncio.run(main())
"""


def shares(split: Split) -> tuple[int, int, int]:
    return split.target_percent, split.mirror_percent, split.epoch


def load(traffic: EnvoyTraffic, rate: float = 20.0) -> OpenLoad:
    """Return what a scoring server bears on a busy machine: requests that pile up take minutes."""
    url = f"{traffic.settings.address}/invocations"
    return OpenLoad(url, BODY, rate, lambda body: b"predictions" in body)


async def until(traffic: EnvoyTraffic, so: Callable[[Observation], bool]) -> Observation:
    """Observe until it is so."""
    async with asyncio.timeout(20):
        while not so(seen := await traffic.observe()):  # noqa: ASYNC110 - nobody tells when Envoy has merged
            await asyncio.sleep(0.05)
    return seen


async def next_epoch(traffic: EnvoyTraffic) -> int:
    return (await traffic.read()).epoch + 1


async def test_no_request_fails_while_the_split_moves(traffic: EnvoyTraffic) -> None:
    epoch = await next_epoch(traffic)
    requests = load(traffic)
    running = asyncio.create_task(requests.run())
    seen = []
    for percent in (0, 50, 100, 0):
        split = await traffic.shift(percent, epoch=epoch)
        # What was under way when it moved ends where it began.
        await requests.ended()
        before = await traffic.observe()
        await requests.until(60)
        seen.append((await traffic.observe()).since(before))
        assert shares(split) == (percent, 0, epoch)
    requests.stop()
    counted = await running
    assert counted.failures == {}
    assert counted.answered >= 240
    assert all(each is not None for each in seen)
    at_0, at_50, at_100, back = (each for each in seen if each is not None)
    assert at_0.target.requests == 0
    assert min(at_50.source.requests, at_50.target.requests) >= 10
    assert at_100.source.requests == 0
    assert at_100.target.requests >= 60
    assert back.target.requests == 0
    # Envoy merges its histograms once a second in the sandbox.
    every = await until(traffic, lambda seen: seen.source.latency.total == seen.source.requests)
    assert (every.source.latency.quantile(0.5) or 0) > 0.0005


async def test_only_what_the_source_answers_is_mirrored(traffic: EnvoyTraffic) -> None:
    epoch = await next_epoch(traffic)
    await traffic.shift(50, mirror_percent=50, epoch=epoch)
    before = await traffic.observe()
    requests = load(traffic)
    running = asyncio.create_task(requests.run())
    await requests.until(300)
    requests.stop()
    assert (await running).failures == {}
    found = await until(traffic, lambda seen: seen.target.mirrored_latency.total == seen.target.mirrored)
    window = found.since(before)
    assert window is not None
    # Half of the source's: independent of the draw between the sides.
    assert window.source.requests >= 80
    assert 0.3 <= window.target.mirrored / window.source.requests <= 0.7
    assert window.source.requests + window.target.requests >= 300
    whole = await traffic.shift(100, mirror_percent=50, epoch=epoch)
    assert shares(whole) == (100, 0, epoch)


async def test_the_split_outlives_a_killed_envoy(proxied: Stack, traffic: EnvoyTraffic) -> None:
    epoch = await next_epoch(traffic)
    await traffic.shift(25, mirror_percent=10, epoch=epoch)
    end(proxied, "traffic")
    with pytest.raises(ServerUnavailableError):
        await traffic.read()
    proxied.ensure("traffic")
    assert shares(await traffic.read()) == (25, 10, epoch)
    with pytest.raises(ConflictError) as refused:
        await traffic.shift(0, epoch=epoch - 1)
    assert refused.value.code == "8701"
    assert shares(await traffic.read()) == (25, 10, epoch)


async def test_a_shift_while_envoy_is_dead_is_told_and_holds_when_it_is_back(
    proxied: Stack, route: Connection, traffic: EnvoyTraffic
) -> None:
    epoch = await next_epoch(traffic)
    end(proxied, "traffic")
    quick = replace(route, extra={**route.extra, "confirm_seconds": "0.5"})
    async with open_envoy(quick) as impatient:
        with pytest.raises(ServerUnavailableError) as told:
            await impatient.shift(75, epoch=epoch)
    assert told.value.code == "8734"
    proxied.ensure("traffic")
    assert shares(await traffic.read()) == (75, 0, epoch)
    assert shares(await traffic.shift(75, epoch=epoch)) == (75, 0, epoch)


async def test_a_lower_epoch_changes_nothing(traffic: EnvoyTraffic) -> None:
    epoch = await next_epoch(traffic) + 5
    await traffic.shift(5, epoch=epoch)
    text = traffic.settings.file.read_text()
    with pytest.raises(ConflictError) as refused:
        await traffic.shift(100, epoch=epoch - 1)
    assert refused.value.code == "8701"
    assert traffic.settings.file.read_text() == text
    assert shares(await traffic.read()) == (5, 0, epoch)
    # Also where somebody has written an old file over it, in place: Envoy itself remembers.
    old = text.replace(f'"epoch": {epoch}', '"epoch": 1')
    assert old != text
    traffic.settings.file.write_text(old)
    try:
        with pytest.raises(ConflictError) as refused:
            await traffic.shift(100, epoch=epoch - 1)
    finally:
        traffic.settings.file.write_text(text)
    assert refused.value.code == "8701"


async def test_the_same_shift_again_writes_nothing(traffic: EnvoyTraffic) -> None:
    epoch = await next_epoch(traffic)
    await traffic.shift(25, epoch=epoch)
    before = traffic.settings.file.stat().st_mtime_ns, traffic.settings.file.stat().st_ino
    assert shares(await traffic.shift(25, epoch=epoch)) == (25, 0, epoch)
    assert (traffic.settings.file.stat().st_mtime_ns, traffic.settings.file.stat().st_ino) == before


async def test_of_two_shifts_at_once_one_holds_and_the_other_knows(
    route: Connection, traffic: EnvoyTraffic
) -> None:
    epoch = await next_epoch(traffic)
    async with open_envoy(route) as other:
        answers = await asyncio.gather(
            traffic.shift(10, epoch=epoch), other.shift(90, epoch=epoch + 1), return_exceptions=True
        )
    assert shares(await traffic.read()) == (90, 0, epoch + 1)
    later = answers[1]
    assert isinstance(later, Split)
    earlier = answers[0]
    if isinstance(earlier, BaseException):
        assert isinstance(earlier, HeavyliftError)
        assert earlier.code in {"8701", "8727"}
    else:
        assert earlier.target_percent in {10, 90}


@pytest.mark.parametrize("damage", ["{", "[]", '{"resources": [1]}', "\udcff"])
async def test_a_damaged_file_is_named_and_not_replaced(traffic: EnvoyTraffic, damage: str) -> None:
    file = traffic.settings.file
    good = file.read_text()
    raw = damage.encode(errors="surrogateescape")
    file.write_bytes(raw)  # not a move: Envoy does not look
    try:
        with pytest.raises(IntegrityError, match=file.name) as told:
            await traffic.shift(50, epoch=await next_epoch(traffic))
        assert told.value.code == "8729"
        assert file.read_bytes() == raw
        now = await traffic.read()
        assert now.target_percent == 0
        assert now.detail["file_says"]
    finally:
        file.write_text(good)


async def test_a_file_that_envoy_refuses_is_put_back(traffic: EnvoyTraffic) -> None:
    epoch = await next_epoch(traffic)
    good = traffic.settings.file.read_text()
    document = json.loads(good)
    twice = {"name": "twice", "domains": ["*"], "routes": []}
    document["resources"][0]["virtual_hosts"].append(twice)
    traffic.settings.file.write_text(json.dumps(document))
    try:
        with pytest.raises(ConflictError) as refused:
            await traffic.shift(100, epoch=epoch)
        assert json.loads(traffic.settings.file.read_text()) == document
    finally:
        traffic.settings.file.write_text(good)
    assert refused.value.code == "8735"
    assert (await traffic.read()).target_percent == 0


async def test_a_cluster_that_envoy_does_not_have_gets_no_request(
    route: Connection, traffic: EnvoyTraffic
) -> None:
    text = traffic.settings.file.read_text()
    extra = {**route.extra, "target_live_cluster": "nobody"}
    async with open_envoy(replace(route, extra=extra)) as wrong:
        with pytest.raises(NotFoundError, match="nobody") as refused:
            await wrong.shift(100, epoch=await next_epoch(traffic))
    assert refused.value.code == "8725"
    assert traffic.settings.file.read_text() == text


@pytest.mark.parametrize("dies", first_then_long(["scoring_target", "scoring_source"]))
async def test_the_death_of_one_side_fails_no_request(
    proxied: Stack, traffic: EnvoyTraffic, dies: str
) -> None:
    await traffic.shift(50, epoch=await next_epoch(traffic))
    requests = load(traffic)
    running = asyncio.create_task(requests.run())
    await requests.until(30)
    before = await traffic.observe()
    end(proxied, dies)
    await requests.until(80)
    window = (await traffic.observe()).since(before)
    requests.stop()
    counted = await running
    proxied.ensure("traffic")
    assert counted.failures == {}
    assert window is not None
    dead = window.source if dies == "scoring_source" else window.target
    assert dead.connection_failures > 10
    assert dead.retried > 10


def asked(live: Connection) -> int:
    with psycopg.connect(
        host=live.host,
        port=live.port,
        user=live.login,
        password=live.password,
        dbname=live.schema,
        connect_timeout=5,
    ) as session:
        row = session.execute("SELECT inet_server_port()").fetchone()
    assert row is not None
    return int(row[0])


async def test_connections_to_the_database_follow_the_listener(proxied: Stack, writes: EnvoyTraffic) -> None:
    live = connection_from_env("features_live", proxied.env)
    names = ("features_source", "features_target")
    ports = {name: connection_from_env(name, proxied.env).port for name in names}
    assert asked(live) == ports["features_source"]
    before = psycopg.connect(
        host=live.host, port=live.port, user=live.login, password=live.password, dbname=live.schema
    )
    epoch = await next_epoch(writes)
    with before:
        split = await writes.shift(100, epoch=epoch)
        assert shares(split) == (100, 0, epoch)
        assert asked(live) == ports["features_target"]
        # In force means that nobody talks to the source through it any more.
        with pytest.raises(psycopg.OperationalError):
            before.execute("SELECT 1")
    with pytest.raises(ConflictError) as refused:
        await writes.shift(0, epoch=epoch - 1)
    assert refused.value.code == "8701"
    end(proxied, "traffic")
    proxied.ensure("traffic")
    assert shares(await writes.read()) == (100, 0, epoch)
    assert asked(live) == ports["features_target"]


async def test_a_higher_epoch_alone_closes_no_connection(proxied: Stack, writes: EnvoyTraffic) -> None:
    live = connection_from_env("features_live", proxied.env)
    epoch = await next_epoch(writes)
    with psycopg.connect(
        host=live.host, port=live.port, user=live.login, password=live.password, dbname=live.schema
    ) as session:
        assert shares(await writes.shift(0, epoch=epoch)) == (0, 0, epoch)
        assert session.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(("percent", "mirror", "code"), [(50, 0, "8723"), (100, 10, "8722"), (0, 1, "8722")])
async def test_connections_are_neither_split_nor_mirrored(
    writes: EnvoyTraffic, percent: int, mirror: int, code: str
) -> None:
    with pytest.raises(HeavyliftError) as refused:
        await writes.shift(percent, mirror_percent=mirror, epoch=await next_epoch(writes))
    assert refused.value.code == code
    assert (await writes.read()).target_percent == 0


async def test_a_killed_shift_is_gone_on_with(proxied: Stack, traffic: EnvoyTraffic) -> None:
    """Killed right after it wrote the file, and right before: the next run comes to the same end."""
    epoch = await next_epoch(traffic)
    for percent, where in ((30, "before"), (60, "after")):
        code = KILLED.format(where=where, percent=percent, epoch=epoch)
        environment = {**os.environ, **proxied.env, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=environment)
        assert await process.wait() == -signal.SIGKILL
        assert shares(await traffic.shift(percent, epoch=epoch)) == (percent, 0, epoch)


async def test_files_are_left_behind_by_nobody(traffic: EnvoyTraffic) -> None:
    await traffic.shift(1, epoch=await next_epoch(traffic))
    folder = Path(traffic.settings.file).parent
    left = {each.name for each in folder.iterdir()} - {"scoring.json", "writes.json"}
    assert left <= {".scoring.json.lock", ".writes.json.lock"}
