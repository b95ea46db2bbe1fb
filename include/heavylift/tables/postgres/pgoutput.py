"""Decoding of ``pgoutput``, the plugin that every PostgreSQL server has, in its protocol version 1.

Formats: PostgreSQL manual, "Logical Replication Message Formats". Values stay the bytes of their text
form: between two PostgreSQL servers nothing needs to understand them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntFlag
from struct import Struct
from typing import Final, NamedTuple

from heavylift.errors import IntegrityError

Value = bytes | None
"""A column's value as text, or None for NULL."""

Row = tuple[Value, ...]
"""A row's values in the order of its relation's columns; :data:`UNCHANGED` where the log does not say."""

UNCHANGED: Final = b"\x00unchanged"
"""A large value that an update left as it was, and that the log therefore lacks. No text value has a
zero byte, so it cannot be one."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_BEGIN = Struct("!qqi")
_COMMIT = Struct("!bqqq")
_INT = Struct("!i")
_OID = Struct("!I")
_SHORT = Struct("!h")
_TRUNCATE = Struct("!ib")
_COLUMN = Struct("!Ii")


class Begin(NamedTuple):
    """A transaction begins. :attr:`final_lsn` is where its commit lies; transactions come in its order."""

    final_lsn: int
    committed_at: datetime
    xid: int


class Commit(NamedTuple):
    """A transaction is complete; ``end_lsn`` is the position behind it."""

    end_lsn: int


class Origin(NamedTuple):
    """The transaction did not begin on this server: somebody replicated it here under this name."""

    name: str


class RelationColumn(NamedTuple):
    """One column as the log has it from here on."""

    name: str
    type_oid: int
    type_modifier: int
    is_key: bool


@dataclass(frozen=True)
class Relation:
    """What a table looks like from here on; sent before its first change, and after each DDL."""

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple[RelationColumn, ...]


class TruncateOption(IntFlag):
    """How tables were emptied."""

    CASCADE = 1
    RESTART_IDENTITY = 2


class Truncate(NamedTuple):
    """Tables were emptied, all of them at once."""

    oids: tuple[int, ...]
    options: TruncateOption


Message = Begin | Commit | Origin | Relation | Truncate

INSERT, UPDATE, DELETE = b"IUD"
"""Kinds of messages about one row; they come by the million, and are read by :func:`read_row` alone."""


def kind_and_relation(data: bytes) -> tuple[int, int]:
    """Return a row's message's kind and its relation's id; the id means nothing for other kinds."""
    return data[0], _OID.unpack_from(data, 1)[0] if len(data) > 4 else 0


def decode(data: bytes) -> Message | None:
    """Return a message that is not about one row; None for kinds that say nothing about rows at all.

    :raises IntegrityError: the bytes are no message of protocol 1.
    """
    kind = data[0]
    if kind == 66:  # B
        final_lsn, micros, xid = _BEGIN.unpack_from(data, 1)
        return Begin(final_lsn, _EPOCH + timedelta(microseconds=micros), xid)
    if kind == 67:  # C
        return Commit(_COMMIT.unpack_from(data, 1)[2])
    return _rarer(kind, data)


def _rarer(kind: int, data: bytes) -> Message | None:
    if kind == 82:  # R
        return _relation(data)
    if kind == 84:  # T
        count, options = _TRUNCATE.unpack_from(data, 1)
        oids = tuple(_OID.unpack_from(data, 6 + 4 * number)[0] for number in range(count))
        return Truncate(oids, TruncateOption(options))
    if kind == 79:  # O
        return Origin(_text(data, 9)[0])
    if kind in b"YM":
        return None
    raise IntegrityError(
        "reading the source's changes",
        got=f"a message of kind {chr(kind)!r}",
        expected="pgoutput's messages of protocol version 1",
        state="nothing of this transaction was applied; the position stays",
        remedy="report it with the source's version",
        code="6030",
    )


def read_row(data: bytes, position: int) -> tuple[Row, int, bool]:
    """Return the row (``TupleData``) at ``position``, where it ends, and whether it lacks values."""
    (count,) = _SHORT.unpack_from(data, position)
    position += 2
    values: list[Value] = []
    add = values.append
    length_at = _INT.unpack_from
    lacks = False
    for _ in range(count):
        if data[position] == 116:  # t
            start = position + 5
            position = start + length_at(data, position + 1)[0]
            add(data[start:position])
        elif data[position] == 110:  # n
            position += 1
            add(None)
        else:
            position += 1
            lacks = True
            add(UNCHANGED)
    return tuple(values), position, lacks


def _relation(data: bytes) -> Relation:
    (oid,) = _OID.unpack_from(data, 1)
    schema, position = _text(data, 5)
    name, position = _text(data, position)
    identity = chr(data[position])
    (count,) = _SHORT.unpack_from(data, position + 1)
    position += 3
    columns = []
    for _ in range(count):
        is_key = bool(data[position] & 1)
        column, position = _text(data, position + 1)
        type_oid, modifier = _COLUMN.unpack_from(data, position)
        position += 8
        columns.append(RelationColumn(column, type_oid, modifier, is_key))
    # The server leaves the schema of its own catalog empty.
    return Relation(oid, schema or "pg_catalog", name, identity, tuple(columns))


def _text(data: bytes, position: int) -> tuple[str, int]:
    end = data.index(0, position)
    return data[position:end].decode(), end + 1
