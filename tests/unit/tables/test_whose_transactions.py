"""Transactions that the other direction has brought are left out; those of any other stream are not."""

from __future__ import annotations

import pytest

from heavylift.tables.model import TableName
from heavylift.tables.postgres import messages
from heavylift.tables.postgres.batches import Assembler
from heavylift.tables.postgres.pgoutput import Origin, decode

OURS, MARKER = TableName("public", "k"), TableName("heavylift", "stream")


def changes_of(*before: bytes | Origin) -> tuple[int, int]:
    """Return how many changes of a transaction are taken, and how many transactions skipped."""
    assembler = Assembler(0, {OURS: ("id",)}, lambda _: 0, 100, "m/db/reverse")
    stream = [
        messages.begin(10, 1_000_000_000),
        *before,
        messages.relation(1, OURS, ["id"]),
        messages.inserted(1, (b"1",)),
        messages.commit(20),
    ]
    for each in stream:
        if isinstance(each, bytes):
            if assembler.row(each):
                continue
            message = decode(each)
            assert message is not None
            assembler.feed(message)
        else:
            assembler.feed(each)
    batch = assembler.take()
    return batch.changes, batch.transactions_skipped


@pytest.mark.parametrize("kind", ["inserted", "updated", "whole"])
@pytest.mark.parametrize(
    ("stream", "taken"), [("m/db/reverse", 0), ("m/db/forward", 1), ("other/db/reverse", 1)]
)
def test_the_change_of_a_position_tells_whose_it_is(stream: str, kind: str, taken: int) -> None:
    row = (b"x", stream.encode())
    change = {
        "inserted": messages.inserted(9, row),
        "updated": messages.updated(9, None, row),
        "whole": messages.updated(9, row, row),
    }[kind]
    assert changes_of(messages.relation(9, MARKER, ["a", "id"]), change) == (taken, 1 - taken)


@pytest.mark.parametrize(
    ("origin", "taken"),
    [("heavylift m/db/reverse", 0), ("heavylift m/db/forward", 1), ("heavylift other", 1), ("pg_16389", 1)],
)
def test_an_origin_tells_whose_it_is(origin: str, taken: int) -> None:
    assert changes_of(Origin(origin)) == (taken, 1 - taken)
