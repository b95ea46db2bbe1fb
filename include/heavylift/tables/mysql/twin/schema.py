"""The objects of a MySQL target, made from the source's own dump, each noted.

What a statement makes is committed by itself in MySQL, whatever transaction is open; so it is made first and
noted then, and what is there already although it was not noted is taken for made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from heavylift.errors import IntegrityError
from heavylift.evidence.records import Finding, Severity
from heavylift.tables.model import TableName
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import ask, execute, is_mariadb, one, quoted
from heavylift.tables.mysql.faults import number_of
from heavylift.tables.mysql.twin.dump import Entry, TableParts, dump_schema, parts_of
from heavylift.tables.mysql.twin.programs import find_program

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.mysql.connect import Session

FINISHED = "finished"
_THERE = {1050, 1061, 1304, 1359, 1537, 1826, 4128}
"""A table or view, an index, a routine, a trigger, an event, a foreign key or a sequence is there already."""
_DUPLICATE_CONSTRAINT = "errno: 121"
CODE = ("function", "procedure", "package", "package body", "view")
AT_THE_END = ("trigger", "event")


def read_schema(source: Session, connection: Connection, schemas: Iterable[str]) -> tuple[Entry, ...]:
    """Return every object of some databases of the source."""
    return dump_schema(find_program(mariadb=is_mariadb(source)), connection, schemas)


@dataclass
class Builder:
    """Makes objects on the target.

    :param read: gives the source's objects; asked once, when they are needed.
    :param keep_definers: else whoever we are becomes the definer.
    """

    session: Session
    read: Callable[[], tuple[Entry, ...]]
    keep_definers: bool
    _entries: tuple[Entry, ...] = field(default=())

    def entries(self, *kinds: str) -> list[Entry]:
        """Return the source's objects of some kinds."""
        self._entries = self._entries or self.read()
        return [each for each in self._entries if each.kind in kinds]

    def make_database(self, schema: str, options: str) -> None:
        """Make a database where it is missing."""
        execute(self.session, f"CREATE DATABASE IF NOT EXISTS {quoted(schema)} {options}")

    def make_table(self, table: SourceTable) -> TableParts:
        """Make a table without its secondary indexes and foreign keys; return those."""
        entry = self._written(table.name)
        if entry is None:  # it has appeared since the schema was read
            self._entries = self.read()
            entry = self._written(table.name)
        if entry is None:
            raise _not_written(table.name)
        parts = parts_of(entry, table.automatic)
        self._run(parts.bare)
        return parts

    def _written(self, name: TableName) -> Entry | None:
        return next((each for each in self.entries("table") if each.name == name), None)

    def make_sequences(self, schema: str) -> None:
        """Make a database's sequences, which defaults of tables may ask."""
        for entry in self.entries("sequence"):
            if entry.name.schema == schema:
                self._use(entry)
                self._run(entry.statement)

    def add(self, table: TableName, clauses: Sequence[str]) -> None:
        """Add indexes or foreign keys in one statement, all or none."""
        added = ", ".join(f"ADD {clause}" for clause in clauses)
        self._run(f"ALTER TABLE {quoted(table.schema, table.name)} {added}")

    def make(self, entries: Sequence[Entry]) -> tuple[list[Entry], list[tuple[Entry, Exception]]]:
        """Make objects, whatever their order; return what was made, and what could not be, with why.

        Views come after routines, which they may call; events are made switched off.
        """
        made: list[Entry] = []
        waiting = sorted(entries, key=lambda each: each.kind == "view")
        while waiting:
            tried = [(entry, self._try(entry, made)) for entry in waiting]
            failed = [(entry, error) for entry, error in tried if error is not None]
            if len(failed) == len(waiting):
                return made, failed
            waiting = [entry for entry, _ in failed]
        return made, []

    def _try(self, entry: Entry, made: list[Entry]) -> Exception | None:
        import pymysql

        failed: Exception | None = None
        self._use(entry)
        statement = entry.asleep if entry.kind == "event" else entry.statement
        if not self.keep_definers:
            statement = Entry(entry.kind, entry.name, statement, entry.definer).anonymous
        before = self._settings()
        try:
            self._set(entry.settings)
            execute(self.session, statement)
        except pymysql.MySQLError as error:
            failed = error
        else:
            made.append(entry)
        finally:
            self._set(before)
        return failed

    def _use(self, entry: Entry) -> None:
        execute(self.session, f"USE {quoted(entry.name.schema)}")

    def _settings(self) -> tuple[tuple[str, str], ...]:
        names = ("sql_mode", "character_set_client", "collation_connection", "time_zone")
        values = ask(self.session, f"SELECT {', '.join('@@' + name for name in names)}")[0]
        return tuple((name, f"'{value}'") for name, value in zip(names, values, strict=True))

    def _set(self, settings: Iterable[tuple[str, Any]]) -> None:
        for name, value in settings:
            # Both are the dump's own words, or the server's.
            execute(self.session, f"SET {name} = {value}")

    def _run(self, statement: str) -> None:
        import pymysql

        try:
            execute(self.session, statement)
        except pymysql.MySQLError as error:
            if number_of(error) not in _THERE and _DUPLICATE_CONSTRAINT not in str(error):
                raise


def database_options(source: Session, schema: str) -> str:
    """Return a database's character set and collation, as CREATE DATABASE takes them."""
    rows = ask(
        source,
        "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
        " WHERE schema_name = %s",
        [schema],
    )
    return f"CHARACTER SET {rows[0][0]} COLLATE {rows[0][1]}" if rows else ""


def drop_statement(entry: Entry) -> str:
    """Return what takes an object away again."""
    return f"DROP {entry.kind.upper()} IF EXISTS {quoted(entry.name.schema, entry.name.name)}"


def next_of_sequence(session: Session, name: TableName) -> int:
    """Return the next number that a sequence gives out."""
    query = f"SELECT next_not_cached_value FROM {quoted(name.schema, name.name)}"
    return int(one(session, query))


def is_there(error: Exception) -> bool:
    """Tell whether an object could not be made because one of its name is there."""
    return number_of(error) in _THERE


def left_out(entry: Entry, error: Exception) -> Finding:
    """Return the finding of an object that was not made."""
    return Finding(
        rule="schema-not-carried",
        severity=Severity.WARNING,
        subject=str(entry),
        detail="it is there already, and was left as it is"
        if is_there(error)
        else f"the target refused it (error {number_of(error)})",
    )


def _not_written(table: TableName) -> IntegrityError:
    return IntegrityError(
        f"making table {table}",
        got="a dump of the source's schema without it",
        expected="each chosen table in the dump",
        state="nothing was made of it on the target",
        remedy="run this again; if it happens again, look at the account's privileges on the table",
        code="6476",
    )
