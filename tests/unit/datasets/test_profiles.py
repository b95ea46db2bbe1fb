"""Column profiles: equal data gives equal figures, and any changed value shows."""

from __future__ import annotations

import datetime as dt
import math
import random
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heavylift.datasets.requests import CheckLimits
from tests.unit.datasets.tables import Sides, differing, figure, table, value

UTC = dt.UTC

EVERY_TYPE: dict[str, pa.Array] = {
    "int8": pa.array([1, None, -128], pa.int8()),
    "int64": pa.array([2**63 - 1, -(2**63), None], pa.int64()),
    "uint64": pa.array([2**64 - 1, 2**64 - 1, 0], pa.uint64()),
    "float32": pa.array([0.1, None, 3.5], pa.float32()),
    "float16": pa.array([0.5, None, 3.5], pa.float16()),
    "double": pa.array([1e308, math.nan, -math.inf]),
    "bool": pa.array([True, False, None]),
    "decimal": pa.array([Decimal("0.10"), Decimal("-99.99"), None], pa.decimal128(12, 2)),
    "decimal38": pa.array([Decimal("9" * 36 + ".99"), Decimal("9" * 36 + ".99"), None], pa.decimal128(38, 2)),
    "decimal50": pa.array([Decimal("9" * 48 + ".01"), Decimal("1.00"), None], pa.decimal256(50, 2)),
    "text": pa.array(["ä", "", None]),
    "large text": pa.array(["ä", "", None], pa.large_string()),
    "dictionary": pa.array(["a", "b", None]).dictionary_encode(),
    "binary": pa.array([b"\x00\xff", b"", None]),
    "fixed": pa.array([b"ab", b"cd", None], pa.binary(2)),
    "date": pa.array([dt.date(1, 1, 1), dt.date(2026, 11, 22), None]),
    "time": pa.array([1, 2, None], pa.time64("ns")),
    "timestamp": pa.array([1, -(2**50), None], pa.timestamp("us")),
    "nanoseconds": pa.array([1, 2, None], pa.timestamp("ns")),
    "zoned": pa.array([dt.datetime(2026, 3, 29, tzinfo=UTC), None, None], pa.timestamp("us", "Asia/Tokyo")),
    "duration": pa.array([5, None, 7], pa.duration("us")),
    "null": pa.array([None, None, None], pa.null()),
    "list": pa.array([[1, None], [], None], pa.list_(pa.int64())),
    "struct": pa.array([{"x": 1, "y": "a, b"}, {"x": None, "y": None}, None]),
    "map": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int32())),
}  # fmt: skip

CHANGES: dict[str, Any] = {
    "int8": 2,
    "int64": 2**63 - 2,
    "uint64": 2**64 - 2,
    "float32": 0.2,
    "float16": 1.5,
    "double": math.nextafter(1e308, 0),
    "bool": False,
    "decimal": Decimal("0.11"),
    "decimal38": Decimal("9" * 36 + ".98"),
    "decimal50": Decimal("9" * 48 + ".02"),
    "text": "a\u0308",
    "large text": "A",
    "dictionary": "c",
    "binary": b"\x00\xfe",
    "fixed": b"ac",
    "date": dt.date(1, 1, 2),
    "time": dt.time(1),
    "timestamp": 2,
    "nanoseconds": 3,
    "zoned": dt.datetime(2026, 3, 29, 0, 0, 0, 1, tzinfo=UTC),
    "duration": 6,
    "list": [None, 1],
    "struct": {"x": 1, "y": "a,b"},
    "map": [("k", 2)],
}


async def test_every_type_is_profiled_and_equal_to_itself(sides: Sides) -> None:
    sides.put("a.parquet", pa.table(EVERY_TYPE))
    record = await sides.check(table())
    assert record.profiles_equal
    assert differing(record) == set()
    assert {item.column for item in record.columns} == {"t", *(f"t.{name}" for name in EVERY_TYPE)}
    assert (record.source_rows, record.target_rows, record.files) == (3, 3, 1)


@pytest.mark.parametrize("name", CHANGES)
async def test_a_changed_value_of_any_type_shows(sides: Sides, name: str) -> None:
    before = EVERY_TYPE[name]
    plain = before.type.value_type if name == "dictionary" else before.type
    changed = pa.array([CHANGES[name], *before.to_pylist()[1:]], plain)
    if name == "dictionary":
        changed = changed.dictionary_encode()
    sides.put("a.parquet", pa.table({name: before, "other": [1, 2, 3]}), "source")
    sides.put("a.parquet", pa.table({name: changed, "other": [1, 2, 3]}), "target")
    record = await sides.check(table())
    assert not record.profiles_equal
    assert (name, "fingerprint") in differing(record)
    assert {column for column, _ in differing(record)} == {name, "t"}


LISTS_ALIKE = {
    "empty and none": ([], None),
    "none inside": ([None], []),
    "cut otherwise": ([["1"], ["2"]], [["1", "2"]]),
    "comma in text": ([["a, b"]], [["a", "b"]]),
    "text NULL": ([["NULL"]], [[None]]),
    "quote": ([["a'"]], [["a"]]),
    "brackets": ([["[a]"]], [["a"]]),
}


@pytest.mark.parametrize("case", LISTS_ALIKE)
async def test_lists_that_look_alike_are_told_apart(sides: Sides, case: str) -> None:
    kind = pa.list_(pa.list_(pa.string()))
    for side, content in zip(("source", "target"), LISTS_ALIKE[case], strict=True):
        sides.put("a.parquet", pa.table({"v": pa.array([content], kind)}), side)
    assert ("v", "fingerprint") in differing(await sides.check(table()))


async def test_row_order_and_files_do_not_matter_but_rows_do(sides: Sides) -> None:
    rng = random.Random(3)
    rows = [
        {"id": i, "x": rng.choice([1e16, 1.0, -1e16, 0.1, -0.0, 0.0, 1e-320]), "s": rng.choice("abc")}
        for i in range(2_000)
    ]
    sides.put("a.parquet", pa.Table.from_pylist(rows), "source")
    rng.shuffle(rows)
    for part in range(3):
        sides.put(f"{part}.parquet", pa.Table.from_pylist(rows[part::3]), "target")
    assert (await sides.check(table())).profiles_equal


async def test_values_swapped_between_rows_show_in_the_table_only(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"id": [1, 2, 3], "v": ["x", "y", "z"]}), "source")
    sides.put("a.parquet", pa.table({"id": [1, 2, 3], "v": ["y", "x", "z"]}), "target")
    assert differing(await sides.check(table())) == {("t", "fingerprint")}


async def test_values_swapped_between_columns_show(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"a": [1, 2], "b": [2, 1]}), "source")
    sides.put("a.parquet", pa.table({"a": [1, 2], "b": [1, 2]}), "target")
    assert differing(await sides.check(table())) == {("t", "fingerprint")}


async def test_a_row_twice_instead_of_another_shows(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"id": [1, 1, 2, 2]}), "source")
    sides.put("a.parquet", pa.table({"id": [1, 2, 3, 3]}), "target")
    assert ("id", "fingerprint") in differing(await sides.check(table()))


async def test_the_sum_of_floats_is_exact_and_rounded_once(sides: Sides) -> None:
    values = [0.1] * 10 + [1e16, 1.0, -1e16, 5e-324, -5e-324, math.nan, math.inf, -math.inf, None]
    sides.put("a.parquet", pa.table({"x": pa.array(values, pa.float64())}))
    record = await sides.check(table())
    assert value(record, "x", "sum") == "2.0000000000000001", "any rounding on the way gives 1.9999… or 2.0"
    assert (value(record, "x", "nan"), value(record, "x", "inf"), value(record, "x", "-inf")) == (
        "1",
        "1",
        "1",
    )
    assert (value(record, "x", "min"), value(record, "x", "max")) == ("-1e+16", "1e+16")
    assert value(record, "x", "nulls") == "1"


@pytest.mark.parametrize("values", [[0.0, -0.0], [-0.0, 0.0]])
async def test_minus_zero_does_not_depend_on_order(sides: Sides, values: list[float]) -> None:
    sides.put("a.parquet", pa.table({"x": [0.0, -0.0]}), "source")
    sides.put("a.parquet", pa.table({"x": values}), "target")
    assert (await sides.check(table())).profiles_equal


async def test_minus_zero_instead_of_zero_shows(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"x": [0.0, 1.0]}), "source")
    sides.put("a.parquet", pa.table({"x": [-0.0, 1.0]}), "target")
    assert differing(await sides.check(table())) == {("x", "fingerprint"), ("t", "fingerprint")}


async def test_decimals_are_never_floats(sides: Sides) -> None:
    one = pa.array([Decimal("0.10"), Decimal("12345678901234567890123456789012.34")], pa.decimal128(38, 2))
    sides.put("a.parquet", pa.table({"d": one}))
    record = await sides.check(table())
    assert value(record, "d", "sum") == "12345678901234567890123456789012.44"
    assert value(record, "d", "max") == "12345678901234567890123456789012.34"


async def test_sums_beyond_every_integer_type_are_exact(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"u": pa.array([2**64 - 1] * 5, pa.uint64())}))
    assert value(await sides.check(table()), "u", "sum") == str(5 * (2**64 - 1))


async def test_types_and_order_of_columns_are_compared(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"a": pa.array([1], pa.int32()), "b": [1]}), "source")
    sides.put("a.parquet", pa.table({"b": [1], "a": pa.array([1], pa.int64())}), "target")
    assert differing(await sides.check(table())) == {("t", "columns"), ("a", "type")}


async def test_a_missing_column_is_named(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"a": [1], "b": [1]}), "source")
    sides.put("a.parquet", pa.table({"a": [1]}), "target")
    record = await sides.check(table())
    assert ("b", "column") in differing(record)
    assert (figure(record, "b", "column").source, figure(record, "b", "column").target) == (
        "there",
        "missing",
    )


HOSTILE = [
    '"; DROP TABLE part_rows; --', "select", "", "A", "a", "a b", "é", "e\u0301", "x'y", "1", "one",
    "p0", "c0", "line\nbreak", "filename", "h",
]  # fmt: skip


async def test_hostile_column_names_are_only_names(sides: Sides) -> None:
    arrays = [pa.array([i, i + 1]) for i in range(len(HOSTILE))]
    sides.put("a.parquet", pa.Table.from_arrays(arrays, names=HOSTILE))
    record = await sides.check(table(sample_rows=1))
    assert record.profiles_equal
    for position, name in enumerate(HOSTILE):
        assert value(record, name, "min") == str(position)


async def test_repeated_column_names_are_kept_apart(sides: Sides) -> None:
    names = ["a", "a", "a (2)"]
    sides.put("a.parquet", pa.Table.from_arrays([pa.array([i]) for i in range(3)], names=names))
    record = await sides.check(table())
    assert sorted(value(record, name, "min") for name in ("a", "a (2)", "a (2) (2)")) == ["0", "1", "2"]


async def test_files_with_other_schemas_are_joined_by_name_and_reported(sides: Sides) -> None:
    sides.put("1.parquet", pa.table({"id": pa.array([1], pa.int32()), "old": ["x"]}))
    sides.put("2.parquet", pa.table({"new": [1.5], "id": pa.array([2], pa.int64())}))
    sides.put("3.parquet", pa.table({"id": pa.array([3], pa.int64()), "amount": pa.array([Decimal("1.5")])}))
    sides.put("4.parquet", pa.table({"amount": pa.array([Decimal("2.25")], pa.decimal128(10, 2))}))
    record = await sides.check(table())
    assert record.profiles_equal
    told = value(record, None, "file schemas")
    assert "old: string in 1 of 4 files" in told
    assert "id: int32 in 1, int64 in 2 of 4 files" in told
    assert value(record, "id", "sum") == "6"
    assert value(record, "amount", "sum") == "3.75"
    assert value(record, "old", "nulls") == "3"


async def test_types_that_have_nothing_in_common_are_compared_as_text(sides: Sides) -> None:
    sides.put("1.parquet", pa.table({"v": [Decimal("1.10")]}))
    sides.put("2.parquet", pa.table({"v": [1.1]}))
    record = await sides.check(table())
    assert record.profiles_equal
    assert (value(record, "v", "min"), value(record, "v", "max")) == ("1.1", "1.10")


async def test_a_table_larger_than_the_disk_limit_is_worked_through_in_parts(sides: Sides) -> None:
    rng = random.Random(5)
    for part in range(6):
        rows = [{"i": rng.getrandbits(60), "f": rng.random(), "s": str(rng.random())} for _ in range(500)]
        sides.put(f"{part}.parquet", pa.Table.from_pylist(rows), "source")
    whole = pa.concat_tables(pq.read_table(sides.path("source", f"{part}.parquet")) for part in range(6))
    sides.put("whole.parquet", whole.take(pa.array(rng.sample(range(3000), 3000))), "target")
    largest = max(sides.path("source", f"{part}.parquet").stat().st_size for part in range(6))
    small = CheckLimits(temp_bytes=max(2 * largest, sides.path("target", "whole.parquet").stat().st_size))
    record = await sides.check(table(), limits=small)
    assert record.profiles_equal, differing(record)
    assert value(record, "i", "distinct") == "3000"


async def test_only_rows_are_counted_where_nothing_else_is_wanted(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"a": [1, 2]}), "source")
    sides.put("a.parquet", pa.table({"a": [1, 3]}), "target")
    record = await sides.check(table(compare={"columns": "none"}))
    assert record.profiles_equal
    assert [item.figure for item in record.columns] == ["rows"]


async def test_a_tolerance_holds_for_numbers_only(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"x": [100.0, 200.0], "s": ["a", "b"]}), "source")
    sides.put("a.parquet", pa.table({"x": [100.5, 200.5], "s": ["a", "b"]}), "target")
    assert (await sides.check(table(compare={"tolerance": 0.01}))).profiles_equal
    assert not (await sides.check(table(compare={"tolerance": 0.001}))).profiles_equal
    sides.put("a.parquet", pa.table({"x": [100.0, 200.0], "s": ["a", "c"]}), "target")
    assert differing(await sides.check(table(compare={"tolerance": 0.5}))) == {("s", "max")}


async def test_the_profile_of_ids_of_many_kinds_is_counted_exactly(sides: Sides) -> None:
    ids = [uuid.UUID(int=i).bytes for i in range(1_000)]
    sides.put("a.parquet", pa.table({"id": pa.array(ids, pa.binary(16)), "n": [None] * 1_000}))
    record = await sides.check(table())
    assert (value(record, "id", "distinct"), value(record, "n", "distinct")) == ("1000", "0")
