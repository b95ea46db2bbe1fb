"""What a table is to the movers: its name, its columns in order, and the key that names a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from heavylift.errors import SpecError


@dataclass(frozen=True, order=True)
class TableName:
    """A table in its schema, as the server spells both (no quotes)."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class ReplicaIdentity(StrEnum):
    """What the source's log tells of an old row; PostgreSQL's ``relreplident``."""

    DEFAULT = "d"
    NOTHING = "n"
    FULL = "f"
    INDEX = "i"


@dataclass(frozen=True)
class Column:
    """One live column of a table.

    :param type_name: schema-qualified, with its modifier, as ``format_type`` gives it.
    :param generated: stored and computed: neither read nor written by the movers, but verified.
    :param identity: ``a`` (always), ``d`` (by default), or empty.
    """

    name: str
    type_oid: int
    type_modifier: int
    type_name: str
    nullable: bool = True
    generated: bool = False
    identity: str = ""

    @property
    def signature(self) -> tuple[str, str, bool]:
        """Return what must be equal for two sides to hold the same values."""
        return (self.name, self.type_name, self.generated)


@dataclass(frozen=True)
class Table:
    """A table as one server has it now.

    :param key: columns whose values name a row in the log and on the target; empty where rows have
        no name but their whole content (``REPLICA IDENTITY FULL`` without a usable key, or none).
    :param leaves: for a partitioned table the partitions that hold rows; empty for a plain one.
    :param partitioned: it holds no rows itself; it may still have no partitions.
    :param row_estimate: the planner's; -1 where the table was never analysed.
    """

    name: TableName
    oid: int
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    identity: ReplicaIdentity
    leaves: tuple[TableName, ...] = ()
    row_estimate: int = -1
    size_bytes: int = 0
    partitioned: bool = False

    @property
    def written(self) -> tuple[Column, ...]:
        """Return the columns that are moved: all but the generated ones."""
        return tuple(column for column in self.columns if not column.generated)

    @property
    def signature(self) -> tuple[tuple[str, str, bool], ...]:
        """Return the columns' signatures in order of name; equal ones hold the same values."""
        return tuple(sorted(column.signature for column in self.columns))

    def column(self, name: str) -> Column:
        """Return the column called ``name``; KeyError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def is_chosen(table: TableName, include: Iterable[str], exclude: Iterable[str] = ()) -> bool:
    """Tell whether ``schema.table`` patterns choose a table; ``exclude`` wins.

    ``*`` and ``?`` are wild, ``[...]`` is a set, case counts; a pattern without a dot is a table of any
    schema.
    """
    return _matches(table, include) and not _matches(table, exclude)


def _matches(table: TableName, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(str(table) if "." in each else table.name, each) for each in patterns)


def demand_some(tables: Iterable[TableName], patterns: Iterable[str], where: str) -> None:
    """Refuse a choice that chooses nothing: it is a typing error more often than a wish.

    :raises SpecError: no table is chosen.
    """
    if any(True for _ in tables):
        return
    raise SpecError(
        f"choosing tables of {where}",
        got=f"no table that matches {', '.join(patterns)}",
        expected="at least one table, as schema.table patterns",
        state="nothing was touched",
        remedy="correct 'tables' and 'exclude' of the database in the spec (or --tables)",
        code="6001",
    )
