"""CSV as it is found: quotes, line breaks, byte order marks, compression, and damage."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest

from heavylift.errors import IntegrityError
from tests.unit.datasets.tables import Sides, differing, expect, table, value

CSV = table("**/*.csv*")


async def rows_of(sides: Sides, content: bytes) -> int:
    sides.put("a.csv", content)
    record = await sides.check(CSV)
    assert record.profiles_equal
    return record.source_rows


async def test_quotes_line_breaks_and_a_byte_order_mark(sides: Sides) -> None:
    content = b'\xef\xbb\xbf"i\nd","say ""hi"""\r\n1,"a\nb"\r\n2,"x,""y"""\r\n'
    sides.put("a.csv", content)
    record = await sides.check(CSV)
    assert record.source_rows == 2
    assert value(record, "i\nd", "sum") == "3"
    assert value(record, 'say "hi"', "max") == 'x,"y"'


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"", 0),
        (b"a,b\n", 0),
        (b"a,b", 0),
        (b"a,b\n1,2", 1),
        (b"a,b\r1,2\r3,4\r", 2),
        (b"a;b\n1,5;2\n", 1),
        (b"a\tb\n1\t2\n", 1),
        (b"a\n\n1\n\n2\n", 2),
        (b"\n\na,b\n1,2\n", 1),
        (b'"a,x";b\n1;2\n', 1),
        ("é,ü\n1,2\n".encode(), 1),
    ],
)
async def test_forms_of_csv(sides: Sides, content: bytes, rows: int) -> None:
    assert await rows_of(sides, content) == rows


async def test_the_same_rows_in_other_files_and_compressed_are_equal(sides: Sides) -> None:
    sides.put("all.csv", b"id,v\n1,a\n2,b\n3,c\n", "source")
    sides.put("part1.csv.gz", gzip.compress(b"id,v\r\n3,c\r\n"), "target")
    # The name says nothing of compression, as with a content encoding.
    sides.put("part2.csv", gzip.compress(b'"id","v"\n2,b\n1,"a"\n'), "target")
    sides.put("part3.csv", pa.compress(b"id,v\n", codec="zstd", asbytes=True), "target")
    record = await sides.check(CSV)
    assert record.profiles_equal, differing(record)


async def test_no_value_and_empty_text_are_not_the_same(sides: Sides) -> None:
    sides.put("a.csv", b"id,v\n1,\n2,x\n", "source")
    sides.put("a.csv", b'id,v\n1,""\n2,x\n', "target")
    assert ("v", "nulls") in differing(await sides.check(CSV))


@pytest.mark.parametrize(
    ("one", "other"), [("007", "7"), ("1.10", "1.1"), ("a", "a "), ("1e3", "1000"), ("é", "e\u0301")]
)
async def test_values_stay_text(sides: Sides, one: str, other: str) -> None:
    sides.put("a.csv", f"v\n{one}\n".encode(), "source")
    sides.put("a.csv", f"v\n{other}\n".encode(), "target")
    assert ("v", "fingerprint") in differing(await sides.check(CSV))


async def test_columns_of_numbers_are_summed_as_decimals(sides: Sides) -> None:
    sides.put("a.csv", b"amount,code\n" + b"0.10,x1\n" * 3 + b"999999999999999999.05,2\n")
    record = await sides.check(CSV)
    assert value(record, "amount", "sum") == "999999999999999999.35"
    assert value(record, "amount", "max") == "999999999999999999.0500000000"
    assert ("t.code", "sum") not in {(c.column, c.figure) for c in record.columns}


async def test_files_with_other_columns_are_joined_by_name(sides: Sides) -> None:
    sides.put("1.csv", b"a,b\n1,2\n")
    sides.put("2.csv", b"b,c\n3,4\n")
    record = await sides.check(CSV)
    assert record.profiles_equal
    assert value(record, "b", "sum") == "5"
    assert value(record, "a", "nulls") == "1"


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"a,b\n1,2\n1,2,secret\n", "4330", "3 fields in record 3"),
        (b"a,b\n1\n", "4330", "1 fields in record 2"),
        ("a,b\n1,é\n".encode("latin-1"), "4331", "not UTF-8"),
        ("a,é\n1,2\n".encode("latin-1"), "4331", "not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "4331", "not UTF-8"),
        (gzip.compress(b"a,b\n1,2\n" * 5000)[:-30], "4332", "compressed"),
        (gzip.compress(b"a,b\n1,2\n" * 5000)[:60] + b"secret" * 9, "4332", "compressed"),
    ],
)
async def test_damage_names_the_object_and_never_its_content(
    sides: Sides, content: bytes, code: str, told: str
) -> None:
    sides.put("day=1/a.csv", content)
    with pytest.raises(IntegrityError) as caught:
        await sides.check(CSV)
    message = str(caught.value)
    assert caught.value.code == code
    assert "day=1/a.csv" in message
    assert told in message
    assert "secret" not in message
    assert caught.value.remedy


async def test_expectations_see_numbers_where_all_values_are_numbers(sides: Sides) -> None:
    sides.put("a.csv", b"id,postcode,rate,flag\n1,01234,0.5,true\n,99999,,false\n")
    record = await sides.check(
        table(
            "*.csv",
            expect("column_values_to_be_between", column="id", min_value=1, max_value=1),
            expect("column_values_to_match_regex", column="postcode", regex="^[0-9]{5}$"),
            expect("column_mean_to_be_between", column="rate", min_value=0.5, max_value=0.5),
            expect("column_values_to_be_in_set", column="flag", value_set=[True, False]),
        )
    )
    assert record.expectations_passed, record.expectations
