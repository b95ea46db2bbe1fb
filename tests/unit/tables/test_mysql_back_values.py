"""PostgreSQL's texts become what MySQL's columns held before, or are refused by name."""

from __future__ import annotations

import pytest

from heavylift.errors import IntegrityError
from heavylift.tables.mysql.back.values import writer_back
from heavylift.tables.mysql.connect import Policy
from heavylift.tables.mysql.twin.types import map_own
from heavylift.tables.mysql.types import SourceColumn


def literal(column_type: str, value: bytes, **policy: str) -> bytes:
    data_type = column_type.partition("(")[0].partition(" ")[0]
    inside = column_type.partition("(")[2].partition(")")[0]
    charset = "latin1" if data_type in {"char", "varchar", "text", "enum", "set"} else ""
    column = SourceColumn(
        "x", data_type, column_type, True, length=int(inside) if inside.isdigit() else 9, charset=charset
    )
    own = map_own(column)
    assert own is not None
    return writer_back(Policy(**policy))(own)(value)


@pytest.mark.parametrize(
    ("column_type", "value", "written"),
    [
        ("tinyint(1)", b"t", b"1"),
        ("int", b"-5", b"-5"),
        ("decimal(9,2)", b"1.50", b"1.50"),
        ("double", b"1e-300", b"1e-300"),
        ("float", b"-0.5", b"-0.5e0"),
        ("bit(3)", b"101", b"b'101'"),
        ("blob", b"\\x00ff", b"x'00ff'"),
        ("date", b"0001-01-01", b"'0001-01-01'"),
        ("timestamp", b"2020-01-01 00:00:00.5+00", b"'2020-01-01 00:00:00.5'"),
        ("year", b"0", b"0"),
        ("varchar(9)", b"it's \\ x ", b"_utf8mb4'it\\'s \\\\ x '"),
        ("enum('a','b')", b"b", b"_utf8mb4'b'"),
        ("enum('a','b')", b"", b"0"),
        ("set('a','b')", b"a,b", b"_utf8mb4'a,b'"),
        ("set('a','b')", b"", b"_utf8mb4''"),
    ],
)
def test_values_are_written_as_they_were(column_type: str, value: bytes, written: bytes) -> None:
    assert literal(column_type, value) == written


def test_a_time_beyond_a_day_is_written_where_the_way_there_took_it() -> None:
    assert literal("time", b"-838:59:59", time="interval") == b"'-838:59:59'"


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        ("double", b"NaN"),
        ("double", b"-0"),
        ("float", b"-Infinity"),
        ("decimal(9,2)", b"NaN"),
        ("date", b"infinity"),
        ("date", b"0044-03-15 BC"),
        ("date", b"10000-01-01"),
        ("datetime", b"-infinity"),
        ("timestamp", b"2020-01-01 00:00:00+01"),
        ("time", b"1 day 02:00:00"),
        ("enum('a','b')", b"A"),
        ("set('a','b')", b"b,a"),
        ("set('a','b')", b"a,a"),
        ("char(9)", b"x "),
        ("binary(3)", b"\\x00"),
    ],
)
def test_what_would_not_be_held_exactly_is_refused(column_type: str, value: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"column x .*HL-6451"):
        literal(column_type, value)
