"""A session of a MySQL target; see :class:`heavylift.tables.mysql.target.Target`."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding, Severity
from heavylift.tables.model import TableName
from heavylift.tables.mysql.catalog import SourceTable, read_names
from heavylift.tables.mysql.chosen import database_of
from heavylift.tables.mysql.connect import ask, connect, execute, one, quoted
from heavylift.tables.mysql.ranges import Range
from heavylift.tables.mysql.twin import kept, state
from heavylift.tables.mysql.twin.definers import keeps_definers
from heavylift.tables.mysql.twin.dump import Entry
from heavylift.tables.mysql.twin.numbering import next_numbers, wanted_number
from heavylift.tables.mysql.twin.schema import (
    AT_THE_END,
    CODE,
    FINISHED,
    Builder,
    database_options,
    drop_statement,
    is_there,
    left_out,
    next_of_sequence,
    read_schema,
)
from heavylift.tables.mysql.twin.session import open_target, open_writer, transaction
from heavylift.tables.postgres.state import Lease, StreamState, TableState
from heavylift.tables.requests import Direction

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session
    from heavylift.tables.mysql.lease import LogLease
    from heavylift.tables.requests import TablesRequest


@dataclass
class TwinTarget:
    """The state of streams, and whole tables.

    Statements that define something go through a session of their own: they would commit what is open.
    """

    request: TablesRequest
    session: Session
    _definer: Session | None = None
    _builder: Builder | None = None
    _databases: set[str] = field(default_factory=set)

    def close(self) -> None:
        """End the sessions."""
        if self._definer is not None:
            self._definer.close()
        self.session.close()

    def transaction(self) -> AbstractContextManager[object]:
        """Return a transaction."""
        return transaction(self.session)

    def stream(self, stream: str) -> StreamState | None:
        """Return what is known of a stream."""
        return state.read_stream(self.session, stream)

    def begin(self, given: StreamState) -> None:
        """Make the state's tables, and note a stream unless it is noted."""
        state.ensure_state(self.session)
        # Of two that begin at once, the second must not write over what the first has noted since.
        state.write_stream(self.session, given, over=False)

    def write_stream(self, given: StreamState) -> None:
        """Write a stream's row."""
        state.write_stream(self.session, given)

    def tables(self, stream: str) -> dict[TableName, TableState]:
        """Return what is known of a stream's tables."""
        return state.read_tables(self.session, stream) if state.has_state(self.session) else {}

    def write_table(self, stream: str, given: TableState) -> None:
        """Write a table's row."""
        state.write_table(self.session, stream, given)

    def ranges(self, stream: str) -> dict[TableName, tuple[Range, ...]]:
        """Return the ranges of a stream's tables."""
        return state.read_ranges(self.session, stream)

    def write_ranges(self, stream: str, table: TableName, ranges: Sequence[Range]) -> None:
        """Note a table's ranges."""
        state.write_ranges(self.session, stream, table, ranges)

    def leased(self, stream: str) -> AbstractContextManager[Lease]:
        """Hold the stream for the block."""
        return state.leased(self.session, stream)

    def demand(self, lease: Lease) -> None:
        """Demand that nobody has taken over."""
        state.demand(self.session, lease)

    def caught_up(self, lease: LogLease, applied: int, at: datetime) -> None:
        """Note that the target has all that the source had."""
        state.caught_up(self.session, lease, applied, at)

    def forget(self, lease: Lease) -> None:
        """Drop what the stream has made, and all that is noted of it."""
        state.demand(self.session, lease)
        definer = self._define()
        for statement in state.read_notes(self.session, lease.stream, made=True).values():
            if statement.startswith("DROP "):
                execute(definer, statement)
        tables = [quoted(name.schema, name.name) for name in self.tables(lease.stream)]
        if tables:
            execute(definer, f"DROP TABLE IF EXISTS {', '.join(tables)}")
        execute(self.session, "DELETE FROM heavylift.stream WHERE id = %s", [lease.stream])

    def make_table(self, stream: str, table: SourceTable) -> list[Finding]:
        """Make a table without its secondary indexes and foreign keys, and note those."""
        builder = self._build()
        self._make_database(table.name.schema)
        parts = builder.make_table(table)
        there = json.dumps({"keys": parts.keys, "foreign": parts.foreign})
        state.write_note(self.session, stream, _rest(table), there, made=False)
        return []

    def empty(self, name: TableName) -> None:
        """Take all rows out of a table; TRUNCATE would commit what is open."""
        execute(self.session, f"DELETE FROM {quoted(name.schema, name.name)}")

    def finish(self, stream: str, tables: Sequence[SourceTable]) -> list[Finding]:
        """Make secondary indexes, foreign keys, routines and views, each noted."""
        builder, findings = self._build(), list[Finding]()
        waiting = state.read_notes(self.session, stream, made=False)
        names = {table.name for table in tables}
        rest = [(t, json.loads(waiting[_rest(t)])) for t in tables if _rest(t) in waiting]
        for table, parts in rest:
            if parts["keys"]:
                builder.add(table.name, parts["keys"])
        for table, parts in rest:
            kept = {key.name for key in table.foreign_keys if key.to in names}
            clauses = [clause for name, clause in parts["foreign"].items() if name in kept]
            findings += [_stays(table, name) for name in parts["foreign"] if name not in kept]
            if clauses:
                builder.add(table.name, clauses)
            state.write_note(self.session, stream, _rest(table), waiting[_rest(table)], made=True)
        left = [] if self._flows_back else self._make_noted(stream, CODE)[0]
        state.write_note(self.session, stream, FINISHED, "", made=True)
        return [*findings, *left]

    def is_finished(self, stream: str) -> bool:
        """Tell whether they are made."""
        return FINISHED in state.read_notes(self.session, stream, made=True)

    def left_out(self, stream: str) -> frozenset[TableName]:
        """Return what was not moved when the way back was prepared; nothing on the way there."""
        return kept.apart(self.session, stream) if self._flows_back else frozenset()

    def claim(self, stream: str, names: Sequence[TableName]) -> list[TableName]:
        """Note that some tables are about to be made: each is made before it is noted as made."""
        ours = state.read_notes(self.session, stream, made=False)
        rows = ask(self.session, "SELECT table_schema, table_name FROM information_schema.tables")
        there = {TableName(row[0], row[1]) for row in rows}
        taken = [name for name in names if name in there and f"claimed {name}" not in ours]
        for name in () if taken else names:
            state.write_note(self.session, stream, f"claimed {name}", "", made=False)
        return taken

    def reopen(self, stream: str) -> None:
        """Take back the note that they are made."""
        state.forget_note(self.session, stream, FINISHED)

    def keys(self) -> dict[TableName, tuple[str, ...]]:
        """Return the primary key of each table."""
        found: dict[TableName, tuple[str, ...]] = {}
        for schema, table, column in ask(
            self.session,
            "SELECT table_schema, table_name, column_name FROM information_schema.statistics"
            " WHERE index_name = 'PRIMARY' ORDER BY table_schema, table_name, seq_in_index",
        ):
            name = TableName(schema, table)
            found[name] = (*found.get(name, ()), column)
        return found

    def switch_on(self, lease: Lease) -> list[Finding]:
        """Make triggers and events, and let sequences go on where the source's stand.

        On the way back the target has its own, of which only the triggers were taken away meanwhile.
        """
        state.demand(self.session, lease)
        if self._flows_back:
            self.wake_triggers(lease.stream)
            own = self._sequences()
            self._set_sequences([each for each in self._build().entries("sequence") if each.name in own])
            return []
        findings, made = self._make_noted(lease.stream, AT_THE_END)
        self._set_sequences(self._build().entries("sequence"))
        asleep = [str(each.name) for each in made if each.kind == "event" and each.asleep != each.statement]
        return [*findings, *map(_asleep, asleep)]

    def advance_numbering(self, table: SourceTable, highest: int) -> tuple[str, int]:
        """Set a table's counter ahead of both sides' highest number, never back."""
        there = next_numbers(self.session, table.name).get(table.name, 0)
        automatic = next(each.source for each in table.columns if each.source.automatic)
        wanted = wanted_number(automatic, highest)
        title = f"{table.name}.{table.automatic}"
        if wanted is None or there >= wanted:
            return title, max(there, 1) - 1
        name = quoted(table.name.schema, table.name.name)
        execute(self._define(), f"ALTER TABLE {name} AUTO_INCREMENT = {wanted}")
        return title, wanted - 1

    def triggers_of(self, tables: Collection[TableName]) -> list[Entry]:
        """Return the triggers that some tables have here, in the order in which they fire."""
        rows = ask(
            self.session,
            "SELECT trigger_schema, trigger_name, event_object_schema, event_object_table"
            " FROM information_schema.triggers",
        )
        wanted = {TableName(row[0], row[1]) for row in rows if TableName(row[2], row[3]) in tables}
        if not wanted:
            return []
        schemas = sorted({name.schema for name in wanted})
        entries = read_schema(self.session, self.request.target.connection, schemas)
        return [each for each in entries if each.kind == "trigger" and each.name in wanted]

    def wake_triggers(self, stream: str) -> None:
        """Make triggers again that were taken away while changes flowed back."""
        kept.wake_triggers(self.session, self._define(), stream)

    @property
    def _flows_back(self) -> bool:
        return self.request.direction is Direction.REVERSE

    def _sequences(self) -> frozenset[TableName]:
        rows = ask(
            self.session,
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'SEQUENCE'",
        )
        return frozenset(TableName(row[0], row[1]) for row in rows)

    def _set_sequences(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        with closing(connect(self.request.source.connection)) as source:
            for entry in entries:
                value = next_of_sequence(source, entry.name)
                # A sequence's name is no value; ours is quoted.
                one(self.session, f"SELECT SETVAL({quoted(entry.name.schema, entry.name.name)}, {value}, 0)")

    def _make_database(self, schema: str) -> None:
        if schema in self._databases:
            return
        with closing(connect(self.request.source.connection)) as source:
            self._build().make_database(schema, database_options(source, schema))
        self._build().make_sequences(schema)
        self._databases.add(schema)

    def _define(self) -> Session:
        if self._definer is None:
            self._definer = open_writer(self.request.target.connection)
        return self._definer

    def _build(self) -> Builder:
        if self._builder is None:
            self._builder = Builder(
                self._define(), self._read, keeps_definers(self.request.target.connection)
            )
        return self._builder

    def _read(self) -> tuple[Entry, ...]:
        connection = self.request.source.connection
        with closing(connect(connection)) as source:
            schemas = chosen_schemas(source, self.request)
            return read_schema(source, connection, schemas)

    def _make_noted(self, stream: str, kinds: Sequence[str]) -> tuple[list[Finding], list[Entry]]:
        """Make the source's objects of some kinds; return what was left out, and what was made.

        Each is noted before it is made, and again afterwards: what a killed run has made is known for ours.
        """
        done, meant = (
            set(state.read_notes(self.session, stream, made=True)),
            set(state.read_notes(self.session, stream, made=False)),
        )
        waiting = [each for each in self._build().entries(*kinds) if str(each) not in done]
        for entry in waiting:
            state.write_note(self.session, stream, str(entry), drop_statement(entry), made=False)
        made, failed = self._build().make(waiting)
        ours = [entry for entry, error in failed if is_there(error) and str(entry) in meant]
        for entry in (*made, *ours):
            state.write_note(self.session, stream, str(entry), drop_statement(entry), made=True)
        others = [(entry, error) for entry, error in failed if entry not in ours]
        for entry, _ in others:
            state.forget_note(self.session, stream, str(entry))
        return [left_out(entry, error) for entry, error in others], [*made, *ours]


def open_twin(request: TablesRequest) -> TwinTarget:
    """Open a session of a request's target."""
    return TwinTarget(request, open_target(request.target.connection))


def chosen_schemas(source: Session, request: TablesRequest) -> list[str]:
    """Return the databases of the chosen tables."""
    options = request.options
    found = read_names(source, options.tables, options.exclude, database=database_of(request))
    return sorted({name.schema for name in found})


def _rest(table: SourceTable) -> str:
    """Return the note of what waits of a table until all are of one moment."""
    return f"rest of {table.name}"


def _stays(table: SourceTable, name: str) -> Finding:
    return Finding(
        rule="schema-not-carried",
        severity=Severity.WARNING,
        subject=f"foreign key {table.name}.{name}",
        detail="what it refers to stays behind",
    )


def _asleep(name: str) -> Finding:
    return Finding(
        rule="event-switched-off",
        severity=Severity.WARNING,
        subject=name,
        detail="the event is there and does not run, for the source's still does",
        remedy=f"after the switch: ALTER EVENT {name} ENABLE",
    )
