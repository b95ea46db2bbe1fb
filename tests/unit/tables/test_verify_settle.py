"""Differences that are looked at again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from heavylift.tables.model import Column, ReplicaIdentity, Table, TableName
from heavylift.tables.verify.pairing import pair_up
from heavylift.tables.verify.plan import Digest, Key, Plan, Shape
from heavylift.tables.verify.settle import BATCH_KEYS, Settling, settle
from heavylift.tables.verify.side import Bucket, Chosen, Row, States


def column(name: str, type_oid: int = 23, type_name: str = "integer") -> Column:
    return Column(name, type_oid, -1, type_name, nullable=False)


def table(*columns: Column, key: tuple[str, ...] = ("k",)) -> Table:
    return Table(TableName("s", "t"), 1, columns, key, ReplicaIdentity.DEFAULT)


PLAN = pair_up(table(column("k")), table(column("k")), Digest.HASH, 1)


@dataclass
class Scripted:
    """A side that answers look-ups by a script, the last one again and again."""

    answers: list[dict[str, int]]
    asked: list[int] = field(default_factory=list)
    name: str = "source"

    def states(self, plan: Plan, keys: Sequence[Key]) -> States:
        self.asked.append(len(keys))
        now = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return {key: Counter([now[key[0] or ""]]) for key in keys if key[0] in now}

    def character(self) -> str:
        return ""

    def stop(self) -> None: ...
    def close(self) -> None: ...
    def count(self, table: Table) -> int:
        return 0

    def bounds(self, plan: Plan, ranges: int) -> tuple[str, ...]:
        return ()

    def buckets(self, plan: Plan, among: Chosen | None = None) -> dict[int, Bucket]:
        return {}

    def rows(self, plan: Plan, among: Chosen) -> Iterator[Row]:
        return iter(())


def fates(source: Scripted, target: Scripted, keys: Sequence[str]) -> dict[str | None, str]:
    how = Settling(lambda: None, rounds=4)
    found = settle(PLAN, [(key,) for key in keys], source, target, how)  # type: ignore[arg-type]
    return {
        each.key[0]: "unsettled" if each.unsettled else "".join(f.kind for f in each.found) or "equal"
        for each in found
    }


def test_each_fate() -> None:
    source = Scripted([{"same": 1, "wrong": 1, "gone": 1, "late": 1}])
    target = Scripted([{"same": 1, "wrong": 2, "more": 1}, {"wrong": 2, "more": 1, "late": 1}])
    assert fates(source, target, ["same", "wrong", "gone", "more", "late"]) == {
        "same": "equal", "wrong": "different", "gone": "missing", "more": "extra", "late": "equal",
    }  # fmt: skip


def test_a_row_that_changes_each_time_is_unsettled() -> None:
    source = Scripted([{"hot": number} for number in range(20)])
    assert fates(source, Scripted([{"hot": 99}]), ["hot"]) == {"hot": "unsettled"}


def test_there_and_back_again_is_not_taken_for_a_difference() -> None:
    """The source is 1 whenever it is read, the target 2 once: it applied a change that was taken back."""
    assert fates(Scripted([{"k": 1}]), Scripted([{"k": 2}, {"k": 1}]), ["k"]) == {"k": "equal"}


def test_many_keys_are_looked_up_in_batches() -> None:
    source = Scripted([{}])
    fates(source, Scripted([{}]), [str(number) for number in range(2 * BATCH_KEYS + 1)])
    assert source.asked == [BATCH_KEYS, BATCH_KEYS, BATCH_KEYS, BATCH_KEYS, 1, 1]


def test_columns_are_paired_by_name_and_told_apart_by_type() -> None:
    source = table(column("k"), column("a", 25, "text"), column("gone"), column("n", 20, "bigint"))
    target = table(column("n"), column("k"), column("a", 25, "text"), column("new"))
    plan = pair_up(source, target, Digest.HASH, 1)
    assert [(each.name, each.shape) for each in plan.fields] == [
        ("k", Shape.PLAIN), ("a", Shape.RAW), ("n", Shape.RAW),
    ]  # fmt: skip
    assert plan.notes == (
        "column gone is not on the target",
        "column new is only on the target",
        "column n is bigint on the source, integer on the target",
    )


def test_a_key_that_the_target_lacks_names_no_row() -> None:
    plan = pair_up(table(column("k"), column("v")), table(column("v")), Digest.HASH, 1)
    assert plan.key == ()
    assert "compared without the key" in plan.notes[-1]
