"""Following the source's definitions: what a statement in the log asks of the target, or that it stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import ConflictError, UnsupportedError
from heavylift.spec.sections_data import OnSchemaChange
from heavylift.tables.model import TableName, is_chosen
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.statements import Addition, Statement, Verb
from heavylift.tables.mysql.types import Kind, Mapped
from heavylift.tables.postgres.state import TableState

if TYPE_CHECKING:
    from heavylift.tables.requests import TablesRequest

_NUMBERS = {Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.DOUBLE, Kind.BOOLEAN}


class NewTableError(Exception):
    """A chosen table has appeared in the log that is no part of the stream yet."""


@dataclass(frozen=True)
class Added:
    """A column that the target must get before the next changes."""

    mapped: Mapped
    default: str | None
    not_null: bool

    def statement(self, table: TableName) -> sql.Composed:
        """Return the statement that adds it."""
        made = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
            sql.Identifier(table.schema, table.name),
            sql.Identifier(self.mapped.source.name),
            sql.SQL(self.mapped.type_name),
        )
        if self.default is not None:
            made += sql.SQL(" DEFAULT {}").format(sql.Literal(self.default))
        return made + sql.SQL(" NOT NULL") if self.not_null else made


@dataclass
class Definitions:
    """Judges statements of the log by what the stream's tables are.

    Used by the thread that reads; :attr:`additions` and :attr:`told` are read by the one that applies.

    :param states: the stream's tables as the target knows them.
    :param catalog: the source's chosen tables as they are now.
    :param retake: gives what a person runs on the target to have tables copied anew.
    :param told: takes what was seen and not followed, a line each.
    """

    request: TablesRequest
    states: Mapping[TableName, TableState]
    catalog: Mapping[TableName, SourceTable]
    retake: Callable[[str, list[TableName]], str]
    told: list[str] = field(default_factory=list)
    additions: dict[tuple[TableName, str], Added] = field(default_factory=dict)
    _fresh: list[tuple[TableName, list[str]]] = field(default_factory=list)
    _more: dict[TableName, list[str]] = field(default_factory=dict)

    def copied(self, name: TableName) -> int:
        """Return from which position on a table's changes are wanted."""
        state = self.states.get(name)
        return (state.copied or 0) if state else 1 << 63

    def columns(self, name: TableName) -> list[str]:
        """Return the columns that the target has of a table, as far as it is known."""
        state = self.states[name]
        return [*(entry[0] for entry in state.signature), *self._more.get(name, [])]

    def added(self) -> list[tuple[TableName, list[str]]]:
        """Return the columns that the last statement added, once."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def take(self, statement: Statement, position: int, place: str) -> tuple[TableName, ...]:
        """Take a statement in; return the tables that it empties.

        :param position: where its transaction begins; tables copied later have its effect already.
        :raises ConflictError: it changes a table of the stream in a way that is not followed.
        :raises NewTableError: it makes a chosen table that must be copied first.
        """
        named = [name for name in statement.tables if name in self.states]
        named += [name for name in self.states if name.schema in statement.schemas]
        ours = [name for name in named if position >= self.copied(name)]
        verb = statement.verb
        if verb in {Verb.ROLLBACK, Verb.XA}:
            raise _not_followed(verb, place)
        if verb is Verb.CREATE:
            self._created(statement)
            return ()
        if verb is Verb.WRITE and (ours or self._may_touch(statement, position)):
            raise _by_statement(place)
        if not ours:
            return ()
        if verb is Verb.TRUNCATE:
            return tuple(ours)
        if verb is Verb.INDEXES:
            self.told.append(f"indexes or keys of {ours[0]} changed before {place}: the target's stay")
            return ()
        if verb is Verb.ADD and self.request.options.on_schema_change is OnSchemaChange.APPLY_SAFE:
            self._add(ours[0], statement, place)
            return ()
        raise self._stopped(ours, place)

    def _created(self, statement: Statement) -> None:
        options = self.request.options
        for name in statement.tables:
            if name in self.states or not is_chosen(name, options.tables, options.exclude):
                continue
            if name in self.catalog:
                raise NewTableError(str(name))

    def _may_touch(self, statement: Statement, position: int) -> bool:
        """Tell whether a statement that writes names a database of ours, whose triggers we do not see."""
        schemas = {name.schema for name in self.states if position >= self.copied(name)}
        return any(name.schema in schemas for name in statement.tables)

    def _add(self, name: TableName, statement: Statement, place: str) -> None:
        table = self.catalog.get(name)
        mapped = {each.source.name: each for each in table.columns} if table else {}
        names = []
        for each in statement.additions:
            added = _safe(each, mapped.get(each.column))
            if added is None:
                raise self._stopped([name], place)
            self.additions[name, each.column] = added
            names.append(each.column)
        self._more.setdefault(name, []).extend(names)
        self._fresh.append((name, names))

    def _stopped(self, tables: list[TableName], place: str) -> ConflictError:
        return _stop(self.retake(self.request.stream, tables[:3]), tables, place)


def _safe(addition: Addition, mapped: Mapped | None) -> Added | None:
    """Return a column whose values in older rows are certain; None where they are not."""
    if mapped is None or mapped.source.generation:
        return None
    if addition.default is not None:
        plain = mapped.kind in _NUMBERS or (mapped.kind is Kind.TEXT and not _is_listed(mapped))
        return Added(mapped, addition.default, addition.not_null) if plain else None
    if not addition.not_null:
        # TIMESTAMP is NOT NULL by itself on servers of old habits.
        return Added(mapped, None, not_null=False) if mapped.source.nullable else None
    if mapped.kind in _NUMBERS:
        return Added(mapped, "0", not_null=True)
    if mapped.kind is Kind.TEXT and not _is_listed(mapped):
        return Added(mapped, "", not_null=True)
    return None


def _is_listed(mapped: Mapped) -> bool:
    return mapped.source.data_type in {"enum", "set"}


def _stop(retake: str, tables: list[TableName], place: str) -> ConflictError:
    return ConflictError(
        f"following a change of the definition of {', '.join(map(str, tables[:3]))}",
        got=f"a statement before {place} that is more than an added column with a known value",
        expected="a change that loses and invents no value",
        state="the stream stands right before it; the source's log keeps everything after it, for as long as"
        " its expiry allows",
        remedy="have the table copied anew as it is now, by this on the target, then run this again:"
        f" {retake}",
        code="6430",
    )


def _by_statement(place: str) -> ConflictError:
    return ConflictError(
        "reading the source's binary log",
        got=f"a statement before {place} that writes rows without row events",
        expected="binlog_format = ROW in every session",
        state="nothing of it was applied; the position stays",
        remedy="stop the session that sets another format, then take a new snapshot with --anew",
        code="6431",
    )


def _not_followed(verb: Verb, place: str) -> UnsupportedError:
    return UnsupportedError(
        "reading the source's binary log",
        got=f"{'an XA transaction' if verb is Verb.XA else 'a rollback'} before {place}",
        expected="transactions of InnoDB tables that are committed in one phase",
        state="nothing of it was applied; the position stays",
        remedy="let XA transactions end, and leave tables without transactions out; then take a new snapshot"
        " with --anew",
        code="6432",
    )
