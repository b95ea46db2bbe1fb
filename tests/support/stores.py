"""Tracking stores of their own for one test: databases with MLflow's tables on the sandbox's two servers."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql

from heavylift.connections import Connection, connection_from_json
from heavylift.evidence.records import RunKey
from heavylift.evidence.registry_records import RegistryMoveRecord
from heavylift.platforms.postgresql.connect import connect
from heavylift.registry.requests import RegistryOptions, RegistryPlace, RegistryRequest
from heavylift.registry.store.catalog import read_catalog
from heavylift.registry.store.digests import table_digest
from heavylift.registry.store.moving import move_store
from heavylift.registry.uris import UriMap, uri_map
from heavylift.registry.work import Work
from heavylift.spec.vocabulary import Deletes
from sandbox.examples.experiments import SMALL, Sizes, seed
from sandbox.stack import Stack
from tests.support.two_databases import Rows, run_sql

SOURCE_ROOT, TARGET_ROOT = "s3://mlflow-source/artifacts", "gs://the-target/mlflow"
MAP = uri_map([(SOURCE_ROOT, TARGET_ROOT), (f"{SOURCE_ROOT}-elsewhere", f"{TARGET_ROOT}/elsewhere")])
ROOTS = (SOURCE_ROOT, "s3://mlflow-target/artifacts")
"""Where the sandbox's two servers keep their artifacts."""
SERVERS = ("mlflow_source_db", "mlflow_target_db")
BLANK = "blank"


@dataclass(frozen=True)
class TwoStores:
    """Two stores; the test's own statements go through :meth:`on_source` and :meth:`on_target`."""

    source: Connection
    target: Connection
    evidence_url: str | None = None

    def on_source(self, statement: str, *values: Any) -> Rows:
        """Run statements on the source; return the last one's rows."""
        return run_sql(self.source, statement, *values)

    def on_target(self, statement: str, *values: Any) -> Rows:
        """Run statements on the target; return the last one's rows."""
        return run_sql(self.target, statement, *values)

    def request(self, uris: UriMap = MAP, deletes: str = "keep", **options: Any) -> RegistryRequest:
        """Return a request that moves the whole store."""
        places = (
            RegistryPlace(Connection(f"server_{side}", "mlflow", host="http://127.0.0.1:9"), store)
            for side, store in (("source", self.source), ("target", self.target))
        )
        return RegistryRequest(
            RunKey(migration="m", phase="registry", run="r1"),
            "history",
            *places,
            self.evidence_url,
            None,
            RegistryOptions(uris=uris, deletes=Deletes(deletes), **options),
        )

    def copy(self, **options: Any) -> RegistryMoveRecord:
        """Copy the store."""
        return move_store(self.request(**options), Work(), "copy")

    def sync(self, **options: Any) -> RegistryMoveRecord:
        """Bring the copy up to date."""
        return move_store(self.request(**options), Work(), "sync")

    def assert_equal(self, uris: UriMap = MAP) -> None:
        """Assert that every table of MLflow's is the same on both sides, computed and skipped columns too."""
        for table in self.tables():
            names = [row[0] for row in self.on_source(_COLUMNS, table)]
            listed = ", ".join(f'"{name}"::text' for name in names)
            query = f"SELECT {listed} FROM {table}"
            ours = [tuple(_mapped(value, uris) for value in row) for row in self.on_source(query)]
            theirs = sorted(self.on_target(query), key=_nulls_last)
            assert theirs == sorted(ours, key=_nulls_last), table

    def tables(self) -> list[str]:
        """Return MLflow's tables but those that belong to a server."""
        rows = self.on_source(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND relname NOT IN ('alembic_version', 'job_locks', 'scheduler_leases') ORDER BY 1"
        )
        return [row[0] for row in rows]

    def digests(self) -> dict[str, str]:
        """Return the digest of each of the target's tables."""
        with connect(self.target, "test") as session:
            catalog = read_catalog(session, "test")
            return {name: str(table_digest(session, catalog, each)) for name, each in catalog.tables.items()}

    def writes(self) -> int:
        """Return how many rows have ever been written to the target's tables, ours included."""
        self.on_target("SELECT pg_stat_force_next_flush()")
        rows = self.on_target("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables")
        return int(rows[0][0] or 0)


Shell = Callable[..., tuple[int, Any]]
"""Runs a command and returns its status and document."""

MAPPED = [f"{ROOTS[0]}={ROOTS[1]}", f"{ROOTS[0]}-elsewhere={ROOTS[1]}/elsewhere"]
OBJECTS = ("--source-artifacts-conn", "aws_source", "--target-artifacts-conn", "aws_target")


def connection(stack: Stack, name: str) -> Connection:
    """Return one of a sandbox's connections."""
    return connection_from_json(name, stack.env[f"AIRFLOW_CONN_{name.upper()}"])


def empty_store(side: Connection) -> None:
    """Take everything out of a store but what each server makes by itself, and what Heavylift has noted."""
    with connect(side, "test") as session:
        session.execute("SET search_path = public")
        session.execute("DROP SCHEMA IF EXISTS heavylift CASCADE")
        rows = session.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND relname <> ALL (%s)",
            [[*_SERVERS_OWN, "experiments"]],
        ).fetchall()
        session.execute(("TRUNCATE " + ", ".join(f'"{row[0]}"' for row in rows) + " CASCADE").encode())
        session.execute("DELETE FROM experiments WHERE experiment_id <> 0")


_SERVERS_OWN = ("alembic_version", "job_locks", "scheduler_leases", "workspaces")
_SLOTS = "SELECT slot_name, active_pid FROM pg_replication_slots WHERE database = %s"
_COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"
    " ORDER BY ordinal_position"
)


def _mapped(value: str | None, uris: UriMap) -> str | None:
    # Not the mover's own rewriting, of column by column: whatever holds a prefix of the source.
    if value is None or "s3://mlflow-source" not in value:
        return value
    for source, target in uris.pairs:
        value = value.replace(f"{source}/", f"{target}/")
    return value


def _nulls_last(row: tuple[str | None, ...]) -> tuple[tuple[bool, str], ...]:
    return tuple((value is None, value or "") for value in row)


def make_blank(env: Mapping[str, str]) -> None:
    """Keep an untouched copy of MLflow's empty database on each server, for tests to be copied from."""
    for name in SERVERS:
        with connect(_server(env, name), "test") as session:
            if session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [BLANK]).fetchone() is None:
                session.execute(f"CREATE DATABASE {BLANK} TEMPLATE mlflow".encode())


@contextmanager
def two_stores(
    env: Mapping[str, str], evidence_url: str | None = None, sizes: Sizes | None = SMALL
) -> Iterator[TwoStores]:
    """Make a store on each server, the source's filled; drop both after.

    :param sizes: how much the source holds; None leaves it empty.
    """
    name = f"t_{secrets.token_hex(5)}"
    servers = [_server(env, each) for each in SERVERS]
    for server in servers:
        _run(server, sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, BLANK)
    stores = TwoStores(*(replace(server, schema=name) for server in servers), evidence_url)
    try:
        if sizes is not None:
            seed(stores.source, SOURCE_ROOT, sizes)
        yield stores
    finally:
        for server in servers:
            drop_slots(server, name)
            _run(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), name)


def forget_streams(side: Connection) -> None:
    """Take away what streams have left in one database: slots, publications and fences."""
    drop_slots(side, side.schema or "")
    with connect(side, "test") as session:
        for (name,) in session.execute("SELECT pubname FROM pg_publication").fetchall():
            session.execute(sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(name)))
        rows = session.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
            " WHERE starts_with(tgname, 'heavylift_fence_')"
        ).fetchall()
        for table, name in rows:
            session.execute(f'DROP TRIGGER "{name}" ON {table}'.encode())
        session.execute("DROP SCHEMA IF EXISTS heavylift CASCADE")


def drop_slots(server: Connection, database: str) -> None:
    """Drop what a test has left that reads the database's log: a slot keeps a database from being dropped."""
    until = time.monotonic() + 120
    with connect(server, "test") as session:
        while True:
            rows = session.execute(_SLOTS, [database]).fetchall()
            if not rows:
                return
            assert time.monotonic() < until, f"slots that are held: {rows}"
            for slot, reader in rows:
                if reader is None:
                    session.execute("SELECT pg_drop_replication_slot(%s)", [slot])
                else:
                    session.execute("SELECT pg_terminate_backend(%s)", [reader])


def _server(env: Mapping[str, str], name: str) -> Connection:
    fields = json.loads(env[f"AIRFLOW_CONN_{name.upper()}"])
    return replace(connection_from_json(name, json.dumps(fields)), schema="postgres")


def _run(server: Connection, statement: sql.SQL, *names: str) -> None:
    with connect(server, "test") as session:
        session.execute(statement.format(*map(sql.Identifier, names)))
