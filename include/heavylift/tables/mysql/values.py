"""Checks and forms that a value needs on its way, whether it was read from a table or from the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from heavylift.errors import IntegrityError
from heavylift.tables.model import TableName
from heavylift.tables.mysql.connect import ZeroDates
from heavylift.tables.mysql.types import TEMPORAL, Kind, Mapped
from heavylift.tables.postgres.pgoutput import Row, Value

Mend = Callable[[bytes], Value]


@dataclass(frozen=True)
class Mender:
    """Turns a row of texts as MySQL sends them into one that PostgreSQL's COPY takes.

    :param zero_dates: what becomes of dates that no calendar has.
    """

    table: TableName
    columns: Sequence[Mapped]
    zero_dates: ZeroDates

    def places(self) -> list[tuple[int, Mend]]:
        """Return the places in a row that must be looked at, each with what is done there."""
        found = [(at, self.of(each)) for at, each in enumerate(self.columns)]
        return [(at, mend) for at, mend in found if mend is not None]

    def of(self, mapped: Mapped) -> Mend | None:
        """Return what is done with a column's values; None where they go as they are."""
        if mapped.kind is Kind.BYTES:
            return as_hex
        if mapped.kind in {Kind.TEXT, Kind.JSON}:
            return self._text(mapped.source.name)
        if mapped.kind in TEMPORAL:
            return self._moment(mapped.source.name)
        return None

    def _text(self, column: str) -> Mend:
        def mend(value: bytes) -> Value:
            if b"\0" in value:
                raise has_zero_byte(self.table, column)
            return value

        return mend

    def _moment(self, column: str) -> Mend:
        def mend(value: bytes) -> Value:
            if is_zero_date(value):
                return self.zero(column)
            return value

        return mend

    def zero(self, column: str) -> Value:
        """Return what stands for a date that no calendar has.

        :raises IntegrityError: it is to be refused.
        """
        if self.zero_dates is ZeroDates.NULL:
            return None
        raise IntegrityError(
            f"reading {self.table}.{column}",
            got="a date that no calendar has, such as 0000-00-00",
            expected="a date that PostgreSQL can hold",
            state="nothing of this range or batch was written; what was committed before stays",
            remedy='correct the rows on the source, or set "zero_dates": "null" in the extra of its'
            " connection",
            code="6405",
        )


def mended(rows: Sequence[Row], places: Sequence[tuple[int, Mend]]) -> list[Row]:
    """Return rows with the values at some places put into their form."""
    if not places:
        return list(rows)
    done: list[Row] = []
    for row in rows:
        values = list(row)
        for at, mend in places:
            value = values[at]
            if value is not None:
                values[at] = mend(value)
        done.append(tuple(values))
    return done


def as_hex(value: bytes) -> bytes:
    """Return bytes as PostgreSQL's ``bytea`` reads them."""
    return b"\\x" + value.hex().encode()


def is_zero_date(text: bytes) -> bool:
    """Tell whether ``YYYY-MM-DD…`` has a year, month or day of zero."""
    return text[:4] == b"0000" or text[5:7] == b"00" or text[8:10] == b"00"


def has_zero_byte(table: TableName, column: str) -> IntegrityError:
    """Return the error of a text that PostgreSQL cannot hold."""
    return IntegrityError(
        f"reading {table}.{column}",
        got="a text with a zero byte in it",
        expected="texts without: PostgreSQL has no place for one",
        state="nothing of this range or batch was written; what was committed before stays",
        remedy="correct the rows on the source, or leave the table out",
        code="6406",
    )
