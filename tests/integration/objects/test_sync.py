"""``heavylift objects sync`` on real servers: what it costs where nothing happened, and moving sources."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from heavylift.errors import HeavyliftError
from heavylift.evidence.records import RunKey
from heavylift.objects.api import copy_shard, plan_transfer, verify_transfer
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from heavylift.platforms.wiring import open_store
from heavylift.spec.datasets import Limits
from tests.integration.objects.places import Servers, transfer
from tests.integration.objects.test_between_clouds import contents, fill
from tests.support import shell
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.longer import first_then_long

MIB = 2**20
REPOSITORY = Path(__file__).parents[3]


@contextlib.asynccontextmanager
async def counted(
    servers: Servers, *names: str
) -> AsyncIterator[tuple[dict[str, str], dict[str, FaultProxy]]]:
    """Yield an environment in which each server is reached through a proxy, and the proxies."""
    environment, proxies = dict(servers.stack.env), {}
    async with contextlib.AsyncExitStack() as stack:
        for name in names:
            endpoint = servers.stack.endpoints[name]
            proxies[name] = await stack.enter_async_context(fault_proxy(endpoint, 0, {}))
            variable = f"AIRFLOW_CONN_{name.upper()}"
            environment[variable] = environment[variable].replace(endpoint, proxies[name].url)
        yield environment, proxies


async def sync(environment: dict[str, str], source: Place, target: Place, evidence: Path, *more: str) -> Any:
    """Run the command in a process of its own, and return its document."""
    assert source.connection is not None
    assert target.connection is not None
    arguments = [
        "objects", "sync", str(source.location), str(target.location),
        "--source-conn", source.connection.conn_id, "--target-conn", target.connection.conn_id,
        "--evidence", f"file://{evidence}", "--part-size", "5MiB", "--json", *more,
    ]  # fmt: skip
    status, output, errors = await shell.start(arguments, os.environ | environment).ended()
    assert status == 0, errors
    return json.loads(output)


def about_objects(proxy: FaultProxy, keys: set[str]) -> list[str]:
    """Return the requests that were about one object, not about the container."""
    return [line for line in proxy.seen if any(unquote(line.partition("?")[0]).endswith(key) for key in keys)]


def writes(proxy: FaultProxy) -> list[str]:
    return [line for line in proxy.seen if line.split(" ")[0] not in {"GET", "HEAD"}]


@pytest.mark.parametrize("target", first_then_long(["aws_target", "gcp_target", "azure_target"]))
async def test_a_sync_of_nothing_new_asks_about_no_object_and_writes_nothing(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, target: str
) -> None:
    origin = servers.place("aws_source", new_container(), "in/")
    goal = servers.place(target, new_container(), "out/")
    objects = {f"small-{n}.bin": os.urandom(n * 100) for n in range(12)} | {"large.bin": os.urandom(11 * MIB)}
    await fill(origin, objects, ObjectAttributes(content_type="x/y", metadata={"a": "b"}))
    client = servers.s3("aws_source")
    body = os.urandom(11 * MIB)
    upload = client.create_multipart_upload(Bucket=origin.location.container, Key="in/parts.bin")["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(body), 5 * MIB), 1):
        sent = client.upload_part(
            Bucket=origin.location.container, Key="in/parts.bin", UploadId=upload, PartNumber=number,
            Body=body[start : start + 5 * MIB],
        )  # fmt: skip
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    client.complete_multipart_upload(
        Bucket=origin.location.container,
        Key="in/parts.bin",
        UploadId=upload,
        MultipartUpload={"Parts": parts},
    )
    objects["parts.bin"] = body
    keys = set(objects)
    async with counted(servers, "aws_source", target) as (environment, proxies):
        first = await sync(environment, origin, goal, tmp_path / "evidence")
        assert first["summary"]["moved"]["objects"] == len(objects)
        for proxy in proxies.values():
            assert about_objects(proxy, keys)
            proxy.seen.clear()
        second = await sync(environment, origin, goal, tmp_path / "evidence")
        assert second["plan"]["unchanged"]["objects"] == len(objects)
        assert second["plan"]["same_as"] == second["verification"]["same_as"] is not None
        assert second["verification"]["equal"]["objects"] == len(objects)
        for name, proxy in proxies.items():
            assert about_objects(proxy, keys) == [], name
            assert writes(proxy) == [], name
            assert 0 < len(proxy.seen) <= 6, proxy.seen
            proxy.seen.clear()
        await replace_object(origin, "small-3.bin", b"changed")
        third = await sync(environment, origin, goal, tmp_path / "evidence")
        assert third["summary"]["moved"]["objects"] == 1
        for proxy in proxies.values():
            assert about_objects(proxy, {"small-3.bin"})
            assert about_objects(proxy, keys - {"small-3.bin"}) == []
        fourth = await sync(environment, origin, goal, tmp_path / "evidence")
        assert (third["plan"]["same_as"], fourth["plan"]["same_as"] is None) == (None, False)
        # Behind our back.
        await replace_object(goal, "small-5.bin", b"theirs")
        fifth = await sync(environment, origin, goal, tmp_path / "evidence", "--on-conflict", "overwrite")
        assert (fifth["plan"]["same_as"], fifth["summary"]["moved"]["objects"]) == (None, 1)
        assert (await contents(goal)) == (await contents(origin))


async def replace_object(place: Place, key: str, body: bytes, part: int = 5 * MIB) -> None:
    """Overwrite an object, in parts where it is larger than one."""
    from heavylift.checksums import Algorithm, digest

    sums = digest(body, Algorithm.CRC32C, Algorithm.MD5)
    whole = place.location.prefix + key
    async with open_store(place.location, place.connection) as store:
        if len(body) <= part:
            await store.put(whole, body, ObjectAttributes(), sums, create_only=False)
            return
        upload = await store.begin_upload(whole, ObjectAttributes())
        receipts = []
        for number, start in enumerate(range(0, len(body), part), 1):
            piece = body[start : start + part]
            crc = digest(piece, Algorithm.CRC32C)[Algorithm.CRC32C]
            receipts.append(await store.put_part(upload, number, piece, crc))
        await store.complete_upload(upload, receipts, ObjectAttributes(), sums, create_only=False)


class Writer:
    """Overwrites objects at random until it is told to stop; remembers every version it wrote."""

    def __init__(self, place: Place, sizes: dict[str, int], seed: int) -> None:
        self._place, self._sizes, self._random = place, sizes, random.Random(seed)
        self.written: dict[str, set[str]] = {key: set() for key in sizes}
        self.stopped = asyncio.Event()

    async def write(self, key: str) -> None:
        body = self._random.randbytes(self._sizes[key] + self._random.randrange(3))
        # Noted before it is visible, so that a copy cannot be faster than the note.
        self.written[key].add(hashlib.sha256(body).hexdigest())
        await replace_object(self._place, key, body)

    async def run(self) -> int:
        rounds = 0
        while not self.stopped.is_set():
            await self.write(self._random.choice(list(self._sizes)))
            rounds += 1
        return rounds


@pytest.mark.parametrize(
    ("source", "target"),
    first_then_long(
        [
            ("aws_source", "aws_target"),
            ("aws_source", "gcp_target"),
            ("file", "aws_target"),
            ("aws_source", "file"),
        ]
    ),
)
async def test_objects_that_change_while_they_are_copied_end_as_one_version_whole(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, source: str, target: str
) -> None:
    seed = int(os.environ.get("HEAVYLIFT_FAULT_SEED") or random.SystemRandom().randrange(10**6))
    print(f"HEAVYLIFT_FAULT_SEED={seed}")  # shown by pytest when the test fails
    origin, goal = servers.place(source, new_container()), servers.place(target, new_container())
    sizes = {f"small-{n}": 1000 * n for n in range(12)} | {"medium": 4 * MIB, "large": 11 * MIB}
    writer = Writer(origin, sizes, seed)
    for key in sizes:
        await writer.write(key)
    base = transfer(
        origin, goal, tmp_path / "evidence", limits=Limits(part_size=5 * MIB, max_concurrency=4), rolling=0
    )

    async def copied(run: str) -> None:
        request = replace(base, run=RunKey(migration="m", phase="sync", run=run))
        plan = await plan_transfer(request)
        for shard in plan.shards:
            try:
                await copy_shard(request, shard.index)
            except HeavyliftError as error:
                # An object that never rested for the length of a copy is left, and said to be.
                print(error)
        await verify_transfer(request)

    writing = asyncio.create_task(writer.run())
    try:
        for run in range(3):
            await copied(f"moving-{run}")
            for key, digest in (await contents(goal)).items():
                assert digest in writer.written[key], f"{key} is no version that was ever written"
    finally:
        writer.stopped.set()
        rounds = await writing
    assert rounds > 10
    await copied("rest")
    verification = await verify_transfer(replace(base, run=RunKey(migration="m", phase="sync", run="rest")))
    assert verification.passed, verification.differences
    assert (verification.newer_on_source, verification.equal.objects) == (0, len(sizes))
    assert await contents(goal) == await contents(origin)
