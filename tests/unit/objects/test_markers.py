"""Keys that end in a slash: a target that loses what they hold, or what lies beside, is found out first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from heavylift.checksums import Algorithm, Body
from heavylift.errors import AlreadyExistsError
from heavylift.objects.diff import Difference
from heavylift.objects.listing import list_to_file
from heavylift.objects.naming import refuse_unholdable
from heavylift.platforms.ports import ObjectAttributes, PutReceipt
from tests.unit.objects.fakes import FakeStore

OBJECTS = {"a": b"1", "a/": b"2", "b/": b"", "b/c": b"3", "d/": b"4", "d/e": b"5", "f": b"6", "f/": b""} | {
    "g/h": b"7",
    "g/h/i/j": b"8",
}


class Emptying(FakeStore):
    """Keeps nothing of what is under a key that ends in a slash."""

    async def put(
        self,
        key: str,
        body: Body,
        attributes: ObjectAttributes,
        checksums: Mapping[Algorithm, str],
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        if not key.endswith("/"):
            return await super().put(key, body, attributes, checksums, create_only=create_only)
        self.fill(key, b"")
        return PutReceipt("1", {})


class Folding(FakeStore):
    """Refuses an object where there are keys below its own."""

    async def put(
        self,
        key: str,
        body: Body,
        attributes: ObjectAttributes,
        checksums: Mapping[Algorithm, str],
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        if any(there.startswith(f"{key}/") for there in self.objects):
            raise AlreadyExistsError(f"put of {key}")
        return await super().put(key, body, attributes, checksums, create_only=create_only)


class Hiding(FakeStore):
    """Loses an object where the same key with a slash comes."""

    async def put(
        self,
        key: str,
        body: Body,
        attributes: ObjectAttributes,
        checksums: Mapping[Algorithm, str],
        *,
        create_only: bool = True,
    ) -> PutReceipt:
        await self.delete(key.rstrip("/")) if key.endswith("/") else None
        return await super().put(key, body, attributes, checksums, create_only=create_only)


@pytest.mark.parametrize(
    ("target", "named"),
    [
        (Emptying, ["a/", "d/", "f/"]),
        (Hiding, ["a/", "f/"]),
        (Folding, ["a", "f", "g/h"]),
        (FakeStore, []),
    ],
)
@pytest.mark.parametrize("may_probe", [True, False])
async def test_what_the_target_would_lose_is_named(
    tmp_path: Path, target: type[FakeStore], named: list[str], may_probe: bool
) -> None:
    source, goal = FakeStore(), target()
    for key, body in OBJECTS.items():
        source.fill(key, body)
    difference = Difference(tmp_path, 2**26)
    difference.compare(
        await list_to_file(source, "", lambda key: True, tmp_path / "s.parquet"),
        await list_to_file(goal, "", lambda key: True, tmp_path / "t.parquet"),
    )
    unprobed = await refuse_unholdable(difference, goal, "", may_probe=may_probe)
    refused, count = difference.refusals(10)
    difference.close()
    assert [item.rel for item in refused] == (named if may_probe else [])
    assert count == len(refused)
    assert len(unprobed) == (0 if may_probe else 4)
    assert [item.key async for page in goal.list_pages("") for item in page] == []


async def test_what_is_there_already_is_not_tried_again(tmp_path: Path) -> None:
    source, goal = FakeStore(), FakeStore()
    for key, body in OBJECTS.items():
        source.fill(key, body)
        goal.fill(key, body)
    difference = Difference(tmp_path, 2**26)
    difference.compare(
        await list_to_file(source, "", lambda key: True, tmp_path / "s.parquet"),
        await list_to_file(goal, "", lambda key: True, tmp_path / "t.parquet"),
    )
    assert difference.tally("unchanged").objects == len(OBJECTS)
    assert await refuse_unholdable(difference, goal, "", may_probe=True) == []
    difference.close()
    assert goal.puts == []
