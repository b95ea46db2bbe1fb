"""Looks for values in an SQLite file that the target's columns do not take, before anything moves.

SQLite enforces neither lengths nor types nor, unless told to, references: what PostgreSQL would refuse one
by one, without saying where, is told here at once by table, column and key; what is no key is not shown.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from heavylift.registry.store.sqlite_file import quoted
from heavylift.registry.store.unfit import NAMED, TEXTS, WHOLE, Rule, Unfit, key_text

if TYPE_CHECKING:
    from heavylift.registry.store.catalog import StoreColumn, StoreTable

_BEYOND_ASCII = "*[^\x01-\x7f]*"


def unfit_in_file(
    source: sqlite3.Connection, tables: Mapping[str, StoreTable], required: Mapping[str, frozenset[str]]
) -> list[Unfit]:
    """Look through the whole file; return what the target does not take, every column with it.

    :param tables: the target's, of those that the file has.
    :param required: the columns of each that must have a value.
    """
    _teach(source)
    lenient, source.text_factory = source.text_factory, lambda data: data.decode("utf-8", "replace")
    try:
        found = [
            each
            for table in tables.values()
            for each in _unfit_in(source, table, required.get(table.name, frozenset()))
        ]
        return [*found, *_without_parents(source, tables)]
    finally:
        source.text_factory = lenient


def _teach(source: sqlite3.Connection) -> None:
    """Give the file's SQL two functions; they get bytes, since a text that is none cannot be handed over."""
    source.create_function("heavylift_is_text", 1, _is_text, deterministic=True)
    source.create_function("heavylift_is_json", 1, _is_json, deterministic=True)


def _is_text(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_json(value: bytes | None) -> bool:
    try:
        json.loads(value or b"null", parse_constant=_no_number)
    except (ValueError, RecursionError):
        return False
    return True


def _no_number(name: str) -> None:
    # Python writes NaN and Infinity, which no standard knows.
    raise ValueError(name)


def _unfit_in(source: sqlite3.Connection, table: StoreTable, required: frozenset[str]) -> Iterator[Unfit]:
    query = "SELECT name FROM pragma_table_xinfo(?)"
    there = {row[0] for row in source.execute(query, [table.name])}
    columns = [column for column in table.columns if column.name in there]
    rules = [rule for column in columns for rule in _rules(column, required)]
    if not rules:
        return
    counted = ", ".join(f"count(CASE WHEN {rule.condition} THEN 1 END)" for rule in rules)
    counts = source.execute(f"SELECT {counted} FROM {quoted(table.name)}").fetchone()  # noqa: S608 - quoted
    for rule, rows in zip(rules, counts, strict=True):
        if rows:
            examples = tuple(_examples(source, table, rule))
            yield Unfit(table.name, rule.column, rule.problem, rows, examples)


def _rules(column: StoreColumn, required: frozenset[str]) -> Iterator[Rule]:
    name, kind = quoted(column.name), column.type_name.partition("(")[0]
    if column.name in required and not column.generated:
        yield Rule(column.name, "nothing where a value is demanded", f"{name} IS NULL")
    if kind in WHOLE:
        problem = f"beyond what {kind} takes, computed" if column.generated else "no whole number"
        yield Rule(column.name, problem, f"typeof({name}) NOT IN ('integer', 'null')")
        if kind != "bigint":
            most = WHOLE[kind]
            beyond = f"typeof({name}) = 'integer' AND {name} NOT BETWEEN {-most} AND {most - 1}"
            yield Rule(column.name, f"a number beyond what {kind} takes", beyond)
    elif kind == "boolean":
        neither = f"{name} IS NOT NULL AND (typeof({name}) <> 'integer' OR {name} NOT IN (0, 1))"
        yield Rule(column.name, "neither true nor false", neither)
    elif kind in {"double precision", "real", "numeric"}:
        yield Rule(column.name, "no number", f"typeof({name}) IN ('text', 'blob')")
    elif kind == "date":
        yield Rule(column.name, "no date", f"{name} IS NOT NULL AND date({name}) IS NOT {name}")
    elif kind == "bytea":
        yield Rule(column.name, "no bytes", f"typeof({name}) NOT IN ('blob', 'null')")
    elif kind in TEXTS:
        yield from _rules_of_text(column, name, kind)


def _rules_of_text(column: StoreColumn, name: str, kind: str) -> Iterator[Rule]:
    yield Rule(column.name, "bytes where text is taken", f"typeof({name}) = 'blob'")
    is_text = f"typeof({name}) = 'text'"
    yield Rule(
        column.name, "text with a NUL character", f"{is_text} AND instr(CAST({name} AS BLOB), x'00') > 0"
    )
    # Almost all is ASCII, which is told without a call.
    wrong = f"{is_text} AND {name} GLOB '{_BEYOND_ASCII}' AND NOT heavylift_is_text(CAST({name} AS BLOB))"
    yield Rule(column.name, "text that is not UTF-8", wrong)
    if column.limit is not None:
        longer = f"{is_text} AND length({name}) > {column.limit}"
        yield Rule(column.name, f"text longer than the {column.limit} characters it takes", longer, True)
    if kind in {"json", "jsonb"}:
        yield Rule(column.name, "no JSON", f"{is_text} AND NOT heavylift_is_json(CAST({name} AS BLOB))")


def _examples(source: sqlite3.Connection, table: StoreTable, rule: Rule) -> Iterator[str]:
    """Yield the keys of a few rows, and how long the values are where that is what is wrong."""
    listed = ", ".join(map(quoted, table.key))
    size = f"length({quoted(rule.column)})" if rule.sizes else "NULL"
    query = f"SELECT {size}, {listed} FROM {quoted(table.name)} WHERE {rule.condition} LIMIT {NAMED}"  # noqa: S608
    for length, *key in source.execute(query):
        shown = key_text(table, key)
        yield f"{shown}: {length:,} characters" if rule.sizes else shown


def _without_parents(source: sqlite3.Connection, tables: Mapping[str, StoreTable]) -> Iterator[Unfit]:
    """Yield rows that refer to what is not there, which SQLite lets happen and PostgreSQL does not."""
    found: dict[tuple[str, str, int], list[int | None]] = {}
    counts: dict[tuple[str, str, int], int] = {}
    for table, row, parent, number in source.execute("PRAGMA foreign_key_check"):
        if table in tables and parent in tables:
            which = (table, parent, number)
            counts[which] = counts.get(which, 0) + 1
            if counts[which] <= NAMED:
                found.setdefault(which, []).append(row)
    for (table, parent, number), rows in found.items():
        query = 'SELECT "from" FROM pragma_foreign_key_list(?) WHERE id = ? ORDER BY seq'
        columns = ", ".join(row[0] for row in source.execute(query, [table, number]))
        listed = ", ".join(map(quoted, tables[table].key))
        query = f"SELECT {listed} FROM {quoted(table)} WHERE rowid = ?"  # noqa: S608 - quoted names
        examples = tuple(
            key_text(tables[table], list(key)) for row in rows for key in source.execute(query, [row])
        )
        yield Unfit(
            table, columns, f"refers to rows of {parent} that are not there", counts[table, parent, number],
            examples,
        )  # fmt: skip
