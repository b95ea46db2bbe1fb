"""Deletion by policy on real servers of all three clouds, and on a folder."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.checksums import Algorithm, digest
from heavylift.errors import NotFoundError, PreconditionError
from heavylift.evidence.records import DeletesRecord, RunKey
from heavylift.objects.api import TransferRequest, delete_gone
from heavylift.platforms.deleting import delete_version
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from heavylift.platforms.wiring import open_store
from heavylift.spec.datasets import Limits
from heavylift.spec.vocabulary import Deletes
from tests.integration.objects.places import Servers, transfer
from tests.integration.objects.test_between_clouds import contents, fill
from tests.integration.objects.test_faults import through
from tests.support.fault_proxy import fault_proxy
from tests.support.longer import first_then_long

MIB = 2**20
REPOSITORY = Path(__file__).parents[3]
TARGETS = ("aws_target", "gcp_target", "azure_target", "file")


def run_of(request: TransferRequest, run: str) -> TransferRequest:
    return replace(request, run=RunKey(migration="m", phase="sync", run=run))


async def sync(request: TransferRequest) -> DeletesRecord:
    from heavylift.objects.api import copy_shard, plan_transfer, verify_transfer

    plan = await plan_transfer(request)
    for shard in plan.shards:
        await copy_shard(request, shard.index)
    record = await delete_gone(request)
    verification = await verify_transfer(request)
    assert verification.passed, verification.differences
    return record


async def remove(place: Place, *keys: str) -> None:
    async with open_store(place.location, place.connection) as store:
        for key in keys:
            await store.delete(place.location.prefix + key)


async def overwrite(place: Place, key: str, body: bytes) -> None:
    async with open_store(place.location, place.connection) as store:
        sums = digest(body, Algorithm.CRC32C, Algorithm.MD5)
        await store.put(place.location.prefix + key, body, ObjectAttributes(), sums, create_only=False)


@pytest.mark.parametrize("target", first_then_long(TARGETS))
async def test_only_what_heavylift_wrote_goes(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, target: str
) -> None:
    origin = servers.place("aws_source", new_container(), "in/")
    goal = servers.place(target, new_container(), "" if target == "file" else "out/")
    objects = {f"k{n}": b"%d" % n * 100 for n in range(8)} | {"deep/large": b"x" * (6 * MIB)}
    await fill(origin, objects, ObjectAttributes())
    request = replace(
        transfer(origin, goal, tmp_path / "evidence", deletes=Deletes.PROPAGATE),
        run=RunKey(migration="m", phase="sync", run="one"),
    )
    await fill(goal, {"theirs": b"somebody's"}, ObjectAttributes())
    await sync(request)
    await remove(origin, "k0", "k1", "deep/large")
    await overwrite(goal, "k1", b"changed by somebody")
    record = await sync(run_of(request, "two"))
    assert (record.planned.objects, record.deleted.objects, record.failed.objects) == (2, 2, 0)
    left = set(await contents(goal))
    assert left == set(objects) - {"k0", "deep/large"} | {"theirs"}


@pytest.mark.parametrize("target", first_then_long(TARGETS))
async def test_quarantine_keeps_the_bytes_beside_the_dataset(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, target: str
) -> None:
    prefix = "" if target == "file" else "out/"
    origin = servers.place("aws_source", new_container(), "in/")
    goal = servers.place(target, new_container(), prefix)
    objects = {f"k{n}": b"%d" % n * 100 for n in range(8)} | {"deep/large": b"x" * (11 * MIB)}
    await fill(origin, objects, ObjectAttributes())
    limits = Limits(part_size=5 * MIB)
    base = transfer(origin, goal, tmp_path / "evidence", deletes=Deletes.QUARANTINE, limits=limits)
    before = await sync_and_read(run_of(base, "one"), goal)
    await remove(origin, "k0", "deep/large")
    record = await sync(run_of(base, "two"))
    assert (record.quarantined.objects, record.failed.objects) == (2, 0)
    aside = f"{prefix[:-1]}.heavylift-quarantine/two/"
    whole = Place(replace(goal.location, prefix=""), goal.connection)
    after = await contents(whole)
    assert {key: after[aside + key] for key in ("k0", "deep/large")} == {
        key: before[key] for key in ("k0", "deep/large")
    }
    assert {key for key in after if not key.startswith(aside)} == {
        prefix + key for key in objects if key not in {"k0", "deep/large"}
    }
    assert (await sync(run_of(base, "three"))).planned.objects == 0


async def sync_and_read(request: TransferRequest, goal: Place) -> dict[str, str]:
    await sync(request)
    return await contents(goal)


@pytest.mark.parametrize("server", first_then_long(TARGETS))
async def test_no_other_version_is_ever_deleted(
    servers: Servers, new_container: Callable[[], str], server: str
) -> None:
    place = servers.place(server, new_container())
    await fill(place, {"k": b"one"}, ObjectAttributes())
    async with open_store(place.location, place.connection) as store:
        version = (await store.head("k")).object.version
        await overwrite(place, "k", b"two, which is longer")
        with pytest.raises(PreconditionError):
            await delete_version(store, "k", version)
        assert (await store.head("k")).object.size_bytes == 20
        await delete_version(store, "k", (await store.head("k")).object.version)
        with pytest.raises(NotFoundError):
            await delete_version(store, "k", version)


@pytest.mark.parametrize("server", ["aws_target", "azure_target"])
async def test_the_server_itself_holds_the_condition(
    servers: Servers, new_container: Callable[[], str], server: str
) -> None:
    """What guards against a writer who comes between the look and the deletion."""
    place = servers.place(server, new_container())
    await fill(place, {"k": b"one"}, ObjectAttributes())
    async with open_store(place.location, place.connection) as store:
        version = (await store.head("k")).object.version
        await overwrite(place, "k", b"two")
        with pytest.raises(PreconditionError):
            await store.delete_version("k", version)  # type: ignore[attr-defined]
        assert (await store.head("k")).object.version != version


async def test_cloud_storage_is_asked_to_hold_the_condition(
    servers: Servers, new_container: Callable[[], str]
) -> None:
    """The sandbox's server does not heed it, so what is looked at is the request."""
    place = servers.place("gcp_target", new_container())
    await fill(place, {"k": b"one"}, ObjectAttributes())
    async with fault_proxy(servers.stack.endpoints["gcp_target"], 0, {}) as proxy:
        seen = through(place, proxy)
        async with open_store(seen.location, seen.connection) as store:
            version = (await store.head("k")).object.version
            await delete_version(store, "k", version)
    [sent] = [line for line in proxy.seen if line.startswith("DELETE")]
    assert f"ifGenerationMatch={version}" in sent


async def test_a_killed_quarantine_loses_nothing(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    """kill -9 while objects are put aside, then the same command again."""
    origin = servers.place("aws_source", new_container(), "in/")
    goal = servers.place("aws_target", new_container(), "out/")
    objects = {f"k{n:03d}": os.urandom(20_000) for n in range(90)}
    await fill(origin, objects, ObjectAttributes())
    arguments = (
        "objects", "sync", str(origin.location), str(goal.location),
        "--source-conn", "aws_source", "--target-conn", "aws_target",
        "--evidence", f"file://{tmp_path}/evidence", "--deletes", "quarantine", "--json",
    )  # fmt: skip
    environment = os.environ | servers.stack.env | {"PYTHONPATH": str(REPOSITORY / "include")}

    def start(*more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "heavylift", *arguments, *more],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    first = start()
    output, errors = await asyncio.to_thread(first.communicate)
    assert first.returncode == 0, errors.decode()
    gone = [f"k{n:03d}" for n in range(40)]
    await remove(origin, *gone)
    client, bucket = servers.s3("aws_target"), goal.location.container
    killed = start("--concurrency", "1")
    while not client.list_objects_v2(Bucket=bucket, Prefix="out.heavylift-quarantine/").get("KeyCount"):
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    await asyncio.to_thread(killed.communicate)
    left = set(await contents(goal))
    assert left - set(gone) == set(objects) - set(gone)
    assert left & set(gone), "it was not killed in the middle"
    last = start()
    output, errors = await asyncio.to_thread(last.communicate)
    assert last.returncode == 0, errors.decode()
    assert json.loads(output)["verification"]["extra"] == 0
    assert set(await contents(goal)) == set(objects) - set(gone)
    kept: dict[str, str] = {}
    for key, digest_ in (await contents(Place(replace(goal.location, prefix=""), goal.connection))).items():
        if key.startswith("out.heavylift-quarantine/"):
            kept[key.split("/", 2)[2]] = digest_
    assert kept == {key: hashlib.sha256(objects[key]).hexdigest() for key in gone}
