"""The options that ``tables`` commands share, and the request that they make."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.stores import evidence_connection
from heavylift.connections import Connection, connection_from_env
from heavylift.errors import ConnectionConfigError, SpecError
from heavylift.spec.sections_data import CaptureMethod, DatabaseEngine, OnSchemaChange

if TYPE_CHECKING:
    from heavylift.tables.requests import DatabaseSideRequest, TablesRequest

MIGRATION = "shell"
"""The migration under which streams and evidence of shell commands lie, unless one is named."""

_ENGINES = {
    "postgres": DatabaseEngine.POSTGRESQL,
    "postgresql": DatabaseEngine.POSTGRESQL,
    "gcpcloudsql": DatabaseEngine.POSTGRESQL,
    "azure_postgres": DatabaseEngine.POSTGRESQL,
    "mysql": DatabaseEngine.MYSQL,
    "mariadb": DatabaseEngine.MARIADB,
}

SourceConn = Annotated[str, typer.Option(help="connection id of the source database (AIRFLOW_CONN_<ID>)")]
TargetConn = Annotated[str, typer.Option(help="connection id of the target database")]
Tables = Annotated[
    list[str] | None,
    typer.Option(
        help="tables as schema.table patterns, several after each other or given again; all without"
    ),
]
MoreTables = Annotated[
    list[str] | None, typer.Argument(help="more patterns of --tables", metavar="[PATTERN]…")
]
Exclude = Annotated[list[str] | None, typer.Option(help="no tables like this; may be given again")]
Migration = Annotated[str, typer.Option(help="name under which the stream and its evidence are kept")]
Database = Annotated[
    str | None, typer.Option(help="name of the database in the migration; default: of both connections")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="only look; nothing is changed on either side")]
MaxLag = Annotated[str, typer.Option(help="lag under which changes count as caught up")]
MaxRetained = Annotated[str, typer.Option(help="most log that the source may keep for us, e.g. 10GiB")]
Ranges = Annotated[int, typer.Option(min=1, max=256, help="ranges that a snapshot copies at once")]
Method = Annotated[CaptureMethod, typer.Option(help="how changes are read; auto explains its choice")]
SchemaChange = Annotated[OnSchemaChange, typer.Option(help="when the source's schema changes")]


def request_of(
    phase: str,
    source_conn: str,
    target_conn: str,
    evidence: str | None,
    evidence_conn: str | None,
    migration: str,
    database: str | None,
    **options: Any,
) -> TablesRequest:
    """Return the request that a command's options make, in a run of its own.

    :param options: fields of :class:`heavylift.tables.requests.TablesOptions`; ``max_retained_wal`` and
        ``max_lag`` as people write them.
    :raises ConnectionConfigError: a connection is not set, or is none of a database.
    :raises SpecError: an option is no size or duration, or a name cannot be one.
    """
    from heavylift.evidence.records import RunKey
    from heavylift.tables.requests import TablesOptions, TablesRequest

    _check_names(migration, database)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    return TablesRequest(
        run=RunKey(migration=migration, phase=phase, run=stamp),
        # Every command must find the stream that the snapshot began.
        database=database or f"{source_conn}-{target_conn}",
        source=_side(connection_from_env(source_conn)),
        target=_side(connection_from_env(target_conn)),
        evidence_url=evidence,
        evidence_connection=evidence_connection(evidence_conn),
        options=TablesOptions(**_read(options)),
    )


def patterns(tables: list[str] | None, more: list[str] | None) -> tuple[str, ...]:
    """Return the patterns of ``--tables``; all tables where there are none."""
    return tuple([*(tables or ()), *(more or ())]) or ("*.*",)


def _side(connection: Connection) -> DatabaseSideRequest:
    from heavylift.tables.requests import side_request

    engine = _ENGINES.get(connection.conn_type)
    if connection.conn_type == "kafka":
        engine = _engine_of_topics(connection)
    if engine is not None:
        return side_request(engine, connection, connection_from_env)
    raise ConnectionConfigError(
        f"using connection {connection.conn_id!r} as a database",
        got=f"the type {connection.conn_type!r}",
        expected=f"one of {', '.join(sorted(_ENGINES))}",
        state="nothing was touched",
        remedy="name a connection of a database",
        code="6350",
    )


def _engine_of_topics(connection: Connection) -> DatabaseEngine:
    """Return the product whose changes a broker's topics hold, which specs name and connections may."""
    named = connection.text("database_engine")
    if named in set(DatabaseEngine):
        return DatabaseEngine(named)
    raise ConnectionConfigError(
        f"using connection {connection.conn_id!r} as the source of Debezium's topics",
        got=f"{'no' if named is None else 'an unknown'} database_engine in its extra",
        expected=f"one of {', '.join(sorted(DatabaseEngine))}",
        state="nothing was touched",
        remedy='add "database_engine" to the extra: the product that Debezium reads',
        code="6353",
    )


def _check_names(migration: str, database: str | None) -> None:
    from heavylift.evidence.paths import safe_segment

    for option, name in (("--migration", migration), ("--database", database)):
        if name is not None and (not name or safe_segment(name) != name):
            raise SpecError(
                f"reading {option}",
                got=repr(name),
                expected="letters, digits, '.', '_' and '-'",
                state="nothing was touched",
                remedy=f"give {option} another name",
                code="6351",
            )


def _read(options: dict[str, Any]) -> dict[str, Any]:
    from heavylift.spec.quantities import parse_duration, parse_size

    read = dict(options)
    try:
        if "max_retained_wal" in read:
            read["max_retained_wal"] = parse_size(read["max_retained_wal"])
        if "max_lag" in read:
            read["max_lag"] = float(parse_duration(read["max_lag"]))
    except ValueError as error:
        raise SpecError(
            "reading the limits",
            got=", ".join(str(read[name]) for name in ("max_retained_wal", "max_lag") if name in read),
            expected="a size such as 10GiB for --max-retained-wal, a duration such as 60s for --max-lag",
            state="nothing was touched",
            remedy="correct --max-retained-wal or --max-lag",
            code="6352",
        ) from error
    return read
