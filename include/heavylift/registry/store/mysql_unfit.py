"""Looks for values in a MySQL database that the target's columns do not take, before anything moves.

MySQL checks types and lengths, but takes what PostgreSQL has no place for, and its text of a number may
be shorter than the number. Each table is read once more for this, on its own server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from heavylift.platforms.mysql.connect import quoted
from heavylift.registry.store.unfit import NAMED, TEXTS, WHOLE, Rule, Unfit, key_text

if TYPE_CHECKING:
    from heavylift.registry.store.catalog import StoreColumn, StoreTable
    from heavylift.registry.store.mysql_database import MysqlColumn, MysqlDatabase, MysqlTables

_FITS = {
    "smallint": {"tinyint", "smallint"},
    "integer": {"tinyint", "smallint", "mediumint", "int"},
    "bigint": {"tinyint", "smallint", "mediumint", "int", "bigint"},
}
"""MySQL's signed whole numbers, which need no look where they go into these of the target's."""


def unfit_in_database(
    database: MysqlDatabase,
    there: MysqlTables,
    tables: Mapping[str, StoreTable],
    required: Mapping[str, frozenset[str]],
) -> list[Unfit]:
    """Look through the database; return what the target does not take, every column with it.

    :param there: the database's tables.
    :param tables: the target's, of those that the database has.
    :param required: the columns of each that must have a value.
    """
    return [
        each
        for table in tables.values()
        for each in _unfit_in(database, there[table.name], table, required.get(table.name, frozenset()))
    ]


def _unfit_in(
    database: MysqlDatabase, there: tuple[MysqlColumn, ...], table: StoreTable, required: frozenset[str]
) -> Iterator[Unfit]:
    columns = {each.name: each for each in there}
    rules = [
        rule
        for column in table.written
        if column.name in columns
        for rule in _rules(column, columns[column.name], required)
    ]
    if not rules:
        return
    counted = ", ".join(f"COUNT(CASE WHEN {rule.condition} THEN 1 END)" for rule in rules)
    (counts,) = database.ask(f"SELECT {counted} FROM {database.table(table.name)}")  # noqa: S608 - quoted
    for rule, rows in zip(rules, counts, strict=True):
        if rows:
            examples = tuple(_examples(database, table, rule, columns))
            yield Unfit(table.name, rule.column, rule.problem, int(rows), examples)


def _rules(column: StoreColumn, there: MysqlColumn, required: frozenset[str]) -> Iterator[Rule]:
    name, kind = quoted(column.name), column.type_name.partition("(")[0]
    if column.name in required:
        yield Rule(column.name, "nothing where a value is demanded", f"{name} IS NULL")
    if kind in _FITS and (there.kind not in _FITS[kind] or "unsigned" in there.type_name):
        most = WHOLE[kind]
        beyond = f"{name} NOT BETWEEN {-most} AND {most - 1}"
        yield Rule(column.name, f"a number beyond what {kind} takes", beyond)
    elif kind == "boolean":
        yield Rule(column.name, "neither true nor false", f"{name} NOT IN (0, 1)")
    elif kind == "double precision" and there.kind == "double":
        # Values are sent as texts.
        yield Rule(column.name, "a number whose text is another", f"CONCAT({name}) + 0e0 <> {name}")
    elif kind == "date":
        never = f"(YEAR({name}) = 0 OR MONTH({name}) = 0 OR DAYOFMONTH({name}) = 0)"
        yield Rule(column.name, "a date that no calendar has", f"{name} IS NOT NULL AND {never}")
    elif kind in TEXTS:
        yield from _rules_of_text(column, there, name)


def _rules_of_text(column: StoreColumn, there: MysqlColumn, name: str) -> Iterator[Rule]:
    # By bytes: to many collations a NUL character is nothing, and found everywhere.
    held = f"CAST(CONVERT({name} USING utf8mb4) AS BINARY)"
    yield Rule(column.name, "text with a NUL character", f"LOCATE(0x00, {held}) > 0")
    # Halves of pairs of UTF-16, which some servers take for characters; UTF-16 itself has no place for one.
    anew = f"CAST(CONVERT(CONVERT({name} USING utf16) USING utf8mb4) AS BINARY)"
    halves = f"LENGTH({name}) <> CHAR_LENGTH({name}) AND {anew} <> {held}"
    yield Rule(column.name, "text that is not UTF-8", halves)
    if column.limit is not None and (there.length is None or there.length > column.limit):
        longer = f"CHAR_LENGTH({name}) > {column.limit}"
        yield Rule(column.name, f"text longer than the {column.limit} characters it takes", longer, True)


def _examples(
    database: MysqlDatabase, table: StoreTable, rule: Rule, columns: Mapping[str, MysqlColumn]
) -> Iterator[str]:
    """Yield the keys of a few rows, and how long the values are where that is what is wrong."""
    keys = ", ".join(_readable(columns[name]) for name in table.key)
    size = f"CHAR_LENGTH({quoted(rule.column)})" if rule.sizes else "NULL"
    query = (
        f"SELECT {size}, {keys} FROM {database.table(table.name)}"  # noqa: S608 - quoted names
        f" WHERE {rule.condition} LIMIT {NAMED}"
    )
    for length, *key in database.ask(query):
        values = [each.decode("utf-8", "replace") if isinstance(each, bytes) else each for each in key]
        shown = key_text(table, values)
        yield f"{shown}: {length:,} characters" if rule.sizes else shown


def _readable(column: MysqlColumn) -> str:
    name = quoted(column.name)
    # By way of bytes: the driver could not read a text that is none.
    return name if column.length is None else f"CAST(CONVERT({name} USING utf8mb4) AS BINARY)"
