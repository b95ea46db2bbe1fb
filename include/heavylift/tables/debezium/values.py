"""From values of Debezium's JSON to the text that PostgreSQL's COPY takes, and never by guessing.

What a value means is told by the event's schema: its type, and its semantic name. Each pair of those is
written down here with the types of the target that hold exactly the same values; any other pair is refused
by name, and so is what loses something on the way (numbers as doubles, times in milliseconds, zones).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from heavylift.errors import UnsupportedError
from heavylift.tables.debezium import times
from heavylift.tables.postgres.pgoutput import UNCHANGED, Value

PLACEHOLDER = "__debezium_unavailable_value"
"""What Debezium writes where the source's log does not repeat a large value that did not change."""

Convert = Callable[[Any], Value]

_INTEGERS = frozenset({"smallint", "integer", "bigint", "numeric"})
_TEXTS = frozenset({"text", "character varying", "character"})
_FROM_TEXT = _TEXTS | {
    "numeric", "money", "inet", "cidr", "macaddr", "macaddr8", "name", "int4range", "int8range", "numrange",
    "tsrange", "tstzrange", "daterange",
}  # fmt: skip
"""Types whose values come as a text without a name, and that are either short or known to be told apart where
a large one did not change. Of others (citext, ltree, hstore) that is not known: NULL may stand in for it."""
_ELEMENTS = {"string": frozenset({"text", "character varying"}), "int32": {"integer"}, "int64": {"bigint"}}
"""Arrays that are told apart where a large one did not change; of all others the connector makes NULL."""
_ENDS = (PLACEHOLDER, base64.b64encode(PLACEHOLDER.encode()).decode())
_ARRAY_ENDS = ([PLACEHOLDER], list(PLACEHOLDER.encode()))

_SETTINGS = {
    "org.apache.kafka.connect.data.Decimal": "decimal.handling.mode=string",
    "io.debezium.data.VariableScaleDecimal": "decimal.handling.mode=string",
    "io.debezium.time.MicroDuration": "interval.handling.mode=string",
    "org.apache.kafka.connect.data.Date": "time.precision.mode=adaptive_time_microseconds",
    "org.apache.kafka.connect.data.Time": "time.precision.mode=adaptive_time_microseconds",
    "org.apache.kafka.connect.data.Timestamp": "time.precision.mode=adaptive_time_microseconds",
}
"""Semantic names that lose something, and the setting that avoids them."""


@dataclass(frozen=True)
class Kind:
    """How the values of one schema are read.

    :param holds: tells whether a type of the target, without its length, holds all of them.
    """

    convert: Convert
    holds: Callable[[str], bool]


def converter(column: str, schema: Mapping[str, Any], target: str) -> Convert:
    """Return what turns a column's values into the text of a type of the target.

    :param column: ``schema.table.column``, for the message.
    :param schema: the field's, of the event.
    :param target: as ``format_type`` spells it.
    :raises UnsupportedError: the pair is none of those whose values are the same.
    """
    if schema.get("type") == "array":
        return _array(column, schema, target)
    found = _kind(schema, target)
    if found is None or not found.holds(_family(target)):
        raise _refused(column, schema, target)
    return _whole(found.convert)


def _whole(convert: Convert) -> Convert:
    def whole(value: Any) -> Value:
        if value is None:
            return None
        return UNCHANGED if value in _ENDS else convert(value)

    return whole


def _array(column: str, schema: Mapping[str, Any], target: str) -> Convert:
    items = schema.get("items") or {}
    element = _family(target).removesuffix("[]")
    known = not items.get("name") and element in _ELEMENTS.get(str(items.get("type")), ())
    if not known or not target.endswith("[]"):
        raise _refused(column, schema, target)

    def whole(value: Any) -> Value:
        if value is None:
            return None
        if value in _ARRAY_ENDS:
            return UNCHANGED
        parts = [b"NULL" if each is None else _quoted(str(each).encode()) for each in value]
        return b"{" + b",".join(parts) + b"}"

    return whole


def _quoted(item: bytes) -> bytes:
    return b'"' + item.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _kind(schema: Mapping[str, Any], target: str) -> Kind | None:
    name = schema.get("name") or ""
    if name == "io.debezium.data.Bits":
        length = int((schema.get("parameters") or {}).get("length") or 0)
        return Kind(lambda value: _bits(value, length), {"bit"}.__contains__)
    if (schema.get("type"), name) == ("boolean", "") and _family(target) == "bit":
        return Kind(lambda value: b"1" if value else b"0", {"bit"}.__contains__)
    return _KINDS.get((str(schema.get("type")), name))


def _family(target: str) -> str:
    """Return a type without its length or precision."""
    start, bracket, rest = target.partition("(")
    return start + rest.partition(")")[2] if bracket else target


def _text(value: Any) -> Value:
    return str(value).encode()


def _bytes(value: Any) -> Value:
    try:
        return b"\\x" + base64.b64decode(value, validate=True).hex().encode()
    except (binascii.Error, TypeError) as error:
        raise ValueError("no base64") from error


def _bits(value: Any, length: int) -> Value:
    number = int.from_bytes(base64.b64decode(value), "little")
    return f"{number:0{length}b}".encode()


def _is_label(family: str) -> bool:
    """Tell whether a type can be an enum: one with a schema before its name; or takes any text."""
    return family in _TEXTS or ("." in family and not family.endswith("[]"))


def _is(*families: str) -> Callable[[str], bool]:
    return frozenset(families).__contains__


_STAMP, _ZONED, _CLOCK = "timestamp without time zone", "timestamp with time zone", "time without time zone"
_KINDS: dict[tuple[str, str], Kind] = {
    ("boolean", ""): Kind(lambda value: b"t" if value else b"f", _is("boolean")),
    **{(size, ""): Kind(_text, _INTEGERS.__contains__) for size in ("int8", "int16", "int32", "int64")},
    **{(size, ""): Kind(_text, _is("real", "double precision")) for size in ("float", "float32")},
    **{(size, ""): Kind(_text, _is("double precision")) for size in ("double", "float64")},
    ("string", ""): Kind(_text, _FROM_TEXT.__contains__),
    ("string", "io.debezium.data.Enum"): Kind(_text, _is_label),
    ("string", "io.debezium.data.EnumSet"): Kind(_text, _TEXTS.__contains__),
    ("string", "io.debezium.data.Json"): Kind(_text, _is("json", "jsonb", *_TEXTS)),
    ("string", "io.debezium.data.Uuid"): Kind(_text, _is("uuid", *_TEXTS)),
    ("string", "io.debezium.data.Xml"): Kind(_text, _is("xml", *_TEXTS)),
    ("bytes", ""): Kind(_bytes, _is("bytea")),
    ("int32", "io.debezium.time.Date"): Kind(times.date, _is("date")),
    ("int32", "io.debezium.time.Year"): Kind(_text, _INTEGERS.__contains__),
    ("int32", "io.debezium.time.Time"): Kind(lambda value: times.clock(value * 1000), _is(_CLOCK)),
    ("int64", "io.debezium.time.MicroTime"): Kind(times.clock, _is(_CLOCK)),
    ("int64", "io.debezium.time.NanoTime"): Kind(lambda value: times.clock(times.micros(value)), _is(_CLOCK)),
    ("int64", "io.debezium.time.Timestamp"): Kind(lambda value: times.stamp(value * 1000), _is(_STAMP)),
    ("int64", "io.debezium.time.MicroTimestamp"): Kind(times.stamp, _is(_STAMP)),
    ("int64", "io.debezium.time.NanoTimestamp"): Kind(
        lambda value: times.stamp(times.micros(value)), _is(_STAMP)
    ),
    ("string", "io.debezium.time.ZonedTimestamp"): Kind(times.zoned, _is(_ZONED)),
    ("string", "io.debezium.time.Interval"): Kind(_text, _is("interval")),
}  # fmt: skip


def _refused(column: str, schema: Mapping[str, Any], target: str) -> UnsupportedError:
    items = schema.get("items") or {}
    name = str(schema.get("name") or items.get("name") or "")
    kind = f"{schema.get('type')} {name}".strip()
    setting = _SETTINGS.get(name)
    if setting is None and schema.get("type") == "double" and _family(target) == "numeric":
        setting = "decimal.handling.mode=string"
    if setting is None and schema.get("type") == "string" and target == "bytea":
        setting = "binary.handling.mode=bytes"
    return UnsupportedError(
        f"reading Debezium's values of {column}",
        got=f"{kind} for a column of type {target}",
        expected="a pair of docs/reference/tables-debezium.md whose values are the same",
        state="nothing of this batch was applied; the position stays",
        remedy=(
            f"set {setting} in the connector, under a new topic.prefix, and take the snapshot anew"
            if setting
            else "give the target's column a type that holds these values, or leave the table out (exclude)"
        ),
        code="6703",
    )
