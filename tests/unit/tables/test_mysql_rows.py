"""Row images of MySQL's log, byte by byte, where a library's values would not do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.errors import IntegrityError, UnsupportedError
from heavylift.tables.model import TableName
from heavylift.tables.mysql.connect import ZeroDates
from heavylift.tables.mysql.position import Place, base_text, place_from
from heavylift.tables.mysql.rowimage import Described, rows_of
from heavylift.tables.mysql.values import Mender

NAME = TableName("shop", "t")


def described(zero_dates: ZeroDates = ZeroDates.REFUSE, **column: Any) -> Described:
    given_ = {"name": "c", "unsigned": False, "collation_name": "utf8mb4_bin", **column}
    return Described(NAME, (SimpleNamespace(**given_),), {}, Mender(NAME, (), zero_dates))


def read(data: bytes, **column: Any) -> bytes | None:
    return rows_of(b"\0" + data, described(**column).readers())[0][0]


@pytest.mark.parametrize(
    ("data", "column", "text"),
    [
        (b"\xff", {"type": 1}, b"-1"),
        (b"\xff", {"type": 1, "unsigned": True}, b"255"),
        (b"\x7f\xff\xff\xff\xc0", {"type": 19, "fsp": 3}, b"-00:00:00.0064"),
        (b"\x7f\xff\xff\xff\xff\xf0", {"type": 19, "fsp": 6}, b"-00:00:00.000016"),
        (b"\xb4\x6e\xfb", {"type": 19, "fsp": 0}, b"838:59:59"),
        (b"\x02\x01\x00", {"type": 254, "max_length": 4, "collation_name": "binary"}, b"\\x01000000"),
        (b"\x03", {"type": 248, "size": 1, "set_values": ["z", "a"]}, b"z,a"),
        (b"\x00", {"type": 247, "size": 1, "enum_values": ["", "a"]}, b""),
        (b"\x0a\xaa", {"type": 16, "bits": 12, "bytes": 2}, b"101010101010"),
        (b"\x01\xe9", {"type": 15, "max_length": 9, "collation_name": "latin1_swedish_ci"}, "é".encode()),
        (b"\x01\x80", {"type": 15, "max_length": 9, "collation_name": "latin1_bin"}, "€".encode()),
        (b"\x00", {"type": 13}, b"0"),
    ],
)
def test_values_keep_all_that_they_hold(data: bytes, column: dict[str, Any], text: bytes) -> None:
    assert read(data, **column) == text


SHAPES = [(20, 0), (20, 5), (30, 18), (65, 30), (21, 20)]


@given(st.integers(0, 10**65), st.sampled_from(SHAPES))
def test_decimals_are_read_digit_by_digit(number: int, shape: tuple[int, int]) -> None:
    precision, scale = shape
    for signed in (number % 10**precision, -(number % 10**precision)):
        found = read(stored(signed, precision, scale), type=246, precision=precision, decimals=scale)
        assert found is not None
        assert found.partition(b".")[2].isdigit() == bool(scale)
        assert int(found.replace(b".", b"")) == signed


def stored(number: int, precision: int, scale: int) -> bytes:
    """Return a decimal as MySQL stores it, written from its manual and not from the code."""
    sizes = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    digits = str(abs(number)).rjust(precision, "0")
    whole, part = digits[: precision - scale], digits[precision - scale :]
    groups = [whole[: len(whole) % 9]] + [whole[at : at + 9] for at in range(len(whole) % 9, len(whole), 9)]
    groups += [part[at : at + 9] for at in range(0, len(part), 9)]
    raw = bytearray(b"".join(int(g).to_bytes(sizes[len(g)], "big") for g in groups if g))
    if number < 0:
        raw = bytearray(byte ^ 0xFF for byte in raw)
    raw[0] ^= 0x80
    return bytes(raw)


def test_dates_that_no_calendar_has_are_refused_or_nothing() -> None:
    for column, data in (
        ({"type": 10}, b"\0\0\0"),
        ({"type": 18, "fsp": 0}, b"\x80\0\0\0\0"),
        ({"type": 17, "fsp": 2}, b"\0\0\0\0\0"),
    ):
        with pytest.raises(IntegrityError, match="HL-6405"):
            read(data, **column)
        assert read(data, zero_dates=ZeroDates.NULL, **column) is None


def test_what_cannot_be_read_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match=r"shop\.t.*type 12"):
        read(b"", type=12)
    with pytest.raises(IntegrityError, match="zero byte"):
        read(b"\x02a\0", type=15, max_length=9)


def test_a_place_is_a_number_that_grows() -> None:
    place = Place("bin.log", 1_000_001, 4, 7)
    assert place.file_name == "bin.log.1000001"
    assert place_from(place.number, base_text(place)) == place
    assert Place("b", 2, 4).number > Place("b", 1, 2**32 - 1).number
