"""Values of Debezium's JSON as PostgreSQL's text: exactly, or refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.errors import UnsupportedError
from heavylift.tables.debezium import times
from heavylift.tables.debezium.values import PLACEHOLDER, converter
from heavylift.tables.postgres.pgoutput import UNCHANGED

TIME, DATA, CONNECT = "io.debezium.time.", "io.debezium.data.", "org.apache.kafka.connect.data."


def schema(kind: str, name: str = "", **more: Any) -> dict[str, Any]:
    return {"type": kind, **({"name": name} if name else {}), **more}


def array(kind: str, name: str = "") -> dict[str, Any]:
    return {"type": "array", "items": schema(kind, name)}


STAMP, ZONED, CLOCK = "timestamp(6) without time zone", "timestamp with time zone", "time without time zone"


@pytest.mark.parametrize(
    ("found", "target", "value", "text"),
    [
        (schema("boolean"), "boolean", True, b"t"),
        (schema("boolean"), "bit(1)", False, b"0"),
        (schema("int16"), "smallint", -5, b"-5"),
        (schema("int64"), "numeric(20,0)", 18446744073709551615, b"18446744073709551615"),
        (schema("float"), "real", "1.1", b"1.1"),
        (schema("double"), "double precision", "1E-300", b"1E-300"),
        (schema("double"), "double precision", "NaN", b"NaN"),
        (schema("string"), "numeric(40,5)", "123456789012345678901234567890.00010",
         b"123456789012345678901234567890.00010"),
        (schema("string"), "text", 'a\tb\\c "q" {é}', 'a\tb\\c "q" {é}'.encode()),
        (schema("string"), "inet", "10.0.0.1/8", b"10.0.0.1/8"),
        (schema("string", DATA + "Enum"), "public.mood", "b", b"b"),
        (schema("string", DATA + "Json"), "jsonb", '{"a": 1.50}', b'{"a": 1.50}'),
        (schema("string", DATA + "Uuid"), "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
         b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        (schema("bytes"), "bytea", "AP8=", b"\\x00ff"),
        (schema("bytes", DATA + "Bits", parameters={"length": "3"}), "bit(3)", "BQ==", b"101"),
        (schema("bytes", DATA + "Bits", parameters={"length": "12"}), "bit(12)", "AQg=", b"100000000001"),
        (schema("int32", TIME + "Date"), "date", 18321, b"2020-02-29"),
        (schema("int64", TIME + "MicroTime"), CLOCK, 3723000004, b"01:02:03.000004"),
        (schema("int32", TIME + "Time"), CLOCK, 3723500, b"01:02:03.500000"),
        (schema("int64", TIME + "MicroTime"), CLOCK, 86_400_000_000, b"24:00:00.000000"),
        (schema("int64", TIME + "MicroTimestamp"), STAMP, 1577840523000004, b"2020-01-01 01:02:03.000004"),
        (schema("int64", TIME + "Timestamp"), STAMP, 1577840523120, b"2020-01-01 01:02:03.120000"),
        (schema("int64", TIME + "NanoTimestamp"), STAMP, 1577840523000004000, b"2020-01-01 01:02:03.000004"),
        (schema("int64", TIME + "MicroTimestamp"), STAMP, 9223372036825200000, b"infinity"),
        (schema("int64", TIME + "MicroTimestamp"), STAMP, -9223372036832400000, b"-infinity"),
        (schema("string", TIME + "ZonedTimestamp"), ZONED, "2019-12-31T23:02:03.000004Z",
         b"2019-12-31T23:02:03.000004Z"),
        (schema("string", TIME + "ZonedTimestamp"), ZONED, "+294276-12-31T23:59:59Z",
         b"294276-12-31T23:59:59Z"),
        (schema("string", TIME + "ZonedTimestamp"), ZONED, "-0043-03-15T00:00:00Z",
         b"0044-03-15T00:00:00Z BC"),
        (schema("string", TIME + "ZonedTimestamp"), ZONED, "-infinity", b"-infinity"),
        (schema("string", TIME + "Interval"), "interval", "P1Y2M3DT4H5M6.7S", b"P1Y2M3DT4H5M6.7S"),
        (array("int32"), "integer[]", [1, None, 3], b'{"1",NULL,"3"}'),
        (array("string"), "text[]", ["a", None, 'x,"y"\\', ""], b'{"a",NULL,"x,\\"y\\"\\\\",""}'),
        (schema("int32"), "integer", None, None),
    ],
)  # fmt: skip
def test_a_value_arrives_as_it_was(found: dict[str, Any], target: str, value: Any, text: bytes) -> None:
    assert converter("public.t.c", found, target)(value) == text


@pytest.mark.parametrize(
    ("found", "target", "remedy"),
    [
        (schema("bytes", CONNECT + "Decimal"), "numeric", "decimal.handling.mode=string"),
        (schema("struct", DATA + "VariableScaleDecimal"), "numeric", "decimal.handling.mode=string"),
        (schema("double"), "numeric(10,2)", "decimal.handling.mode=string"),
        (schema("int64", TIME + "MicroDuration"), "interval", "interval.handling.mode=string"),
        (schema("int64", CONNECT + "Timestamp"), STAMP, "time.precision.mode"),
        (schema("string"), "bytea", "binary.handling.mode=bytes"),
        (schema("string", TIME + "ZonedTime"), "time with time zone", "exclude"),
        (schema("string", TIME + "IsoTimestamp"), STAMP, "exclude"),
        (schema("int64", TIME + "MicroTimestamp"), "bigint", "exclude"),
        (schema("bytes", DATA + "Bits", parameters={"length": "8"}), "bit varying(8)", "exclude"),
        (schema("struct", DATA + "geometry.Point"), "point", "exclude"),
        (array("string", DATA + "Uuid"), "uuid[]", "exclude"),
        (array("int32"), "integer", "exclude"),
        # Where these are large and did not change, the connector writes NULL.
        (array("string"), "numeric[]", "exclude"),
        (array("int16"), "smallint[]", "exclude"),
        (array("boolean"), "boolean[]", "exclude"),
        (schema("string"), "public.citext", "exclude"),
        (schema("string", DATA + "Json"), "public.hstore", "exclude"),
        (schema("int16"), "boolean", "exclude"),
        (schema("string"), "integer", "exclude"),
    ],
)
def test_a_pair_that_is_not_certain_is_refused_with_its_remedy(
    found: dict[str, Any], target: str, remedy: str
) -> None:
    with pytest.raises(UnsupportedError, match="HL-6703") as caught:
        converter("public.t.c", found, target)
    assert "public.t.c" in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("found", "target", "value"),
    [
        (schema("string"), "text", PLACEHOLDER),
        (schema("string", DATA + "Json"), "jsonb", PLACEHOLDER),
        (schema("bytes"), "bytea", "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="),
        (array("string"), "text[]", [PLACEHOLDER]),
        (array("int64"), "bigint[]", list(PLACEHOLDER.encode())),
    ],
)
def test_what_the_log_did_not_repeat_is_known_as_such(found: dict[str, Any], target: str, value: Any) -> None:
    assert converter("public.t.c", found, target)(value) is UNCHANGED


@pytest.mark.parametrize(
    ("found", "target", "value"),
    [
        # The connector's word for an infinite date, and for one of its largest timestamps.
        (schema("int32", TIME + "Date"), "date", -622191234),
        (schema("int64", TIME + "MicroTimestamp"), STAMP, -9223372036853775810),
        (schema("int64", TIME + "NanoTimestamp"), STAMP, 1577840523000004100),
        (schema("int64", TIME + "MicroTime"), CLOCK, 86_400_000_001),
        (schema("bytes"), "bytea", "no base64!"),
    ],
)
def test_a_value_that_would_become_another_one_is_an_error(
    found: dict[str, Any], target: str, value: Any
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        converter("public.t.c", found, target)(value)


@given(st.datetimes())
def test_moments_are_those_of_pythons_calendar(moment: datetime) -> None:
    micros = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert times.stamp(micros).decode() == moment.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")
    assert times.date(micros // 86_400_000_000).decode() == moment.date().isoformat()


def test_years_before_christ_have_no_zero() -> None:
    assert times.date(-719_163) == b"0001-12-31 BC"
    assert times.date(-719_162) == b"0001-01-01"
