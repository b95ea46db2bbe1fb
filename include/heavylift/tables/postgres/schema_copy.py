"""Makes the source's schema on the target: what rows need before they arrive, and the rest after them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.evidence.records import Finding, Severity
from heavylift.tables.fences.port import PREFIX
from heavylift.tables.model import Table, TableName
from heavylift.tables.postgres.catalog import NOT_SYSTEM, holders, key_index_names, read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.programs import find_programs
from heavylift.tables.postgres.quiet import quieten
from heavylift.tables.postgres.schema_dump import Entry, dump_schema
from heavylift.tables.postgres.schema_notes import (
    FINISHED,
    PREAMBLE,
    ensure_notes,
    make,
    note,
    read_notes,
    unnote,
)
from heavylift.tables.postgres.state import read_tables

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest

_RELATIONS = f"""
SELECT n.nspname, c.relname, coalesce(r.schema, n.nspname), coalesce(r.name, c.relname), c.relkind
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT rn.nspname AS schema, rc.relname AS name
    FROM pg_class rc JOIN pg_namespace rn ON rn.oid = rc.relnamespace
    WHERE c.relispartition AND rc.oid = pg_partition_root(c.oid)
) r ON true
WHERE c.relkind IN ('r', 'p', 'f') AND {NOT_SYSTEM}
"""  # noqa: S608 - a constant

_LEFT_OUT = {
    "EVENT TRIGGER": "event triggers would fire on Heavylift's own statements",
    "FOREIGN DATA WRAPPER": "foreign tables stay behind, and their access with them",
    "SERVER": "foreign tables stay behind, and their access with them",
    "USER MAPPING": "it may hold a password for another server",
}
_GUARDS = {"FK CONSTRAINT", "TRIGGER"}
_INDEXES = {"CONSTRAINT", "INDEX"}


def read_schema(
    source: Session, connection: Connection, tables: Sequence[Table]
) -> tuple[tuple[Entry, ...], tuple[Finding, ...]]:
    """Return what has to be made on the target for the tables, in order, and what is left out."""
    chosen = {table.name for table in tables}
    rows = source.execute(_RELATIONS).fetchall()
    without = [TableName(row[0], row[1]) for row in rows if TableName(row[2], row[3]) not in chosen]
    entries = dump_schema(find_programs(source.info.server_version // 10000), connection, without)
    left = [entry for entry in entries if entry.kind in _LEFT_OUT]
    wanted = _in_reach(entries, {table.name.schema for table in tables}, bool(without))
    copied = tuple(entry for entry in wanted if entry.kind not in _LEFT_OUT and not _is_fence(entry))
    return copied, tuple(map(_left_out, left))


def _is_fence(entry: Entry) -> bool:
    """Tell whether it is a trigger of our own, by pg_dump's tag: the table's name, then the trigger's."""
    return entry.kind == "TRIGGER" and entry.name.rpartition(" ")[2].startswith(PREFIX)


def make_before_data(target: Connection, stream: str, entries: Iterable[Entry]) -> tuple[Finding, ...]:
    """Make everything that rows need: schemas, extensions, types, functions, sequences, tables, views.

    What is there already stays as it is; a second run makes only what is missing.

    :return: a finding for each object that the move can do without and that could not be made.
    """
    return _make_all(target, stream, [entry for entry in entries if entry.before_data])


def make_keys(
    source: Session, target: Connection, stream: str, entries: Iterable[Entry], tables: Sequence[Table]
) -> None:
    """Build the indexes by which the tables' rows are found, and nothing else."""
    names = key_index_names(source, tables)
    wanted = {(schema, index) for schema, _, index in names}
    wanted |= {(schema, f"{table} {index}") for schema, table, index in names}
    kinds = {"CONSTRAINT", "INDEX", "INDEX ATTACH"}
    chosen = [e for e in entries if not e.before_data and e.kind in kinds and (e.schema, e.name) in wanted]
    _make_all(target, stream, chosen)


def finish_schema(
    request: TablesRequest,
    *,
    source: Session,
    target: Session,
    guards: bool = True,
    entries: Sequence[Entry] | None = None,
    stop: threading.Event | None = None,
) -> tuple[Finding, ...]:
    """Make what is still missing of the schema: indexes, constraints, foreign keys, triggers, policies.

    To be called when the target is exactly the source at some position: foreign keys are checked, and
    unique indexes built, over the rows that are there. The caller holds the stream's lease.

    :param source: a session with the source, to read the catalogue.
    :param guards: False leaves out foreign keys and triggers, where changes are applied by a role that
        cannot switch them off; call it again with True after the drain.
    :param entries: the schema, where it was read already.
    :return: a finding for each object that could not be made and that the data can do without.
    """
    stream = request.stream
    with told_as("finishing the schema on the target", "what was made stays"):
        ensure_notes(target)
        if FINISHED in read_notes(target, stream):
            return ()
        findings: tuple[Finding, ...] = ()
        if entries is None:
            known = read_tables(target, stream)
            tables = [t for t in read_catalog(source, ("*.*",)) if t.name in known]
            entries, findings = read_schema(source, request.source.connection, tables)
        after = [entry for entry in entries if guards or entry.kind not in _GUARDS]
        findings += _make_all(
            request.target.connection, stream, after, workers=request.options.parallel_ranges, stop=stop
        )
        # Asked to stop, it has left out the rest, which the next run makes.
        if guards and not (stop is not None and stop.is_set()):
            note(target, stream, FINISHED, "all of the schema", made=True)
    return findings


def follow_relations(request: TablesRequest, *, source: Session, target: Session) -> tuple[Finding, ...]:
    """Make what the source has got since for the stream's tables and rows need: partitions, types, sequences.

    To be called before changes are applied where the source has a partition that the target lacks. What is
    there already is left as it is: columns are not changed.
    """
    with told_as("following the source's schema", "what was made stays"):
        known = read_tables(target, request.stream)
        tables = [t for t in read_catalog(source, ("*.*",)) if t.name in known]
        entries, findings = read_schema(source, request.source.connection, tables)
        return findings + make_before_data(request.target.connection, request.stream, entries)


def is_schema_finished(session: Session, stream: str) -> bool:
    """Tell whether :func:`finish_schema` has made everything."""
    row = session.execute("SELECT to_regclass('heavylift.stream_schema') IS NOT NULL").fetchone()
    return bool(row and row[0]) and FINISHED in read_notes(session, stream)


def reopen_schema(session: Session, stream: str) -> None:
    """Note that there is more to make, because tables have been added."""
    unnote(session, stream, FINISHED)


def analyze(target: Session, tables: Iterable[Table]) -> None:
    """Gather the planner's statistics; the apply would otherwise guess."""
    for table in tables:
        for name in holders(table):
            target.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(name.schema, name.name)))


def _make_all(
    target: Connection,
    stream: str,
    entries: Sequence[Entry],
    *,
    workers: int = 1,
    stop: threading.Event | None = None,
) -> tuple[Finding, ...]:
    with connect(target, "schema") as session:
        _prepare(session)
        ensure_notes(session)
        there = read_notes(session, stream)
        missing = [entry for entry in entries if entry.digest not in there]
        beside = [entry for entry in missing if entry.kind in _INDEXES and not entry.before_data]
        findings: list[Finding] = []
        if workers > 1 and len(beside) > 1:
            _build_beside(target, stream, beside, workers, stop)
            missing = [entry for entry in missing if entry not in beside]
        for entry in missing:
            if stop is not None and stop.is_set():
                break
            failure = make(session, stream, entry)
            if failure is not None:
                findings.append(_failed(entry, failure.got))
        return tuple(findings)


def _build_beside(
    target: Connection, stream: str, entries: Sequence[Entry], workers: int, stop: threading.Event | None
) -> None:
    """Build indexes of different tables at once; those of one table one after the other."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.schema, _table_of(entry)), []).append(entry)

    def build(group: Sequence[Entry]) -> None:
        with connect(target, "schema") as session:
            _prepare(session)
            for entry in group:
                if stop is None or not stop.is_set():
                    make(session, stream, entry)

    with ThreadPoolExecutor(min(workers, len(groups)), "heavylift-index") as pool:
        list(pool.map(build, groups.values()))


def _table_of(entry: Entry) -> str:
    """Return the table that an index or constraint is on, as its statement writes it."""
    words = entry.statement.split(" ON " if entry.kind == "INDEX" else " TABLE ", 1)[-1].split()
    return next((word for word in words if word != "ONLY"), "")


def _prepare(session: Session) -> None:
    session.execute(PREAMBLE.encode())
    # The target's own event triggers keep quiet then; where that is not allowed they do not.
    quieten(session)


def _in_reach(entries: Sequence[Entry], schemas: set[str], partial: bool) -> list[Entry]:
    """Leave out schemas that no chosen table is in, but for types and functions, which others may need."""
    if not partial:
        return list(entries)
    bound = {"VIEW", "MATERIALIZED VIEW", "SEQUENCE", "SEQUENCE OWNED BY", "RULE"}
    return [entry for entry in entries if entry.schema in schemas or entry.kind not in bound]


def _failed(entry: Entry, said: str) -> Finding:
    return Finding(
        rule="schema-object-not-made",
        severity=Severity.WARNING,
        subject=str(entry),
        detail=f"the target refused it: {said}",
        remedy="make it by hand before the cutover, or drop it on the source if nobody needs it",
    )


def _left_out(entry: Entry) -> Finding:
    return Finding(
        rule="schema-object-left-out",
        severity=Severity.WARNING,
        subject=str(entry),
        detail=f"it is not made on the target: {_LEFT_OUT[entry.kind]}",
        remedy="make it by hand after the cutover, if it is still needed",
    )
