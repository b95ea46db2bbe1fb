"""Packing: nothing is forgotten or put twice, no limit is passed, and the stated bound holds."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift.facts.devices import DeviceModel
from heavylift.objects.appliances.database import database
from heavylift.objects.appliances.names import escaped_path
from heavylift.objects.appliances.packing import (
    NO_DEVICE_LEFT,
    ON_TARGET,
    TOO_LARGE,
    Packed,
    Packing,
    occupied,
    room_on,
)
from heavylift.spec.appliances import FileNames

CAPACITY = 400_000


def listing(path: Path, objects: dict[str, int]) -> Path:
    rows = {
        "rel": pa.array(list(objects), pa.string()),
        "size_bytes": pa.array(list(objects.values()), pa.int64()),
        "version": pa.array([f"v-{key}" for key in objects], pa.string()),
    }
    pq.write_table(pa.table(rows), path)
    return path


class Result:
    """A packing, read back from the files that it writes."""

    def __init__(
        self,
        objects: dict[str, int],
        *,
        there: dict[str, int] | None = None,
        count: int | None = None,
        names: FileNames = FileNames.POSIX,
        max_files: int | None = None,
        max_object: int | None = None,
    ) -> None:
        model = DeviceModel("box", "", "box", CAPACITY, "", max_files, max_object, names=names)
        self.room = room_on(model, 1.0, "data")
        self.devices: list[list[dict[str, object]]] = []
        self.online: dict[str, str] = {}
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            source = listing(work / "source.parquet", objects)
            target = listing(work / "target.parquet", there) if there else None
            with database(work, 64 * 2**20) as db:
                packing = Packing(db, source, target, self.room)
                self.packed: Packed = packing.pack(model, count)
                for number in range(self.packed.devices):
                    packing.write_device(number, work / "device.parquet")
                    self.devices.append(pq.read_table(work / "device.parquet").to_pylist())
                if packing.write_online(work / "online.parquet"):
                    rows = pq.read_table(work / "online.parquet").to_pylist()
                    self.online = {row["rel"]: row["rule"] for row in rows}

    def keys(self, device: int) -> list[str]:
        return [str(row["rel"]) for row in self.devices[device]]

    def stored(self) -> dict[str, str]:
        return {str(row["rel"]): str(row["stored_path"]) for rows in self.devices for row in rows}


KEYS = st.text(st.sampled_from("abAB/.: é"), min_size=1, max_size=6)
SIZES = st.one_of(st.integers(0, 5_000), st.integers(0, CAPACITY + 20_000))


@settings(max_examples=25, deadline=None)
@given(
    objects=st.dictionaries(KEYS, SIZES, max_size=40),
    max_files=st.one_of(st.none(), st.integers(1, 6)),
    max_object=st.one_of(st.none(), st.integers(1, CAPACITY)),
    count=st.one_of(st.none(), st.integers(1, 4)),
    names=st.sampled_from(FileNames),
)
def test_every_object_is_placed_once_or_named_and_no_limit_is_passed(
    objects: dict[str, int],
    max_files: int | None,
    max_object: int | None,
    count: int | None,
    names: FileNames,
) -> None:
    result = Result(objects, max_files=max_files, max_object=max_object, count=count, names=names)
    placed = Counter(key for device in range(len(result.devices)) for key in result.keys(device))
    assert placed + Counter(list(result.online)) == Counter(list(objects))
    for rows in result.devices:
        assert rows
        assert len(rows) <= (max_files or len(rows))
        assert sum(occupied(int(str(row["size_bytes"]))) for row in rows) <= CAPACITY
        assert all(int(str(row["size_bytes"])) <= (max_object or CAPACITY) for row in rows)
    assert result.packed.devices <= (count or 10**6)
    if count is None:
        assert result.packed.lower_bound <= result.packed.devices <= result.packed.upper_bound
        assert set(result.online.values()) <= {TOO_LARGE}


@settings(max_examples=25, deadline=None)
@given(keys=st.sets(KEYS, max_size=30), names=st.sampled_from(FileNames))
def test_stored_paths_fit_together_on_a_file_system(keys: set[str], names: FileNames) -> None:
    stored = list(Result(dict.fromkeys(keys, 1), names=names).stored().values())
    fold = str.lower if names is FileNames.WINDOWS else str
    assert len({fold(path) for path in stored}) == len(keys)
    files = {fold(path) for path in stored}
    folders = Counter()
    for path in {path.rpartition("/")[0] for path in stored if "/" in path}:
        parts = path.split("/")
        folders.update({"/".join(parts[: n + 1]) for n in range(len(parts))})
    assert not files & {fold(folder) for folder in folders}
    assert len({fold(folder) for folder in folders}) == len(folders)
    assert all(segment not in {"", ".", ".."} for path in stored for segment in path.split("/"))


def test_ranges_of_keys_stay_together_where_that_costs_no_device() -> None:
    result = Result({f"k{n:02d}": 50_000 for n in range(20)})
    assert result.packed.arrangement == "ranges"
    for device in range(1, len(result.devices)):
        assert max(result.keys(device - 1)) < min(result.keys(device))


def test_large_objects_are_fitted_where_ranges_would_cost_a_device() -> None:
    sizes = [250_000, 250_000, 140_000, 140_000]
    result = Result({f"k{n}": size for n, size in enumerate(sizes)})
    assert (result.packed.arrangement, result.packed.devices) == ("mixed", 2)


def test_small_objects_fill_the_gaps_in_the_order_of_their_keys() -> None:
    large = {f"b{n}": 300_000 for n in range(2)}
    result = Result(large | {"a": 390_000} | {f"s{n:03d}": 100 for n in range(30)})
    assert result.packed.devices == result.packed.lower_bound == 3
    small = [key for device in range(3) for key in result.keys(device) if key.startswith("s")]
    assert small == sorted(small)


def test_what_has_no_place_is_named_with_its_reason() -> None:
    objects = {"a": 10, "b": CAPACITY, "c": 300_000, "d": 300_000}
    result = Result(objects, there={"a": 99}, count=1)
    assert result.online == {"a": ON_TARGET, "b": TOO_LARGE, "d": NO_DEVICE_LEFT}


def test_nothing_to_ship_needs_no_device() -> None:
    result = Result({"a": 1}, there={"a": 1})
    assert (result.packed.devices, result.packed.lower_bound, result.packed.upper_bound) == (0, 0, 0)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("a//b", FileNames.POSIX),
        ("/a", FileNames.POSIX),
        ("a/", FileNames.POSIX),
        ("a/../b", FileNames.POSIX),
        ("n" * 256, FileNames.POSIX),
        ("_heavylift-escaped/x", FileNames.POSIX),
        (".heavylift-" + "0" * 32 + ".tmp", FileNames.POSIX),
        ("/".join(["k" * 100] * 11), FileNames.POSIX),
        ("a:b", FileNames.WINDOWS),
        ("con", FileNames.WINDOWS),
        ("x/LPT1.txt", FileNames.WINDOWS),
        ("dot.", FileNames.WINDOWS),
        ("blank /x", FileNames.WINDOWS),
    ],
)
def test_a_key_that_the_device_cannot_hold_lies_under_an_escaped_name(key: str, names: FileNames) -> None:
    assert Result({key: 1, "plain": 1}, names=names).stored() == {key: escaped_path(key), "plain": "plain"}


def test_keys_that_differ_in_case_alone_are_kept_apart_only_where_they_must_be() -> None:
    objects = {"Dir/a": 1, "dir/b": 1, "c": 1}
    assert Result(objects).stored() == {key: key for key in objects}
    stored = Result(objects, names=FileNames.WINDOWS).stored()
    assert stored == {"Dir/a": escaped_path("Dir/a"), "dir/b": escaped_path("dir/b"), "c": "c"}
