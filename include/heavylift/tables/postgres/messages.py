"""Writes changes in the form of ``pgoutput``, so that one thing folds and applies those of both sources."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from heavylift.tables.model import TableName
from heavylift.tables.postgres.pgoutput import UNCHANGED, Row

_EPOCH = 946684800
"""1 January 2000 in Unix time."""
_BEGIN, _COMMIT = Struct("!cqqi"), Struct("!cbqqq")
_HEAD, _INT, _SHORT, _COLUMN = Struct("!cI"), Struct("!i"), Struct("!h"), Struct("!Ii")


def begin(position: int, seconds: int) -> bytes:
    """Return the beginning of a transaction.

    :param position: where it begins in the log; transactions come in this order.
    :param seconds: Unix time of its commit.
    """
    return _BEGIN.pack(b"B", position, (seconds - _EPOCH) * 1_000_000, 0)


def commit(end: int) -> bytes:
    """Return the end of a transaction, and of what the log holds of it."""
    return _COMMIT.pack(b"C", 0, end, end, 0)


def relation(
    number: int, table: TableName, columns: Sequence[str], key: Sequence[str] | None = None
) -> bytes:
    """Return a table's shape.

    :param number: by which its changes name it.
    :param key: the columns by which changes name an old row; None where they hold it whole.
    """
    parts = [
        _HEAD.pack(b"R", number),
        _name(table.schema),
        _name(table.name),
        b"f" if key is None else b"d",
        _SHORT.pack(len(columns)),
    ]
    for column in columns:
        parts += [b"\1" if column in (key or ()) else b"\0", _name(column), _COLUMN.pack(0, -1)]
    return b"".join(parts)


def truncate(*numbers: int, restart: bool = True) -> bytes:
    """Return that tables were emptied together.

    :param restart: their numbering begins again.
    """
    oids = b"".join(_HEAD.pack(b"T", number)[1:] for number in numbers)
    return b"T" + _INT.pack(len(numbers)) + (b"\x02" if restart else b"\0") + oids


def inserted(number: int, row: Row) -> bytes:
    """Return a row that came."""
    return _HEAD.pack(b"I", number) + b"N" + _tuple(row)


def deleted(number: int, row: Row) -> bytes:
    """Return a row that went; of one that is named by its key, the other values do not count."""
    return _HEAD.pack(b"D", number) + b"O" + _tuple(row)


def updated(number: int, old: Row | None, new: Row) -> bytes:
    """Return a row that changed.

    :param old: None for one that is named by its key, which has not changed.
    """
    before = b"" if old is None else b"O" + _tuple(old)
    return _HEAD.pack(b"U", number) + before + b"N" + _tuple(new)


def _tuple(row: Row) -> bytes:
    parts = [_SHORT.pack(len(row))]
    for value in row:
        if value is None:
            parts.append(b"n")
        elif value is UNCHANGED:
            parts.append(b"u")
        else:
            parts += (b"t", _INT.pack(len(value)), value)
    return b"".join(parts)


def _name(text: str) -> bytes:
    return text.encode() + b"\0"
