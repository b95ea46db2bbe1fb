"""DataSync moves a dataset: once against moto, which copies nothing, once against a server that does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from heavylift.errors import IncompleteError, IntegrityError, PermanentError
from heavylift_airflow.hooks.services.datasync import DataSyncService
from heavylift_airflow.operators.services.run import RunServiceOperator
from tests.integration.objects.places import Servers
from tests.integration.services.conftest import Moving
from tests.integration.services.tasks import again, plan, serve, task, verify
from tests.plugins.world import context_of
from tests.support.datasync_server import DataSyncServer

ROLE = "arn:aws:iam::123456789012:role/heavylift-datasync"


@pytest.fixture
def within_aws(moving: Moving, container_on: Callable[[Servers, str], str]) -> Moving:
    """Return a migration from one S3 to another, through DataSync."""
    moving.target = container_on(moving.servers, "aws_target")
    moving.spec["target"] = {"platform": "aws", "connection": "aws_target"}
    service = {"connection": "datasync", "poll": "1s", "source_role": ROLE, "target_role": ROLE}
    moving.save(via="datasync", target=f"s3://{moving.target}/{moving.prefix}", service=service)
    for number in range(4):
        moving.put(
            f"part, {number} é.bin",
            bytes([number]) * (1000 * number),
            ContentType="application/x-part",
            Tagging="team=vision",
        )
    return moving


@pytest.fixture
def datasync(within_aws: Moving, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataSyncServer]:
    """Return a DataSync that copies between the sandbox's two S3 servers."""
    source, target = within_aws.servers.s3("aws_source"), within_aws.servers.s3("aws_target")

    def place(location: dict[str, Any], rel: str) -> tuple[str, str]:
        bucket = location["S3BucketArn"].rpartition(":")[2]
        key = location["Subdirectory"].removeprefix("/") + rel
        return bucket, key

    def read(location: dict[str, Any], rel: str) -> tuple[bytes, dict[str, Any]]:
        bucket, key = place(location, rel)
        found = source.get_object(Bucket=bucket, Key=key)
        tags = source.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        attributes = {"ContentType": found["ContentType"], "Metadata": found["Metadata"]}
        if tags:
            attributes["Tagging"] = "&".join(f"{tag['Key']}={tag['Value']}" for tag in tags)
        return found["Body"].read(), attributes

    def write(location: dict[str, Any], rel: str, body: bytes, attributes: dict[str, Any]) -> bool:
        bucket, key = place(location, rel)
        try:
            target.put_object(Bucket=bucket, Key=key, Body=body, **attributes)
        except target.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "PreconditionFailed":
                return False
            raise
        return True

    def manifest(arn: str, key: str) -> str:
        bucket = arn.rpartition(":")[2]
        found = target.get_object(Bucket=bucket, Key=key)
        text: str = found["Body"].read().decode()
        return text

    server = DataSyncServer(read, write, manifest)
    connect(server.url, monkeypatch)
    yield server
    server.close()


def connect(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"endpoint_url": url, "region_name": "us-east-1"}
    connection = {"conn_type": "aws", "login": "AKIDTEST", "password": "not-a-secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_DATASYNC", json.dumps(connection))


def test_a_dataset_with_tags_goes_through_datasync_and_is_proved_by_us(
    within_aws: Moving, datasync: DataSyncServer
) -> None:
    datasync.polls = 1
    assert plan(within_aws.spec_path) == []
    counts = serve(within_aws.spec_path)
    assert (counts["found"], counts["moved"]) == (4, 4)
    assert verify(within_aws.spec_path)["objects"] == 4
    assert datasync.rejected == []
    assert (datasync.tasks, datasync.locations) == ({}, {})  # nothing is left in the account
    [made] = [body for operation, body in datasync.requests if operation == "CreateTask"]
    assert made["TaskMode"] == "ENHANCED"
    assert made["Options"]["OverwriteMode"] == "NEVER"


def test_a_second_run_through_datasync_replaces_only_what_changed(
    within_aws: Moving, datasync: DataSyncServer
) -> None:
    plan(within_aws.spec_path)
    serve(within_aws.spec_path)
    verify(within_aws.spec_path)
    within_aws.put("part, 1 é.bin", b"changed", ContentType="application/x-part")
    later = {"run_id": "manual__later"}
    plan(within_aws.spec_path, **later)
    assert serve(within_aws.spec_path, **later)["moved"] == 1
    assert verify(within_aws.spec_path, **later)["objects"] == 4
    made = [body for operation, body in datasync.requests if operation == "CreateTask"]
    assert made[-1]["Options"]["OverwriteMode"] == "ALWAYS"


def test_objects_that_are_gone_are_counted_and_the_reason_is_told(
    within_aws: Moving, datasync: DataSyncServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> tuple[bytes, dict[str, Any]]:
        raise KeyError

    plan(within_aws.spec_path)
    datasync.read = gone
    with pytest.raises(IncompleteError, match=r"failed: 4 objects failed.*4 x NotFound"):
        serve(within_aws.spec_path)


def test_a_killed_task_cancels_the_execution(within_aws: Moving, datasync: DataSyncServer) -> None:
    datasync.polls = 100
    plan(within_aws.spec_path)
    made = task(RunServiceOperator, within_aws.spec_path)
    with pytest.raises(TaskDeferred) as caught:
        made.execute(context_of(made))
    assert caught.value.timeout is not None
    asyncio.run(again(caught.value.trigger).on_kill())
    with pytest.raises(IncompleteError, match="cancelled"):
        serve(within_aws.spec_path, attempt=2)
    datasync.polls = 0
    assert serve(within_aws.spec_path, attempt=3)["moved"] == 4


def test_against_moto_the_calls_are_understood_and_its_success_proves_nothing(
    within_aws: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(within_aws.servers.stack.endpoints["aws_control"], monkeypatch)
    plan(within_aws.spec_path)
    # moto goes through its states and says SUCCESS, without a counter and without a copied object.
    with pytest.raises(IncompleteError, match=r"succeeded: 0 objects failed, 4 not accounted for"):
        serve(within_aws.spec_path)
    with pytest.raises(IntegrityError, match="4 missing"):
        verify(within_aws.spec_path)


def test_against_moto_a_retry_finds_the_task_and_its_execution(
    within_aws: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(within_aws.servers.stack.endpoints["aws_control"], monkeypatch)
    plan(within_aws.spec_path)
    handles = []
    for attempt in (1, 2):
        made = task(RunServiceOperator, within_aws.spec_path)
        with pytest.raises(TaskDeferred) as caught:
            made.execute(context_of(made, attempt=attempt))
        handles.append(caught.value.trigger.serialize()[1]["handle"])
    assert handles[0] == handles[1]
    service = DataSyncService("datasync")
    service.cancel(handles[0])
    assert service.look(handles[0]).state.value == "failed"
    with pytest.raises(PermanentError, match="HL-8520"):
        service.look(handles[0] + "-of-nobody")
