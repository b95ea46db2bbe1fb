"""What stands in the way of applying Debezium's topics, asked before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import NotFoundError
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.table_records import PreflightRecord
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.debezium.topics import (
    Ends,
    Topic,
    chosen_topics,
    ends_of,
    source_cluster,
    where,
)
from heavylift.tables.model import demand_some
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.connect import where as where_target
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.preflight_common import blocker, listed, remark, rows, setting, warning
from heavylift.tables.postgres.state import has_state, read_tables
from heavylift.tables.postgres.target_table import TargetTable, read_target_table

if TYPE_CHECKING:
    from heavylift.kafka.cluster import Cluster
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

ENGINE = "debezium"
_REASON = (
    "The spec asks for Debezium: its connector reads the source and writes changes to topics, and Heavylift"
    " applies these; the offsets are kept in the target, in one transaction with the rows."
)
_OURS_TOO = (
    " Heavylift decodes this product's log by itself (method: auto), faster, with the schema, in whole"
    " transactions and with a way back; Debezium is for where that cannot be, such as where a connector runs"
    " already."
)
OWN = frozenset({DatabaseEngine.POSTGRESQL, DatabaseEngine.MYSQL, DatabaseEngine.MARIADB})
"""Products that Heavylift decodes and compares by itself."""


@dataclass(frozen=True)
class Checked:
    """What the rules look at."""

    request: TablesRequest
    cluster: Cluster
    target: Session
    topics: Mapping[str, Topic]
    ends: Ends
    tables: Mapping[str, TargetTable]
    ours: bool


def reason_for(engine: DatabaseEngine) -> str:
    """Return why Debezium reads the changes, in sentences."""
    return _REASON + (_OURS_TOO if engine in OWN else "")


def preflight(request: TablesRequest, cluster: Cluster, target: Session) -> PreflightRecord:
    """Ask both sides for everything that could stand in the way, and change nothing.

    :raises SpecError: the patterns choose no topic.
    """
    connection = request.source.connection
    with told_as(f"the preflight of database {request.database!r}", "nothing was touched"):
        topics = chosen_topics(request, cluster)
        demand_some((t.table for t in topics.values()), request.options.tables, where(connection))
        single = {name: topic for name, topic in topics.items() if topic.partitions == 1}
        ours = bool(read_tables(target, request.stream)) if has_state(target) else False
        tables = {name: found for name, topic in topics.items() if (found := _there(target, topic))}
        checked = Checked(request, cluster, target, topics, ends_of(cluster, single), tables, ours)
        findings = tuple(finding for rule in RULES for finding in rule(checked))
        return PreflightRecord(
            run=request.run,
            database=request.database,
            direction=request.direction.value,
            source=where(connection),
            target=where_target(request.target.connection),
            source_version=f"{request.source.engine.value} by Debezium",
            target_version=setting(target, "server_version"),
            engine=ENGINE,
            engine_reason=reason_for(request.source.engine),
            tables=len(topics),
            row_estimate=checked.ends.position,
            size_bytes=0,
            findings=findings,
            passed=not any(finding.severity is Severity.BLOCKER for finding in findings),
        )


def preflight_alone(request: TablesRequest) -> PreflightRecord:
    """Do a preflight in sessions of its own."""
    cluster = source_cluster(request.source.connection)
    with closing(connect(request.target.connection, "preflight")) as target:
        return preflight(request, cluster, target)


def _there(target: Session, topic: Topic) -> TargetTable | None:
    try:
        return read_target_table(target, topic.table)
    except NotFoundError:
        return None


def check_topics(checked: Checked) -> Iterator[Finding]:
    """Look at whether the topics hold everything, in order, and will keep it."""
    for name, topic in checked.topics.items():
        if topic.partitions != 1:
            yield blocker(
                "topic-partitions", name, f"it has {topic.partitions} partitions, and order only within each",
                "topic.creation.default.partitions=1, and a new topic.prefix",
            )  # fmt: skip
        elif checked.ends.first[name] > 0 and not checked.ours:
            yield blocker(
                "topic-beginning", name, f"it begins at offset {checked.ends.first[name]}: records are gone",
                "a longer retention.ms, and a new topic.prefix, so that the snapshot is all there",
            )  # fmt: skip
        if "compact" in checked.cluster.configs(name).get("cleanup.policy", ""):
            yield blocker(
                "topic-compaction", name, "it is compacted: deletes may be gone before they are read",
                "cleanup.policy=delete, with a retention.ms longer than any pause between syncs",
            )  # fmt: skip


def check_tables(checked: Checked) -> Iterator[Finding]:
    """Look at the target's tables: there, empty, with a key, and free of what needs whole transactions."""
    missing = [topic.table for name, topic in checked.topics.items() if name not in checked.tables]
    if missing:
        yield blocker(
            "target-table", listed(missing), "the target has no such table: topics tell no schema",
            "make it there, with its primary key and without foreign keys; or leave it out (exclude)",
        )  # fmt: skip
    for table in checked.tables.values():
        if not table.unique:
            yield blocker(
                "no-key", str(table.name), "the target's table has no primary key or unique index",
                "ALTER TABLE … ADD PRIMARY KEY, on the columns of the source's",
            )  # fmt: skip
        if not checked.ours and _has_rows(checked.target, table):
            yield blocker(
                "target-occupied", str(table.name), "it has rows, which are never written over",
                "empty it, or leave it out (exclude)",
            )  # fmt: skip
    names = [table.name for table in checked.tables.values()]
    referencing = rows(
        checked.target,
        "SELECT n.nspname || '.' || c.relname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN unnest(%s::text[], %s::text[]) w(s, t) ON w.s = n.nspname AND w.t = c.relname"
        " WHERE k.contype = 'f' GROUP BY 1 ORDER BY 1",
        [[name.schema for name in names], [name.name for name in names]],
    )
    if referencing:
        yield blocker(
            "foreign-keys", listed(row[0] for row in referencing),
            "tables come each at its own pace: a row may be there before the one that it refers to",
            "drop them for now, and add them after the drain",
        )  # fmt: skip


def check_rest(checked: Checked) -> Iterator[Finding]:
    """Say what this method does not do."""
    request = checked.request
    if request.source.engine not in OWN:
        yield warning(
            "debezium-tested", "source",
            f"events of {request.source.engine.value} are read as Debezium documents them; this was tested"
            " with its PostgreSQL connector only",
            "compare both sides by your own means before the switch",
        )  # fmt: skip
    elif request.source.database is None:
        yield warning(
            "no-comparison", "source",
            "the source database's own connection is not named: nothing can be compared",
            'name it in the broker connection\'s extra: "database_conn": "…"',
        )  # fmt: skip
    if request.options.reverse:
        yield warning(
            "no-way-back", "source", "changes made after the switch do not flow back: a rollback loses them",
            "set reverse: false for this database, and plan the way back by other means",
        )  # fmt: skip
    yield remark(
        "connector-settings", "source",
        "truncates arrive only with skipped.operations=none; values only as docs/reference/tables-debezium.md"
        " lists",
    )  # fmt: skip


def _has_rows(target: Session, table: TargetTable) -> bool:
    name = sql.Identifier(table.name.schema, table.name.name)
    return target.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name)).fetchone() is not None


RULES = (check_topics, check_tables, check_rest)
"""Every rule, in the order of its findings."""
