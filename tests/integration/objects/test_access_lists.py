"""Access lists of single objects are told before a move: of S3 as moto has them, and of Cloud Storage."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest

from heavylift.connections import Connection
from heavylift.evidence.records import Finding, RunKey
from heavylift.locations import parse_location
from heavylift.objects.api import plan_transfer
from heavylift.platforms.places import Place
from sandbox.stack import Stack
from tests.integration.objects.places import Servers, transfer


async def told(origin: Place, tmp_path: Path, phase: str = "transfer") -> list[Finding]:
    """Return what a dry run tells of access lists."""
    goal = Place(parse_location(f"file://{tmp_path / 'goal'}"))
    (tmp_path / "goal").mkdir(exist_ok=True)
    request = transfer(origin, goal, tmp_path / "evidence", dry_run=True, rolling=0)
    plan = await plan_transfer(replace(request, run=RunKey(migration="m", phase=phase, run=phase)))
    return [each for each in plan.findings if "acl" in each.rule]


@pytest.fixture
def moto(sandbox: Stack) -> Any:
    sandbox.ensure("aws_control")
    return boto3.client(
        "s3",
        endpoint_url=sandbox.endpoints["aws_control"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )


async def test_what_objects_of_s3_grant_to_others_is_told(
    sandbox: Stack, moto: Any, new_container: Callable[[], str], tmp_path: Path
) -> None:
    bucket = new_container()
    moto.create_bucket(Bucket=bucket)
    for number in range(5):
        acl = "public-read" if number < 2 else "private"
        moto.put_object(Bucket=bucket, Key=f"in/k-{number}", Body=b"x", ACL=acl)
    moto.put_object_acl(Bucket=bucket, Key="in/k-4", GrantRead='id="another"', GrantReadACP='id="another"')
    extra = {"endpoint_url": sandbox.endpoints["aws_control"], "region_name": "us-east-1"}
    connection = Connection("moto", "aws", login="test", password="test", extra=extra)
    origin = Place(parse_location(f"s3://{bucket}/in/"), connection)
    found = await told(origin, tmp_path)
    assert [each.detail for each in found] == [
        "2 objects of 5 looked at: READ to everyone; access lists do not move",
        "1 object of 5 looked at: READ to another account; access lists do not move",
        "1 object of 5 looked at: READ_ACP to another account; access lists do not move",
    ]
    assert await told(origin, tmp_path, "sync") == []
    # Since 2023 a new bucket of S3 is like this: its lists are out of force.
    moto.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    assert await told(origin, tmp_path, "enforced") == []


async def test_what_objects_of_cloud_storage_grant_to_others_is_told(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    origin = servers.place("gcp_target", new_container(), "in/")
    url = f"{servers.stack.endpoints['gcp_target']}/upload/storage/v1/b/{origin.location.container}/o"
    for number, predefined in enumerate(("publicRead", "authenticatedRead", "private")):
        put(url, f"in/k-{number}", predefined)
    # The server here has no list for everyone with an account.
    assert [each.detail for each in await told(origin, tmp_path)] == [
        "1 object of 3 looked at: READER to everyone; access lists do not move"
    ]


def put(url: str, name: str, predefined: str) -> None:
    query = urlencode({"uploadType": "media", "name": name, "predefinedAcl": predefined})
    request = urllib.request.Request(f"{url}?{query}", b"x", {"content-type": "text/plain"})
    urllib.request.urlopen(request).close()
