"""What tests put into stores of secrets and look up in them, behind Heavylift's back."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3

from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.evidence.secret_records import SecretRow, SecretsRecord
from heavylift.secrets.api import copy_secrets, list_secrets, verify_secrets
from heavylift.secrets.requests import SecretsRequest
from heavylift.spec.sections_secrets import Secrets

REGION = "eu-west-1"


class Aws:
    """An account of moto's."""

    def __init__(self, url: str) -> None:
        self.url = url
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self.secrets = boto3.client("secretsmanager", endpoint_url=url, region_name=REGION, **keys)
        self.parameters = boto3.client("ssm", endpoint_url=url, region_name=REGION, **keys)

    def reset(self) -> None:
        """Take everything away."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", b"")).close()

    @property
    def extra(self) -> dict[str, Any]:
        retries = {"retries": {"max_attempts": 0}}
        return {"endpoint_url": self.url, "region_name": REGION, "config_kwargs": retries}

    def connection(self, conn_id: str = "aws_source") -> Connection:
        return Connection(conn_id, "aws", login="test", password="test", extra=self.extra)

    def value(self, name: str) -> bytes:
        found = self.secrets.get_secret_value(SecretId=name)
        return found.get("SecretBinary") or found["SecretString"].encode()

    def put_parameter(self, name: str, value: bytes, overwrite: bool = False) -> None:
        asked = {"Name": name, "Value": value.decode(), "Type": "SecureString", "Overwrite": overwrite}
        self.parameters.put_parameter(**asked)

    def parameter(self, name: str) -> bytes:
        found = self.parameters.get_parameter(Name=name, WithDecryption=True)
        return found["Parameter"]["Value"].encode()


@dataclass(frozen=True)
class Side:
    """One store.

    :param name: a name that it takes.
    :param put: sets a value as somebody else.
    :param get: reads one.
    """

    store: str
    connection: Connection
    name: str
    put: Callable[[str, bytes], None]
    get: Callable[[str], bytes]

    @property
    def wanted(self) -> dict[str, Any]:
        """What the spec says of an AWS store."""
        aws = self.store in ("secrets_manager", "parameter_store")
        return {"stores": [self.store], "target_store": self.store} if aws else {}


def make_side(store: str, server: Any) -> Side:
    """Return a store over the server that plays it."""
    connection = server.connection(f"{store}_conn")
    if store == "secrets_manager":

        def put(name: str, value: bytes) -> None:
            known = {each["Name"] for each in server.secrets.list_secrets()["SecretList"]}
            act = server.secrets.put_secret_value if name in known else server.secrets.create_secret
            act(**{"SecretId" if name in known else "Name": name}, SecretString=value.decode())

        return Side(store, connection, "prod/db", put, server.value)
    if store == "parameter_store":
        return Side(
            store, connection, "/prod/db", lambda n, v: server.put_parameter(n, v, True), server.parameter
        )
    if store == "secret_manager":

        def add(name: str, value: bytes) -> None:
            if name not in server.secrets:
                server.add(name, None)
            server.versions[name].append(value)

        return Side(store, connection, "prod_db", add, lambda name: server.versions[name][-1])
    if store == "key_vault":
        return Side(
            store, connection, "prod-db", lambda n, v: server.add(n, v.decode()),
            lambda n: server.current(n)["value"].encode(),
        )  # fmt: skip
    return Side(
        store, connection, "prod-db/value",
        lambda n, v: server.add(n.split("/")[0], {n.split("/")[1]: v}),
        lambda n: server.value(*n.split("/")),
    )  # fmt: skip


def request(source: Connection, target: Connection, dry_run: bool = False, **wanted: Any) -> SecretsRequest:
    """Return a move."""
    run = RunKey(migration="some", phase="secrets", run="r1")
    return SecretsRequest(run, source, target, Secrets.model_validate(wanted), dry_run)


def copied(source: Connection, target: Connection, **wanted: Any) -> SecretsRecord:
    """Copy, and return what became of it."""
    return _adds_up(asyncio.run(copy_secrets(request(source, target, **wanted))))


def verified(source: Connection, target: Connection, **wanted: Any) -> SecretsRecord:
    """Compare, and return what was found."""
    return _adds_up(asyncio.run(verify_secrets(request(source, target, **wanted))))


def listed(source: Connection, target: Connection, **wanted: Any) -> SecretsRecord:
    """List, and return what would move."""
    return _adds_up(asyncio.run(list_secrets(request(source, target, **wanted))))


def only(record: SecretsRecord) -> SecretRow:
    """Return the one row of a record."""
    [row] = record.rows
    return row


def _adds_up(record: SecretsRecord) -> SecretsRecord:
    counts = dict(record.counts)
    assert counts.pop("found") == sum(counts.values()) == len(record.rows)
    return record
