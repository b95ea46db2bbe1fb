"""Datasets that are written to on both sides, and datasets with several targets, on real servers."""

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
from typing import Any

import pytest
import yaml

from heavylift.evidence.records import RunKey
from heavylift.objects.api import (
    TransferRequest,
    TwoWay,
    copy_shard,
    plan_transfer,
    sync_two_way,
    transfer_request,
    verify_transfer,
)
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from heavylift.spec import load_spec
from heavylift.spec.vocabulary import Conflicts, Deletes
from tests.integration.objects.places import Servers, transfer
from tests.integration.objects.test_between_clouds import contents, fill
from tests.integration.objects.test_deletes import overwrite, remove
from tests.support.longer import first_then_long

REPOSITORY = Path(__file__).parents[3]
PLAIN = ObjectAttributes()
PAIRS = (("aws_source", "gcp_target"), ("azure_target", "aws_target"), ("gcp_target", "azure_target"))


async def sync(request: TransferRequest, run: str, policy: Conflicts) -> TwoWay:
    done = await sync_two_way(replace(request, run=RunKey(migration="m", phase="sync", run=run)), policy)
    assert done.verification
    assert done.verification.passed, done.verification.differences
    return done


def whole(place: Place) -> Place:
    return Place(replace(place.location, prefix=""), place.connection)


def hashes(objects: dict[str, bytes]) -> dict[str, str]:
    return {key: hashlib.sha256(body).hexdigest() for key, body in objects.items()}


@pytest.mark.parametrize(("one", "other"), first_then_long(PAIRS))
async def test_both_clouds_are_written_to_and_nothing_is_lost(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, one: str, other: str
) -> None:
    origin, goal = servers.place(one, new_container(), "in/"), servers.place(other, new_container(), "out/")
    names = ("same", "edit s", "edit/t", "both.csv", "gone s", "gone t", "é/edited, gone", "gone, edited")
    await fill(origin, {name: b"1" * 1000 for name in names}, PLAIN)
    request = transfer(origin, goal, tmp_path / "evidence", deletes=Deletes.QUARANTINE)
    await sync(request, "one", Conflicts.STOP)
    for key, body in {"edit s": b"s" * 2000, "both.csv": b"source", "é/edited, gone": b"kept s"}.items():
        await overwrite(origin, key, body)
    for key, body in {"edit/t": b"t" * 3000, "both.csv": b"target", "gone, edited": b"kept t"}.items():
        await overwrite(goal, key, body)
    await fill(origin, {"new s": b"ns"}, PLAIN)
    await fill(goal, {"new t": b"nt"}, PLAIN)
    await remove(origin, "gone s", "gone, edited")
    await remove(goal, "gone t", "é/edited, gone")
    done = await sync(request, "two", Conflicts.KEEP_BOTH)
    now = await contents(origin)
    assert now == await contents(goal)
    [second] = [key for key in now if key.startswith("both.conflict-target-")]
    assert now == hashes({
        "same": b"1" * 1000, "edit s": b"s" * 2000, "edit/t": b"t" * 3000, "both.csv": b"source",
        second: b"target", "é/edited, gone": b"kept s", "gone, edited": b"kept t",
        "new s": b"ns", "new t": b"nt",
    })  # fmt: skip
    assert {(case.key, case.kind, case.outcome) for case in done.record.conflicts} == {
        ("both.csv", "both-changed", "done"),
        ("é/edited, gone", "deleted-on-target", "done"),
        ("gone, edited", "deleted-on-source", "done"),
    }
    old = hashes({"k": b"1" * 1000})["k"]
    for place, prefix, keys in ((origin, "in", {"edit/t", "gone t"}), (goal, "out", {"edit s", "gone s"})):
        aside = f"{prefix}.heavylift-quarantine/two.1/"
        found = {key: value for key, value in (await contents(whole(place))).items() if aside in key}
        assert found == {aside + key: old for key in keys}
    before = [await contents(whole(place)) for place in (origin, goal)]
    again = await sync(request, "three", Conflicts.KEEP_BOTH)
    assert again.record.planned.objects == 0
    assert before == [await contents(whole(place)) for place in (origin, goal)]


async def test_a_killed_run_is_gone_on_with_and_no_conflict_is_made_up(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    """kill -9 while changes go both ways, then the same command again."""
    origin = servers.place("aws_source", new_container(), "in/")
    goal = servers.place("aws_target", new_container(), "out/")
    objects = {f"k{n:03d}": os.urandom(20_000) for n in range(90)}
    await fill(origin, objects, PLAIN)
    arguments = (
        "objects", "two-way", str(origin.location), str(goal.location),
        "--source-conn", "aws_source", "--target-conn", "aws_target",
        "--evidence", f"file://{tmp_path}/evidence", "--json", "--allow-many-deletes",
    )  # fmt: skip
    environment = os.environ | servers.stack.env | {"PYTHONPATH": str(REPOSITORY / "include")}

    def start(*more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "heavylift", *arguments, *more],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    async def ended(process: subprocess.Popen[bytes]) -> dict[str, Any]:
        output, errors = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0, errors.decode()
        document: dict[str, Any] = json.loads(output)
        return document

    await ended(start())
    for number in range(60):
        key = f"k{number:03d}"
        changed = objects[key] = os.urandom(20_001)
        await overwrite(origin if number % 2 else goal, key, changed)
    for number in range(60, 80):
        key = f"k{number:03d}"
        del objects[key]
        await remove(origin if number % 2 else goal, key)
    client, bucket = servers.s3("aws_target"), goal.location.container
    killed = start("--concurrency", "1")
    while client.list_objects_v2(Bucket=bucket, Prefix="out.heavylift-quarantine/").get("KeyCount", 0) < 10:
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    await asyncio.to_thread(killed.communicate)
    assert await contents(origin) != await contents(goal), "it was not killed in the middle"
    document = await ended(start())
    assert document["two_way"]["conflict_count"] == 0
    assert await contents(origin) == await contents(goal) == hashes(objects)
    assert (await ended(start()))["two_way"]["planned"]["objects"] == 0


async def test_one_source_is_kept_in_two_further_clouds(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin = servers.place("aws_source", new_container(), "in/")
    goals = {
        "data": servers.place("gcp_target", new_container(), "out/"),
        "data_lake": servers.place("azure_target", new_container(), "out/"),
    }
    azure = {"url": str(goals["data_lake"].location), "connection": "azure_target", "platform": "azure"}
    spec_file = tmp_path / "fan.yaml"
    spec_file.write_text(
        yaml.safe_dump({
            "apiVersion": "heavylift/v1",
            "migration": "fan",
            "owner": "team",
            "source": {"platform": "aws", "connection": "aws_source"},
            "target": {"platform": "gcp", "connection": "gcp_target"},
            "evidence": {"url": f"file://{tmp_path}/evidence"},
            "datasets": [{
                "name": "data", "source": str(origin.location), "target": str(goals["data"].location),
                "deletes": "quarantine", "replicas": [{"name": "lake", "target": azure}],
            }],
        })
    )  # fmt: skip
    spec = load_spec(spec_file)
    assert [dataset.name for dataset in spec.datasets] == list(goals)

    async def everywhere(run: str) -> None:
        from heavylift.objects.api import delete_gone

        for name in goals:
            key = RunKey(migration="fan", phase="sync", run=run)
            request = transfer_request(spec, name, key, servers.connection)
            plan = await plan_transfer(request)
            for shard in plan.shards:
                await copy_shard(request, shard.index)
            await delete_gone(request)
            assert (await verify_transfer(request)).passed

    objects = {f"k{n}": os.urandom(500) for n in range(20)}
    await fill(origin, objects, PLAIN)
    await everywhere("one")
    await overwrite(origin, "k1", b"changed")
    await remove(origin, "k2")
    del objects["k2"]
    await everywhere("two")
    for place in goals.values():
        assert await contents(place) == hashes(objects | {"k1": b"changed"})
