"""Positions in a binary log: a file and an offset, as one number that grows as the log does.

The number is ``file number << 32 | offset``, so that the target's state, which was made for PostgreSQL's
positions, holds and compares it. ``mysql-bin.000003:1234`` is 0x3000004D2, which PostgreSQL writes
``3/4D2``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.errors import ConflictError, UnsupportedError
from heavylift.tables.mysql.connect import ask, one

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session

_OFFSETS = 1 << 32
_SYNTAX = 1064


@dataclass(frozen=True, order=True)
class Place:
    """A place between two events of the log.

    :param base: the log's name without its number: ``mysql-bin``.
    """

    base: str
    file: int
    offset: int
    digits: int = 6

    @property
    def number(self) -> int:
        """Return the place as one number."""
        return (self.file << 32) | self.offset

    @property
    def file_name(self) -> str:
        """Return the file's name, as the server spells it."""
        return f"{self.base}.{self.file:0{self.digits}d}"

    def __str__(self) -> str:
        return f"{self.file_name}:{self.offset}"


def place_of(file_name: str, offset: int) -> Place:
    """Return the place of an offset in a file.

    :raises UnsupportedError: the file is longer than an event can tell.
    """
    base, _, number = file_name.rpartition(".")
    if offset >= _OFFSETS:
        raise UnsupportedError(
            f"reading the binary log {file_name}",
            got=f"the offset {offset}",
            expected="files below 4 GiB: an event's header has no room for more",
            state="nothing was applied",
            remedy="FLUSH BINARY LOGS, and split transactions that large; then take a new snapshot",
            code="6403",
        )
    return Place(base, int(number), offset, len(number))


def place_from(number: int, base: str) -> Place:
    """Return the place that a number means in the log called ``base``."""
    name, _, digits = base.partition("#")
    return Place(name, number >> 32, number & (_OFFSETS - 1), int(digits or 6))


def base_text(place: Place) -> str:
    """Return the log's name and how many digits its files' numbers have, for :func:`place_from`."""
    return f"{place.base}#{place.digits}"


def current_place(session: Session) -> tuple[Place, str]:
    """Return where the log ends now, and the set of transactions in it (GTIDs) where the server tells.

    :raises ConflictError: the server writes no binary log.
    """
    row = _status(session)
    if row is None:
        raise ConflictError(
            "asking the source for its position",
            got="a server that writes no binary log",
            expected="log_bin = ON",
            state="nothing was touched",
            remedy="start the server with log_bin, binlog_format = ROW and binlog_row_metadata = FULL",
            code="6404",
        )
    return place_of(str(row[0]), int(row[1])), _gtids(session, row)


def _status(session: Session) -> tuple[Any, ...] | None:
    import pymysql

    try:
        rows = ask(session, "SHOW BINARY LOG STATUS")
    except pymysql.ProgrammingError as error:
        if error.args[0] != _SYNTAX:
            raise
        rows = ask(session, "SHOW MASTER STATUS")
    return rows[0] if rows else None


def _gtids(session: Session, row: tuple[Any, ...]) -> str:
    if len(row) > 4:  # MySQL tells it in the same row
        return str(row[4] or "").replace("\n", "")
    return str(one(session, "SELECT @@global.gtid_binlog_pos") or "")


def log_files(session: Session) -> dict[str, int]:
    """Return the files that the server still has, oldest first, with their sizes."""
    return {str(row[0]): int(row[1]) for row in ask(session, "SHOW BINARY LOGS")}


def place_of_number(number: int, like: Place) -> Place:
    """Return the place that a number means in the log of another place."""
    return Place(like.base, number >> 32, number & (_OFFSETS - 1), like.digits)


def behind(session: Session, applied: Place) -> int:
    """Return how many bytes of log lie between a place and the log's end."""
    here, _ = current_place(session)
    numbered = [(int(name.rpartition(".")[2]), size) for name, size in log_files(session).items()]
    whole = sum(size for number, size in numbered if applied.file <= number < here.file)
    return max(0, whole + here.offset - applied.offset)
