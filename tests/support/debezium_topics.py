"""A source that Debezium reads into topics, and the request that applies these to a target."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heavylift.connections import Connection, connection_from_json
from heavylift.spec.sections_data import CaptureMethod, DatabaseEngine
from heavylift.tables.requests import DatabaseSideRequest, TablesRequest
from sandbox import debezium
from sandbox.stack import Stack
from tests.support.two_databases import TwoDatabases


@dataclass(frozen=True)
class Debezium:
    """Both databases, and the topics between them."""

    pair: TwoDatabases
    broker: Connection
    folder: Path

    @property
    def prefix(self) -> str:
        """Return the connector's ``topic.prefix``."""
        return str(self.broker.text("topic_prefix"))

    def request(self, **options: Any) -> TablesRequest:
        """Return the request that applies the topics."""
        made = self.pair.request(method=CaptureMethod.DEBEZIUM, **options)
        side = DatabaseSideRequest(DatabaseEngine.POSTGRESQL, self.broker, self.pair.source)
        return replace(made, source=side)

    @contextmanager
    def connector(self, **more: str) -> Iterator[subprocess.Popen[str]]:
        """Run the connector for the block."""
        given = debezium.properties(self.pair.source, self.prefix, ["public.*"], self.folder)
        kafka = {"bootstrap.servers": str(self.broker.text("bootstrap.servers"))}
        settings = {**given, **{name.replace("_", "."): value for name, value in more.items()}}
        with debezium.connector(settings, kafka, self.folder) as process:
            yield process


def debezium_topics(sandbox: Stack, pair: TwoDatabases, folder: Path) -> Debezium:
    """Return the means to move the source of a pair by Debezium; nothing runs yet."""
    sandbox.ensure("kafka_source")
    found = connection_from_json("kafka_source", sandbox.env["AIRFLOW_CONN_KAFKA_SOURCE"])
    folder.mkdir()
    extra = {**found.extra, "topic_prefix": pair.source.schema}
    return Debezium(pair, replace(found, extra=extra), folder)


def until(done: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 120.0) -> None:
    """Wait for something that a connector does."""
    ends = time.monotonic() + seconds
    while not done():
        assert process.poll() is None, "the connector has ended: look into its log"
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.2)


def as_json(connection: Connection) -> str:
    """Return a connection in Airflow's form."""
    names = ("conn_type", "host", "port", "login", "password", "schema")
    fields = {name: getattr(connection, name) for name in names}
    return json.dumps({**fields, "extra": dict(connection.extra)})
