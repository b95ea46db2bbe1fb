"""Which PostgreSQL type holds a MySQL column's values, and how MySQL writes them for it.

One table for all of it, so that schema, snapshot, changes and comparison mean the same by a column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from heavylift.tables.model import Column
from heavylift.tables.mysql.connect import Policy, quoted


class Kind(StrEnum):
    """How values travel; one for each form that must be read, checked or compared in its own way."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    BITS = "bits"
    DATE = "date"
    TIME = "time"
    INTERVAL = "interval"
    DATETIME = "datetime"
    TIMESTAMP = "timestamp"
    TEXT = "text"
    JSON = "json"
    JSONB = "jsonb"
    BYTES = "bytes"
    ORDINAL = "ordinal"
    """Labels by their number; only between two servers that have the same ones."""
    NAMED = "named"
    """UUIDs and addresses, as the server writes them."""
    GEOMETRY = "geometry"


TEMPORAL = frozenset({Kind.DATE, Kind.DATETIME, Kind.TIMESTAMP})
"""Kinds whose values may be dates that no calendar has."""

_INTEGERS = {
    "tinyint": ("smallint", "smallint"),
    "smallint": ("smallint", "integer"),
    "mediumint": ("integer", "integer"),
    "int": ("integer", "bigint"),
    "bigint": ("bigint", "numeric(20,0)"),
}
"""Signed, unsigned."""
_TEXTS = frozenset({"tinytext", "text", "mediumtext", "longtext", "enum", "set"})
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_OIDS = {
    "boolean": 16, "bytea": 17, "bigint": 20, "smallint": 21, "integer": 23, "text": 25, "json": 114,
    "real": 700, "double precision": 701, "character varying": 1043, "date": 1082, "time": 1083,
    "timestamp": 1114, "timestamptz": 1184, "interval": 1186, "bit": 1560, "numeric": 1700, "jsonb": 3802,
}  # fmt: skip
CHARSETS = frozenset(
    {
        "utf8mb4", "utf8mb3", "utf8", "ascii", "latin1", "binary", "ucs2", "utf16", "utf16le", "utf32",
        "latin2",
        "latin5", "latin7", "greek", "hebrew", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852",
        "cp866", "koi8r", "koi8u", "gbk", "gb2312", "big5", "sjis", "cp932", "ujis", "euckr",
    }
)  # fmt: skip
"""Character sets whose texts can be read from the log."""


@dataclass(frozen=True)
class SourceColumn:
    """One column as MySQL has it.

    :param data_type: without length and attributes: ``int``, ``varchar``.
    :param column_type: all of it: ``int(10) unsigned``, ``enum('a','b')``.
    :param length: characters or bytes; bits of ``bit``.
    :param fraction: digits of seconds.
    :param default: as ``information_schema`` spells it.
    :param holds_json: MariaDB's JSON: a text under a check that it is JSON.
    :param collation: of texts.
    """

    name: str
    data_type: str
    column_type: str
    nullable: bool
    length: int = 0
    precision: int = 0
    scale: int = 0
    fraction: int = 0
    charset: str = ""
    default: str | None = None
    extra: str = ""
    generation: str = ""
    holds_json: bool = False
    collation: str = ""

    @property
    def unsigned(self) -> bool:
        """Tell whether it takes no negative numbers."""
        return "unsigned" in self.column_type or "zerofill" in self.column_type

    @property
    def automatic(self) -> bool:
        """Tell whether the server numbers its rows."""
        return "auto_increment" in self.extra.lower()


@dataclass(frozen=True)
class Mapped:
    """What becomes of a column on the target.

    :param own: the target is of the source's own kind, and computes generated columns itself.
    """

    source: SourceColumn
    kind: Kind
    type_name: str
    oid: int
    own: bool = False

    @property
    def column(self) -> Column:
        """Return the column as PostgreSQL will have it."""
        return Column(
            name=self.source.name,
            type_oid=self.oid,
            type_modifier=-1,
            type_name=self.type_name,
            nullable=self.source.nullable,
            generated=self.own and bool(self.source.generation),
            identity="d" if self.source.automatic and (self.own or self.kind is Kind.INTEGER) else "",
        )

    @property
    def reading(self) -> str:
        """Return the expression whose value the server sends as a text that PostgreSQL reads back alike."""
        name = quoted(self.source.name)
        if self.kind is Kind.FLOAT:
            # A float's own text has six digits only; as a double it has all.
            return f"({name} + 0e0)"
        if self.own and self.kind in {Kind.BITS, Kind.ORDINAL}:
            return f"({name} + 0)"
        if self.kind is Kind.BITS:
            return f"LPAD(BIN({name} + 0), {self.source.length}, '0')"
        return name


def map_column(column: SourceColumn, policy: Policy) -> Mapped | None:
    """Return what becomes of a column; None where PostgreSQL has no type that holds its values alike."""
    if "COMPRESSED" in column.column_type.upper():  # MariaDB logs such values in a form of its own
        return None
    found = _number(column, policy) or _moment(column, policy) or _text(column)
    if found is None:
        return None
    kind, type_name = found
    base = re.sub(r"\(.*?\)", "", type_name)
    base = {"timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz"}.get(
        base, base
    )
    base = "time" if base == "time without time zone" else base
    return Mapped(column, kind, type_name, _OIDS[base])


def _number(column: SourceColumn, policy: Policy) -> tuple[Kind, str] | None:
    kind = column.data_type
    if column.column_type.startswith("tinyint(1)") and not column.unsigned and policy.tinyint1 == "boolean":
        return Kind.BOOLEAN, "boolean"
    if kind in _INTEGERS:
        name = _INTEGERS[kind][column.unsigned]
        return (Kind.DECIMAL if name.startswith("numeric") else Kind.INTEGER), name
    if kind == "decimal":
        return Kind.DECIMAL, f"numeric({column.precision},{column.scale})"
    others = {
        "float": (Kind.FLOAT, "real"),
        "double": (Kind.DOUBLE, "double precision"),
        "year": (Kind.INTEGER, "smallint"),
        "bit": (Kind.BITS, f"bit({column.length})"),
    }
    return others.get(kind)


def _moment(column: SourceColumn, policy: Policy) -> tuple[Kind, str] | None:
    digits = column.fraction
    if column.data_type == "time":
        if policy.time == "interval":
            return Kind.INTERVAL, "interval"
        return Kind.TIME, f"time({digits}) without time zone"
    return {
        "date": (Kind.DATE, "date"),
        "datetime": (Kind.DATETIME, f"timestamp({digits}) without time zone"),
        "timestamp": (Kind.TIMESTAMP, f"timestamp({digits}) with time zone"),
    }.get(column.data_type)


def _text(column: SourceColumn) -> tuple[Kind, str] | None:
    kind = column.data_type
    if column.holds_json:
        # As it was written: MariaDB keeps the text, and so does json (jsonb would not).
        return Kind.JSON, "json"
    if kind == "json":
        return Kind.JSONB, "jsonb"
    if kind in _BYTES or (column.charset == "binary" and kind in {"char", "varchar"}):
        return Kind.BYTES, "bytea"
    if kind in _TEXTS:
        return Kind.TEXT, "text"
    if kind in {"char", "varchar"}:
        # char(n) too: MySQL gives it back without the blanks at its end.
        return Kind.TEXT, f"character varying({column.length})" if column.length else "text"
    return None


def labels(column_type: str) -> list[str]:
    """Return the labels of ``enum('a','b')`` or ``set('a','b')``."""
    inside = column_type[column_type.index("(") + 1 : column_type.rindex(")")]
    return [
        found.replace("''", "'").replace("\\\\", "\\") for found in re.findall(r"'((?:[^']|'')*)'", inside)
    ]
