"""The workload on real servers: every key as it was given, and safe to seed again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from heavylift.checksums import Algorithm, digest
from heavylift.connections import connection_from_env
from heavylift.locations import Location
from heavylift.platforms.ports import ListedObject, ObjectAttributes
from heavylift.platforms.wiring import open_store
from sandbox.examples.documents import fidelity_keys
from sandbox.examples.fraud_scoring import mutate, seed, seed_objects
from sandbox.examples.objects import SeedObject
from sandbox.examples.tables import Scale
from sandbox.examples.uploading import ensure_gcs_bucket, ensure_s3_bucket, put_all, s3_client
from sandbox.stack import Stack

SCALE = 0.01
SCHEMES = {"aws_source": "s3", "aws_control": "s3", "gcp_target": "gs"}


async def listing(stack: Stack, server: str, bucket: str) -> dict[str, ListedObject]:
    location = Location(SCHEMES[server], bucket)
    async with open_store(location, connection_from_env(server, stack.env)) as store:
        return {item.key: item async for page in store.list_pages() for item in page}


async def empty(stack: Stack, server: str, bucket: str) -> None:
    location = Location(SCHEMES[server], bucket)
    async with open_store(location, connection_from_env(server, stack.env)) as store:
        for key in [item.key async for page in store.list_pages() for item in page]:
            await store.delete(key)


@pytest.fixture
def bucket(sandbox: Stack) -> Iterator[str]:
    name = f"example-{uuid.uuid4().hex[:12]}"
    yield name
    for server in SCHEMES:
        client_side = connection_from_env(server, sandbox.env)
        if SCHEMES[server] == "s3":
            ensure_s3_bucket(s3_client(client_side), name)
        else:
            ensure_gcs_bucket(client_side, name)
        asyncio.run(empty(sandbox, server, name))


async def test_the_source_lists_exactly_what_was_seeded(sandbox: Stack, bucket: str) -> None:
    summary = await asyncio.to_thread(seed, sandbox.env, scale=SCALE, bucket=bucket)
    found = await listing(sandbox, "aws_source", bucket)
    expected = {item.key: len(item.body()) for item in seed_objects(Scale(SCALE))}
    assert {key: item.size_bytes for key, item in found.items()} == expected
    assert (summary.objects, summary.size_bytes) == (len(expected), sum(expected.values()))
    assert await listing(sandbox, "gcp_target", bucket) == {}


@pytest.mark.long
async def test_seeding_again_is_safe_and_mutating_adds_two(sandbox: Stack, bucket: str) -> None:
    await asyncio.to_thread(seed, sandbox.env, scale=SCALE, bucket=bucket)
    await asyncio.to_thread(seed, sandbox.env, scale=SCALE, bucket=bucket)
    before = await listing(sandbox, "aws_source", bucket)
    summary = await asyncio.to_thread(mutate, sandbox.env, scale=SCALE, bucket=bucket)
    after = await listing(sandbox, "aws_source", bucket)
    assert (summary.added, summary.changed) == (2, 1)
    assert len(after) == len(before) + 2
    versions = {key for key in before if before[key].version != after[key].version}
    assert versions == {"documents/policies/fraud-policy.md"}


@pytest.mark.long
async def test_the_large_model_has_a_multipart_etag_and_attributes_arrive(
    sandbox: Stack, bucket: str
) -> None:
    await asyncio.to_thread(seed, sandbox.env, scale=0.3, bucket=bucket)
    location = Location("s3", bucket)
    async with open_store(location, connection_from_env("aws_source", sandbox.env)) as store:
        model = await store.head("models/fraud-xgb/v3/model.ubj")
        assert model.object.version.strip('"').endswith("-2")
        assert model.attributes.metadata["model-version"] == "3"
        assert await store.tags("models/fraud-xgb/v3/model.ubj") == {"stage": "production"}
        customers = await store.head("training/customers.csv.gz")
        assert customers.attributes.content_encoding == "gzip"
        policy = await store.head("documents/policies/fraud-policy.md")
        assert policy.attributes.cache_control == "no-cache"


async def test_fidelity_keys_are_kept_exactly_by_the_control_server_and_by_cloud_storage(
    sandbox: Stack, bucket: str
) -> None:
    items = [SeedObject(key, key.encode) for key in fidelity_keys()]
    client = s3_client(connection_from_env("aws_control", sandbox.env))
    ensure_s3_bucket(client, bucket)
    await asyncio.to_thread(put_all, client, bucket, items)
    assert set(await listing(sandbox, "aws_control", bucket)) == set(fidelity_keys())
    connection = connection_from_env("gcp_target", sandbox.env)
    ensure_gcs_bucket(connection, bucket)
    async with open_store(Location("gs", bucket), connection) as store:
        for key in fidelity_keys():
            await store.put(key, key.encode(), ObjectAttributes(), digest(key.encode(), Algorithm.CRC32C))
    assert set(await listing(sandbox, "gcp_target", bucket)) == set(fidelity_keys())
