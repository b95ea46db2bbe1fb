"""A database on the sandbox's MariaDB and an empty one on a PostgreSQL server, for one test.

Rows are compared by what two drivers make of them in Python: none of Heavylift's own SQL has a part in it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from psycopg import sql

from heavylift.connections import Connection, connection_from_json
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.postgres.connect import connect
from heavylift.tables.requests import DatabaseSideRequest, TablesOptions, TablesRequest
from tests.support.mysql_sessions import Rows, open_session, run_all


@dataclass(frozen=True)
class MysqlToPostgres:
    """One MySQL database, which becomes a schema of the same name in a PostgreSQL database."""

    source: Connection
    target: Connection

    @property
    def schema(self) -> str:
        """Return the name of the database on one side and of the schema on the other."""
        assert self.source.schema is not None
        return self.source.schema

    def session(self) -> Any:
        """Open a session of the source, as an application would."""
        return open_session(self.source)

    def on_source(self, *statements: str) -> Rows:
        """Run statements on the source; return the last one's rows."""
        return run_all(self.source, *statements)

    def on_target(self, statement: str, *values: Any) -> Rows:
        """Run a statement on the target; return its rows."""
        with connect(self.target, "test") as session:
            session.execute(f"SET search_path = {self.schema}, public")
            cursor = session.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def request(self, **options: Any) -> TablesRequest:
        """Return a request that moves the whole database."""
        return TablesRequest(
            run=RunKey(migration=f"m-{self.schema}", phase="transfer", run="r1"),
            database="db",
            source=DatabaseSideRequest(DatabaseEngine.MARIADB, self.source),
            target=DatabaseSideRequest(DatabaseEngine.POSTGRESQL, self.target),
            evidence_url=None,
            evidence_connection=None,
            options=TablesOptions(**options),
        )

    def with_extra(self, **extra: Any) -> MysqlToPostgres:
        """Return the same with other extras of the source's connection."""
        return replace(self, source=replace(self.source, extra=extra))

    def assert_equal(self, table: str) -> None:
        """Assert that a table's rows are the same on both sides, duplicates and all."""
        columns = self.on_source(
            "SELECT column_name, data_type FROM information_schema.columns"
            f" WHERE table_schema = '{self.schema}' AND table_name = '{table}' ORDER BY ordinal_position"
        )
        # MySQL shows six digits of a float, and all of a double.
        ours = ", ".join(f"`{name}` + 0e0" if kind == "float" else f"`{name}`" for name, kind in columns)
        named = [('"' + name.replace('"', '""') + '"', kind) for name, kind in columns]
        theirs = ", ".join(f"{name}::float8" if kind == "float" else name for name, kind in named)
        kinds = [kind for _, kind in columns]
        source = sorted(_row(row, kinds) for row in self.on_source(f"SELECT {ours} FROM `{table}`"))
        target = sorted(_row(row, kinds) for row in self.on_target(f'SELECT {theirs} FROM "{table}"'))
        assert len(target) == len(source), f"{table}: {len(source)} rows, {len(target)} on the target"
        unlike = [(one, other) for one, other in zip(source, target, strict=True) if one != other]
        assert not unlike, f"{table}: {len(unlike)} rows differ, such as {_shown(*unlike[0])}"


def _shown(one: str, other: str) -> list[tuple[Any, Any]]:
    """Return the values in which two rows differ."""
    return [(a, b) for a, b in zip(json.loads(one), json.loads(other), strict=True) if a != b]


def _row(row: tuple[Any, ...], kinds: list[str]) -> str:
    return json.dumps([_value(value, kind) for value, kind in zip(row, kinds, strict=True)])


def _value(value: Any, kind: str) -> Any:
    """Return a value as both drivers' values come to it."""
    if value is None:
        return None
    if kind == "bigint":
        return int(value)
    if kind == "bit":
        return int(value, 2) if isinstance(value, str) else int.from_bytes(value, "big")
    if isinstance(value, str) and value[:1] in {"{", "["} and kind == "longtext":
        return json.loads(value)
    for type_, form in _FORMS.items():
        if isinstance(value, type_):
            return form(value)
    return value


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() if value.tzinfo else value.isoformat()


def _seconds(value: time) -> float:
    return timedelta(
        hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
    ).total_seconds()


_FORMS: dict[type, Callable[[Any], Any]] = {
    bytes: bytes.hex,
    memoryview: lambda value: bytes(value).hex(),
    bool: int,
    Decimal: lambda value: str(value.normalize() + 0),
    float: repr,
    datetime: _moment,
    date: date.isoformat,
    time: _seconds,
    timedelta: timedelta.total_seconds,
}
"""In this order: a datetime is a date too, and a bool a number."""


@contextmanager
def mysql_to_postgres(env: Mapping[str, str], server: Connection | None = None) -> Iterator[MysqlToPostgres]:
    """Make the databases on ``mysql_source`` and ``features_target``, and drop them afterwards.

    :param server: where the second one is made instead.
    """
    name = f"t_{secrets.token_hex(5)}"
    source = connection_from_json("mysql_source", env["AIRFLOW_CONN_MYSQL_SOURCE"])
    server = server or connection_from_json("features_target", env["AIRFLOW_CONN_FEATURES_TARGET"])
    made = MysqlToPostgres(replace(source, schema=name), replace(server, schema=name))
    MysqlToPostgres(source, server).on_source(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    with connect(server, "test") as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield made
    finally:
        MysqlToPostgres(source, server).on_source(f"DROP DATABASE {name}")
        with connect(server, "test") as session:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            # A server has room for few origins, and they are no database's: whoever leaves them fills it.
            session.execute(
                "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname LIKE %s",
                [f"heavylift m-{name}/%"],
            )
