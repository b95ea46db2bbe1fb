"""What the movers of tables are asked to do: one database, in one direction, in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_data import CaptureMethod, DatabaseEngine, OnSchemaChange
from heavylift.spec.vocabulary import VerifyMode
from heavylift.tables.rewriting import Rewriting

if TYPE_CHECKING:
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.sections_data import Database


class Direction(StrEnum):
    """Which way changes flow: to the target, or after a cutover back to the source."""

    FORWARD = "forward"
    REVERSE = "reverse"


@dataclass(frozen=True)
class TablesOptions:
    """How tables are chosen, moved and proved; defaults are the spec's.

    :param tables: ``schema.table`` patterns.
    :param max_retained_wal: bytes of log that the source may keep for us before we give up the slot.
    :param max_lag: seconds under which a stream counts as caught up.
    :param parallel_ranges: ranges that a snapshot copies at once.
    :param range_bytes: a table is cut into ranges of about this size on disk.
    :param batch_changes: a target transaction takes whole source transactions up to about this many rows.
    :param anew: a snapshot gives up what an earlier one left, its rows on the target included.
    :param take_over: a run that is at work on the stream is ended: it belongs to a turn that is over.
    :param max_seconds: after so long a bounded sync stops between two transactions; None for no bound.
    :param stay_seconds: a sync stays that long with the source, and applies what comes as it comes.
    """

    tables: tuple[str, ...] = ("*.*",)
    exclude: tuple[str, ...] = ()
    method: CaptureMethod = CaptureMethod.AUTO
    on_schema_change: OnSchemaChange = OnSchemaChange.APPLY_SAFE
    max_retained_wal: int = 10 * 2**30
    max_lag: float = 60.0
    parallel_ranges: int = 4
    range_bytes: int = 256 * 2**20
    batch_changes: int = 40_000
    max_seconds: float | None = None
    stay_seconds: float = 0.0
    reverse: bool = True
    verify: VerifyMode = VerifyMode.FULL
    dry_run: bool = False
    anew: bool = False
    take_over: bool = False


@dataclass(frozen=True)
class DatabaseSideRequest:
    """One of the two databases: the product and how to reach it.

    :param database: where ``connection`` is that of a broker which holds the database's changes, the
        database's own, for comparing; None where it is not named.
    """

    engine: DatabaseEngine
    connection: Connection
    database: Connection | None = None


def side_request(
    engine: DatabaseEngine, connection: Connection, connections: Callable[[str], Connection]
) -> DatabaseSideRequest:
    """Return one side; a broker's connection may name the database's own in its extra."""
    own = connection.text("database_conn") if connection.conn_type == "kafka" else None
    return DatabaseSideRequest(engine, connection, connections(own) if own else None)


@dataclass(frozen=True)
class TablesRequest:
    """One database's move within one run.

    :param source: where changes are read: the spec's source, or its target in the reverse direction.
    :param evidence_url: the evidence store's URL; None leaves it to the connection.
    :param rewriting: values that changes bring and that are others on the target.
    """

    run: RunKey
    database: str
    source: DatabaseSideRequest
    target: DatabaseSideRequest
    evidence_url: str | None
    evidence_connection: Connection | None
    direction: Direction = Direction.FORWARD
    options: TablesOptions = field(default_factory=TablesOptions)
    rewriting: Rewriting = field(default_factory=Rewriting)

    @property
    def stream(self) -> str:
        """Return the id of the stream of changes, unique to migration, database and direction."""
        return f"{self.run.migration}/{self.database}/{self.direction.value}"

    def reversed(self) -> TablesRequest:
        """Return the request for the other direction between the same two databases."""
        other = Direction.REVERSE if self.direction is Direction.FORWARD else Direction.FORWARD
        return replace(
            self,
            source=self.target,
            target=self.source,
            direction=other,
            rewriting=self.rewriting.reversed(),
        )


def tables_request(
    spec: MigrationSpec,
    database: str,
    run: RunKey,
    connections: Callable[[str], Connection],
    *,
    dry_run: bool = False,
    max_seconds: float | None = None,
    anew: bool = False,
) -> TablesRequest:
    """Return the request that moves one database of a spec.

    :param connections: looks a connection up by its id.
    :param max_seconds: bounds a sync run.
    :param anew: a snapshot gives up what an earlier one left.
    :raises NotFoundError: the spec has no such database.
    """
    found = _find(spec, database)
    return TablesRequest(
        run=run,
        database=database,
        source=side_request(found.source.engine, connections(found.source.connection), connections),
        target=DatabaseSideRequest(found.target.engine, connections(found.target.connection)),
        evidence_url=spec.evidence.url,
        evidence_connection=connections(spec.evidence.connection) if spec.evidence.connection else None,
        options=TablesOptions(
            tables=found.tables,
            exclude=found.exclude,
            method=found.method,
            on_schema_change=found.on_schema_change,
            max_retained_wal=found.max_retained_wal,
            max_lag=found.max_lag,
            parallel_ranges=found.parallel_ranges,
            max_seconds=max_seconds,
            reverse=found.reverse,
            verify=found.verify,
            dry_run=dry_run,
            anew=anew,
        ),
    )


def _find(spec: MigrationSpec, name: str) -> Database:
    for database in spec.databases:
        if database.name == name:
            return database
    raise NotFoundError(
        f"looking up database {name!r} of migration {spec.migration!r}",
        got="no such database in the spec",
        expected=", ".join(each.name for each in spec.databases) or "a databases section",
        state="nothing was touched",
        remedy="the spec was changed during the run: start a new run",
        code="6002",
    )
