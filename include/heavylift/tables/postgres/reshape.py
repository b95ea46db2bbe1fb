"""Following the source's DDL: pgoutput does not carry it, but tells each table's shape before its changes.

A shape is compared with the one that the target was made for. What cannot lose or invent a value is done
on the target in the same transaction; anything else stops the stream before the change, and says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psycopg import sql

from heavylift.errors import ConflictError
from heavylift.spec.sections_data import OnSchemaChange
from heavylift.tables.model import TableName
from heavylift.tables.postgres.fold import Shape
from heavylift.tables.postgres.state import TableState, write_table

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

Columns = dict[str, str]
"""Column name → type, as ``format_type`` spells it; generated columns are none of them."""

_WIDER = {"smallint": {"integer", "bigint"}, "integer": {"bigint"}}


class UnknownTableError(Exception):
    """The log speaks of a table that was no part of the stream when the run began to read it."""

    def __init__(self, table: TableName, oid: int) -> None:
        self.table, self.oid = table, oid
        super().__init__(f"{table} is no part of the stream")


@dataclass(frozen=True)
class Reshaper:
    """Makes the target's tables follow the source's.

    :param source: a session of the source, for what the log does not tell.
    :param states: what the target was made for, by table; kept up to date.
    :param owner: from a partition to the table of the stream that it is a part of.
    :param done: takes each statement that was run on the target.
    :param passed: tables none of whose changes are applied.
    """

    source: Session
    stream: str
    states: dict[TableName, TableState]
    owner: Callable[[TableName], TableName]
    policy: OnSchemaChange
    done: list[str]
    passed: frozenset[TableName] = frozenset()

    def __call__(self, session: Session, shape: Shape) -> None:
        """Make the target's table hold rows of ``shape``, within the caller's transaction.

        :raises ConflictError: the change is not one that can be followed safely.
        :raises UnknownTableError: see there.
        """
        table = shape.table
        if table in self.passed:
            return
        owner = self.owner(table)
        state = self.states.get(owner)
        if state is None:
            raise UnknownTableError(table, shape.relation.oid)
        wanted = self._spelled(shape)
        made_for = {name: type_ for name, type_, generated in state.signature if not generated}
        if wanted == made_for:
            return
        # Somebody may have followed by hand, as an earlier stop told them to.
        there = columns_of(session, table)
        if wanted != there:
            self._follow(session, table, wanted, there)
        self._note(session, owner, wanted, state)

    def _spelled(self, shape: Shape) -> Columns:
        rows = self.source.execute(
            "SELECT n, format_type(t, m) FROM unnest(%s::text[], %s::oid[], %s::int4[]) AS c (n, t, m)",
            [
                [column.name for column in shape.relation.columns],
                [column.type_oid for column in shape.relation.columns],
                [column.type_modifier for column in shape.relation.columns],
            ],
        ).fetchall()
        return dict(rows)

    def _note(self, session: Session, owner: TableName, wanted: Columns, state: TableState) -> None:
        generated = tuple(entry for entry in state.signature if entry[2])
        signature = tuple(sorted((*((name, type_, False) for name, type_ in wanted.items()), *generated)))
        changed = replace(state, signature=signature)
        write_table(session, self.stream, changed)
        self.states[owner] = changed

    def _follow(self, session: Session, table: TableName, wanted: Columns, there: Columns) -> None:
        added = [name for name in wanted if name not in there]
        gone = [name for name in there if name not in wanted]
        retyped = [name for name in wanted if name in there and wanted[name] != there[name]]
        if gone:
            raise self._stop(
                table,
                f"the source no longer has column {', '.join(gone)}"
                + (f", but {', '.join(added)}" if added else ""),
                "rename or drop the column on the target as on the source",
            )
        if self.policy is OnSchemaChange.STOP:
            raise self._stop(
                table, f"other columns: {', '.join([*added, *retyped])}", "change the target's table likewise"
            )
        for name in retyped:
            self._retype(session, table, name, there[name], wanted[name])
        for name in added:
            self._add(session, table, name, wanted[name])

    def _retype(self, session: Session, table: TableName, name: str, old: str, new: str) -> None:
        if not widens(old, new):
            raise self._stop(
                table,
                f"column {name} of type {new} instead of {old}",
                "change the column's type on the target",
            )
        self._run(
            session,
            sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {}").format(
                _qualified(table),
                sql.Identifier(name),
                sql.SQL(new),
            ),
        )

    def _add(self, session: Session, table: TableName, name: str, type_: str) -> None:
        found = self.source.execute(
            "SELECT a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.atthasmissing,"
            " (a.attmissingval::text::text[])[1], a.attidentity <> '',"
            " CASE WHEN a.attcollation <> t.typcollation THEN quote_ident(n.nspname) || '.' ||"
            " quote_ident(c.collname) END"
            " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
            " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
            " LEFT JOIN pg_collation c ON c.oid = a.attcollation"
            " LEFT JOIN pg_namespace n ON n.oid = c.collnamespace"
            " WHERE a.attrelid = to_regclass(%s) AND a.attname = %s AND NOT a.attisdropped",
            [_qualified(table).as_string(), name],
        ).fetchone()
        not_null, default, has_missing, missing, identity, collation = found or (
            False,
            None,
            False,
            None,
            False,
            None,
        )
        if identity or (default is not None and not has_missing):
            raise self._stop(
                table,
                f"a new column {name} whose values in older rows the log does not tell",
                f"take a new snapshot of {table}",
            )
        column = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
            _qualified(table),
            sql.Identifier(name),
            sql.SQL(type_),
        )
        if collation:
            column += sql.SQL(f" COLLATE {collation}")
        if has_missing:
            column += sql.SQL(" DEFAULT {}").format(sql.Literal(missing))
        if not_null:
            column += sql.SQL(" NOT NULL")
        self._run(session, column)
        if default is not None:
            self._run(
                session,
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}").format(
                    _qualified(table), sql.Identifier(name), sql.SQL(default)
                ),
            )

    def _run(self, session: Session, statement: sql.Composed) -> None:
        session.execute(statement)
        self.done.append(statement.as_string(session))

    def _stop(self, table: TableName, got: str, remedy: str) -> ConflictError:
        return ConflictError(
            f"following a change of {table}'s definition",
            got=got,
            expected="a change that loses and invents no value"
            if self.policy is OnSchemaChange.APPLY_SAFE
            else "no change of definitions (on_schema_change: stop)",
            state="the stream stands right before the change; the slot keeps everything after it",
            remedy=f"{remedy}, then run this again: it goes on by itself",
            code="6040",
        )


def columns_of(session: Session, table: TableName) -> Columns:
    """Return a table's columns on one side, without the generated ones."""
    rows = session.execute(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a"
        " WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''",
        [_qualified(table).as_string()],
    ).fetchall()
    return dict(rows)


def widens(old: str, new: str) -> bool:
    """Tell whether every value of type ``old`` is the same value, and the same text, in ``new``."""
    if new in _WIDER.get(old, ()):
        return True
    lengths = [re.fullmatch(r"character varying(?:\((\d+)\))?|(text)", each) for each in (old, new)]
    if all(lengths):
        before, after = ((int(found[1]) if found and found[1] else 2**31) for found in lengths)
        return before <= after
    numbers = [re.fullmatch(r"numeric\((\d+),(\d+)\)", each) for each in (old, new)]
    if all(numbers):
        (p0, s0), (p1, s1) = ((int(found[1]), int(found[2])) for found in numbers if found)
        return s0 == s1 and p0 <= p1
    return False


def _qualified(table: TableName) -> sql.Identifier:
    return sql.Identifier(table.schema, table.name)
