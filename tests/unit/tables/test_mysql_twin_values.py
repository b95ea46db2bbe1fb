"""Values on their way between two servers of one kind: literals, images of the log, and warnings."""

from __future__ import annotations

import uuid

import pytest

from heavylift.tables.mysql.twin.images import uuid_text
from heavylift.tables.mysql.twin.literals import Written, same, tuples_of, writer_of
from heavylift.tables.mysql.twin.numbering import wanted_number
from heavylift.tables.mysql.twin.session import Lenient
from heavylift.tables.mysql.twin.types import map_own
from heavylift.tables.mysql.types import Kind, Mapped, SourceColumn


def mapped(kind: str, column_type: str = "", charset: str = "", **more: object) -> Mapped:
    found = map_own(SourceColumn("c", kind, column_type or kind, True, charset=charset, **more))  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("column", "value", "literal"),
    [
        (mapped("int"), b"-5", b"-5"),
        (mapped("double"), b"1.5", b"1.5e0"),
        (mapped("double"), b"1e-300", b"1e-300"),
        (mapped("enum", "enum('a')", "utf8mb4"), b"0", b"0"),
        (mapped("varchar", charset="utf8mb4"), b"it's \\ a", b"'it\\'s \\\\ a'"),
        (mapped("varchar", charset="latin1"), b"\xe9", b"_latin1'\xe9'"),
        (mapped("varchar", charset="sjis"), b"\x83\\", b"_sjis'\x83\\\\'"),
        (mapped("varchar", charset="utf16le"), b"'\0", b"_utf16le x'2700'"),
        (mapped("varchar", charset="binary"), b"\xff", b"_binary'\xff'"),
        (mapped("blob"), b"\0'", b"_binary'\0\\''"),
        (mapped("datetime"), b"0000-00-00 00:00:00", b"'0000-00-00 00:00:00'"),
        (mapped("json"), b'{"a": "b"}', b'\'{"a": "b"}\''),
    ],
)
def test_a_value_is_written_as_it_is(column: Mapped, value: bytes, literal: bytes) -> None:
    assert writer_of(column)(value) == literal
    assert list(tuples_of([Written(column, 0, writer_of(column))], [(value,), (None,)])) == [
        b"(" + literal + b")",
        b"(NULL)",
    ]


def test_rows_without_a_key_are_told_apart_byte_by_byte() -> None:
    text = Written(mapped("varchar", charset="latin1"), 0, writer_of(mapped("varchar", charset="latin1")))
    assert same(text, b"A") == b"CAST(`c` AS BINARY) = _binary'A'"
    assert same(text, None) == b"`c` IS NULL"


def test_what_cannot_be_read_from_the_log_is_not_mapped() -> None:
    assert map_own(SourceColumn("c", "varchar", "varchar(9) /*M!100301 COMPRESSED*/", True)) is None
    assert map_own(SourceColumn("c", "vector", "vector(3)", True)) is None


def stored(value: uuid.UUID) -> bytes:
    """Return a UUID as MariaDB stores it: those of versions 1 to 5 are turned end to end."""
    raw = value.bytes
    if 0 < raw[6] < 0x60 and raw[8] & 0x80:
        return raw[10:] + raw[8:10] + raw[6:8] + raw[4:6] + raw[:4]
    return raw


@pytest.mark.parametrize(
    "text",
    [
        "123e4567-e89b-12d3-a456-426655440000",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "00000000-0000-0000-0000-000000000000",
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ],
)
def test_uuids_are_turned_back(text: str) -> None:
    assert uuid_text(stored(uuid.UUID(text))) == text.encode()


def test_only_warnings_that_say_nothing_about_values_are_harmless() -> None:
    lenient = Lenient(labels=frozenset({"e"}), computed=frozenset({"g"}))
    assert lenient.covers(1265, "Data truncated for column 'e' at row 1")
    assert lenient.covers(1264, "Out of range value for column `db`.`t`.`g` at row 3")
    assert not lenient.covers(1264, "Out of range value for column 'e' at row 1")
    assert not lenient.covers(1265, "Data truncated for column 'other' at row 1")


@pytest.mark.parametrize(
    ("column_type", "highest", "wanted"),
    [("int(11)", 5, 1006), ("tinyint(4)", 5, 6), ("tinyint(4)", 127, None), ("bigint(20) unsigned", 9, 1010)],
)
def test_counters_are_set_ahead_as_far_as_their_type_goes(
    column_type: str, highest: int, wanted: int | None
) -> None:
    kind = column_type.partition("(")[0]
    column = SourceColumn("id", kind, column_type, False, extra="auto_increment")
    assert wanted_number(column, highest) == wanted


def test_generated_columns_are_known_for_what_they_are() -> None:
    found = mapped("int", generation="`a` + 1")
    assert (found.column.generated, found.kind) == (True, Kind.INTEGER)
