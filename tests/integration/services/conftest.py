"""Fixtures: a dataset between two clouds that a transfer service moves."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.stack import Stack
from tests.integration.objects.places import Servers
from tests.support.transfer_server import TransferServer

NAME = "through-a-service"


@pytest.fixture(autouse=True, scope="session")
def _metadata_database(airflow_database: None) -> None:
    """The operators' hooks look for connections in Airflow."""


@pytest.fixture
def servers(sandbox: Stack, tmp_path: Path) -> Servers:
    """Return the sandbox's servers."""
    return Servers(sandbox, tmp_path)


@pytest.fixture(scope="session")
def container_on(sandbox: Stack) -> Callable[[Servers, str], str]:
    """Return a function that gives the one container of these tests on a server.

    One for all tests, because SeaweedFS sets volumes apart for each and has few.
    """
    name, made = f"services-{secrets.token_hex(4)}", set[str]()

    def container(servers: Servers, server: str) -> str:
        if server not in made:
            servers.create(server, name)
            made.add(server)
        return name

    return container


@dataclass
class Moving:
    """A migration of one dataset through a service, with its buckets and its spec."""

    servers: Servers
    folder: Path
    source: str
    target: str
    prefix: str
    spec: dict[str, Any] = field(default_factory=dict)

    @property
    def spec_path(self) -> str:
        return str(self.folder / f"{NAME}.yaml")

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

    def save(self, **dataset: Any) -> None:
        """Write the spec, with some of the dataset's keys changed."""
        self.spec["datasets"][0] |= dataset
        Path(self.spec_path).write_text(yaml.safe_dump(self.spec))

    def put(self, key: str, body: bytes, **attributes: Any) -> None:
        """Put an object into the source, by AWS's own client."""
        s3 = self.servers.s3("aws_source")
        s3.put_object(Bucket=self.source, Key=f"{self.prefix}{key}", Body=body, **attributes)


@pytest.fixture
def moving(
    servers: Servers,
    container_on: Callable[[Servers, str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Moving:
    """Return a migration from S3 to Cloud Storage; its connections are in the environment."""
    source, target = container_on(servers, "aws_source"), container_on(servers, "gcp_target")
    prefix = f"{secrets.token_hex(4)}/data/"
    for name, value in servers.stack.env.items():
        if name.startswith("AIRFLOW_CONN_"):
            monkeypatch.setenv(name, value)
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    store = {"conn_type": "file", "extra": {"path": str(evidence)}}
    monkeypatch.setenv("AIRFLOW_CONN_EVIDENCE", json.dumps(store))
    made = Moving(servers, tmp_path, source, target, prefix)
    made.spec = {
        "apiVersion": "heavylift/v1",
        "migration": NAME,
        "owner": "team",
        "source": {"platform": "aws", "connection": "aws_source"},
        "target": {"platform": "gcp", "connection": "gcp_target"},
        "datasets": [
            {
                "name": "data",
                "source": f"s3://{source}/{prefix}",
                "target": f"gs://{target}/{prefix}",
                "via": "storage-transfer-service",
                "service": {"connection": "transfer_service", "poll": "1s"},
            }
        ],
    }
    made.save()
    return made


@pytest.fixture
def transfer_server(moving: Moving, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransferServer]:
    """Return a Storage Transfer Service that copies between the sandbox's stores."""

    def read(source: dict[str, Any], key: str) -> tuple[bytes, dict[str, Any]]:
        import boto3
        from botocore.exceptions import ClientError

        keys = source["awsAccessKey"]
        endpoint = moving.servers.connection("aws_source").extra["endpoint_url"]
        s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            region_name="us-east-1",
        )
        try:
            found = s3.get_object(Bucket=source["bucketName"], Key=key)
        except ClientError as error:
            raise KeyError(key) from error
        attributes = {
            "contentType": found["ContentType"],
            "metadata": {**found["Metadata"], "x-goog-source-etag": found["ETag"].strip('"')},
        }
        for name, theirs in (("cacheControl", "CacheControl"), ("contentDisposition", "ContentDisposition")):
            if found.get(theirs):
                attributes[name] = found[theirs]
        return found["Body"].read(), attributes

    server = TransferServer(moving.servers.stack.endpoints["gcp_target"], read)
    connection = {
        "conn_type": "google_cloud_platform",
        "extra": {
            "is_anonymous": True,
            "project": "heavylift-test",
            "storage_transfer_endpoint": server.url,
            "num_retries": 0,
        },
    }
    monkeypatch.setenv("AIRFLOW_CONN_TRANSFER_SERVICE", json.dumps(connection))
    yield server
    server.close()
