"""Columns between two servers of one kind: each stays what it is; only how its values travel is chosen."""

from __future__ import annotations

from heavylift.tables.mysql.types import Kind, Mapped, SourceColumn

_KINDS = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), Kind.INTEGER),
    "decimal": Kind.DECIMAL,
    "float": Kind.FLOAT,
    "double": Kind.DOUBLE,
    "bit": Kind.BITS,
    "date": Kind.DATE,
    "time": Kind.INTERVAL,
    "datetime": Kind.DATETIME,
    "timestamp": Kind.TIMESTAMP,
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), Kind.TEXT),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), Kind.BYTES),
    **dict.fromkeys(("enum", "set"), Kind.ORDINAL),
    "json": Kind.JSONB,
    **dict.fromkeys(("uuid", "inet4", "inet6"), Kind.NAMED),
    **dict.fromkeys(
        (
            "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
            "geometrycollection", "geomcollection",
        ),
        Kind.GEOMETRY,
    ),
}  # fmt: skip
_OIDS = {
    Kind.INTEGER: 20, Kind.DECIMAL: 1700, Kind.FLOAT: 701, Kind.DOUBLE: 701, Kind.BITS: 1560,
    Kind.DATE: 1082, Kind.INTERVAL: 1186, Kind.DATETIME: 1114, Kind.TIMESTAMP: 1184, Kind.BYTES: 17,
    Kind.ORDINAL: 20, Kind.NAMED: 2950, Kind.GEOMETRY: 17,
}  # fmt: skip
"""Numbers of PostgreSQL's types, by which the comparison knows a value whose end is seen in a row's text."""
_TEXT = 25


def map_own(column: SourceColumn) -> Mapped | None:
    """Return how a column travels; None where the log has its values in a form that cannot be read.

    That is so of MariaDB's compressed columns, and of what this version does not know.
    """
    kind = _KINDS.get(column.data_type)
    if kind is None or "COMPRESSED" in column.column_type.upper():
        return None
    if column.charset == "binary" and kind is Kind.TEXT:
        kind = Kind.BYTES
    collation = f" {column.collation}" if column.collation else ""
    return Mapped(column, kind, column.column_type + collation, _OIDS.get(kind, _TEXT), own=True)
