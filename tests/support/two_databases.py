"""A database of its own on each of the sandbox's two PostgreSQL servers, for one test."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from heavylift.connections import Connection, connection_from_json
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.postgres.connect import connect
from heavylift.tables.requests import DatabaseSideRequest, TablesOptions, TablesRequest

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class TwoDatabases:
    """Two empty databases; the test's own statements go through :meth:`on_source` and :meth:`on_target`."""

    source: Connection
    target: Connection
    evidence_url: str

    def on_source(self, statement: str, *values: Any) -> Rows:
        """Run statements on the source, all of them in one transaction; return the last one's rows."""
        return run_sql(self.source, statement, *values)

    def on_target(self, statement: str, *values: Any) -> Rows:
        """Run statements on the target, all of them in one transaction; return the last one's rows."""
        return run_sql(self.target, statement, *values)

    def request(self, phase: str = "transfer", run: str = "r1", **options: Any) -> TablesRequest:
        """Return a request that moves the whole source database to the target."""
        return TablesRequest(
            run=RunKey(migration=f"m-{self.source.schema}", phase=phase, run=run),
            database="db",
            source=DatabaseSideRequest(DatabaseEngine.POSTGRESQL, self.source),
            target=DatabaseSideRequest(DatabaseEngine.POSTGRESQL, self.target),
            evidence_url=self.evidence_url,
            evidence_connection=None,
            options=TablesOptions(**options),
        )

    def rows(self, query: str) -> tuple[Rows, Rows]:
        """Return what both sides answer to one query."""
        return self.on_source(query), self.on_target(query)

    def assert_equal(self, table: str) -> None:
        """Assert that a table's rows are the same on both sides, duplicates and all."""
        query = f"SELECT t::text FROM {table} t ORDER BY 1"
        source, target = self.rows(query)
        assert target == source, f"{table}: {len(source)} rows on the source, {len(target)} on the target"


def run_sql(connection: Connection, statement: str, *values: Any) -> Rows:
    """Run statements in a session of their own, and in one transaction; return the last one's rows."""
    with connect(connection, "test") as session:
        session.execute("SET search_path = public")
        cursor = session.execute(statement, values or None)
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


@contextmanager
def two_databases(env: Mapping[str, str], evidence_url: str) -> Iterator[TwoDatabases]:
    """Make the databases on ``features_source`` and ``features_target``; drop them, and their slots, after.

    :param env: ``AIRFLOW_CONN_*`` of a running sandbox.
    """
    name = f"t_{secrets.token_hex(5)}"
    servers = [_server(env, side) for side in ("features_source", "features_target")]
    for server in servers:
        _administer(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield TwoDatabases(*(replace(server, schema=name) for server in servers), evidence_url)
    finally:
        for server in servers:
            _drop(server, name)


def _server(env: Mapping[str, str], conn_id: str) -> Connection:
    text = env[f"AIRFLOW_CONN_{conn_id.upper()}"]
    return connection_from_json(conn_id, json.dumps({**json.loads(text)}))


def _administer(server: Connection, statement: sql.Composable) -> None:
    with connect(server, "test") as session:
        session.execute(statement)


def _drop(server: Connection, name: str) -> None:
    """Drop a database with whatever hangs on it: sessions, slots, subscriptions."""
    with connect(server, "test") as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        )
    with connect(replace(server, schema=name), "test") as inside:
        _drop_subscriptions(inside)
    with connect(server, "test") as session:
        slots = session.execute(
            "SELECT slot_name, active_pid FROM pg_replication_slots WHERE database = %s", [name]
        ).fetchall()
        for slot, pid in slots:
            if pid:
                session.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
            session.execute("SELECT pg_drop_replication_slot(%s)", [slot])
        session.execute(
            "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname LIKE %s",
            [f"heavylift m-{name}/%"],
        )
        session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _drop_subscriptions(session: psycopg.Connection[Any]) -> None:
    found = session.execute(
        "SELECT subname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid"
        " WHERE datname = current_database()"
    ).fetchall()
    for (name,) in found:
        subscription = sql.Identifier(name)
        for form in (
            "ALTER SUBSCRIPTION {} DISABLE",
            "ALTER SUBSCRIPTION {} SET (slot_name = NONE)",
            "DROP SUBSCRIPTION {}",
        ):
            session.execute(sql.SQL(form).format(subscription))
