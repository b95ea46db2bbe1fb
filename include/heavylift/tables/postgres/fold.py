"""Folding: what a run of changes comes to for each row, so that each row is written once a batch.

A batch holds whole source transactions, in their order. For a table with a key the fold keeps one entry
for each key; for one without, how many times each whole row must be added or taken away. Truncates and
new table shapes are barriers: what came before is applied before them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from heavylift.errors import IntegrityError
from heavylift.tables.model import TableName
from heavylift.tables.postgres.copy_text import copy_chunks
from heavylift.tables.postgres.pgoutput import UNCHANGED, Relation, Row, TruncateOption, read_row

if TYPE_CHECKING:
    from heavylift.tables.rewriting import Places

Key = tuple[bytes | None, ...]

_NEW = ord("N")


@dataclass(frozen=True)
class Shape:
    """How a relation's rows are told apart: which columns, and where in the row the key lies.

    :param key: column names; empty where a row's whole content is its name.
    """

    table: TableName
    relation: Relation
    key: tuple[str, ...]
    key_at: tuple[int, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns' names in the order of rows."""
        return tuple(column.name for column in self.relation.columns)

    @property
    def has_whole_old_rows(self) -> bool:
        """Tell whether the log repeats the whole old row with each change."""
        return self.relation.identity == "f"


def shape_of(relation: Relation, key: tuple[str, ...]) -> Shape:
    """Return the shape of a relation.

    :param key: the key to use where the log holds whole old rows (``REPLICA IDENTITY FULL``); otherwise
        the log's own key counts.
    """
    if relation.identity != "f":
        key = tuple(column.name for column in relation.columns if column.is_key)
    names = [column.name for column in relation.columns]
    usable = all(name in names for name in key)
    key = key if usable else ()
    return Shape(
        TableName(relation.schema, relation.name), relation, key, tuple(names.index(name) for name in key)
    )


@dataclass(frozen=True, slots=True)
class Partial:
    """A row some of whose values (:data:`UNCHANGED`) must come from the target's own row.

    :param origin: the key under which the target has that row before the batch.
    """

    row: Row
    origin: Key


class Rows:
    """Rows that lack nothing; may be made ready for COPY before somebody asks."""

    def __init__(self, rows: Iterable[Row] = (), chunks: tuple[bytes, ...] | None = None) -> None:
        self._rows = list(rows)
        self._chunks = chunks

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __add__(self, other: Rows) -> Rows:
        return Rows([*self._rows, *other._rows], (*self.spelled(), *other.spelled()))

    def spell(self) -> None:
        """Make them ready for COPY."""
        self._chunks = tuple(copy_chunks(self._rows))

    def spelled(self) -> Iterable[bytes]:
        """Return them, all columns of each, in the text form of COPY."""
        return copy_chunks(self._rows) if self._chunks is None else self._chunks


class KeyedFold:
    """The changes of one table with a key.

    ``entries`` holds for each key the row to be there afterwards, whole or in part; None for one that goes.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.entries: dict[Key, Row | Partial | None] = {}
        self.inserts = self.updates = self.deletes = 0
        self._key_of = _key_of(shape.key_at)
        # Keys that no row had before the first of these changes.
        self._fresh: set[Key] = set()
        self._parted: tuple[Rows, Rows] | None = None

    def parted(self) -> tuple[Rows, Rows]:
        """Return the whole rows to be there afterwards: of keys that are new, and of those that are not.

        They are in the keys' order. No change may be taken in any more.
        """
        if self._parted is None:
            new: list[Row] = []
            changed: list[Row] = []
            fresh, entries = self._fresh, self.entries
            for key in in_order(entries):
                entry = entries[key]
                if isinstance(entry, tuple):
                    (new if key in fresh else changed).append(entry)
            self._parted = Rows(new), Rows(changed)
        return self._parted

    def rewrite(self, places: Places) -> None:
        """Turn values into what they are on the target; to be called once, after the last change."""
        for key, entry in self.entries.items():
            if isinstance(entry, Partial):
                self.entries[key] = Partial(_rewritten(entry.row, places), entry.origin)
            elif entry is not None:
                self.entries[key] = _rewritten(entry, places)

    def spell(self) -> None:
        """Make the whole rows ready for COPY; no change may be taken in any more."""
        for rows in self.parted():
            rows.spell()

    def insert(self, data: bytes) -> None:
        """Take a message of a new row in."""
        new, _, _ = read_row(data, 6)
        key = self._key_of(new)
        if key not in self.entries:
            self._fresh.add(key)
        self.entries[key] = new
        self.inserts += 1

    def update(self, data: bytes) -> None:
        """Take a message of a changed row in; where its key has changed, the old key goes."""
        self.updates += 1
        old = None
        position = 6
        if data[5] != _NEW:
            old, position, _ = read_row(data, 6)
            position += 1
        new, _, lacks = read_row(data, position)
        key = self._key_of(new)
        before = key if old is None else self._key_of(old)
        if lacks:
            self._update_partly(key, before, old, new)
            return
        if before != key:
            self._moves(before, key)
        self.entries[key] = new

    def delete(self, data: bytes) -> None:
        """Take a message of a row that goes in."""
        old, _, _ = read_row(data, 6)
        self.entries[self._key_of(old)] = None
        self.deletes += 1

    def _update_partly(self, key: Key, before: Key, old: Row | None, new: Row) -> None:
        row, origin = new, before
        if old is not None and self.shape.has_whole_old_rows:
            row = filled(new, old)
        elif before in self.entries:
            known = self.entries[before]
            if known is None:
                raise self._deleted_before()
            if isinstance(known, Partial):
                row, origin = filled(new, known.row), known.origin
            else:
                row = filled(new, known)
        if before != key:
            self._moves(before, key)
        self.entries[key] = Partial(row, origin) if UNCHANGED in row else row

    def _moves(self, before: Key, key: Key) -> None:
        self.entries[before] = None
        if key not in self.entries:
            self._fresh.add(key)

    def _deleted_before(self) -> IntegrityError:
        return IntegrityError(
            f"folding changes of {self.shape.table}",
            got="an update of a row that an earlier change of the batch deleted",
            expected="changes in the order of the source's log",
            state="nothing of this batch was applied; the position stays",
            remedy="report it with the source's version",
            code="6032",
        )


class KeylessFold:
    """The changes of one table whose rows have no key.

    ``counts`` tells for each whole row how many like it come, or where negative, go.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.counts: Counter[Row] = Counter()
        self.inserts = self.updates = self.deletes = 0

    def insert(self, data: bytes) -> None:
        """Take a message of a new row in."""
        self.counts[read_row(data, 6)[0]] += 1
        self.inserts += 1

    def update(self, data: bytes) -> None:
        """Take a message of a changed row in: one like the old goes, one like the new comes."""
        if not self.shape.has_whole_old_rows:
            raise self._no_identity()
        old, position, _ = read_row(data, 6)
        new, _, _ = read_row(data, position + 1)
        self.counts[old] -= 1
        self.counts[filled(new, old)] += 1
        self.updates += 1

    def delete(self, data: bytes) -> None:
        """Take a message of a row that goes in."""
        if not self.shape.has_whole_old_rows:
            raise self._no_identity()
        self.counts[read_row(data, 6)[0]] -= 1
        self.deletes += 1

    def _no_identity(self) -> IntegrityError:
        return IntegrityError(
            f"folding changes of {self.shape.table}",
            got="a change that does not tell the old row",
            expected="a key, or REPLICA IDENTITY FULL",
            state="nothing of this batch was applied; the position stays",
            remedy="set the table's replica identity and take a new snapshot of it",
            code="6033",
        )


TableFold = KeyedFold | KeylessFold


def fold_for(shape: Shape) -> TableFold:
    """Return an empty fold for rows of a shape."""
    return KeyedFold(shape) if shape.key else KeylessFold(shape)


def filled(new: Row, known: Row) -> Row:
    """Return ``new`` with the values of ``known`` where the log did not repeat them."""
    return tuple([b if a is UNCHANGED else a for a, b in zip(new, known, strict=True)])


def in_order(keys: Iterable[Key]) -> list[Key]:
    """Return keys in the order of their bytes.

    Where keys follow each other in a table or in its index, the target then finds a batch's rows page after
    page, and takes each page into its memory and writes it out once a batch.
    """
    return sorted(keys, key=_bytes_of)


def _bytes_of(key: Key) -> bytes | tuple[bytes, ...]:
    # Of one length for all keys of a table; a value may be NULL where the log holds whole old rows.
    return key[0] or b"" if len(key) == 1 else tuple([value or b"" for value in key])


def _rewritten(row: Row, places: Places) -> Row:
    values = list(row)
    for at, rewrite in places:
        value = values[at]
        if value is not None and value is not UNCHANGED:
            values[at] = rewrite(value)
    return tuple(values)


def _key_of(places: tuple[int, ...]) -> Callable[[Row], Key]:
    if len(places) == 1:
        at = places[0]
        return lambda row: (row[at],)
    return itemgetter(*places)


@dataclass(frozen=True)
class Folded:
    """A stretch of changes between two barriers, by the source's id of the table."""

    tables: dict[int, TableFold]


@dataclass(frozen=True)
class Truncated:
    """A barrier: these tables were emptied together."""

    tables: tuple[TableName, ...]
    options: TruncateOption


@dataclass(frozen=True)
class Reshaped:
    """A barrier: from here on the table looks like this; also sent when a run sees it first."""

    shape: Shape


@dataclass(frozen=True)
class Effect:
    """A parent's row that went, or got other values in columns that foreign keys refer to.

    :param position: where its transaction lies.
    :param new: None for a row that went.
    """

    table: TableName
    position: int
    old: dict[str, bytes | None]
    new: dict[str, bytes | None] | None = None


@dataclass(frozen=True)
class Cascaded:
    """A barrier: what foreign keys do to children, where the source's log is silent about it."""

    effects: list[Effect]


Segment = Folded | Truncated | Reshaped | Cascaded
