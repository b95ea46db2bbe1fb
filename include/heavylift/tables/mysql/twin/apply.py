"""Applying batches to a MySQL target: data and position in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, TransientError
from heavylift.tables.fences.port import PREFIX
from heavylift.tables.model import TableName
from heavylift.tables.mysql.catalog import SourceTable, read_source
from heavylift.tables.mysql.connect import Policy, ZeroDates, ask, execute, quoted
from heavylift.tables.mysql.definitions import Added
from heavylift.tables.mysql.faults import told_as
from heavylift.tables.mysql.following import unlike
from heavylift.tables.mysql.twin import state
from heavylift.tables.mysql.twin.hands import TwinHands
from heavylift.tables.mysql.twin.session import most_bytes, open_writer
from heavylift.tables.mysql.twin.writing import TableWriter, writer
from heavylift.tables.postgres.fold import Cascaded, Folded, KeyedFold, Reshaped, Segment, Shape, Truncated
from heavylift.tables.postgres.state import names

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session
    from heavylift.tables.mysql.target import Applying
    from heavylift.tables.postgres.batches import Batch

OWN = Policy(zero_dates=ZeroDates.KEEP, tinyint1="smallint", time="interval", own=True)
_STATE = "the batch was given up as a whole; the target is at its position before it"


@dataclass
class TwinApplier:
    """Applies batches through one session; see :class:`heavylift.tables.mysql.target.Applies`.

    A definition that is followed commits by itself in MySQL. It is one that gives older rows a known value:
    it can come before the batch that it stands in, and does no harm where the batch then fails.
    """

    session: Session
    given: Applying
    retried: int = 0
    _limit: int = 0
    _tables: dict[TableName, SourceTable] = field(default_factory=dict)
    _writers: dict[int, TableWriter] = field(default_factory=dict)
    _open: bool = False
    _pending: int = 0
    _quiet: bool = False

    def apply(self, batch: Batch) -> None:
        """Apply a batch and, where it is complete, commit it with its position.

        :raises ConflictError: another run has taken over, or the target is not what the stream made it.
        """
        with told_as("applying changes", _STATE):
            try:
                self._apply(batch)
            except BaseException:
                self.give_up()
                raise

    def give_up(self) -> None:
        """Roll back what is open, if the session still lives."""
        self._writers.clear()
        self._pending = 0
        if self._open and self.session.open:
            self.session.rollback()
        self._open = False

    def _apply(self, batch: Batch) -> None:
        if batch.segments:
            self._prepare(batch.segments)
        if not self._open:
            execute(self.session, "START TRANSACTION")
            self._open = True
        state.advance(self.session, self.given.lease, batch.end_lsn, None, 0)
        for segment in batch.segments:
            self._take(segment)
        self._pending += batch.changes
        if batch.complete:
            state.advance(self.session, self.given.lease, batch.end_lsn, batch.committed_at, self._pending)
            self.session.commit()
            self._open, self._pending = False, 0

    def _prepare(self, segments: list[Segment]) -> None:
        """Make the target ready: nothing fires, and each table has the columns of the rows to come."""
        if not self._quiet:
            self._limit = most_bytes(self.session)
            self._drop_triggers()
            self._quiet = True
            self._read()
        for segment in segments:
            if isinstance(segment, Reshaped):
                self._follow(segment.shape)

    def _take(self, segment: Segment) -> None:
        if isinstance(segment, Folded):
            for fold in segment.tables.values():
                into = self._writer(fold.shape)
                if isinstance(fold, KeyedFold):
                    into.write_keyed(fold)
                else:
                    into.write_keyless(fold)
        elif isinstance(segment, Cascaded):
            self.given.cascader(TwinHands(self.session, self._tables, self._limit), segment)
        elif isinstance(segment, Truncated):
            for name in segment.tables:
                execute(self.session, f"DELETE FROM {quoted(name.schema, name.name)}")
        else:
            self._writers.pop(segment.shape.relation.oid, None)

    def _writer(self, shape: Shape) -> TableWriter:
        oid = shape.relation.oid
        if oid not in self._writers:
            table = self._tables[shape.table]
            self._writers[oid] = self._writer_of(table, shape)
        return self._writers[oid]

    def _writer_of(self, table: SourceTable, shape: Shape) -> TableWriter:
        return writer(self.session, table, shape.columns, self._limit)

    def _read(self) -> None:
        patterns = [str(name) for name in self.given.states]
        found = read_source(self.session, OWN, ["*.*"])
        self._tables = {table.name: table for table in found if str(table.name) in set(patterns)}

    def _follow(self, shape: Shape) -> None:
        """Add the columns that a statement of the log has added.

        :raises ConflictError: the target lacks columns, or has others, that no such statement explains.
        """
        name = shape.table
        table = self._tables.get(name)
        there = {each.source.name for each in table.columns} if table else set()
        wanted = set(shape.columns)
        added = [
            (c, self.given.definitions.additions.get((name, c))) for c in shape.columns if c not in there
        ]
        explained = {column for column, addition in added if addition is not None}
        # A column that is there too soon was added by a run that was cut off before its rows came.
        later = set(self._now(name))
        if table is None or wanted - there - explained or there - wanted - later:
            raise unlike(name, sorted((wanted - there - explained) | (there - wanted - later)))
        for column, addition in added:
            if addition is not None:
                self._add(name, column, addition)
        if explained:
            self._read()

    def _now(self, name: TableName) -> list[str]:
        table = self.given.catalog.get(name)
        return [each.source.name for each in table.columns] if table else []

    def _add(self, name: TableName, column: str, added: Added) -> None:
        interrupted = self._open
        if interrupted:  # by the beginning of a large transaction, which comes again
            self.give_up()
        there = {each.source.name for each in self._tables[name].columns}
        before = [each for each in self._now(name) if each in there | {column}]
        at = before.index(column) if column in before else -1
        place = " FIRST" if at == 0 else f" AFTER {quoted(before[at - 1])}" if at > 0 else ""
        statement = (
            f"ALTER TABLE {quoted(name.schema, name.name)} ADD COLUMN {_column(self.session, added)}{place}"
        )
        execute(self.session, statement)
        self.given.done.append(statement)
        self._tables[name] = replace(self._tables[name], columns=(*self._tables[name].columns, added.mapped))
        known = self.given.states[name]
        signature = tuple(sorted((*known.signature, added.mapped.column.signature)))
        self.given.states[name] = replace(known, signature=signature)
        state.write_table(self.session, self.given.request.stream, self.given.states[name])
        if interrupted:
            raise _interrupted(name, column)

    def _drop_triggers(self) -> None:
        """Take our own triggers away, which the next drain makes again; refuse those of others.

        What a trigger does the source's has done, and it is in the rows that come from there.

        :raises ConflictError: a table has a trigger that the stream has not made.
        """
        stream = self.given.request.stream
        ours = {
            row[0]
            for row in ask(
                self.session,
                "SELECT entry FROM heavylift.stream_schema WHERE stream = %s AND entry LIKE 'trigger %%'",
                [stream],
            )
        }
        rows = ask(
            self.session,
            "SELECT trigger_schema, trigger_name, event_object_schema, event_object_table"
            " FROM information_schema.triggers",
        )
        found = [(TableName(r[0], r[1]), TableName(r[2], r[3])) for r in rows]
        found = [
            (trigger, table)
            for trigger, table in found
            if table in self.given.states and not trigger.name.startswith(PREFIX)
        ]
        others = [table for trigger, table in found if f"trigger {trigger}" not in ours]
        if others:
            raise _fires(others)
        for trigger, _ in found:
            execute(self.session, f"DROP TRIGGER IF EXISTS {quoted(trigger.schema, trigger.name)}")
            execute(
                self.session,
                "DELETE FROM heavylift.stream_schema WHERE stream = %s AND entry = %s",
                [stream, f"trigger {trigger}"],
            )


@contextmanager
def open_applier(given: Applying) -> Iterator[TwinApplier]:
    """Open a session that applies batches; left, it has given up what was not complete."""
    with closing(open_writer(given.request.target.connection)) as session:
        applier = TwinApplier(session, given)
        try:
            yield applier
        finally:
            applier.give_up()


def _column(session: Session, added: Added) -> str:
    """Return a column's definition; older rows get its default, as the source's did."""
    source = added.mapped.source
    text = f"{quoted(source.name)} {source.column_type}"
    if source.charset and source.charset != "binary":
        text += f" CHARACTER SET {source.charset} COLLATE {source.collation}"
    text += " NOT NULL" if added.not_null else " NULL"
    if added.default is not None:
        # What the source would have given older rows by itself the target gives them, too.
        text += f" DEFAULT {session.escape(added.default)}"
    return text


def _fires(tables: list[TableName]) -> ConflictError:
    return ConflictError(
        "writing as a replica does",
        got=f"triggers that would fire on {names(tables)}",
        expected="none: MySQL cannot keep them quiet, and the source's have done their work already",
        state="nothing of this batch was applied; the position stays",
        remedy="drop them on the target meanwhile, then run this again; the source's own come with the drain",
        code="6480",
    )


def _interrupted(table: TableName, column: str) -> TransientError:
    return TransientError(
        f"following a change of the definition of {table}",
        got=f"the column {column} behind a transaction that takes several batches",
        expected="a definition that can be followed before its batch",
        state="the column was added, and the transaction given up; the position stays",
        remedy="run it again: the column is there now",
        code="6481",
    )
