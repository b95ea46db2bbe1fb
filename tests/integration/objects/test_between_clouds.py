"""Moving objects between real servers of all three clouds and a folder, awkward keys included."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import ConflictError, CredentialError
from heavylift.locations import Location
from heavylift.objects.api import plan_transfer
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectAttributes
from heavylift.platforms.wiring import open_store
from heavylift.spec.datasets import Limits
from heavylift.spec.vocabulary import OnUnholdableKey
from tests.integration.objects.places import Servers, move, transfer
from tests.support.longer import first_then_long

MIB = 2**20

# Kept by every server of the sandbox; what some cannot keep has tests of its own.
KEYS = (
    "plain",
    "with space",
    " leading and trailing ",
    "plus+percent%hash#question?",
    "%2F%20%00 looks encoded",
    "a&b=c;d,e@f$g!h'(i)*~",
    "é precomposed",
    "e\u0301 decomposed",
    "日本語/ключ/🙂",
    ".hidden",
    "dir/.hidden/..twodots",
    'quote"and<angle>',
    "deep/" * 40 + "end",
    "long/" + "/".join(["k" * 100] * 9),
)

# The first three: each cloud is once the source and once the target.
PAIRS = (
    ("aws_source", "gcp_target"),
    ("gcp_target", "azure_target"),
    ("azure_target", "aws_target"),
    ("aws_source", "azure_target"),
    ("aws_source", "aws_target"),
    ("file", "gcp_target"),
    ("gcp_target", "file"),
)

ATTRIBUTES = ObjectAttributes(
    content_type="application/x-model",
    content_encoding="gzip",
    cache_control="max-age=60",
    content_disposition='attachment; filename="m.bin"',
    content_language="en",
    metadata={"owner": "fraud", "ml-run": "42"},
    tags={"stage": "prod", "team": "risk & co"},
)


async def fill(place: Place, objects: dict[str, bytes], attributes: ObjectAttributes) -> None:
    from heavylift.checksums import Algorithm, digest

    async with open_store(place.location, place.connection) as store:
        for key, body in objects.items():
            sums = digest(body, Algorithm.CRC32C, Algorithm.MD5)
            await store.put(place.location.prefix + key, body, attributes, sums)


async def contents(place: Place) -> dict[str, str]:
    found: dict[str, str] = {}
    prefix = place.location.prefix
    async with open_store(place.location, place.connection) as store:
        for key in [item.key async for page in store.list_pages(prefix) for item in page]:
            async with store.get(key) as stream:
                body = b"".join([chunk async for chunk in stream.chunks()])
            found[key[len(prefix) :]] = hashlib.sha256(body).hexdigest()
    return found


@pytest.mark.parametrize(("source", "target"), first_then_long(PAIRS, first=3))
async def test_all_bytes_and_keys_arrive(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, source: str, target: str
) -> None:
    origin = servers.place(source, new_container(), "in/")
    goal = servers.place(target, new_container(), "out/")
    objects = {key: os.urandom(17 * number) for number, key in enumerate(KEYS)}
    objects["large.bin"] = os.urandom(11 * MIB + 13)
    attributes = ObjectAttributes() if "file" in (source, target) else ATTRIBUTES
    await fill(origin, objects, attributes)
    request = transfer(
        origin, goal, tmp_path / "evidence", limits=Limits(part_size=5 * MIB, shard_objects=10)
    )
    plan, shards, verification = await move(request)
    assert sum(s.moved.objects for s in shards) == plan.found.objects == len(objects)
    assert verification.passed, verification.differences
    assert verification.attributes_compared == len(objects)
    assert await contents(goal) == {key: hashlib.sha256(body).hexdigest() for key, body in objects.items()}
    again, _, verification = await move(transfer(origin, goal, tmp_path / "evidence", run="two"))
    assert (again.to_copy.objects, again.unchanged.objects) == (0, len(objects))
    assert verification.passed


async def test_keys_of_which_servers_differ_arrive_where_they_can(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    """Moto and Cloud Storage hold these; they go between them unchanged."""
    keys = ("a", "a/b", "x//y", "./dot", "p/../q", "/lead", "trail/", "back\\slash", "tab\tin", "k" * 1000)
    origin, goal = servers.place("aws_control", new_container()), servers.place("gcp_target", new_container())
    client = servers.s3("aws_control")
    for key in keys:
        client.put_object(Bucket=origin.location.container, Key=key, Body=key.encode())
    _, _, verification = await move(transfer(origin, goal, tmp_path / "evidence"))
    assert verification.passed
    assert sorted(await contents(goal)) == sorted(keys)


async def test_keys_that_the_target_rewrites_are_named_before_anything_moves(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    """SeaweedFS rewrites ``//`` silently, against S3's rules; only a probe finds that out."""
    origin, goal = servers.place("aws_control", new_container()), servers.place("aws_target", new_container())
    client = servers.s3("aws_control")
    for key in ("good", "x//y", "./dot"):
        client.put_object(Bucket=origin.location.container, Key=key, Body=b"1")
    with pytest.raises(ConflictError, match="x//y") as caught:
        await plan_transfer(transfer(origin, goal, tmp_path / "evidence"))
    assert "./dot" in str(caught.value)
    assert await contents(goal) == {}
    request = transfer(origin, goal, tmp_path / "evidence", on_unholdable_key=OnUnholdableKey.SKIP)
    plan, _, verification = await move(request)
    unholdable = {f.subject for f in plan.findings if f.rule == "key-not-holdable"}
    assert unholdable == {f"s3://{origin.location.container}/{key}" for key in ("x//y", "./dot")}
    assert (verification.passed, verification.accepted) == (True, 2)
    assert list(await contents(goal)) == ["good"]


@pytest.mark.parametrize(("second_part", "method"), [(5, "read_back:md5_parts"), (6, "read_source:crc32c")])
async def test_a_multipart_object_is_proved_by_its_etag_or_by_reading_it(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path, second_part: int, method: str
) -> None:
    """Even parts: the ETag is recomputed. Uneven parts, whose sizes this server hides: read again."""
    origin, goal = servers.place("aws_source", new_container()), servers.place("gcp_target", new_container())
    client, bucket = servers.s3("aws_source"), origin.location.container
    upload = client.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    bodies = [os.urandom(5 * MIB), os.urandom(second_part * MIB), os.urandom(100)]
    parts: list[dict[str, Any]] = []
    for number, body in enumerate(bodies, 1):
        etag = client.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number, Body=body)[
            "ETag"
        ]
        parts.append({"PartNumber": number, "ETag": etag})
    client.complete_multipart_upload(
        Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    request = transfer(origin, goal, tmp_path / "evidence", limits=Limits(part_size=5 * MIB))
    _, shards, verification = await move(request)
    assert verification.passed
    assert verification.methods == {method: 1}
    assert await contents(goal) == {"m": hashlib.sha256(b"".join(bodies)).hexdigest()}
    assert shards[0].moved.size_bytes == sum(map(len, bodies))


async def test_wrong_credentials_are_refused_and_never_shown(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    from dataclasses import replace

    origin = servers.place("aws_source", new_container())
    assert origin.connection is not None
    secret = "wrong-" + "x" * 30
    bad = Place(origin.location, replace(origin.connection, password=secret))
    with pytest.raises(CredentialError) as caught:
        await plan_transfer(transfer(bad, servers.place("file", "out"), tmp_path / "evidence"))
    assert secret not in str(caught.value)
    assert secret not in repr(caught.value)


async def test_evidence_can_lie_in_a_bucket(
    servers: Servers, new_container: Callable[[], str], tmp_path: Path
) -> None:
    from dataclasses import replace

    origin, goal = servers.place("file", "in"), servers.place("file", "out")
    await fill(origin, {"k": b"1", "j": b"2"}, ObjectAttributes())
    bucket = servers.place("aws_target", new_container())
    request = replace(
        transfer(origin, goal, tmp_path),
        evidence_url=str(Location("s3", bucket.location.container, "evidence/")),
        evidence_connection=bucket.connection,
    )
    _, _, verification = await move(request)
    assert verification.passed
    names = list(await contents(bucket))
    assert "evidence/m/transfer/one/d/plan.json" in names
    assert "evidence/m/transfer/one/d/verification-1.json" in names
