"""Servers and networks at their worst: the end is right, or an error says what is not."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig

from heavylift.errors import HeavyliftError, TransientError
from heavylift.objects.api import copy_shard, plan_transfer, verify_transfer
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from heavylift.spec.datasets import Limits
from tests.integration.objects.places import Servers, transfer
from tests.integration.objects.test_between_clouds import contents, fill
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.longer import first_then_long

MIB = 2**20


def through(place: Place, proxy: FaultProxy) -> Place:
    """Return ``place`` as it is reached through a proxy."""
    assert place.connection is not None
    extra = {**place.connection.extra, "endpoint_url": proxy.url}
    return Place(place.location, replace(place.connection, extra=extra))


@pytest.mark.parametrize("target", first_then_long(["aws_target", "gcp_target"]))
async def test_a_storm_of_faults_ends_in_equal_buckets(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, target: str
) -> None:
    seed = int(os.environ.get("HEAVYLIFT_FAULT_SEED") or random.SystemRandom().randrange(10**6))
    print(f"HEAVYLIFT_FAULT_SEED={seed}")  # shown by pytest when the test fails
    origin, goal = servers.place("aws_source", new_container()), servers.place(target, new_container())
    objects = {f"small/{n}": os.urandom(n * 997) for n in range(40)} | {"large": os.urandom(12 * MIB)}
    await fill(origin, objects, ObjectAttributes(content_type="text/x"))
    rates = dict.fromkeys(
        ("busy", "throttle", "error", "reset", "truncate", "flip_answer", "flip_request"), 0.04
    )
    limits = Limits(part_size=5 * MIB, max_concurrency=8)
    async with (
        fault_proxy(servers.stack.endpoints["aws_source"], seed, rates) as before_source,
        fault_proxy(servers.stack.endpoints[target], seed + 1, rates) as before_target,
    ):
        request = transfer(
            through(origin, before_source), through(goal, before_target), tmp_path / "evidence", limits=limits
        )
        plan = await plan_transfer(request)
        for _ in range(5):  # as Airflow's retries would
            try:
                result = await copy_shard(request, plan.shards[0].index)
                break
            except HeavyliftError as error:
                print(error)
        assert result.failed.objects + result.left.objects + result.vanished.objects == 0
        assert result.moved.objects + result.unchanged.objects == len(objects)
        assert before_source.done.total() + before_target.done.total() > 10
    calm = replace(request, source=origin, target=goal)
    assert (await verify_transfer(calm)).passed
    assert await contents(goal) == {key: hashlib.sha256(body).hexdigest() for key, body in objects.items()}


async def test_damaged_downloads_are_found_even_of_objects_made_of_parts(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    """The case in which common tools end with success and a corrupt target."""
    origin, goal = servers.place("aws_source", new_container()), servers.place("aws_target", new_container())
    body = os.urandom(11 * MIB)
    client = servers.s3("aws_source")
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    client.upload_fileobj(BytesIO(body), origin.location.container, "m", Config=config)
    async with fault_proxy(servers.stack.endpoints["aws_source"], 1, {"flip_answer": 1.0}, most=1) as proxy:
        request = transfer(
            through(origin, proxy), goal, tmp_path / "evidence", limits=Limits(part_size=5 * MIB)
        )
        plan = await plan_transfer(request)
        result = await copy_shard(request, plan.shards[0].index)
    assert result.rejected_reads == 1
    assert await contents(goal) == {"m": hashlib.sha256(body).hexdigest()}


async def test_a_server_that_is_down_is_a_transient_error_that_counts_what_is_left(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin, goal = servers.place("aws_source", new_container()), servers.place("aws_target", new_container())
    await fill(origin, {f"k{n}": b"x" for n in range(5)}, ObjectAttributes())
    async with fault_proxy(servers.stack.endpoints["aws_target"], 1, {}) as proxy:
        request = transfer(origin, through(goal, proxy), tmp_path / "evidence")
        plan = await plan_transfer(request)
    with pytest.raises(TransientError, match="5 objects failed, 0 not tried"):
        await copy_shard(request, plan.shards[0].index)
    result = await copy_shard(replace(request, target=goal), plan.shards[0].index)
    assert result.moved.objects == 5
