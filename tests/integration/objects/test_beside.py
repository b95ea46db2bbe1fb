"""Storage classes and settings of containers, on real servers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heavylift.locations import parse_location
from heavylift.objects.api import plan_transfer
from heavylift.objects.beside import ARCHIVED
from heavylift.platforms.containers import RETENTION, DescribesContainer
from heavylift.platforms.places import Place
from heavylift.platforms.wiring import open_store
from heavylift.spec.classes import StorageClasses
from heavylift.spec.datasets import Limits
from heavylift.spec.vocabulary import ClassPolicy, OnUnholdableKey
from tests.integration.objects.places import Servers, move, transfer

MIB = 2**20


@pytest.mark.parametrize(
    ("target", "goal_class"),
    [("azure_target", "Cool"), ("gcp_target", "NEARLINE"), ("aws_target", "STANDARD_IA")],
)
async def test_objects_arrive_in_the_class_that_the_spec_wants(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, target: str, goal_class: str
) -> None:
    origin, goal = servers.place("aws_source", new_container()), servers.place(target, new_container())
    client, bucket = servers.s3("aws_source"), origin.location.container
    client.put_object(Bucket=bucket, Key="seldom", Body=b"x" * 1000, StorageClass="STANDARD_IA")
    client.put_object(Bucket=bucket, Key="seldom-large", Body=b"x" * (6 * MIB), StorageClass="STANDARD_IA")
    client.put_object(Bucket=bucket, Key="often", Body=b"y" * 1000)
    request = transfer(
        origin,
        goal,
        tmp_path / "evidence",
        storage_class=StorageClasses(policy=ClassPolicy.KEEP),
        limits=Limits(part_size=5 * MIB),
    )
    plan, _, verification = await move(request)
    assert verification.passed, verification.differences
    told = {f.detail for f in plan.findings if f.rule == "storage-class"}
    assert any("STANDARD_IA" in detail and goal_class in detail for detail in told), told
    async with open_store(goal.location, goal.connection) as store:
        assert (await store.head("seldom")).object.storage_class == goal_class


async def test_what_stands_in_an_archive_stops_the_plan(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    from heavylift.errors import ConflictError

    origin, goal = servers.place("aws_source", new_container()), servers.place("gcp_target", new_container())
    bucket = origin.location.container
    servers.s3("aws_source").put_object(Bucket=bucket, Key="frozen", Body=b"x", StorageClass="DEEP_ARCHIVE")
    with pytest.raises(ConflictError, match=r"frozen.*DEEP_ARCHIVE.*restore the object"):
        await plan_transfer(transfer(origin, goal, tmp_path / "evidence"))


async def test_what_was_restored_from_an_archive_moves_and_the_rest_is_named(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    # A restored object stays in its class, and listings tell nothing of it.
    origin, goal = servers.place("aws_control", new_container()), servers.place("gcp_target", new_container())
    bucket, client = origin.location.container, servers.s3("aws_control")
    for key in ("cold/a", "cold/b"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode(), StorageClass="GLACIER")
    client.put_object(Bucket=bucket, Key="warm", Body=b"warm")
    skip = {"on_unholdable_key": OnUnholdableKey.SKIP}
    plan, _, verification = await move(transfer(origin, goal, tmp_path / "evidence", "one", **skip))
    assert (plan.to_copy.objects, plan.refused.objects, verification.passed) == (1, 2, True)
    client.restore_object(Bucket=bucket, Key="cold/a", RestoreRequest={"Days": 1})
    plan, _, verification = await move(transfer(origin, goal, tmp_path / "evidence", "two", **skip))
    assert (plan.to_copy.objects, plan.refused.objects, verification.equal.objects) == (1, 1, 2)
    assert [f.subject for f in plan.findings if f.rule == ARCHIVED] == [f"s3://{bucket}/cold/b"]
    client.restore_object(Bucket=bucket, Key="cold/b", RestoreRequest={"Days": 1})
    plan, _, verification = await move(transfer(origin, goal, tmp_path / "evidence", "three"))
    assert (plan.to_copy.objects, verification.equal.objects, verification.passed) == (1, 3, True)


async def test_a_buckets_settings_are_told(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin, goal = servers.place("aws_source", new_container()), servers.place("gcp_target", new_container())
    client, bucket = servers.s3("aws_source"), origin.location.container
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    plan = await plan_transfer(transfer(origin, goal, tmp_path / "evidence", dry_run=True))
    [told] = [finding for finding in plan.findings if finding.rule == "versioning"]
    assert (told.severity.value, "older versions" in told.detail) == ("note", True)


@pytest.mark.parametrize("server", ["aws_source", "aws_control", "gcp_target", "azure_target"])
async def test_every_server_can_be_asked(
    servers: Servers, new_container: Callable[[], str], server: str
) -> None:
    place = servers.place(server, new_container())
    async with open_store(place.location, place.connection) as store:
        assert isinstance(store, DescribesContainer)
        for trait in await store.describe_container():
            assert trait.rule
            assert trait.detail
            assert trait.remedy


async def test_holds_and_retention_of_single_objects_are_told_before_they_are_left_behind(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    goal, client = servers.place("gcp_target", new_container()), servers.s3("aws_control")
    bucket = new_container()
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    client.put_object(Bucket=bucket, Key="free", Body=b"free")
    client.put_object(Bucket=bucket, Key="held", Body=b"held", ObjectLockLegalHoldStatus="ON")
    until = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": datetime(2100, 1, 1, tzinfo=UTC)}
    for key in ("kept/1", "kept/2"):
        client.put_object(Bucket=bucket, Key=key, Body=b"kept", **until)
    origin = Place(parse_location(f"s3://{bucket}/"), servers.connection("aws_control"))
    plan = await plan_transfer(transfer(origin, goal, tmp_path / "evidence", dry_run=True))
    told = [f.detail for f in plan.findings if f.rule == RETENTION]
    assert told[:2] == [
        "1 object of 4 looked at: a legal hold; it does not move",
        "2 objects of 4 looked at: a retention period; it does not move",
    ]
    assert "object lock" in told[2]
