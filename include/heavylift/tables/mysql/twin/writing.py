"""Statements that put rows into a table and take rows out, many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import IntegrityError
from heavylift.tables.mysql.catalog import SourceTable
from heavylift.tables.mysql.connect import quoted
from heavylift.tables.mysql.twin.literals import Write, Written, same, tuples_of, writer_of, written
from heavylift.tables.mysql.twin.session import STATEMENT_BYTES, Lenient, run
from heavylift.tables.mysql.types import Mapped

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session
    from heavylift.tables.postgres.fold import Key, KeyedFold, KeylessFold
    from heavylift.tables.postgres.pgoutput import Row

KEYS_AT_ONCE = 500
"""Keys that one statement names: servers look each up in the index as long as there are not too many."""


@dataclass(frozen=True)
class TableWriter:
    """Writes one table's rows through one session.

    :param table: as the target has it.
    :param columns: those that are written, with their places in a row.
    :param limit: see :func:`heavylift.tables.mysql.twin.session.most_bytes`.
    :param literals: gives what writes a column's values.
    """

    session: Session
    table: SourceTable
    columns: tuple[Written, ...]
    limit: int
    lenient: Lenient
    literals: Callable[[Mapped], Write] = writer_of

    @property
    def name(self) -> bytes:
        """Return the table's name as a statement writes it."""
        return quoted(self.table.name.schema, self.table.name.name).encode()

    @property
    def has_other_unique(self) -> bool:
        """Tell whether something besides the primary key must be unique."""
        return any(index.unique and index.name != "PRIMARY" for index in self.table.indexes)

    def insert(self, rows: Iterable[Row], *, merge: bool = False) -> int:
        """Insert rows; return the bytes of their statements.

        :param merge: rows whose primary key is there take its place; nothing else may be unique then.
        """
        names = b", ".join([each.name for each in self.columns])
        head = b"INSERT INTO " + self.name + b" (" + names + b") VALUES "
        tail = self._merging() if merge else b""
        size = 0
        for values in _grouped(tuples_of(self.columns, rows)):
            statement = head + b",".join(values) + tail
            self._run(statement)
            size += len(statement)
        return size

    def delete(self, keys: Iterable[Key], names: Sequence[str]) -> None:
        """Delete rows by key; those that are not there are gone already."""
        by_name = {each.source.name: each for each in self.table.columns}
        columns = [by_name[name] for name in names]
        spelled = [quoted(name).encode() for name in names]
        writers = [self.literals(each) for each in columns]
        head = b"DELETE FROM " + self.name + b" WHERE "
        batch: list[bytes] = []
        for key in keys:
            texts = [write(value or b"") for write, value in zip(writers, key, strict=True)]
            batch.append(
                texts[0]
                if len(texts) == 1
                else b"(" + b" AND ".join(map(b"%b = %b".__mod__, zip(spelled, texts, strict=True))) + b")"
            )
            if len(batch) == KEYS_AT_ONCE:
                self._run(head + _any_of(spelled, batch))
                batch = []
        if batch:
            self._run(head + _any_of(spelled, batch))

    def write_keyed(self, fold: KeyedFold) -> None:
        """Bring the rows of a fold to what they are afterwards.

        Where other columns must be unique, too, values may change places among rows: then all rows are taken
        out first and put in again, and none of them can be mistaken for another one.
        """
        kept = [row for row in fold.entries.values() if isinstance(row, tuple)]
        retaken = self.has_other_unique
        gone = [key for key, row in fold.entries.items() if row is None or retaken]
        self.delete(gone, fold.shape.key)
        self.insert(kept, merge=not retaken)

    def write_keyless(self, fold: KeylessFold) -> None:
        """Take rows out and put rows in, each as often as the fold says."""
        for row, count in fold.counts.items():
            if count < 0:
                self._take_out(row, -count)
        self.insert(row for row, count in fold.counts.items() for _ in range(count))

    def _take_out(self, row: Row, count: int) -> None:
        conditions = b" AND ".join([same(each, row[each.at]) for each in self.columns])
        statement = b"DELETE FROM " + self.name + b" WHERE " + conditions + b" LIMIT %d" % count
        found = self._run(statement)
        if found != count:
            raise _not_there(self.table, count - found)

    def _merging(self) -> bytes:
        # The key, too: one in another case takes the other one's place.
        sets = [b"%b = VALUES(%b)" % (each.name, each.name) for each in self.columns]
        return b" ON DUPLICATE KEY UPDATE " + b", ".join(sets)

    def _run(self, statement: bytes) -> int:
        return run(self.session, statement, str(self.table.name), self.limit, self.lenient)


def writer(session: Session, table: SourceTable, columns: Sequence[str], limit: int) -> TableWriter:
    """Return the writer of a table for rows with some columns, in their order."""
    enums = (each.source.name for each in table.columns if each.source.data_type == "enum")
    computed = (each.source.name for each in table.columns if each.column.generated)
    lenient = Lenient(frozenset(enums), frozenset(computed))
    return TableWriter(session, table, written(table, columns), limit, lenient)


def _any_of(names: Sequence[bytes], keys: Sequence[bytes]) -> bytes:
    if len(names) == 1:
        return names[0] + b" IN (" + b",".join(keys) + b")"
    return b" OR ".join(keys)


def _grouped(rows: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield rows in groups of about :data:`STATEMENT_BYTES`."""
    group: list[bytes] = []
    size = 0
    for row in rows:
        if group and size + len(row) > STATEMENT_BYTES:
            yield group
            group, size = [], 0
        group.append(row)
        size += len(row) + 1
    if group:
        yield group


def _not_there(table: SourceTable, count: int) -> IntegrityError:
    return IntegrityError(
        f"applying changes of {table.name}",
        got=f"{count} rows to be deleted that the target does not have",
        expected="the target to hold what the source held",
        state="nothing of this batch was applied; the position stays",
        remedy="somebody else has written to the table on the target: compare it with heavylift tables"
        " verify, then take a new snapshot of it",
        code="6478",
    )
