"""From the source's messages to batches: whole transactions, folded, up to a number of changes.

A transaction larger than a batch comes in several; only the last of them is complete and may be
committed, so that memory stays bounded and nobody on the target sees half a transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from heavylift.errors import IntegrityError
from heavylift.tables.model import TableName
from heavylift.tables.postgres.fold import (
    Folded,
    KeyedFold,
    Reshaped,
    Segment,
    Shape,
    TableFold,
    Truncated,
    fold_for,
    shape_of,
)
from heavylift.tables.postgres.pgoutput import (
    DELETE,
    INSERT,
    UPDATE,
    Begin,
    Commit,
    Message,
    Relation,
    Truncate,
    kind_and_relation,
    read_row,
)
from heavylift.tables.rewriting import Rewriting

OUR_SCHEMA = "heavylift"
_NOTHING = Rewriting()
_NEW = ord("N")
MOST_BYTES = 32 * 2**20
"""A batch of wide rows is full with so many bytes of messages, however few rows they are."""
_FIRST = 8
"""The first batch is this part of a full one, the next twice as large, and so on."""


def origin_of(stream: bytes) -> bytes:
    """Return the replication origin under which a stream's transactions are known on its target."""
    return b"heavylift " + stream


@dataclass
class Batch:
    """Changes to be applied together.

    :param end_lsn: the position behind the last transaction; 0 while that one is not complete.
    :param first_lsn: where the first transaction's commit lies; 0 where there is none.
    :param skipped: changes that the target has already, or that came from it.
    """

    segments: list[Segment] = field(default_factory=list)
    end_lsn: int = 0
    first_lsn: int = 0
    committed_at: datetime | None = None
    transactions: int = 0
    transactions_skipped: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    tables: Counter[TableName] = field(default_factory=Counter)
    skipped: int = 0
    complete: bool = False

    @property
    def changes(self) -> int:
        """Return how many rows' changes and truncates it came from."""
        return self.kinds.total()


class Assembler:
    """Takes messages in their order, and gives a batch whenever one is full.

    :param start: transactions whose commit lies before it are on the target already.
    :param keys: the key of each table whose old rows the log holds whole.
    :param copied: per table, where its snapshot was taken: earlier transactions are in it.
    :param limit: a batch is full with so many changes, or with :data:`MOST_BYTES` of them.
    :param back: the stream of the other direction: transactions that it brought here are left out. Those of
        other streams are the application's as far as this one is concerned.
    :param spell: make rows ready for COPY at once, in the thread that reads: the one that applies has more
        to do.
    :param rewriting: values that are others on the target.
    """

    def __init__(
        self,
        start: int,
        keys: Mapping[TableName, tuple[str, ...]],
        copied: Callable[[TableName], int],
        limit: int,
        back: str,
        *,
        spell: bool = False,
        rewriting: Rewriting = _NOTHING,
    ) -> None:
        self._rewriting = rewriting
        self._start = start
        self._spell = spell
        self._back = back.encode()
        self._markers: set[int] = set()
        self._keys = keys
        self._copied = copied
        self._limit = limit
        # The first batches are small, so that the target has something to do while the source is read.
        self._full_at = max(1, limit // _FIRST)
        self._shapes: dict[int, Shape] = {}
        self._copied_at: dict[int, int] = {}
        self._batch = Batch()
        self._begun: Begin | None = None
        self._skips = False
        self._in_batch = self._bytes = 0
        # Where the next changes of a table go, as long as neither a barrier nor the transaction's own
        # position says otherwise; only tables that have been looked at are in it.
        self._folds: dict[int, TableFold] = {}
        self._open: dict[int, TableFold] = {}

    @property
    def between_transactions(self) -> bool:
        """Tell whether no transaction is half read."""
        return self._begun is None

    @property
    def is_full(self) -> bool:
        """Tell whether the batch should be taken now."""
        return self._in_batch >= self._full_at or self._bytes >= MOST_BYTES

    @property
    def has_something(self) -> bool:
        """Tell whether the batch would change the target or move the position."""
        return bool(self._open or self._batch.segments or self._batch.end_lsn)

    def take(self) -> Batch:
        """Return what has been gathered, and begin anew.

        In the middle of a transaction the batch is not complete.
        """
        self._close()
        batch = self._batch
        batch.complete = self._begun is None
        if not batch.complete:
            batch.end_lsn = 0
        self._batch = Batch(first_lsn=self._begun.final_lsn if self._begun else 0)
        self._in_batch = self._bytes = 0
        self._full_at = min(self._limit, self._full_at * 2)
        return batch

    def row(self, data: bytes) -> bool:
        """Take in a message about one row; tell whether it was one."""
        kind, oid = kind_and_relation(data)
        if kind not in (INSERT, UPDATE, DELETE):
            return False
        if oid in self._markers:
            self._look_whose(kind, oid, data)
        fold = self._folds.get(oid) or self._fold(oid)
        if fold is not None:
            if kind == UPDATE:
                fold.update(data)
            elif kind == INSERT:
                fold.insert(data)
            else:
                fold.delete(data)
            self._in_batch += 1
            self._bytes += len(data)
        return True

    def feed(self, message: Message) -> None:
        """Take in a message that is not about one row."""
        if isinstance(message, Begin):
            self._begin(message)
        elif isinstance(message, Commit):
            self._commit(message)
        elif isinstance(message, Relation):
            self._relation(message)
        elif isinstance(message, Truncate):
            self._truncate(message)
        elif message.name.encode() == origin_of(self._back):
            self._skip_rest()

    def _begin(self, message: Begin) -> None:
        self._begun = message
        self._batch.first_lsn = self._batch.first_lsn or message.final_lsn
        self._skips = message.final_lsn < self._start
        if self._skips:
            self._batch.transactions_skipped += 1
        self._folds = {}

    def _look_whose(self, kind: int, oid: int, data: bytes) -> None:
        """Leave the rest of a transaction out that changes the other direction's position."""
        new, position, _ = read_row(data, 6)
        if kind == UPDATE and data[5] != _NEW:
            new, _, _ = read_row(data, position + 1)
        columns = self._shapes[oid].columns
        if dict(zip(columns, new, strict=True)).get("id") == self._back:
            self._skip_rest()

    def _skip_rest(self) -> None:
        """Leave the rest of the transaction out: it is one of ours, on its way back."""
        self._folds = {}
        if not self._skips:
            self._skips = True
            self._batch.transactions_skipped += 1

    def _commit(self, message: Commit) -> None:
        begun = self._begun
        self._begun = None
        if begun is None:
            raise _out_of_order("a commit outside of a transaction")
        self._batch.end_lsn = message.end_lsn
        self._batch.committed_at = begun.committed_at
        if not self._skips:
            self._batch.transactions += 1

    def _relation(self, message: Relation) -> None:
        name = TableName(message.schema, message.name)
        known = self._shapes.get(message.oid)
        shape = shape_of(message, self._keys.get(name, ()))
        if known == shape:
            return
        self._shapes[message.oid] = shape
        self._copied_at[message.oid] = self._copied(name)
        if message.schema == OUR_SCHEMA:
            self._markers.add(message.oid)
            return
        self._close()
        self._batch.segments.append(Reshaped(shape))

    def _fold(self, oid: int) -> TableFold | None:
        """Return where the current transaction's changes of a relation go; None where nowhere."""
        if self._skips or not self._wants(oid):
            self._batch.skipped += 1
            return None
        fold = self._open.get(oid)
        if fold is None:
            fold = self._open[oid] = fold_for(self._shapes[oid])
        self._folds[oid] = fold
        return fold

    def _wants(self, oid: int) -> bool:
        begun = self._begun
        if begun is None or oid not in self._shapes:
            raise _out_of_order("a change outside of a transaction, or of a table not described")
        if oid in self._markers:
            return False
        return begun.final_lsn >= self._copied_at[oid]

    def _truncate(self, message: Truncate) -> None:
        wanted = [] if self._skips else [oid for oid in message.oids if self._wants(oid)]
        self._batch.skipped += len(message.oids) - len(wanted)
        if not wanted:
            return
        self._close()
        tables = tuple(self._shapes[oid].table for oid in wanted)
        self._batch.segments.append(Truncated(tables, message.options))
        self._batch.kinds["truncates"] += len(tables)
        self._batch.tables.update(tables)
        self._in_batch += len(tables)

    def _close(self) -> None:
        """End the stretch that takes changes; what comes next begins another."""
        if self._open:
            self._batch.segments.append(Folded(self._open))
        for fold in self._open.values():
            if places := self._rewriting.places(fold.shape):
                # Without a key nothing is rewritten: it has been refused above.
                fold.rewrite(places)  # type: ignore[union-attr]
            if self._spell and isinstance(fold, KeyedFold):
                fold.spell()
            kinds = {"inserts": fold.inserts, "updates": fold.updates, "deletes": fold.deletes}
            self._batch.kinds.update(kinds)
            self._batch.tables[fold.shape.table] += sum(kinds.values())
        self._open = {}
        self._folds = {}


def _out_of_order(got: str) -> IntegrityError:
    return IntegrityError(
        "reading the source's changes",
        got=got,
        expected="transactions one after the other",
        state="nothing of it was applied; the position stays",
        remedy="report it with the source's version",
        code="6034",
    )
