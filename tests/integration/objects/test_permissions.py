"""Identities that may do too little: the error names what is lacking, and one object keeps no other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import CredentialError, IncompleteError
from heavylift.evidence.records import RunKey, ShardResult
from heavylift.evidence.store import open_evidence
from heavylift.locations import parse_location
from heavylift.objects.api import TransferRequest, copy_shard, delete_gone, plan_transfer, verify_transfer
from heavylift.objects.copy import MOST_REFUSED_IN_A_ROW
from heavylift.objects.undecided import ASKED_AGAIN_AFTER
from heavylift.platforms.places import Place
from heavylift.spec.datasets import Limits
from heavylift.spec.vocabulary import Deletes
from tests.integration.objects.places import Servers, move, transfer
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.weed_identities import Weed, weed

MANY = 60
IDENTITIES = {
    "unlisted": ("Read", "Write", "Tagging"),
    "listing": ("List",),
    "some": ("List", "Read:source/open*", "Tagging"),
    "mover": ("List", "Read", "Write", "Tagging"),
    "unread": ("List", "Write", "Tagging"),
    "aside": ("List", "Read", "Tagging", "Write:aside/out.heavylift-quarantine/*"),
    "readonly": ("List", "Read", "Tagging"),
}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    """Return a server whose bucket ``source`` holds one object that ``some`` may not read."""
    with weed(tmp_path_factory.mktemp("weed"), IDENTITIES) as server:
        client = server.client()
        client.create_bucket(Bucket="source")
        for number in range(MANY):
            client.put_object(Bucket="source", Key=f"open/{number:03}", Body=b"x" * number)
        client.put_object(Bucket="source", Key="open-not/1", Body=b"y")
        client.put_object(Bucket="source", Key="closed/1", Body=b"secret")
        yield server


@pytest.fixture
def move_as(
    limited: Weed, new_container: Callable[[], str], tmp_path: Path
) -> Callable[[str, str], TransferRequest]:
    """Return a function that makes a request for two identities, with a target of its own."""

    def make(source: str, target: str) -> TransferRequest:
        bucket = new_container()
        limited.client().create_bucket(Bucket=bucket)
        return transfer(
            Place(parse_location("s3://source/"), limited.connection(source)),
            Place(parse_location(f"s3://{bucket}/"), limited.connection(target)),
            tmp_path / "evidence",
            limits=Limits(max_concurrency=4),
        )

    return make


async def planned_and_copied(request: TransferRequest) -> None:
    await plan_transfer(request)
    await copy_shard(request, 0)


async def result_of(request: TransferRequest) -> ShardResult:
    async with open_evidence(request.evidence_url) as evidence:
        (name,) = [n for n in await evidence.names("") if n.endswith("/result.json")]
        return await evidence.read_record(name, ShardResult)


async def test_one_object_that_may_not_be_read_keeps_no_other(
    move_as: Callable[[str, str], TransferRequest],
) -> None:
    request = move_as("some", "root")
    await plan_transfer(request)
    with pytest.raises(IncompleteError, match=r"1 objects failed, 0 not tried.*s3:GetObject"):
        await copy_shard(request, 0)
    result = await result_of(request)
    assert [each.key for each in result.failures] == ["closed/1"]
    assert result.moved.objects == MANY + 1
    record = await verify_transfer(request)
    assert (record.equal.objects, record.missing, record.passed) == (MANY + 1, 1, False)


async def test_an_object_that_cannot_be_looked_at_is_named_and_the_others_are_judged(
    move_as: Callable[[str, str], TransferRequest], limited: Weed
) -> None:
    # Both parts were joined by the store: only a look at the object itself could compare it.
    client = limited.client()
    request = move_as("some", "root")
    bucket = request.target.location.container
    for key in ("closed/1", "open/001", "open/002"):
        client.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": "source", "Key": key})
    begun = client.create_multipart_upload(Bucket=bucket, Key="closed/1")["UploadId"]
    told = client.upload_part(Bucket=bucket, Key="closed/1", UploadId=begun, PartNumber=1, Body=b"secret")
    client.complete_multipart_upload(
        Bucket=bucket,
        Key="closed/1",
        UploadId=begun,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": told["ETag"]}]},
    )
    record = await verify_transfer(request)
    assert (record.equal.objects, record.unverifiable, record.passed) == (2, 1, False)
    (unseen,) = [each for each in record.differences if each.kind == "unverifiable"]
    assert unseen.key == "closed/1"
    assert "s3:GetObject" in unseen.source


async def test_an_identity_that_may_read_nothing_stops_after_some(
    move_as: Callable[[str, str], TransferRequest],
) -> None:
    request = move_as("listing", "root")
    plan = await plan_transfer(request)
    assert any("s3:GetObject" in each.detail for each in plan.findings)
    with pytest.raises(IncompleteError, match="s3:GetObject"):
        await copy_shard(request, 0)
    result = await result_of(request)
    assert MOST_REFUSED_IN_A_ROW <= result.failed.objects <= MOST_REFUSED_IN_A_ROW + 3
    assert result.left.objects == MANY + 2 - result.failed.objects


@pytest.mark.parametrize(("source", "target"), [("unlisted", "root"), ("root", "unlisted")])
async def test_who_may_not_list_is_told_so_before_anything_moves(
    source: str, target: str, move_as: Callable[[str, str], TransferRequest]
) -> None:
    with pytest.raises(CredentialError, match="s3:ListBucket"):
        await plan_transfer(move_as(source, target))


async def test_a_target_that_may_not_be_written_names_the_right(
    move_as: Callable[[str, str], TransferRequest],
) -> None:
    request = move_as("root", "readonly")
    await plan_transfer(request)
    with pytest.raises(IncompleteError, match="s3:PutObject"):
        await copy_shard(request, 0)
    assert not (await result_of(request)).moved.objects


async def test_a_target_that_may_not_be_read_back_has_not_passed(
    move_as: Callable[[str, str], TransferRequest],
) -> None:
    request = move_as("root", "unread")
    await plan_transfer(request)
    await copy_shard(request, 0)
    record = await verify_transfer(request)
    assert (record.equal.objects, record.attributes_differ, record.passed) == (MANY + 2, MANY + 2, False)
    assert "s3:GetObject" in record.differences[0].source


@pytest.mark.parametrize("act", ["copy", "verify"])
async def test_many_refused_objects_do_not_each_ask_whether_the_sides_answer(
    move_as: Callable[[str, str], TransferRequest], limited: Weed, act: str
) -> None:
    client = limited.client()
    client.put_object(Bucket="source", Key="closed/1", Body=b"secret")
    refused = [f"closed/many-{number:02}" for number in range(MOST_REFUSED_IN_A_ROW - 5)]
    for key in refused:
        client.put_object(Bucket="source", Key=key, Body=b"secret")
    request = move_as("some" if act == "copy" else "root", "unread")
    await plan_transfer(request)
    if act == "verify":
        await copy_shard(request, 0)
    async with fault_proxy(limited.url, 0, {}) as proxy:
        began = time.monotonic()
        request = replace(
            request, source=seen_by(proxy, request.source), target=seen_by(proxy, request.target)
        )
        if act == "copy":
            with pytest.raises(IncompleteError, match=f"{len(refused) + 1} objects failed, 0 not tried"):
                await copy_shard(request, 0)
        else:
            assert (await verify_transfer(request)).attributes_differ > len(refused)
        rounds = 1 + (time.monotonic() - began) // ASKED_AGAIN_AFTER
    for key in refused:
        client.delete_object(Bucket="source", Key=key)
    asked = sum(times for line, times in proxy.seen.items() if "max-keys=1&" in f"{line}&")
    assert 2 <= asked <= 2 * rounds


@pytest.mark.parametrize("may_delete_copies", [True, False])
async def test_what_may_not_be_deleted_is_not_put_aside_by_halves(
    limited: Weed, tmp_path: Path, may_delete_copies: bool
) -> None:
    client = limited.client()
    origin, bucket = ("aside-source", "aside") if may_delete_copies else ("denied-source", "denied")
    for name in (origin, bucket):
        client.create_bucket(Bucket=name)
    for number in range(MANY):
        client.put_object(Bucket=origin, Key=f"{number:03}", Body=b"x" * number)
    places = [
        Place(parse_location(url), limited.connection("root"))
        for url in (f"s3://{origin}/", f"s3://{bucket}/out/")
    ]
    request = transfer(*places, tmp_path / "evidence", limits=Limits(max_concurrency=8))
    request = replace(request, run=RunKey(migration="m", phase="sync", run="one"))
    await move(request)
    for number in range(MANY // 3):
        client.delete_object(Bucket=origin, Key=f"{number:03}")
    if may_delete_copies:
        request = replace(request, target=replace(places[1], connection=limited.connection("aside")))
    else:
        denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject"}
        statement = {**denied, "Resource": f"arn:aws:s3:::{bucket}/*"}
        client.put_bucket_policy(
            Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        )
        request = replace(request, target=replace(places[1], connection=limited.connection("mover")))
    request = replace(
        request,
        run=RunKey(migration="m", phase="sync", run="two"),
        options=replace(request.options, deletes=Deletes.QUARANTINE),
    )
    await plan_transfer(request)
    with pytest.raises(CredentialError) as caught:
        await delete_gone(request)
    keys = {each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]}
    assert len([key for key in keys if key.startswith("out/")]) == MANY
    copies = sorted(key for key in keys if not key.startswith("out/"))
    if may_delete_copies:
        assert copies == []
        assert "no copy of it was kept" in caught.value.state
    else:
        (copy,) = copies
        assert f"s3://{bucket}/{copy} could not be deleted" in caught.value.state


def seen_by(proxy: FaultProxy, place: Place) -> Place:
    """Return the place as it is reached through a proxy that counts."""
    assert place.connection is not None
    extra = {**place.connection.extra, "endpoint_url": proxy.url}
    return replace(place, connection=replace(place.connection, extra=extra))


def signed(servers: Servers, container: str, **permissions: bool) -> Connection:
    """Return a connection with a signature for one container that allows no more than ``permissions``."""
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    found = servers.connection("azure_target")
    sas = generate_container_sas(
        str(found.login),
        container,
        account_key=str(found.password),
        permission=ContainerSasPermissions(**permissions),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    return Connection("azure_signed", "wasb", login=found.login, host=found.host, extra={"sas_token": sas})


@pytest.mark.parametrize(
    ("lacking", "letter"), [("list", "l in a SAS"), ("read", "r in a SAS"), ("write", "w in a SAS")]
)
async def test_a_signature_that_allows_too_little_names_the_letter(
    lacking: str, letter: str, servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    here = servers.place("azure_target", new_container())
    body: Any = b"bytes"
    servers.azure("azure_target").get_blob_client(here.location.container, "a").upload_blob(body)
    allowed = dict.fromkeys(("read", "write", "create", "delete", "list", "tag"), True)
    allowed |= {"write": False, "create": False} if lacking == "write" else {lacking: False}
    limited = Place(here.location, signed(servers, here.location.container, **allowed))
    folder = servers.place("file", "folder")
    (tmp_path / "folder" / "b").write_bytes(b"other")
    sides = (folder, limited) if lacking == "write" else (limited, folder)
    request = transfer(*sides, tmp_path / "evidence")
    with pytest.raises((CredentialError, IncompleteError), match=letter):
        await planned_and_copied(request)


async def test_a_signature_that_reads_and_lists_is_enough_for_a_source(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    # It may not ask for the container's own properties, however much of it it allows.
    here = servers.place("azure_target", new_container())
    body: Any = b"bytes"
    servers.azure("azure_target").get_blob_client(here.location.container, "a").upload_blob(body)
    signature = signed(servers, here.location.container, read=True, list=True, tag=True)
    goal = servers.place("file", "folder")
    plan, _, verification = await move(transfer(Place(here.location, signature), goal, tmp_path / "evidence"))
    assert (verification.equal.objects, verification.passed) == (1, True)
    assert "settings-unknown" in {each.rule for each in plan.findings}
