"""The stores of the lanes: a source that is filled once, and an empty target for each run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from psycopg import sql

from heavylift.connections import Connection, connection_from_env
from heavylift.platforms.postgresql.connect import connect
from sandbox.examples.experiments import Sizes, seed, seed_artifacts
from sandbox.examples.uploading import ensure_s3_bucket, s3_client
from tests.benchmarks.measure import NoFigureError, Step
from tests.benchmarks.objects.servers import REPOSITORY, Bench
from tests.support.stores import BLANK, ROOTS, SERVERS, TwoStores, empty_store, make_blank, two_stores

PAIRS = tuple((ROOTS[0] + end, ROOTS[1] + end) for end in ("", "-elsewhere"))
_DIGEST = "SELECT count(*), sum(hashtextextended({text}, 0)::numeric) FROM {table} t"


def sizes(scale: float) -> Sizes:
    """Return the store of the reference at a scale: 301 runs of 10 metrics with 50 points each."""
    whole = Sizes()
    return Sizes(max(30, int(whole.runs * scale)), traces=max(6, int(whole.traces * scale)))


@dataclass(frozen=True)
class Seeded:
    """A filled store and its counterpart.

    :param env: the sandbox's connections, and those of the two stores.
    :param room: what empties the target, where it is not the usual way.
    :param pairs: prefixes of artifacts, and what they become.
    """

    stores: TwoStores
    env: Mapping[str, str]
    folder: Path
    served: bool = False
    room: Callable[[], None] | None = None
    pairs: tuple[tuple[str, str], ...] = PAIRS

    def command(self, act: str, run: str, *more: str, module: str = "heavylift") -> Step:
        """Return a command of ours on both stores; its evidence is the run's own."""
        argv = [sys.executable, "-m", module, *(("registry",) if module == "heavylift" else ()), act]
        argv += ["--source-conn", "bench_source", "--target-conn", "bench_target"]
        argv += [part for source, target in self.pairs for part in ("--artifacts", f"{source}={target}")]
        argv += ["--evidence", (self.folder / run).as_uri(), "--json", *more]
        path = os.pathsep.join([str(REPOSITORY / "include"), str(REPOSITORY)])
        return Step(argv, {**self.env, "PYTHONPATH": path})

    @property
    def tables(self) -> list[str]:
        """MLflow's tables."""
        return self.stores.tables()

    def make_room(self) -> None:
        """Empty the target, and have both servers write out what they hold back."""
        if self.room is not None:
            self.room()
            return
        empty_bucket(self.env)
        target = self.stores.target
        if self.served:
            empty_store(target)
            return
        with connect(_maintenance(target), "bench") as session:
            name = sql.Identifier(target.schema or "")
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            session.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(BLANK)))
        for side in (self.stores.source, target):
            with connect(side, "bench") as session:
                session.execute("CHECKPOINT")

    def empty_database(self) -> None:
        """Make the target a database without even MLflow's tables."""
        empty_bucket(self.env)
        target = self.stores.target
        with connect(_maintenance(target), "bench") as session:
            name = sql.Identifier(target.schema or "")
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            session.execute(sql.SQL("CREATE DATABASE {}").format(name))

    def demand_equal(self) -> None:
        """Compare every table as texts, prefixes replaced by the judge's own means.

        :raises NoFigureError: one differs.
        """
        for table in self.tables:
            ours = _digest(self.stores.source, table, self.pairs)
            theirs = _digest(self.stores.target, table, ())
            if ours != theirs:
                raise NoFigureError(f"table {table} differs: {ours} and {theirs}")

    def rows(self) -> int:
        """Return how many rows the source holds."""
        return sum(int(_digest(self.stores.source, table, ())[0]) for table in self.tables)


def empty_bucket(env: Mapping[str, str]) -> None:
    """Delete the target's artifacts; make its bucket if need be."""
    client = s3_client(connection_from_env("aws_target", env))
    bucket = ROOTS[1].split("/")[2]
    ensure_s3_bucket(client, bucket)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", ()):
            client.delete_object(Bucket=bucket, Key=found["Key"])


def _digest(side: Connection, table: str, pairs: tuple[tuple[str, str], ...]) -> tuple[Any, ...]:
    text: sql.Composable = sql.SQL("t::text")
    for source, target in pairs:
        text = sql.SQL("replace({}, {}, {})").format(
            text, sql.Literal(f"{source}/"), sql.Literal(f"{target}/")
        )
    with connect(side, "bench") as session:
        session.execute("SET search_path = public")
        query = sql.SQL(_DIGEST).format(text=text, table=sql.Identifier(table))
        return session.execute(query).fetchone() or ()


def _maintenance(side: Connection) -> Connection:
    return replace(side, schema="postgres")


@contextmanager
def seeded(bench: Bench, sized: Sizes, *, artifacts: bool = False) -> Iterator[Seeded]:
    """Lend a filled store and an empty one, on the sandbox's two servers of experiments."""
    env = bench.stack(*SERVERS, "aws_source", "aws_target").env
    make_blank(env)
    with two_stores(env, sizes=None) as stores:
        bench.say(
            f"  filling the source: {sized.runs:,} runs, {sized.metrics} metrics, {sized.steps} points each"
        )
        seed(stores.source, ROOTS[0], sized)
        if artifacts:
            seed_artifacts(stores.source, connection_from_env("aws_source", env), sized.runs)
        yield Seeded(stores, {**env, **_connections(stores)}, bench.folder)


def served(bench: Bench, sized: Sizes) -> Seeded:
    """Fill the sandbox's own store of the source, over which its server runs, and empty the target's."""
    env = bench.stack("mlflow_source", "mlflow_target").env
    stores = TwoStores(*(connection_from_env(name, env) for name in SERVERS))
    for side in (stores.source, stores.target):
        empty_store(side)
    bench.say(
        f"  filling the source: {sized.runs:,} runs, {sized.metrics} metrics, {sized.steps} points each"
    )
    seed(stores.source, ROOTS[0], sized)
    hosts = [str(connection_from_env(name, env).host) for name in ("mlflow_source", "mlflow_target")]
    return Seeded(stores, {**env, **_connections(stores, *hosts)}, bench.folder, served=True)


def _connections(stores: TwoStores, *hosts: str) -> dict[str, str]:
    """Return the connections of both stores, and of their servers.

    :param hosts: their addresses; without any of servers that nobody asks while a store is copied.
    """
    nobody = "http://127.0.0.1:9"
    found = {}
    sides = (("source", stores.source), ("target", stores.target))
    for (side, store), host in zip(sides, hosts or (nobody, nobody), strict=True):
        told = {
            name: getattr(store, name)
            for name in ("conn_type", "host", "port", "login", "password", "schema")
        }
        server = {
            "conn_type": "mlflow",
            "host": host,
            "extra": {"store_connection": f"bench_{side}_db"},
        }
        found[f"AIRFLOW_CONN_BENCH_{side.upper()}_DB"] = json.dumps(told)
        found[f"AIRFLOW_CONN_BENCH_{side.upper()}"] = json.dumps(server)
    return found
