"""A place for evidence on each kind of store, on real servers, emptied afterwards."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from heavylift.connections import Connection, connection_from_env
from heavylift.locations import parse_location
from heavylift.platforms.wiring import open_store
from sandbox.examples.uploading import ensure_gcs_bucket, ensure_s3_bucket, s3_client
from sandbox.stack import Stack


@dataclass(frozen=True)
class Place:
    """Where evidence may be written, with the environment that holds its connection."""

    server: str
    url: str
    env: dict[str, str]

    @property
    def connection(self) -> Connection:
        return connection_from_env(self.server, self.env)


def _s3(connection: Connection, bucket: str) -> str:
    ensure_s3_bucket(s3_client(connection), bucket)
    return f"s3://{bucket}/evidence"


def _gcs(connection: Connection, bucket: str) -> str:
    ensure_gcs_bucket(connection, bucket)
    return f"gs://{bucket}/evidence"


def _azure(connection: Connection, container: str) -> str:
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient(connection.host or "", credential=connection.password) as client:
        client.create_container(container)
    return f"az://{container}/evidence"


MAKERS: dict[str, Callable[[Connection, str], str]] = {
    "aws_source": _s3,
    "aws_control": _s3,
    "gcp_target": _gcs,
    "azure_target": _azure,
}


@pytest.fixture(params=MAKERS)
def place(request: pytest.FixtureRequest, sandbox: Stack) -> Iterator[Place]:
    """Return a fresh place on each kind of store."""
    connection = connection_from_env(request.param, sandbox.env)
    url = MAKERS[request.param](connection, f"evidence-{uuid.uuid4().hex[:12]}")
    yield Place(request.param, url, dict(sandbox.env))
    asyncio.run(_empty(url, connection))


async def _empty(url: str, connection: Connection) -> None:
    async with open_store(parse_location(url), connection) as store:
        for key in [item.key async for page in store.list_pages() for item in page]:
            await store.delete(key)
