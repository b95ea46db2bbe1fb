"""Databases of their own for each test of the movers of tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.tables.mysql.twin.programs import FOLDER
from heavylift.tables.postgres.connect import connect
from sandbox.servers import mariadb
from sandbox.stack import Stack
from tests.support.mysql_twin import MysqlTwin, mysql_twin
from tests.support.own_postgres import OwnPostgres
from tests.support.two_databases import TwoDatabases, run_sql, two_databases


@pytest.fixture
def databases(sandbox: Stack, tmp_path: Path) -> Iterator[TwoDatabases]:
    """Return an empty database on each of the two servers, and a folder for evidence."""
    with two_databases(sandbox.env, f"file://{tmp_path}/evidence") as pair:
        yield pair


@pytest.fixture(scope="package")
def small_server() -> Iterator[OwnPostgres]:
    """A source that keeps little log for its slots, and lets transactions be prepared."""
    server = OwnPostgres(
        "small",
        max_slot_wal_keep_size="32MB",
        min_wal_size="32MB",
        max_wal_size="64MB",
        max_prepared_transactions="5",
    )
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
def small(small_server: OwnPostgres, databases: TwoDatabases) -> Iterator[TwoDatabases]:
    """The usual two databases, but with the source on the small server."""
    name = databases.source.schema or ""
    run_sql(small_server.connection("postgres"), f"CREATE DATABASE {name}")
    moved = replace(databases, source=small_server.connection(name))
    yield moved
    with closing(connect(small_server.connection("postgres"), "test")) as session:
        session.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s", [name]
        )
        session.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def twin(sandbox: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[MysqlTwin]:
    """Return one database on the first of two MariaDB servers, and room for it on the second."""
    sandbox.ensure("mysql_source", "mysql_target")
    clients = mariadb.clients("mysql_source", sandbox.state_dir)
    monkeypatch.setenv(FOLDER, str(clients))
    with mysql_twin(sandbox.env, clients) as made:
        yield made
