"""The parts of a snapshot that need no server: ranges, names, sequences, the schema's text, statements."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from heavylift.errors import IntegrityError
from heavylift.spec.sections_data import CaptureMethod
from heavylift.tables.model import Column, ReplicaIdentity, Table, TableName
from heavylift.tables.postgres.catalog import Index, Leaf, key_index
from heavylift.tables.postgres.copy_job import Job, Kind, reading
from heavylift.tables.postgres.copy_progress import Counting
from heavylift.tables.postgres.engines import choose_engine
from heavylift.tables.postgres.ranges import (
    Range,
    horizon_of,
    merged,
    plan_ranges,
    same_files,
    storage_of,
)
from heavylift.tables.postgres.resume import Layout, sort_out
from heavylift.tables.postgres.schema_dump import split
from heavylift.tables.postgres.sequences import Sequence, advanced, farther
from heavylift.tables.postgres.slot import slot_name, temporary_slot_name
from heavylift.tables.postgres.state import TablePhase, TableState

NAME = TableName("public", "t")
COLUMNS = (Column("id", 23, -1, "integer", False), Column("v", 25, -1, "text"))
TABLE = Table(NAME, 1, COLUMNS, ("id",), ReplicaIdentity.DEFAULT)
ALWAYS = Column("n", 23, -1, "integer", identity="a")


def leaves(pages: int, filenode: int = 7) -> dict[TableName, Leaf]:
    return {NAME: Leaf(NAME, filenode, pages * 8192)}


@given(pages=st.integers(0, 5000), step=st.integers(1, 700))
def test_ranges_hold_every_page_once_and_the_last_is_open(pages: int, step: int) -> None:
    ranges = plan_ranges(TABLE, leaves(pages), range_bytes=step * 8192, block=8192, server_version=150000)
    assert [each.number for each in ranges] == list(range(len(ranges)))
    assert ranges[0].lower == 0
    assert ranges[-1].upper is None
    for one, following in itertools.pairwise(ranges):
        assert one.upper == following.lower > one.lower
    assert merged(ranges) == [Range(0, NAME, 0, None)]


def test_version_13_reads_a_relation_whole() -> None:
    ranges = plan_ranges(TABLE, leaves(900), range_bytes=8192, block=8192, server_version=130010)
    assert [each.whole for each in ranges] == [True]


def test_ranges_with_a_gap_stay_apart() -> None:
    parts = [Range(0, NAME, 0, 5), Range(2, NAME, 9, None), Range(1, NAME, 5, 7)]
    assert [(each.lower, each.upper) for each in merged(parts)] == [(0, 7), (9, None)]


def test_what_is_noted_of_files_tells_a_rewrite() -> None:
    one, other = storage_of(TABLE, leaves(3), 5), storage_of(TABLE, leaves(9), 2**40)
    assert same_files(one, other)
    assert (horizon_of(one), horizon_of(other)) == (5, 2**40)
    assert not same_files(one, storage_of(TABLE, leaves(3, filenode=8), 5))


@pytest.mark.parametrize(
    ("done", "table", "filenode", "horizon", "expected"),
    [
        ((10, 10), TABLE, 7, 100, "arrived"),
        ((10, None), TABLE, 7, 100, "mended"),
        ((10, 12), TABLE, 7, 100, "mended"),
        ((None, None), TABLE, 7, 100, "anew"),
        ((10, None), TABLE, 8, 100, "anew"),
        ((10, None), TABLE, 7, 2**31, "anew"),
        ((10, None), Table(NAME, 1, TABLE.columns, (), ReplicaIdentity.FULL), 7, 100, "anew"),
        (
            (10, None),
            Table(NAME, 1, (*COLUMNS, ALWAYS), ("id",), TABLE.identity),
            7, 100, "anew",
        ),
    ],
)  # fmt: skip
def test_what_is_left_is_sorted(
    done: tuple[int | None, int | None], table: Table, filenode: int, horizon: int, expected: str
) -> None:
    storage = storage_of(table, leaves(4), 50)
    state = TableState(NAME, TablePhase.COPYING, table.signature, storage, copied=10)
    ranges = {NAME: (Range(0, NAME, 0, 2, done[0]), Range(1, NAME, 2, None, done[1]))}
    layout = Layout(leaves(4, filenode), 8192, 150000, 8192, horizon)
    left = sort_out([table], {NAME: state}, ranges, layout)
    assert getattr(left, expected) == (table,)
    assert len(left.arrived) + len(left.mended) + len(left.anew) == 1


def statement(job: Job) -> str:
    return reading(job).as_string(None)


def test_a_range_is_read_from_its_relation_alone() -> None:
    form = sql.SQL("WITH (FORMAT binary)")
    whole = Job(TABLE, Range(0, NAME, 0, None), Kind.FRESH, form)
    assert statement(whole) == 'COPY "public"."t" ("id", "v") TO STDOUT WITH (FORMAT binary)'
    part = statement(Job(TABLE, Range(1, NAME, 5, 9), Kind.MERGED, form))
    assert "FROM ONLY \"public\".\"t\" WHERE ctid >= '(5,0)'::tid AND ctid < '(9,0)'::tid)" in part
    changed = statement(Job(TABLE, Range(0, NAME, 0, 5), Kind.CHANGED, form, horizon=2**32 + 7))
    assert "ctid < '(5,0)'::tid AND ((xmin::text::bigint - 7) & 4294967295) < 2147483648" in changed


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_names_of_slots_are_valid_and_each_streams_own(one: str, other: str) -> None:
    for name in (slot_name(one), temporary_slot_name(one)):
        assert re.fullmatch(r"[a-z0-9_]{1,63}", name)
    assert (slot_name(one) == slot_name(other)) is (one == other)


def sequence(value: int, *, increment: int = 1, least: int = 1, greatest: int = 100) -> Sequence:
    return Sequence(NAME, increment, least, greatest, False, value, True)


@pytest.mark.parametrize(
    ("given_", "headroom", "expected"),
    [
        (sequence(5), 0, (5, True)),
        (sequence(5), 10, (15, True)),
        (sequence(95), 10, (100, True)),
        (sequence(-5, increment=-3, least=-20, greatest=-1), 2, (-11, True)),
        (sequence(-5, increment=-3, least=-20, greatest=-1), 99, (-20, True)),
    ],
)
def test_sequences_get_room_within_their_bounds(
    given_: Sequence, headroom: int, expected: tuple[int, bool]
) -> None:
    assert advanced(given_, headroom) == expected


def test_a_sequence_is_never_set_back() -> None:
    assert farther((5, True), (9, True), 1) == (9, True)
    assert farther((5, True), (5, False), 1) == (5, True)
    assert farther((-5, True), (-9, True), -2) == (-9, True)


HEADER = "--\n-- TOC entry {n} (class 1 OID 2)\n-- Name: {name}; Type: {kind}; Schema: s; Owner: -\n--\n\n"
TRAILER = "\n-- Completed on today\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n"


def test_a_schema_is_cut_into_its_objects() -> None:
    script = (
        "\\restrict abc\nSET x = 1;\n\n"
        + HEADER.format(n=6, name="f()", kind="FUNCTION")
        + "CREATE FUNCTION f;\n\n\nSET default_table_access_method = heap;\n\n"
        + HEADER.format(n=7, name="a; Type: b", kind="TABLE")
        + "CREATE TABLE t ();\n\n\n"
        + HEADER.format(n=9, name="t t_pkey", kind="CONSTRAINT")
        + "ALTER TABLE t;\n\n"
        + TRAILER
    )
    function, table, key = split(script, [6, 7, 8, 9], frozenset({6, 7}))
    assert (function.kind, function.name, function.statement) == ("FUNCTION", "f()", "CREATE FUNCTION f;")
    assert table.name == "a; Type: b"
    assert table.statement == "SET default_table_access_method = heap;\nCREATE TABLE t ();"
    assert (key.statement, key.before_data) == ("ALTER TABLE t;", False)
    assert str(key) == "constraint s.t t_pkey"


def test_a_function_that_looks_like_a_header_is_refused() -> None:
    fake = HEADER.format(n=7, name="evil", kind="TABLE")
    script = HEADER.format(n=6, name="f()", kind="FUNCTION") + f"CREATE FUNCTION $$\n{fake}$$;\n" + TRAILER
    with pytest.raises(IntegrityError, match="HL-6104"):
        split(script, [6, 9], frozenset())
    with pytest.raises(IntegrityError, match="HL-6104"):
        split(script.replace("entry 7", "entry 6"), [6, 9], frozenset())


@pytest.mark.parametrize(
    ("identity", "expected"),
    [("d", ("a",)), ("i", ("b",)), ("f", ("a",)), ("n", None)],
)
def test_the_key_follows_the_replica_identity(identity: str, expected: tuple[str, ...] | None) -> None:
    indexes = [Index(1, True, False, ("a",), True), Index(2, False, True, ("b",), True)]
    found = key_index(ReplicaIdentity(identity), indexes)
    assert (found.columns if found else None) == expected
    nullable = [Index(3, False, False, ("c",), False)]
    assert key_index(ReplicaIdentity.FULL, nullable) is None


def test_the_engine_is_chosen_with_a_reason() -> None:
    for method, engine in (("auto", "changes"), ("changes", "changes"), ("native", "native")):
        choice = choose_engine(CaptureMethod(method), source_version=150018, target_version=160001)
        assert (choice.engine, choice.reason.endswith(".")) == (engine, True)


def test_progress_adds_up() -> None:
    counting = Counting(tables=2, tables_done=1, ranges=4, ranges_done=2, size_total=100)
    counting.moved(60)
    counting.range_done(5)
    look = counting.look("copying")
    assert (look.ranges_done, look.rows, look.size_bytes, look.size_total) == (3, 5, 60, 100)
    assert look.seconds_left is not None
    counting.range_done(1)
    counting.table_done()
    assert counting.look("copying").seconds_left == 0.0
    assert str(counting.look("copying")).startswith("copying: tables 2 of 2, ranges 4 of 4, 6 rows")
