"""Attributes that no listing tells: tags set alone, and what somebody did to the target's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import IncompleteError
from heavylift.evidence.records import RunKey
from heavylift.objects.api import TransferRequest
from heavylift.platforms.local.xattrs import XATTR, encode
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from heavylift.platforms.wiring import open_store
from heavylift.spec.datasets import Metadata, Verify
from tests.integration.objects.places import SCHEMES, Servers, move, transfer
from tests.integration.objects.test_between_clouds import fill
from tests.integration.objects.test_sync import about_objects, counted, writes
from tests.integration.objects.test_sync_attributes import OLD, sync_to, told
from tests.support import shell
from tests.support.longer import first_then_long

PAIRS = [
    ("aws_source", "aws_target"),
    ("azure_target", "aws_target"),
    ("aws_source", "gcp_target"),
    ("aws_source", "azure_target"),
]
KEYS = {f"k-{number}.csv" for number in range(6)}
ALL = Verify(all_attributes=True)


def tag(servers: Servers, server: str, place: Place, rel: str, tags: dict[str, str]) -> None:
    """Set an object's tags by the vendor's own client; nothing of it is written again."""
    container, key = place.location.container, place.location.prefix + rel
    if SCHEMES[server] == "az":
        servers.azure(server).get_blob_client(container, key).set_blob_tags(tags)
        return
    pairs = [{"Key": name, "Value": value} for name, value in tags.items()]
    servers.s3(server).put_object_tagging(Bucket=container, Key=key, Tagging={"TagSet": pairs})


async def tags_of(place: Place, rel: str) -> dict[str, str]:
    async with open_store(place.location, place.connection) as store:
        key = place.location.prefix + rel
        return dict((await store.head(key)).attributes.tags) or await store.tags(key)


@pytest.mark.parametrize(("source", "target"), first_then_long(PAIRS))
async def test_tags_that_are_set_alone_arrive(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, source: str, target: str
) -> None:
    origin = servers.place(source, new_container(), "in/")
    goal = servers.place(target, new_container(), "out/")
    await fill(origin, {key: f"body of {key}".encode() for key in KEYS}, replace(OLD, tags={"team": "a"}))
    async with counted(servers, source, target) as (environment, proxies):

        async def again(*more: str) -> Any:
            for proxy in proxies.values():
                proxy.seen.clear()
            return await sync_to(environment, origin, goal, tmp_path / "evidence", *more)

        assert (await again())["summary"]["moved"]["objects"] == len(KEYS)
        tag(servers, source, origin, "k-3.csv", {"team": "b", "keep": "7y"})

        unseen = await again()
        assert unseen["plan"]["to_copy"]["objects"] == 0
        assert await tags_of(goal, "k-3.csv") == {"team": "a"}

        seen = await again("--verify-attributes")
        assert seen["plan"]["actions"]["recheck"]["objects"] == len(KEYS)
        assert seen["summary"]["moved"]["objects"] == 1
        assert seen["verification"]["passed"]
        assert await tags_of(goal, "k-3.csv") == {"team": "b", "keep": "7y"}
        assert await tags_of(goal, "k-2.csv") == {"team": "a"}

        same = await again("--verify-attributes")
        assert (same["plan"]["actions"]["recheck"]["objects"], same["summary"]["moved"]["objects"]) == (6, 0)
        assert writes(proxies[target]) == []

        default = await again()
        assert "recheck" not in default["plan"]["actions"]
        for name, proxy in proxies.items():
            assert (about_objects(proxy, KEYS), writes(proxy)) == ([], []), name


@pytest.mark.long
async def test_each_slice_has_its_turn_and_no_object_is_asked_for_twice_in_a_round(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin = servers.place("aws_source", new_container(), "in/")
    goal = servers.place("aws_target", new_container(), "out/")
    keys = {f"k-{number}" for number in range(40)}
    await fill(origin, {key: key.encode() for key in keys}, OLD)
    base = transfer(origin, goal, tmp_path / "evidence", rolling=4, verify=ALL)

    def run(name: str) -> TransferRequest:
        return replace(base, run=RunKey(migration="m", phase="sync", run=name))

    await move(run("first"))
    for key in keys:
        tag(servers, "aws_source", origin, key, {"team": "b"})
    moved = []
    for number in range(4):
        plan, shards, record = await move(run(f"turn-{number}"))
        assert record.passed
        renewed = sum(shard.renewed for shard in shards)
        assert renewed == plan.actions["recheck"].objects == record.attributes_compared
        moved.append(renewed)
    assert sum(moved) == len(keys)
    assert max(moved) < len(keys)
    assert {rel: await tags_of(goal, rel) for rel in keys} == {rel: {"team": "b"} for rel in keys}
    plan, shards, _ = await move(run("round-2"))
    assert (plan.actions["recheck"].objects, sum(shard.renewed for shard in shards)) == (moved[0], 0)


async def test_what_somebody_did_to_the_targets_attributes_is_found_and_mended(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin = servers.place("aws_source", new_container(), "in/")
    goal = servers.place("aws_target", new_container(), "out/")
    await fill(origin, {key: key.encode() for key in KEYS}, replace(OLD, tags={"team": "a"}))
    base = transfer(origin, goal, tmp_path / "evidence")
    await move(base)
    tag(servers, "aws_target", goal, "k-1.csv", {"team": "other"})

    def run(phase: str, name: str, **options: Any) -> TransferRequest:
        return replace(
            base,
            run=RunKey(migration="m", phase=phase, run=name),
            options=replace(base.options, **options),
        )

    assert (await move(run("transfer", "blind")))[2].passed
    found = await verify_alone(servers, origin, goal, tmp_path)
    assert (found["passed"], found["attributes_differ"], found["attributes_compared"]) == (False, 1, 6)
    assert [each["key"] for each in found["differences"]] == ["k-1.csv"]
    without = Metadata(tags=False)
    _, shards, record = await move(run("transfer", "without", verify=ALL, metadata=without))
    assert (record.passed, sum(shard.renewed for shard in shards)) == (True, 0)
    assert record.statement.endswith("; attributes of all 6 objects were compared")
    _, shards, record = await move(run("transfer", "seeing", verify=ALL))
    assert (record.passed, sum(shard.renewed for shard in shards)) == (True, 1)
    assert await tags_of(goal, "k-1.csv") == {"team": "a"}
    assert (await verify_alone(servers, origin, goal, tmp_path))["passed"]


async def verify_alone(servers: Servers, origin: Place, goal: Place, tmp_path: Path) -> Any:
    """Verify two places with no evidence of who filled them; return the record."""
    arguments = ["objects", "verify", str(origin.location), str(goal.location), "--verify-attributes"]
    arguments += ["--source-conn", "aws_source", "--target-conn", "aws_target", "--json"]
    evidence = f"file://{tmp_path}/evidence-of-nobody"
    status, output, errors = await shell.start(
        [*arguments, "--evidence", evidence], os.environ | servers.stack.env
    ).ended()
    assert status in {0, 1}, errors
    found = json.loads(output)["verification"]
    assert (status == 0) == found["passed"]
    return found


@pytest.mark.long
async def test_an_object_that_others_wrote_since_is_not_written_over_for_its_attributes(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin = servers.place("file", new_container())
    goal = servers.place("aws_target", new_container(), "out/")
    await fill(origin, {"k": b"body", "other": b"other"}, OLD)
    base = transfer(origin, goal, tmp_path / "evidence", rolling=0, verify=ALL)

    def run(name: str) -> TransferRequest:
        return replace(base, run=RunKey(migration="m", phase="sync", run=name))

    await move(run("1"))
    folder = Path(origin.location.container)
    # An extended attribute set alone changes no time that a listing tells.
    os.setxattr(folder / "k", XATTR, encode(replace(OLD, cache_control="no-store")))
    plan, shards, record = await move(run("2"))
    assert (plan.actions["recheck"].objects, shards[0].renewed, record.passed) == (2, 1, True)
    assert (await told(goal, "k")).attributes.cache_control == "no-store"
    async with open_store(goal.location, goal.connection) as store:
        await store.put("out/other", b"OTHER", ObjectAttributes(), {}, create_only=False)
    os.setxattr(folder / "other", XATTR, encode(replace(OLD, cache_control="no-store")))
    with pytest.raises(IncompleteError, match="HL-5014"):
        await move(run("3"))
    async with open_store(goal.location, goal.connection) as store:
        assert (await store.fetch("out/other")).body == b"OTHER"
