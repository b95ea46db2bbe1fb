"""Places on the sandbox's servers for tests of the object movers."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from heavylift.connections import Connection, connection_from_env
from heavylift.evidence.records import PlanRecord, RunKey, ShardResult, VerificationRecord
from heavylift.locations import parse_location
from heavylift.objects.api import TransferOptions, TransferRequest, copy_shard, plan_transfer, verify_transfer
from heavylift.platforms.places import Place
from sandbox.stack import Stack

SCHEMES = {
    "aws_source": "s3",
    "aws_target": "s3",
    "aws_control": "s3",
    "gcp_target": "gs",
    "azure_target": "az",
}


@dataclass(frozen=True)
class Servers:
    """The sandbox, with containers made on demand by the vendors' own clients."""

    stack: Stack
    folder: Path

    def connection(self, name: str) -> Connection:
        return connection_from_env(name, self.stack.env)

    def place(self, server: str, container: str, prefix: str = "") -> Place:
        """Make a container and return a place in it; ``file`` is a folder."""
        if server == "file":
            root = self.folder / container
            root.mkdir(exist_ok=True)
            return Place(parse_location(f"file://{root}"))
        self.create(server, container)
        location = parse_location(f"{SCHEMES[server]}://{container}/{prefix}")
        return Place(location, self.connection(server))

    def create(self, server: str, container: str) -> None:
        if SCHEMES[server] == "s3":
            self.s3(server).create_bucket(Bucket=container)
        elif SCHEMES[server] == "gs":
            url = f"{self.stack.endpoints[server]}/storage/v1/b"
            body = json.dumps({"name": container}).encode()
            request = urllib.request.Request(url, body, {"content-type": "application/json"})
            urllib.request.urlopen(request).close()
        else:
            self.azure(server).create_container(container)

    def s3(self, server: str) -> Any:
        import boto3

        found = self.connection(server)
        return boto3.client(
            "s3",
            endpoint_url=found.extra["endpoint_url"],
            aws_access_key_id=found.login,
            aws_secret_access_key=found.password,
            region_name="us-east-1",
        )

    def s3_as_asked(self, server: str) -> Any:
        """Return a client that adds no checksum which the caller does not ask for."""
        found = self.connection(server)
        return _bare_s3(str(found.extra["endpoint_url"]), str(found.login), str(found.password))

    def gcs(self, server: str) -> Any:
        return _gcs(self.stack.endpoints[server])

    def azure(self, server: str) -> Any:
        from azure.storage.blob import BlobServiceClient

        found = self.connection(server)
        return BlobServiceClient(str(found.host), credential=found.password)


@lru_cache
def _bare_s3(endpoint: str, login: str, password: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=login,
        aws_secret_access_key=password,
        region_name="us-east-1",
        config=Config(
            request_checksum_calculation="when_required", response_checksum_validation="when_required"
        ),
    )


@lru_cache
def _gcs(endpoint: str) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    return storage.Client(
        project="sandbox",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": endpoint},
    )


def transfer(
    source: Place, target: Place, evidence: Path, run: str = "one", **options: Any
) -> TransferRequest:
    """Return a request between two places."""
    return TransferRequest(
        run=RunKey(migration="m", phase="transfer", run=run),
        dataset="d",
        source=source,
        target=target,
        evidence_url=f"file://{evidence}",
        evidence_connection=None,
        options=TransferOptions(**options),
    )


async def move(request: TransferRequest) -> tuple[PlanRecord, list[ShardResult], VerificationRecord]:
    """Plan, copy all shards, verify."""
    plan = await plan_transfer(request)
    shards = [await copy_shard(request, shard.index) for shard in plan.shards]
    return plan, shards, await verify_transfer(request)
