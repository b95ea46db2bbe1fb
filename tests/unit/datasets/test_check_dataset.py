"""The check as a whole: what passes, what fails, what is refused, and what is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from heavylift.connections import Connection
from heavylift.datasets.requests import CheckLimits, dataset_check_request
from heavylift.errors import IntegrityError, NotFoundError, PermanentError, UnsupportedError
from heavylift.evidence.paths import check_record_path
from heavylift.evidence.records import DatasetCheckRecord
from heavylift.evidence.store import EvidenceStore
from heavylift.spec import load_spec
from tests.unit.datasets.tables import RUN, Sides, differing, table

ROWS = pa.table({"id": [1, 2, 3]})


@pytest.mark.parametrize("side", ["source", "target"])
async def test_a_table_without_files_on_one_side_never_passes(sides: Sides, side: str) -> None:
    sides.put("a.parquet", ROWS, side)
    record = await sides.check(table())
    assert (record.expectations_passed, record.profiles_equal) == (False, False)
    assert {("t", "files"), ("t", "rows"), ("id", "column")} <= differing(record)


async def test_a_table_without_files_on_either_side_never_passes(sides: Sides) -> None:
    record = await sides.check(table())
    assert (record.expectations_passed, record.profiles_equal) == (False, False)
    assert differing(record) == {("t", "files")}


async def test_a_table_without_files_fails_even_where_nothing_is_compared(sides: Sides) -> None:
    record = await sides.check(table(compare={"rows": False, "columns": "none"}))
    assert (record.expectations_passed, record.profiles_equal) == (False, False)


async def test_files_without_rows_are_equal(sides: Sides) -> None:
    sides.put("a.parquet", ROWS.slice(0, 0))
    record = await sides.check(table())
    assert record.profiles_equal
    assert (record.files, record.source_rows) == (1, 0)


async def test_an_empty_file_among_others_changes_nothing(sides: Sides) -> None:
    sides.put("a.parquet", ROWS)
    sides.put("b.parquet", ROWS.slice(0, 0), "target")
    record = await sides.check(table())
    assert record.profiles_equal, differing(record)


async def test_rows_missing_on_the_target_fail(sides: Sides) -> None:
    sides.put("a.parquet", ROWS, "source")
    sides.put("a.parquet", ROWS.slice(1), "target")
    record = await sides.check(table(compare={"columns": "none"}))
    assert (record.source_rows, record.target_rows, record.profiles_equal) == (3, 2, False)
    assert record.expectations_passed


async def test_only_the_tables_own_files_count(sides: Sides) -> None:
    sides.put("t/a.parquet", ROWS)
    sides.put("other/a.parquet", ROWS.slice(1), "target")
    sides.put("t/_tmp/b.parquet", ROWS, "source")
    sides.put("t/readme.txt", b"x")
    record = await sides.check(table("t/**/*.parquet"), exclude=("_tmp/**", "t/_tmp/**"))
    assert record.profiles_equal
    assert record.files == 1


async def test_several_tables_are_one_record(sides: Sides) -> None:
    sides.put("a.parquet", ROWS)
    sides.put("b.csv", b"x\n1\n")
    one = table("*.parquet").model_copy(update={"name": "one"})
    two = table("*.csv").model_copy(update={"name": "two"})
    record = await sides.check(one, two)
    assert (record.files, record.source_rows) == (2, 4)
    assert {"one", "one.id", "two", "two.x"} == {item.column for item in record.columns}


async def test_each_check_is_kept_under_its_own_number(sides: Sides) -> None:
    sides.put("a.parquet", ROWS)
    first = await sides.check(table())
    second = await sides.check(table())
    store = EvidenceStore(sides.evidence)
    kept = [await store.read_record(check_record_path(RUN, "d", n), DatasetCheckRecord) for n in (1, 2)]
    assert kept == [first, second]


async def test_a_file_without_a_footer_is_named(sides: Sides) -> None:
    sides.put("day=1/a.parquet", ROWS)
    path = sides.path("target", "day=1/a.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match="HL-4320") as caught:
        await sides.check(table())
    assert "target/day=1/a.parquet" in str(caught.value)
    assert "run the transfer again" in caught.value.remedy


async def test_a_file_that_is_no_parquet_is_named(sides: Sides) -> None:
    sides.put("a.parquet", b"")
    with pytest.raises(IntegrityError, match=r"source/a\.parquet"):
        await sides.check(table())


async def test_a_file_with_damaged_data_is_named(sides: Sides) -> None:
    sides.put("a.parquet", ROWS)
    sides.put("b.parquet", pa.table({"id": list(range(50_000))}))
    path = sides.path("target", "b.parquet")
    damaged = bytearray(path.read_bytes())
    damaged[4:3000] = b"\xff" * 2996
    path.write_bytes(damaged)
    with pytest.raises(IntegrityError, match="HL-4321") as caught:
        await sides.check(table())
    assert "target/b.parquet" in str(caught.value)


async def test_an_object_larger_than_a_part_is_read_alone(sides: Sides) -> None:
    for number in range(3):
        sides.put(f"{number}.parquet", ROWS)
    record = await sides.check(table(), limits=CheckLimits(temp_bytes=100))
    assert record.profiles_equal
    assert record.source_rows == 9


async def test_an_object_that_would_fill_the_disk_is_refused(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides.put("a.parquet", ROWS)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage._replace(free=100))
    with pytest.raises(UnsupportedError, match="HL-4310") as caught:
        await sides.check(table())
    assert "TMPDIR" in caught.value.remedy


async def test_too_little_memory_is_told_with_its_remedy(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"id": list(range(400_000)), "s": [str(i) for i in range(400_000)]}))
    size = sides.path("source", "a.parquet").stat().st_size
    with pytest.raises(PermanentError, match="HL-4350") as caught:
        await sides.check(table(), limits=CheckLimits(temp_bytes=size, memory_bytes=3_000_000))
    assert "memory_budget" in caught.value.remedy


async def test_wide_decimals_within_lists_are_refused_and_not_rounded(sides: Sides) -> None:
    kind = pa.list_(pa.decimal256(50, 2))
    sides.put("a.parquet", pa.table({"v": pa.array([None], kind)}))
    with pytest.raises(UnsupportedError, match="HL-4322"):
        await sides.check(table())


async def test_a_missing_folder_is_not_an_empty_table(sides: Sides) -> None:
    (sides.root / "target").rmdir()
    sides.put("a.parquet", ROWS, "source")
    with pytest.raises(NotFoundError):
        await sides.check(table())


async def test_a_request_is_made_of_the_example_spec(repository: Path) -> None:
    spec = load_spec(repository / "include" / "migrations" / "fraud-scoring.yaml")
    connections = {name: Connection(name, "aws") for name in ("aws_source", "gcp_target")}
    request = dataset_check_request(spec, "training-data", RUN, connections.__getitem__)
    assert request.source.connection == connections["aws_source"]
    assert request.target.location.scheme == "gs"
    assert [item.name for item in request.expectations] == [
        item.name for item in spec.datasets[0].expectations
    ]


async def test_the_temporary_folder_is_empty_afterwards(
    sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    sides.put("a.parquet", ROWS)
    await sides.check(table())
    sides.put("b.parquet", b"no parquet")
    with pytest.raises(IntegrityError):
        await sides.check(table())
    assert list(temporary.iterdir()) == []
