"""Great Expectations suites: refused before anything is read, run on both sides, without traces."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from heavylift.datasets.requests import CheckLimits
from heavylift.datasets.suites import build_suite, suite_columns
from heavylift.errors import SpecError, UnsupportedError
from heavylift.spec.expectations import Expectation, TableExpectations
from tests.unit.datasets.tables import Sides, expect, table

ROWS = pa.table(
    {
        "id": pa.array([1, 2, None], pa.int64()),
        "amount": pa.array([Decimal("0.10"), Decimal("0.20"), None], pa.decimal128(12, 2)),
        "country": ["DE", "FR", "XX"],
        "flag": pa.array([1, 0, 1], pa.int8()),
    }
)


async def test_every_expectation_is_told_for_both_sides(sides: Sides) -> None:
    sides.put("a.parquet", ROWS)
    record = await sides.check(
        table(
            "*.parquet",
            expect("column_values_to_not_be_null", column="flag"),
            expect("column_values_to_not_be_null", column="id"),
            expect("column_values_to_be_in_set", column="country", value_set=["DE", "FR"]),
            expect("column_mean_to_be_between", column="amount", min_value=0.1499, max_value=0.1501),
            expect("table_row_count_to_equal", value=3),
            expect("table_columns_to_match_ordered_list", column_list=ROWS.column_names),
            expect("column_values_to_be_between", column="absent", min_value=0),
        )
    )
    assert [(o.side, o.passed) for o in record.expectations] == [
        (side, passed)
        for side in ("source", "target")
        for passed in (True, False, False, True, True, True, False)
    ]
    assert not record.expectations_passed
    assert record.profiles_equal
    told = {o.expectation: o.observed for o in record.expectations}
    assert told["t: expect_column_values_to_be_in_set"] == "1 of 3 values unexpected (33.33 %)"
    assert "absent" in told["t: expect_column_values_to_be_between"]
    assert "XX" not in str([o.observed for o in record.expectations]), "rows' values are no evidence"


async def test_whole_numbers_with_gaps_stay_exact(sides: Sides) -> None:
    big = 2**53
    sides.put("a.parquet", pa.table({"id": pa.array([big, big + 1, None])}))
    record = await sides.check(
        table(
            "*.parquet",
            expect("column_values_to_be_unique", column="id"),
            expect("column_max_to_be_between", column="id", min_value=big + 1, max_value=big + 1),
        )
    )
    assert record.expectations_passed, record.expectations


async def test_the_sample_is_the_same_on_both_sides(sides: Sides) -> None:
    rng = random.Random(1)
    rows = [{"id": i, "v": rng.random()} for i in range(5_000)]
    sides.put("a.parquet", pa.Table.from_pylist(rows), "source")
    rng.shuffle(rows)
    for part in range(4):
        sides.put(f"{part}.parquet", pa.Table.from_pylist(rows[part::4]), "target")
    record = await sides.check(
        table(
            "*.parquet",
            expect("table_row_count_to_equal", value=100),
            expect("column_mean_to_be_between", column="v", min_value=0.4, max_value=0.6),
            expect("column_sum_to_be_between", column="id", min_value=0),
            sample_rows=100,
        ),
        limits=CheckLimits(temp_bytes=max(p.stat().st_size for p in sides.root.rglob("*.parquet")) + 1),
    )
    assert record.expectations_passed, record.expectations
    assert record.sampled_rows == 100
    half = len(record.expectations) // 2
    assert [o.observed for o in record.expectations[:half]] == [
        o.observed for o in record.expectations[half:]
    ]


async def test_a_table_smaller_than_the_sample_is_seen_whole(sides: Sides) -> None:
    sides.put("a.parquet", ROWS)
    record = await sides.check(
        table("*.parquet", expect("table_row_count_to_equal", value=3), sample_rows=10)
    )
    assert record.expectations_passed
    assert record.sampled_rows is None


@pytest.mark.parametrize(
    ("wrong", "code", "hint"),
    [
        (expect("column_values_to_not_be_nul", column="id"), "4301", "expect_column_values_to_not_be_null"),
        (expect("column_values_to_not_be_null", colum="id"), "4302", "write column instead of colum"),
        (expect("column_values_to_not_be_null"), "4302", "column: field required"),
        (expect("column_values_to_be_between", column="id", min_value={}), "4302", "between with values"),
    ],
)
async def test_a_wrong_suite_is_refused_before_anything_is_read(
    sides: Sides, wrong: dict[str, Any], code: str, hint: str
) -> None:
    (sides.root / "source").rmdir()  # Opening it would fail.
    # The spec refuses unknown types itself; a request can be built without it.
    built = table("*.parquet").model_copy(update={"suite": (Expectation.model_construct(name="", **wrong),)})
    with pytest.raises(SpecError) as caught:
        await sides.check(built)
    assert caught.value.code == code
    assert hint in str(caught.value)


async def test_the_order_of_rows_cannot_be_judged_on_a_sample(sides: Sides) -> None:
    rising = expect("column_values_to_be_increasing", column="id")
    with pytest.raises(SpecError, match="HL-4303"):
        await sides.check(table("*.parquet", rising, sample_rows=5))
    sides.put("1.parquet", pa.table({"id": [1, 2]}))
    sides.put("2.parquet", pa.table({"id": [3, 4]}))
    assert (await sides.check(table("*.parquet", rising))).expectations_passed


async def test_rows_that_would_not_fit_into_memory_are_refused(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"id": list(range(1000)), "s": ["x" * 100] * 1000}))
    limits = CheckLimits(frame_bytes=100_000)
    whole = table("*.parquet", expect("column_values_to_not_be_null", column="id"))
    assert (await sides.check(whole, limits=limits)).expectations_passed
    with pytest.raises(UnsupportedError, match="HL-4340") as caught:
        await sides.check(whole.model_copy(update={"suite": (*whole.suite, *_about("s"))}), limits=limits)
    assert "sample_rows" in caught.value.remedy
    sampled = whole.model_copy(update={"sample_rows": 10})
    assert (await sides.check(sampled, limits=limits)).expectations_passed


def _about(column: str) -> tuple[Expectation, ...]:
    return table("*.parquet", expect("column_values_to_not_be_null", column=column)).suite


async def test_long_texts_count_against_the_memory_limit(sides: Sides) -> None:
    sides.put("a.parquet", pa.table({"s": ["x" * 10_000] * 100}))
    suite = table("*.parquet", expect("column_values_to_not_be_null", column="s"))
    with pytest.raises(UnsupportedError, match="HL-4340"):
        await sides.check(suite, limits=CheckLimits(frame_bytes=500_000))


async def test_nothing_is_written_outside_the_evidence(
    sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    home, work, temporary = (tmp_path / name for name in ("home", "work", "temporary"))
    for folder in (home, work, temporary):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(work)
    sides.put("a.parquet", ROWS)
    await sides.check(table("*.parquet", expect("column_values_to_not_be_null", column="flag")))
    assert [str(path) for folder in (home, work, temporary) for path in folder.rglob("*")] == []
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


@pytest.mark.parametrize(
    ("suite", "columns"),
    [
        ([expect("column_values_to_not_be_null", column="a")], {"a"}),
        ([expect("column_pair_values_to_be_equal", column_A="a", column_B="b")], {"a", "b"}),
        ([expect("compound_columns_to_be_unique", column_list=["a", "c"])], {"a", "c"}),
        ([expect("table_row_count_to_equal", value=1)], set()),
        ([expect("table_column_count_to_equal", value=1)], None),
        ([expect("column_values_to_not_be_null", column="a", row_condition="b > 1")], None),
    ],
)
def test_only_the_columns_that_a_suite_names_are_loaded(suite: list[Any], columns: set[str] | None) -> None:
    assert suite_columns(table("*.parquet", *suite)) == columns


def test_an_empty_suite_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.__import__", _refuse_heavy(__import__))
    empty: TableExpectations = table("*.parquet")
    assert build_suite("d", empty) == ()


def _refuse_heavy(real: Any) -> Any:
    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] in {"great_expectations", "pandas"}:
            raise AssertionError(f"{name} was imported")
        return real(name, *args, **kwargs)

    return refuse
