"""A sync brings headers, metadata and tags that the source gave an object whose bytes stayed."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.evidence.records import PlanRecord, RunKey, ShardResult, VerificationRecord
from heavylift.objects.api import TransferRequest, copy_shard, plan_transfer, verify_transfer
from heavylift.platforms.local.xattrs import XATTR, encode
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes, ObjectHead
from heavylift.platforms.wiring import open_store
from heavylift.spec.datasets import Metadata
from tests.integration.objects.places import SCHEMES, Servers, move, transfer
from tests.integration.objects.test_between_clouds import fill
from tests.integration.objects.test_sync import about_objects, counted, writes
from tests.support import shell
from tests.support.longer import first_then_long

PAIRS = [
    ("aws_source", "gcp_target"),
    ("aws_source", "aws_target"),
    ("aws_source", "azure_target"),
    ("gcp_target", "aws_target"),
    ("azure_target", "aws_target"),
    ("aws_source", "file"),
]
OLD = ObjectAttributes(content_type="text/csv", cache_control="max-age=60", metadata={"run": "1"})


async def told(place: Place, rel: str) -> ObjectHead:
    async with open_store(place.location, place.connection) as store:
        return await store.head(place.location.prefix + rel)


async def listed_at(place: Place, rel: str) -> int:
    async with open_store(place.location, place.connection) as store:
        pages = [page async for page in store.list_pages(place.location.prefix)]
    return next(o.modified_us for page in pages for o in page if o.key == place.location.prefix + rel)


def write_attributes(servers: Servers, server: str, place: Place, rel: str, told: dict[str, Any]) -> None:
    """Change an object in place by the vendor's own client; its bytes are not sent."""
    container, key = place.location.container, place.location.prefix + rel
    if SCHEMES[server] == "gs":
        # The server here leaves ``updated`` as it was at a patch, which Cloud Storage does not.
        bucket = servers.gcs(server).bucket(container)
        blob = bucket.blob(key)
        blob.cache_control, blob.content_type = told["cache"], told["type"]
        blob.metadata = told["metadata"]
        blob.rewrite(bucket.get_blob(key))
    elif SCHEMES[server] == "az":
        from azure.storage.blob import ContentSettings

        client = servers.azure(server).get_blob_client(container, key)
        settings = client.get_blob_properties().content_settings
        md5 = settings.content_md5
        client.set_http_headers(
            ContentSettings(content_type=told["type"], cache_control=told["cache"], content_md5=md5)
        )
        client.set_blob_metadata(told["metadata"])
    else:
        servers.s3(server).copy_object(
            Bucket=container,
            Key=key,
            CopySource={"Bucket": container, "Key": key},
            MetadataDirective="REPLACE",
            Metadata=told["metadata"],
            ContentType=told["type"],
            CacheControl=told["cache"],
        )


async def rewrite(servers: Servers, server: str, place: Place, rel: str, told: dict[str, Any]) -> None:
    """Change attributes, and again until the store's clock, which may tell seconds alone, shows it."""
    before = await listed_at(place, rel)
    async with asyncio.timeout(30):
        write_attributes(servers, server, place, rel, told)
        while await listed_at(place, rel) == before:
            write_attributes(servers, server, place, rel, told)


@pytest.mark.parametrize(("source", "target"), first_then_long(PAIRS))
async def test_new_attributes_of_the_same_bytes_arrive_once(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, source: str, target: str
) -> None:
    origin = servers.place(source, new_container(), "in/")
    goal = servers.place(target, new_container(), "out/" if target != "file" else "")
    keys = {f"k-{number}.csv" for number in range(6)}
    await fill(origin, {key: f"body of {key}".encode() for key in keys}, OLD)
    names = [name for name in (source, target) if name != "file"]
    async with counted(servers, *names) as (environment, proxies):

        async def again() -> Any:
            for proxy in proxies.values():
                proxy.seen.clear()
            return await sync_to(environment, origin, goal, tmp_path / "evidence")

        assert (await again())["summary"]["moved"]["objects"] == len(keys)
        new = {"type": "text/plain", "cache": "no-store", "metadata": {"run": "2", "owner": "a"}}
        await rewrite(servers, source, origin, "k-3.csv", new)

        second = await again()
        assert second["plan"]["actions"]["attributes"]["objects"] == 1
        assert second["summary"]["moved"]["objects"] == 1
        assert second["verification"]["passed"]
        for proxy in proxies.values():
            assert about_objects(proxy, keys - {"k-3.csv"}) == []
        arrived = (await told(goal, "k-3.csv")).attributes
        assert (arrived.content_type, arrived.cache_control) == ("text/plain", "no-store")
        assert dict(arrived.metadata) == {"run": "2", "owner": "a"}
        assert (await told(goal, "k-2.csv")).attributes.cache_control == "max-age=60"

        await rewrite(servers, source, origin, "k-4.csv", {
            "type": "text/csv", "cache": "max-age=60", "metadata": {"run": "1"},
        })  # fmt: skip
        third = await again()
        assert third["plan"]["actions"]["attributes"]["objects"] == 1
        assert third["summary"]["moved"]["objects"] == 0
        if target in proxies:
            assert writes(proxies[target]) == []

        fourth = await again()
        assert "attributes" not in fourth["plan"]["actions"]
        for name, proxy in proxies.items():
            assert (about_objects(proxy, keys), writes(proxy)) == ([], []), name


async def test_attributes_that_change_between_copy_and_verification_arrive_by_the_next_run(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin = servers.place("aws_source", new_container(), "in/")
    goal = servers.place("aws_target", new_container(), "out/")
    await fill(origin, {"k": b"body", "other": b"other"}, OLD)
    base = transfer(origin, goal, tmp_path / "evidence", rolling=0)

    def run(name: str) -> TransferRequest:
        return replace(base, run=RunKey(migration="m", phase="sync", run=name))

    plan = await plan_transfer(run("1"))
    await copy_shard(run("1"), plan.shards[0].index)
    new = {"type": "text/plain", "cache": "no-store", "metadata": {"run": "2"}}
    await rewrite(servers, "aws_source", origin, "k", new)
    record = await verify_transfer(run("1"))
    assert (record.passed, record.attributes_differ, record.newer_on_source) == (True, 0, 1)
    assert record.statement.endswith("; 1 written again on the source since, whose attributes come next")
    for name, compared in (("2", 1), ("3", 0)):
        plan, shards, record = await move(run(name))
        assert record.passed
        assert plan.to_copy.objects == compared
        assert sum(shard.renewed for shard in shards) == compared
    assert (await told(goal, "k")).attributes.cache_control == "no-store"
    _, shards, record = await move(run("4"))
    assert (shards, record.same_as is not None) == ([], True)


async def test_a_file_that_is_touched_brings_its_attributes(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin = servers.place("file", new_container())
    goal = servers.place("aws_target", new_container(), "out/")
    await fill(origin, {"k": b"body"}, OLD)
    base = transfer(origin, goal, tmp_path / "evidence", rolling=0)
    await move(base)
    path = Path(origin.location.container) / "k"
    os.setxattr(path, XATTR, encode(replace(OLD, cache_control="no-store")))
    untouched = replace(base, run=RunKey(migration="m", phase="sync", run="untouched"))
    assert (await move(untouched))[0].to_copy.objects == 0
    os.utime(path)
    touched = replace(base, run=RunKey(migration="m", phase="sync", run="touched"))
    plan, _, record = await move(touched)
    assert (plan.actions["replace"].objects, record.passed) == (1, True)
    assert (await told(goal, "k")).attributes.cache_control == "no-store"


async def test_what_the_spec_leaves_behind_is_not_even_asked_for(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin = servers.place("aws_source", new_container(), "in/")
    goal = servers.place("aws_target", new_container(), "out/")
    await fill(origin, {"k": b"body"}, OLD)
    nothing = Metadata(content_headers=False, user_metadata=False, tags=False)
    base = transfer(origin, goal, tmp_path / "evidence", rolling=0, metadata=nothing)
    new = {"type": "text/plain", "cache": "no-store", "metadata": {"run": "2"}}

    async def run(name: str, keep: Metadata) -> tuple[PlanRecord, list[ShardResult], VerificationRecord]:
        key = RunKey(migration="m", phase="sync", run=name)
        return await move(replace(base, run=key, options=replace(base.options, metadata=keep)))

    await run("1", nothing)
    await rewrite(servers, "aws_source", origin, "k", new)
    plan, _, record = await run("2", nothing)
    assert (plan.to_copy.objects, record.passed) == (0, True)
    # The proof stands, as nothing is left to be compared.
    assert (await run("3", nothing))[0].same_as is not None
    # What is carried from now on comes with the next writing of each object, or with this one.
    plan, shards, record = await run("4", Metadata(user_metadata=False, tags=False))
    assert (plan.actions["attributes"].objects, shards[0].renewed, record.passed) == (1, 1, True)
    arrived = (await told(goal, "k")).attributes
    assert (arrived.cache_control, dict(arrived.metadata)) == ("no-store", {})


async def test_what_the_target_cannot_keep_is_not_copied_again_and_again(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin = servers.place("aws_source", new_container(), "in/")
    goal = servers.place("gcp_target", new_container(), "out/")
    await fill(origin, {"k": b"body"}, replace(OLD, tags={"t": "1"}))
    base = transfer(origin, goal, tmp_path / "evidence", rolling=0)

    def run(name: str) -> TransferRequest:
        return replace(base, run=RunKey(migration="m", phase="sync", run=name))

    await move(run("1"))
    # The entry in which Cloud Storage gets the tags: an object that has both loses it.
    new = {"type": "text/csv", "cache": "no-store", "metadata": {"heavylift-tags": "mine"}}
    await rewrite(servers, "aws_source", origin, "k", new)
    plan, shards, record = await move(run("2"))
    assert (plan.actions["attributes"].objects, shards[0].renewed) == (1, 1)
    assert record.attributes_differ == 1
    for name in ("3", "4"):
        plan, shards, record = await move(run(name))
        assert (plan.to_copy.objects, shards) == (0, [])
        assert record.attributes_differ == 1  # told until it is mended


async def sync_to(environment: dict[str, str], origin: Place, goal: Place, evidence: Path, *more: str) -> Any:
    """Run a sync in a process of its own, and return its document; a folder needs no connection."""
    arguments = ["objects", "sync", str(origin.location), str(goal.location)]
    for side, place in (("source", origin), ("target", goal)):
        if place.connection is not None:
            arguments += [f"--{side}-conn", place.connection.conn_id]
    arguments += ["--evidence", f"file://{evidence}", "--json", *more]
    status, output, errors = await shell.start(arguments, os.environ | environment).ended()
    assert status == 0, errors
    return json.loads(output)
