"""The preflight's rules about MySQL's tables: what PostgreSQL has no place for, or holds in another way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding
from heavylift.tables.model import TableName, is_chosen
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.chosen import database_of
from heavylift.tables.mysql.connect import Policy, ZeroDates, ask, one, quoted
from heavylift.tables.mysql.types import CHARSETS, TEMPORAL, Kind, Mapped
from heavylift.tables.postgres.preflight_common import blocker, listed, remark, warning

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session as MySession
    from heavylift.tables.mysql.target import Target
    from heavylift.tables.requests import TablesRequest

_LONGEST_NAME = 63
_VERSIONED = (
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'SYSTEM VERSIONED'"
)


@dataclass(frozen=True)
class Checked:
    """What the rules look at.

    :param ours: tables that an earlier attempt of this stream has made on the target.
    """

    request: TablesRequest
    source: MySession
    target: Target
    tables: tuple[SourceTable, ...]
    policy: Policy
    ours: frozenset[TableName] = frozenset()


def check_engines(checked: Checked) -> Iterator[Finding]:
    """Look for tables without transactions: no snapshot holds them still, and no log row belongs together."""
    for table in checked.tables:
        if table.engine.lower() != "innodb":
            name = quoted(table.name.schema, table.name.name)
            yield blocker(
                "table-engine", str(table.name), f"its engine is {table.engine or 'unknown'}",
                f"ALTER TABLE {name} ENGINE = InnoDB, or leave it out",
            )  # fmt: skip


def check_kinds(checked: Checked) -> Iterator[Finding]:
    """Look for what the patterns choose besides plain tables: their rows have a history, which is no row."""
    options, schema = checked.request.options, database_of(checked.request)
    for row in ask(checked.source, _VERSIONED):
        name = TableName(row[0], row[1])
        if (schema is None or name.schema == schema) and is_chosen(name, options.tables, options.exclude):
            yield blocker(
                "table-kind", str(name), "it is system-versioned: its history cannot be written elsewhere",
                "leave it out, or ALTER TABLE … DROP SYSTEM VERSIONING",
            )  # fmt: skip


def check_keys(checked: Checked) -> Iterator[Finding]:
    """Look for tables whose rows have no name."""
    names = [table.name for table in checked.tables if not table.table.key]
    if names:
        yield warning(
            "no-primary-key", listed(names),
            "their rows are told apart by their whole content: slow, and copied anew after an interruption",
            "add a primary key",
        )  # fmt: skip


def check_types(checked: Checked) -> Iterator[Finding]:
    """Look for columns that PostgreSQL cannot hold, or holds otherwise."""
    for table in checked.tables:
        for column in table.unmapped:
            yield blocker(
                "column-type", f"{table.name}.{column.name}", f"there is no equal of {column.column_type}",
                "leave the table out, or change the column's type first",
            )  # fmt: skip
        for each in table.columns:
            yield from _check_column(table, each)


def _check_column(table: SourceTable, mapped: Mapped) -> Iterator[Finding]:
    source, subject = mapped.source, f"{table.name}.{mapped.source.name}"
    if source.charset and source.charset not in CHARSETS:
        yield blocker(
            "character-set", subject, f"texts in {source.charset} cannot be read from the log",
            "convert the column to utf8mb4 first",
        )  # fmt: skip
    if source.generation and "VIRTUAL" in source.extra.upper():
        yield blocker(
            "virtual-column", subject, "it is computed and not stored, so that the log need not hold it",
            "make it STORED, or drop it for the move",
        )  # fmt: skip
    elif source.generation:
        yield warning(
            "generated-column",
            subject,
            "its values are moved; the expression is not",
            "write it for PostgreSQL",
        )
    if source.data_type in {"enum", "set"}:
        yield remark("enum-as-text", subject, f"{source.data_type} becomes text, without its list of labels")


def check_names(checked: Checked) -> Iterator[Finding]:
    """Look for names that PostgreSQL would cut off."""
    long = [
        f"{table.name}.{each.source.name}"
        for table in checked.tables
        for each in table.columns
        if max(len(part.encode()) for part in (table.name.schema, table.name.name, each.source.name))
        > _LONGEST_NAME
    ]
    if long:
        yield blocker(
            "name-too-long", listed(long), f"more than {_LONGEST_NAME} bytes", "rename it, or leave it out"
        )


def check_values(checked: Checked) -> Iterator[Finding]:
    """Count values that have no equal on the target; reads each table with such columns once."""
    for table in checked.tables:
        for each in table.columns:
            condition = _odd(each)
            if condition is None:
                continue
            name = quoted(table.name.schema, table.name.name)
            # Names are quoted; the rest is this module's own.
            count = int(one(checked.source, f"SELECT COUNT(*) FROM {name} WHERE {condition}") or 0)
            if count:
                yield _told(checked, table, each, count)


def _odd(mapped: Mapped) -> str | None:
    name = quoted(mapped.source.name)
    if mapped.kind in TEMPORAL:
        return f"{name} IS NOT NULL AND (YEAR({name}) = 0 OR MONTH({name}) = 0 OR DAYOFMONTH({name}) = 0)"
    if mapped.kind is Kind.BOOLEAN:
        return f"{name} NOT IN (0, 1)"
    if mapped.kind is Kind.TIME:
        return f"{name} < '00:00:00' OR {name} >= '24:00:00'"
    return None


def _told(checked: Checked, table: SourceTable, mapped: Mapped, count: int) -> Finding:
    subject = f"{table.name}.{mapped.source.name}"
    extra = f"in the extra of connection {checked.request.source.connection.conn_id!r}"
    if mapped.kind is Kind.BOOLEAN:
        return blocker(
            "tinyint-values", subject, f"{count} values of tinyint(1) are neither 0 nor 1",
            f'set "tinyint1": "smallint" {extra}',
        )  # fmt: skip
    if mapped.kind is Kind.TIME:
        return blocker(
            "time-values", subject, f"{count} times lie outside of a day", f'set "time": "interval" {extra}'
        )
    detail = f"{count} dates that no calendar has, such as 0000-00-00"
    if checked.policy.zero_dates is ZeroDates.NULL and mapped.source.nullable and not _in_key(table, mapped):
        return warning("zero-dates", subject, f"{detail}, become NULL", "correct them on the source first")
    return blocker(
        "zero-dates", subject, detail,
        f'correct them on the source; or for columns that take NULL, set "zero_dates": "null" {extra}',
    )  # fmt: skip


def _in_key(table: SourceTable, mapped: Mapped) -> bool:
    return mapped.source.name in table.table.key


def inexact(tables: Sequence[SourceTable], zero_dates: ZeroDates) -> Iterator[Finding]:
    """Look for what PostgreSQL could not give back as MySQL had it."""
    leave = "set reverse: false for this database, or leave the table out of it"
    if zero_dates is ZeroDates.NULL:
        yield blocker(
            "way-back-dates", "zero_dates", "dates that no calendar has became NULL, and would come back so",
            'use "zero_dates": "refuse" and a new snapshot, or set reverse: false',
        )  # fmt: skip
    for table in tables:
        if not table.table.key:
            yield blocker("way-back-key", str(table.name), "its rows have no key to be found by", leave)
        for column in table.columns:
            text = column.kind is Kind.TEXT and not column.source.collation.endswith("_bin")
            if column.source.name in table.table.key and text:
                yield blocker(
                    "way-back-key", f"{table.name}.{column.source.name}",
                    f"to {column.source.collation} keys are equal that PostgreSQL tells apart", leave,
                )  # fmt: skip
