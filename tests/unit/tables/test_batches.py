"""What a batch holds: not too many rows, not too many bytes, and rows in their keys' order."""

from __future__ import annotations

from heavylift.tables.model import TableName
from heavylift.tables.postgres import messages
from heavylift.tables.postgres.batches import MOST_BYTES, Assembler, Batch
from heavylift.tables.postgres.fold import Folded, KeyedFold, in_order
from heavylift.tables.postgres.pgoutput import decode

T = TableName("shop", "orders")


def assembler(limit: int) -> Assembler:
    made = Assembler(0, {}, lambda _table: 0, limit, "back", spell=True)
    for data in (messages.begin(10, 0), messages.relation(1, T, ("id", "note"), ("id",))):
        message = decode(data)
        assert message is not None
        made.feed(message)
    return made


def fold_of(batch: Batch) -> KeyedFold:
    [folded] = [each for each in batch.segments if isinstance(each, Folded)]
    fold = folded.tables[1]
    assert isinstance(fold, KeyedFold)
    return fold


def test_a_batch_of_wide_rows_is_full_by_their_bytes() -> None:
    gathering = assembler(1_000_000)
    wide = b"x" * (MOST_BYTES // 4)
    taken = 0
    while not gathering.is_full:
        assert gathering.row(messages.inserted(1, (b"%d" % taken, wide)))
        taken += 1
    assert taken == 4
    batch = gathering.take()
    assert (batch.changes, batch.complete) == (4, False)
    assert not gathering.is_full
    assert gathering.row(messages.inserted(1, (b"5", b"narrow")))
    assert not gathering.is_full


def test_rows_are_staged_in_the_order_of_their_keys() -> None:
    gathering = assembler(100)
    for key in (b"30", b"10", b"20"):
        gathering.row(messages.inserted(1, (key, b"new")))
    for key in (b"7", b"5", b"6"):
        gathering.row(messages.updated(1, None, (key, b"changed")))
    new, changed = fold_of(gathering.take()).parted()
    assert b"".join(new.spelled()) == b"10\tnew\n20\tnew\n30\tnew\n"
    assert b"".join(changed.spelled()) == b"5\tchanged\n6\tchanged\n7\tchanged\n"


def test_keys_with_nulls_have_an_order_too() -> None:
    assert in_order([(b"b", None), (None, b"z"), (b"b", b"a"), (b"a", b"c")]) == [
        (None, b"z"),
        (b"a", b"c"),
        (b"b", None),
        (b"b", b"a"),
    ]
    assert in_order([(b"1",), (None,)]) == [(None,), (b"1",)]
