"""What tables a MySQL server has, as it spells them and as the target will have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.tables.model import ReplicaIdentity, Table, TableName, is_chosen
from heavylift.tables.mysql.connect import Policy, ask, is_mariadb
from heavylift.tables.mysql.twin.types import map_own
from heavylift.tables.mysql.types import Mapped, SourceColumn, map_column

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session

SYSTEM = frozenset({"mysql", "sys", "information_schema", "performance_schema", "heavylift"})
"""Databases that are never chosen: the server's own, and the state of streams that end there."""

_TABLES = """
SELECT table_schema, table_name, coalesce(engine, ''), coalesce(table_rows, -1),
    coalesce(data_length, 0) + coalesce(index_length, 0), coalesce(data_length, 0),
    coalesce(auto_increment, 0)
FROM information_schema.tables WHERE table_type = 'BASE TABLE'
    AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
"""
_COLUMNS = """
SELECT table_schema, table_name, column_name, data_type, column_type, is_nullable,
    coalesce(character_maximum_length, 0), coalesce(numeric_precision, 0), coalesce(numeric_scale, 0),
    coalesce(datetime_precision, 0), coalesce(character_set_name, ''), column_default, extra,
    coalesce(generation_expression, ''), coalesce(collation_name, '')
FROM information_schema.columns
WHERE table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
ORDER BY table_schema, table_name, ordinal_position
"""
_KEYS = """
SELECT table_schema, table_name, index_name, non_unique, column_name, sub_part, index_type, nullable
FROM information_schema.statistics
WHERE table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
ORDER BY table_schema, table_name, index_name, seq_in_index
"""
_FOREIGN = """
SELECT k.table_schema, k.table_name, k.constraint_name, k.column_name, k.referenced_table_schema,
    k.referenced_table_name, k.referenced_column_name, r.update_rule, r.delete_rule
FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
    ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name
    AND r.table_name = k.table_name
WHERE k.referenced_table_name IS NOT NULL
ORDER BY k.table_schema, k.table_name, k.constraint_name, k.ordinal_position
"""
_CHECKS = """
SELECT constraint_schema, table_name, check_clause FROM information_schema.check_constraints
WHERE check_clause LIKE 'json_valid(%'
"""


@dataclass(frozen=True)
class Index:
    """One index.

    :param columns: in order; ``""`` where it is over an expression.
    :param partly: it covers the beginnings of texts only.
    """

    name: str
    unique: bool
    columns: tuple[str, ...]
    partly: bool
    method: str
    nullable: bool


@dataclass(frozen=True)
class ForeignKey:
    """One foreign key, on the table that refers."""

    name: str
    columns: tuple[str, ...]
    to: TableName
    to_columns: tuple[str, ...]
    on_update: str
    on_delete: str


@dataclass(frozen=True)
class SourceTable:
    """A table on both sides of the move.

    :param table: as the target will have it; without the columns that cannot be mapped.
    :param unmapped: columns that cannot be.
    :param data_bytes: of the rows alone, without secondary indexes.
    """

    name: TableName
    engine: str
    columns: tuple[Mapped, ...]
    unmapped: tuple[SourceColumn, ...]
    indexes: tuple[Index, ...]
    foreign_keys: tuple[ForeignKey, ...]
    table: Table
    data_bytes: int = 0
    next_number: int = 0

    @property
    def automatic(self) -> str:
        """Return the column that the server numbers; empty where there is none."""
        return next((each.column.name for each in self.columns if each.column.identity), "")


def read_source(
    session: Session,
    policy: Policy,
    include: Iterable[str],
    exclude: Iterable[str] = (),
    *,
    database: str | None = None,
) -> tuple[SourceTable, ...]:
    """Return the chosen tables, in order of name. A MySQL database becomes a schema of the same name.

    :param database: only tables of this one, as the connection names it; None: of all but the server's own.
    """
    found = _chosen(session, include, exclude, database)
    columns = _columns(session, found)
    indexes = _indexes(session, found)
    foreign = _foreign(session, found)
    return tuple(
        _table(name, found[name], columns.get(name, []), indexes.get(name, []), foreign.get(name, []), policy)
        for name in sorted(found)
    )


def read_names(
    session: Session, include: Iterable[str], exclude: Iterable[str] = (), *, database: str | None = None
) -> tuple[TableName, ...]:
    """Return the chosen tables' names, in order."""
    return tuple(sorted(_chosen(session, include, exclude, database)))


def _chosen(
    session: Session, include: Iterable[str], exclude: Iterable[str], database: str | None
) -> dict[TableName, Any]:
    include, exclude = tuple(include), tuple(exclude)
    return {
        TableName(row[0], row[1]): row
        for row in ask(session, _TABLES)
        if str(row[0]).lower() not in SYSTEM
        and (database is None or row[0] == database)
        and is_chosen(TableName(row[0], row[1]), include, exclude)
    }


def _table(
    name: TableName,
    row: Sequence[Any],
    columns: list[SourceColumn],
    indexes: list[Index],
    foreign: list[ForeignKey],
    policy: Policy,
) -> SourceTable:
    mapped = [map_own(column) if policy.own else map_column(column, policy) for column in columns]
    held = tuple(each for each in mapped if each is not None)
    primary = next((index for index in indexes if index.name == "PRIMARY"), None)
    key = primary.columns if primary else ()
    table = Table(
        name=name,
        oid=0,
        columns=tuple(each.column for each in held),
        key=key,
        identity=ReplicaIdentity.FULL,
        row_estimate=int(row[3]),
        size_bytes=int(row[4]),
    )
    return SourceTable(
        name=name,
        engine=str(row[2]),
        columns=held,
        unmapped=tuple(column for column, each in zip(columns, mapped, strict=True) if each is None),
        indexes=tuple(indexes),
        foreign_keys=tuple(foreign),
        table=table,
        data_bytes=int(row[5]),
        next_number=int(row[6]),
    )


def _columns(session: Session, wanted: Iterable[TableName]) -> dict[TableName, list[SourceColumn]]:
    names = set(wanted)
    checked = _json_columns(session)
    found: dict[TableName, list[SourceColumn]] = {}
    for row in ask(session, _COLUMNS):
        name = TableName(row[0], row[1])
        if name not in names:
            continue
        column = SourceColumn(
            name=row[2],
            data_type=str(row[3]).lower(),
            column_type=_decoded(row[4]),
            nullable=row[5] == "YES",
            length=int(row[7]) if row[3] == "bit" else int(row[6]),
            precision=int(row[7]),
            scale=int(row[8]),
            fraction=int(row[9]),
            charset=row[10],
            default=None if row[11] is None else _decoded(row[11]),
            extra=row[12],
            generation=_decoded(row[13]),
            holds_json=(name, row[2]) in checked,
            collation=row[14],
        )
        found.setdefault(name, []).append(column)
    return found


def _decoded(text: Any) -> str:
    return text.decode() if isinstance(text, bytes) else str(text)


def _json_columns(session: Session) -> set[tuple[TableName, str]]:
    """Return MariaDB's JSON columns: texts under the check that the server itself puts on such a column."""
    if not is_mariadb(session):
        return set()
    found = set()
    for schema, table, clause in ask(session, _CHECKS):
        column = str(clause)[len("json_valid(") : -1].strip("`").replace("``", "`")
        found.add((TableName(schema, table), column))
    return found


def _indexes(session: Session, wanted: Iterable[TableName]) -> dict[TableName, list[Index]]:
    names = set(wanted)
    parts: dict[tuple[TableName, str], list[Any]] = {}
    for row in ask(session, _KEYS):
        name = TableName(row[0], row[1])
        if name in names:
            parts.setdefault((name, row[2]), []).append(row)
    found: dict[TableName, list[Index]] = {}
    for (name, index), rows in parts.items():
        found.setdefault(name, []).append(
            Index(
                name=index,
                unique=not int(rows[0][3]),
                columns=tuple(row[4] or "" for row in rows),
                partly=any(row[5] is not None for row in rows),
                method=str(rows[0][6]),
                nullable=any(row[7] == "YES" for row in rows),
            )
        )
    return found


def _foreign(session: Session, wanted: Iterable[TableName]) -> dict[TableName, list[ForeignKey]]:
    names = set(wanted)
    parts: dict[tuple[TableName, str], list[Any]] = {}
    for row in ask(session, _FOREIGN):
        name = TableName(row[0], row[1])
        if name in names:
            parts.setdefault((name, row[2]), []).append(row)
    found: dict[TableName, list[ForeignKey]] = {}
    for (name, key), rows in parts.items():
        found.setdefault(name, []).append(
            ForeignKey(
                name=key,
                columns=tuple(row[3] for row in rows),
                to=TableName(rows[0][4], rows[0][5]),
                to_columns=tuple(row[6] for row in rows),
                on_update=rows[0][7],
                on_delete=rows[0][8],
            )
        )
    return found
