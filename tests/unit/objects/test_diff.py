"""The difference of two listings: each object gets one action, each row to move one shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heavylift.evidence.base import RECHECK
from heavylift.evidence.records import Tally
from heavylift.objects.diff import MOVES, Difference, Refused
from heavylift.objects.listing import LISTING, Listing
from heavylift.objects.manifest import ManifestRow, cells_of, write_manifest
from heavylift.objects.rolling import Slice
from heavylift.objects.row_files import write_rows
from heavylift.objects.tree import slice_of

MIB = 2**20


@pytest.fixture
def difference(tmp_path: Path) -> Iterator[Difference]:
    made = Difference(tmp_path, 64 * MIB)
    yield made
    made.close()


def listing(folder: Path, name: str, rows: list[dict[str, Any]]) -> Listing:
    full = [{"size_bytes": 1, "version": "v", "modified_us": 0} | row for row in rows]
    path = folder / f"{name}.parquet"
    write_rows(path, LISTING, [[row.get(name) for row in full] for name in LISTING])
    return Listing(path, Tally(objects=len(full), size_bytes=sum(row["size_bytes"] for row in full)))


def known(folder: Path, rows: list[tuple[str, str, str | None]]) -> Path:
    names = ["rel", "source_version", "target_version"]
    path = folder / "known.parquet"
    schema = pa.schema([(name, pa.string()) for name in names])
    pq.write_table(
        pa.Table.from_pylist([dict(zip(names, r, strict=True)) for r in rows], schema=schema), path
    )
    return path


def action_of(difference: Difference, rel: str) -> str:
    found = difference.database.execute("SELECT action FROM diff WHERE rel = ?", [rel]).fetchall()
    assert len(found) == 1
    return str(found[0][0])


@pytest.mark.parametrize(
    ("source", "target", "known_rows", "action"),
    [
        ({}, None, [], "copy"),
        (None, {}, [], "extra"),
        ({"md5": "a"}, {"md5": "a"}, [], "unchanged"),
        ({"md5": "a"}, {"md5": "b"}, [], "conflict"),
        ({"size_bytes": 2}, {}, [], "conflict"),
        ({"md5": "a", "size_bytes": 2}, {"md5": "a"}, [], "conflict"),
        ({}, {}, [], "compare"),
        ({"md5": "a"}, {"crc32c": "b"}, [], "compare"),
        ({"md5_parts": "a-2"}, {"md5_parts": "b-3"}, [], "compare"),
        ({"md5_parts": "a-2"}, {"md5_parts": "a-2"}, [], "unchanged"),
        ({"version": "s1"}, {"version": "t1"}, [("k", "s1", "t1")], "unchanged"),
        ({"version": "s2"}, {"version": "t1"}, [("k", "s1", "t1")], "replace"),
        ({"version": "s2", "size_bytes": 9}, {"version": "t1"}, [("k", "s1", "t1")], "replace"),
        ({"version": "s1"}, {"version": "t2"}, [("k", "s1", "t1")], "compare"),
        ({"version": "s2", "md5": "a"}, {"version": "t1", "md5": "a"}, [("k", "s1", "t1")], "unchanged"),
        ({"version": "s1", "size_bytes": 9}, {"version": "t2"}, [("k", "s1", "t1")], "conflict"),
        ({"version": "s2"}, {"version": "t2"}, [("k", "s1", "t1"), ("k", "s2", "t2")], "unchanged"),
        ({"version": "s1"}, {"version": "t1"}, [("k", "s1", None)], "compare"),
    ],
)
def test_actions(
    tmp_path: Path,
    difference: Difference,
    source: dict[str, Any] | None,
    target: dict[str, Any] | None,
    known_rows: list[tuple[str, str, str | None]],
    action: str,
) -> None:
    difference.add_known([known(tmp_path, known_rows)])
    difference.compare(
        listing(tmp_path, "source", [{"rel": "k"} | source] if source is not None else []),
        listing(tmp_path, "target", [{"rel": "k"} | target] if target is not None else []),
    )
    assert action_of(difference, "k") == action


def manifest(folder: Path, name: str, **told: Any) -> Path:
    path = folder / f"{name}.parquet"
    row = ManifestRow("k", "moved", 1, "s1", "t1", "0", "crc32c", "crc32c", finished_us=1)
    write_manifest(path, [cells_of(replace(row, **told))])
    return path


@pytest.mark.parametrize(
    ("source", "target", "modified_us", "action"),
    [
        ({"version": "s1", "modified_us": 5}, {}, 5, "unchanged"),
        ({"version": "s1", "modified_us": 6}, {}, 5, "attributes"),
        ({"version": "s1", "modified_us": 6}, {}, None, "unchanged"),
        ({"version": "s2", "modified_us": 6, "md5": "a"}, {"md5": "a"}, 5, "attributes"),
        ({"version": "s2", "modified_us": 6}, {}, 5, "replace"),
        ({"version": "s2", "modified_us": 6, "md5": "b"}, {"md5": "a"}, 5, "replace"),
        ({"version": "s1", "modified_us": 6}, {"version": "t2"}, 5, "compare"),
        ({"version": "s1", "modified_us": 6, "md5": "a"}, {"version": "t2", "md5": "a"}, 5, "unchanged"),
    ],
)
def test_equal_bytes_that_were_written_again_have_their_attributes_compared(
    tmp_path: Path,
    difference: Difference,
    source: dict[str, Any],
    target: dict[str, Any],
    modified_us: int | None,
    action: str,
) -> None:
    difference.add_known([manifest(tmp_path, "known", source_modified_us=modified_us)])
    difference.compare(
        listing(tmp_path, "source", [{"rel": "k"} | source]),
        listing(tmp_path, "target", [{"rel": "k", "version": "t1"} | target]),
        attributes=True,
    )
    assert action_of(difference, "k") == action
    assert difference.tally(*MOVES).objects == (action != "unchanged")


@pytest.mark.parametrize(
    ("source", "target", "damaged", "actions"),
    [
        ({"version": "s1"}, {}, False, {"recheck": 40}),
        ({"version": "s1"}, {"version": "t2", "size_bytes": 1}, False, {"compare": 40}),
        ({"version": "s1", "md5": "a"}, {"version": "t2", "md5": "a"}, False, {"unchanged": 40}),
        ({"version": "s1", "modified_us": 6}, {}, False, {"attributes": 40}),
        ({"version": "s1"}, {}, True, {"replace": 40}),
    ],
    ids=["proved", "others wrote it", "equal but not ours", "written again", "damaged"],
)
def test_what_was_proved_is_asked_for_its_attributes_where_that_is_wanted(
    tmp_path: Path,
    difference: Difference,
    source: dict[str, Any],
    target: dict[str, Any],
    damaged: bool,
    actions: dict[str, int],
) -> None:
    rels = [f"k{number}" for number in range(40)]
    rows = [(rel, None if damaged else "s1", "t1", 0, True, True, damaged) for rel in rels]
    names = ["rel", "source_version", "target_version", "source_modified_us", "written", "proved", "damaged"]
    told = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    told |= {"size_bytes": [1] * 40, "crc32c": ["0"] * 40}
    pq.write_table(pa.table(told), tmp_path / "inventory.parquet")
    difference.add_known([tmp_path / "inventory.parquet"])
    sides = (
        listing(tmp_path, "source", [{"rel": rel} | source for rel in rels]),
        listing(tmp_path, "target", [{"rel": rel, "version": "t1"} | target for rel in rels]),
    )
    difference.compare(*sides, attributes=True, recheck=Slice(0, 1))
    assert {name: each.objects for name, each in difference.by_action().items()} == actions


def test_slices_of_what_is_asked_for_are_those_of_the_verification_and_each_key_is_in_one(
    tmp_path: Path,
) -> None:
    rels = [f"k{number}" for number in range(200)]
    found = []
    for index in range(7):
        made = Difference(tmp_path, 64 * MIB)
        made.add_known([known(tmp_path, [(rel, "s1", "t1") for rel in rels])])
        sides = (
            listing(tmp_path, "source", [{"rel": rel, "version": "s1"} for rel in rels]),
            listing(tmp_path, "target", [{"rel": rel, "version": "t1"} for rel in rels]),
        )
        made.compare(*sides, attributes=True, recheck=Slice(index, 7))
        keys = [key for batch in made.keys(RECHECK) for key in batch]
        made.close()
        assert {slice_of(key, 7) for key in keys} == {index}
        found += keys
    assert sorted(found) == sorted(rels)


def test_without_attributes_to_bring_the_time_is_no_change(tmp_path: Path, difference: Difference) -> None:
    difference.add_known([manifest(tmp_path, "known", source_modified_us=5)])
    rows = [{"rel": "k", "version": "s1", "modified_us": 6}], [{"rel": "k", "version": "t1"}]
    difference.compare(listing(tmp_path, "source", rows[0]), listing(tmp_path, "target", rows[1]))
    assert action_of(difference, "k") == "unchanged"


def test_of_two_versions_that_led_to_one_on_the_target_the_later_is_known(
    tmp_path: Path, difference: Difference
) -> None:
    """The target's version may be that of its bytes alone, and the source's is in no order."""
    difference.add_known(
        [
            manifest(tmp_path, "a", source_version="z", source_modified_us=9, finished_us=1),
            manifest(tmp_path, "b", source_version="a", source_modified_us=5, finished_us=2),
        ]
    )
    rows = [{"rel": "k", "version": "a", "modified_us": 5}], [{"rel": "k", "version": "t1"}]
    difference.compare(
        listing(tmp_path, "source", rows[0]), listing(tmp_path, "target", rows[1]), attributes=True
    )
    assert action_of(difference, "k") == "unchanged"


@pytest.mark.parametrize("left_out", [["source_modified_us"], ["source_modified_us", "finished_us"]])
@pytest.mark.parametrize("beside", [False, True])
def test_what_earlier_versions_have_left_tells_no_time(
    tmp_path: Path, difference: Difference, left_out: list[str], beside: bool
) -> None:
    """Such an object is as it was, until a verification has noted when it was written."""
    told = pq.read_table(manifest(tmp_path, "manifest")).drop_columns(left_out)
    pq.write_table(told, tmp_path / "earlier-manifest.parquet")
    names = ["rel", "source_version", "target_version", "size_bytes", "crc32c"]
    inventory = told.select(names)
    for name in ("written", "proved", "damaged"):
        inventory = inventory.append_column(name, pa.array([name != "damaged"]))
    pq.write_table(inventory, tmp_path / "earlier-inventory.parquet")
    paths = [tmp_path / "earlier-inventory.parquet", tmp_path / "earlier-manifest.parquet"]
    difference.add_known(paths if beside else paths[:1])
    rows = [{"rel": "k", "version": "s1", "modified_us": 6}], [{"rel": "k", "version": "t1"}]
    difference.compare(
        listing(tmp_path, "source", rows[0]), listing(tmp_path, "target", rows[1]), attributes=True
    )
    assert action_of(difference, "k") == "unchanged"


def test_keys_are_compared_as_bytes(tmp_path: Path, difference: Difference) -> None:
    difference.compare(
        listing(tmp_path, "source", [{"rel": "é"}, {"rel": "A"}]),
        listing(tmp_path, "target", [{"rel": "e\u0301"}, {"rel": "a"}]),
    )
    assert difference.tally("copy").objects == 2
    assert difference.tally("extra").objects == 2


def test_refused_objects_leave_the_plan_and_are_counted(tmp_path: Path, difference: Difference) -> None:
    rows = [{"rel": "a", "size_bytes": 10}, {"rel": "b", "size_bytes": 20}]
    difference.compare(listing(tmp_path, "source", rows), listing(tmp_path, "target", []))
    difference.refuse([Refused("a", "rule", "reason")])
    assert difference.tally("copy") == Tally(objects=1, size_bytes=20)
    assert difference.refused_tally() == Tally(objects=1, size_bytes=10)
    assert difference.refusals(10) == ([Refused("a", "rule", "reason")], 1)


def test_a_key_that_is_also_a_folder_is_found(tmp_path: Path, difference: Difference) -> None:
    rows = [{"rel": r} for r in ("a", "a/b", "a.b", "c/d/e", "c/d", "x/y")]
    difference.compare(listing(tmp_path, "source", rows), listing(tmp_path, "target", []))
    assert difference.parents_that_are_objects() == ["a", "c/d"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 50), max_size=60),
    shard_objects=st.integers(1, 20),
    shard_bytes=st.integers(1, 200),
    max_shards=st.integers(2, 30),
)
def test_each_object_is_in_exactly_one_shard(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    shard_objects: int,
    shard_bytes: int,
    max_shards: int,
) -> None:
    folder = tmp_path_factory.mktemp("plan")
    difference = Difference(folder, 64 * MIB)
    rows = [{"rel": f"{i:04d}", "size_bytes": size} for i, size in enumerate(sizes)]
    difference.compare(listing(folder, "source", rows), listing(folder, "target", []))
    shards = difference.write_plan(folder / "plan.parquet", shard_objects, shard_bytes, max_shards)
    difference.close()
    planned = pq.read_table(folder / "plan.parquet").to_pylist()
    assert [row["rel"] for row in planned] == [row["rel"] for row in rows]
    assert [shard for shard, _, _ in shards] == list(range(len(shards)))
    assert len(shards) <= max_shards + 1
    for shard, objects, size_bytes in shards:
        mine = [row for row in planned if row["shard"] == shard]
        assert (objects, size_bytes) == (len(mine), sum(row["size_bytes"] for row in mine))


def test_shards_keep_to_their_limits(tmp_path: Path, difference: Difference) -> None:
    rows = [{"rel": f"{i:04d}", "size_bytes": 10} for i in range(100)]
    difference.compare(listing(tmp_path, "source", rows), listing(tmp_path, "target", []))
    shards = difference.write_plan(tmp_path / "plan.parquet", 30, 10**9, 1000)
    assert [objects for _, objects, _ in shards] == [30, 30, 30, 10]
