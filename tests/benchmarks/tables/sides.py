"""The two servers of the lanes: a source that is filled once, and a target database for each run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql

from heavylift.connections import Connection, connection_from_json
from heavylift.tables.postgres.connect import connect
from tests.benchmarks.measure import NoFigureError

SOURCE, TARGET = "features_source", "features_target"
COLUMNS = """
CREATE TABLE big (
    id bigint PRIMARY KEY, token uuid NOT NULL, price numeric(14, 4), amount integer, note text, tags text[],
    body jsonb, ratio double precision, at timestamptz, live boolean
)
"""
_ROWS = """
INSERT INTO big SELECT i, md5(i::text)::uuid, i * 1.2345, i %% 1000, repeat(md5(i::text), 2),
    ARRAY['x' || i %% 10, 'y'], jsonb_build_object('k', i, 'v', md5((i + 1)::text)), i / 3.0,
    timestamptz '2026-01-01' + i * interval '1 second', i %% 2 = 0 FROM generate_series(1, %s) i
"""
_DIGEST = "SELECT count(*), sum(hashtextextended(big::text, 0)::numeric) FROM public.big"


@dataclass(frozen=True)
class Sides:
    """Both servers, and the name of the database on either."""

    source: Connection
    target: Connection

    @property
    def env(self) -> dict[str, str]:
        """Return the connections as commands read them."""
        return {
            f"AIRFLOW_CONN_{each.conn_id.upper()}": json.dumps(
                {
                    "conn_type": each.conn_type,
                    "host": each.host,
                    "port": each.port,
                    "login": each.login,
                    "password": each.password,
                    "schema": each.schema,
                }
            )
            for each in (self.source, self.target)
        }

    def fill(self, rows: int) -> None:
        """Make the source's database and its table of about 221 bytes a row."""
        _create(self.source)
        with connect(self.source, "bench") as session:
            session.execute("SET search_path = public")
            session.execute(COLUMNS.encode())
            session.execute(_ROWS.encode(), [rows])
            session.execute("VACUUM ANALYZE big")

    def make_room(self) -> None:
        """Make the target's database anew; both servers write out first what they hold back."""
        self.throw_away()
        _create(self.target)
        for side in (self.source, self.target):
            with connect(side, "bench") as session:
                session.execute("CHECKPOINT")

    def throw_away(self) -> None:
        """Drop what a run has left: subscription, slots, publications, the target's database."""
        _drop_subscriptions(self.target)
        with connect(self.source, "bench") as session:
            session.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                " WHERE database = current_database() AND NOT active"
            )
            for (name,) in session.execute("SELECT pubname FROM pg_publication").fetchall():
                session.execute(sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(name)))
        with connect(replace(self.target, schema="postgres"), "bench") as session:
            name = sql.Identifier(self.target.schema)
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def on_target(self, statement: str) -> None:
        """Run a statement on the target."""
        with connect(self.target, "bench") as session:
            session.execute("SET search_path = public")
            session.execute(statement.encode())

    def demand_equal(self) -> None:
        """Compare all rows of both sides.

        :raises NoFigureError: they differ.
        """
        found = []
        for side in (self.source, self.target):
            with connect(side, "bench") as session:
                found.append(session.execute(_DIGEST).fetchone())
        if found[0] != found[1]:
            raise NoFigureError(f"source and target differ: {found[0]} and {found[1]}")


def sides(env: Mapping[str, str], name: str) -> Sides:
    """Return both servers of a sandbox, with databases of a name of their own."""
    found = []
    for conn_id in (SOURCE, TARGET):
        connection = connection_from_json(conn_id, env[f"AIRFLOW_CONN_{conn_id.upper()}"])
        found.append(replace(connection, schema=name))
    return Sides(*found)


def _create(side: Connection) -> None:
    with connect(replace(side, schema="postgres"), "bench") as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(side.schema or "")))


def _drop_subscriptions(side: Connection) -> None:
    with connect(replace(side, schema="postgres"), "bench") as session:
        found: list[tuple[Any, ...]] = session.execute(
            "SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
            " WHERE datname = %s",
            [side.schema],
        ).fetchall()
    for (name,) in found:
        with connect(side, "bench") as session:
            # It drops its slot on the source too.
            session.execute(sql.SQL("DROP SUBSCRIPTION {}").format(sql.Identifier(name)))
