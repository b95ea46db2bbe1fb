"""Rows that are missing, extra or different are found and typed, whatever names them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heavylift.evidence.records import MAX_LISTED
from heavylift.tables.model import Table
from tests.support.two_databases import TwoDatabases
from tests.support.verifying import compare, on_both

FILL = {
    "bigint": "g",
    "numeric": "g * 1.5",
    "uuid": "md5(g::text)::uuid",
    "text": "md5(g::text)",
    "timestamptz": "'2020-01-01Z'::timestamptz + g * interval '1 s'",
    "float8": "g * 0.1",
    "bytea": "decode(md5(g::text), 'hex')",
}


@pytest.mark.parametrize("key_type", list(FILL))
def test_rows_are_found_by_a_key_of_any_type(databases: TwoDatabases, key_type: str) -> None:
    on_both(databases, f"CREATE TABLE t (k {key_type} PRIMARY KEY, g int, v text)")
    on_both(databases, f"INSERT INTO t SELECT {FILL[key_type]}, g, 'v' || g FROM generate_series(1, 5000) g")
    on_both(databases, "ANALYZE t")
    databases.on_target("DELETE FROM t WHERE g IN (1, 2500, 5000)")
    databases.on_source("DELETE FROM t WHERE g IN (7, 70)")
    databases.on_target("UPDATE t SET v = v || ' ' WHERE g IN (17, 170, 1700)")
    outcome = compare(databases, "t")
    assert (outcome.one.missing, outcome.one.extra, outcome.one.different) == (3, 2, 3)
    assert (outcome.one.source_rows, outcome.one.target_rows) == (4998, 4997)
    assert outcome.one.equal == 4992
    wanted = {g: "missing" for g in (1, 2500, 5000)} | {g: "different" for g in (17, 170, 1700)}
    names = databases.on_source("SELECT concat(k), g FROM t WHERE g = ANY(%s)", list(wanted))
    names += databases.on_target("SELECT concat(k), g FROM t WHERE g IN (7, 70)")
    assert outcome.kinds() == {(name,): wanted.get(g, "extra") for name, g in names}


def test_keys_of_several_columns(databases: TwoDatabases) -> None:
    on_both(databases, 'CREATE TABLE t (a int, "B b" text, c date, v int, PRIMARY KEY (a, "B b", c))')
    on_both(
        databases,
        "INSERT INTO t SELECT g % 3, 'k' || g, date '2020-01-01' + g, g FROM generate_series(1, 3000) g",
    )
    on_both(databases, "ANALYZE t")
    databases.on_target("UPDATE t SET v = 0 WHERE v = 1500")
    databases.on_target("UPDATE t SET c = c + 5000 WHERE v = 9")
    outcome = compare(databases, "t")
    assert outcome.kinds() == {
        ("0", "k1500", "2024-02-09"): "different",
        ("0", "k9", "2020-01-10"): "missing",
        ("0", "k9", "2033-09-18"): "extra",
    }
    assert {tuple(key) for _, _, key in outcome.differences} == {("a", "B b", "c")}


def test_text_keys_that_the_two_servers_sort_otherwise(databases: TwoDatabases) -> None:
    databases.on_source('CREATE TABLE t (k text COLLATE "C" PRIMARY KEY, v int)')
    databases.on_target('CREATE TABLE t (k text COLLATE "en-x-icu" PRIMARY KEY, v int)')
    rows = "SELECT chr(65 + g % 2 * 32 + g % 26) || chr(228 + g % 9) || g, g FROM generate_series(1, 9000) g"
    on_both(databases, f"INSERT INTO t {rows}")
    on_both(databases, "ANALYZE t")
    assert compare(databases, "t").one.is_equal
    databases.on_target("UPDATE t SET v = -v WHERE v IN (10, 20, 8999)")
    assert set(compare(databases, "t").kinds().values()) == {"different"}


def test_values_swapped_between_two_rows_do_not_cancel(databases: TwoDatabases) -> None:
    on_both(databases, "CREATE TABLE t (k int PRIMARY KEY, v int)")
    on_both(databases, "INSERT INTO t SELECT g, g FROM generate_series(1, 100) g")
    databases.on_target("UPDATE t SET v = 101 - v WHERE k IN (50, 51)")
    databases.on_target("UPDATE t SET v = v + 1 WHERE k = 1; UPDATE t SET v = v - 1 WHERE k = 2")
    assert compare(databases, "t").kinds() == {(str(k),): "different" for k in (1, 2, 50, 51)}


def test_a_table_without_a_key_is_a_multiset(databases: TwoDatabases) -> None:
    on_both(databases, "CREATE TABLE t (a int, b text)")
    on_both(
        databases, "INSERT INTO t SELECT g % 100, NULLIF('x' || g % 7, 'x3') FROM generate_series(1, 7000) g"
    )
    assert compare(databases, "t").one.is_equal
    databases.on_source("INSERT INTO t VALUES (1, 'x1'), (1, 'x1'), (500, 'only here')")
    databases.on_target("INSERT INTO t VALUES (1, NULL)")
    outcome = compare(databases, "t")
    assert (outcome.one.missing, outcome.one.extra, outcome.one.different) == (3, 1, 0)
    assert outcome.one.equal == 7000
    assert {tuple(key) for _, _, key in outcome.differences} == {("row digest",)}


def test_a_key_that_is_there_twice_on_the_target(databases: TwoDatabases) -> None:
    databases.on_source("CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)")
    databases.on_target("CREATE TABLE t (k int, v int); INSERT INTO t VALUES (1, 1), (1, 1), (2, 3), (2, 4)")
    outcome = compare(databases, "t")
    assert (outcome.one.missing, outcome.one.extra, outcome.one.different) == (0, 2, 1)


@pytest.mark.long
def test_thousands_of_differences_are_all_written_and_few_are_listed(databases: TwoDatabases) -> None:
    on_both(databases, "CREATE TABLE t (k bigint PRIMARY KEY, v int)")
    on_both(databases, "INSERT INTO t SELECT g, g FROM generate_series(1, 60000) g; ANALYZE t")
    databases.on_target("UPDATE t SET v = -v WHERE k % 3 = 0; DELETE FROM t WHERE k % 60 = 1")
    outcome = compare(databases, "t")
    assert (outcome.one.different, outcome.one.missing, outcome.one.equal) == (20_000, 1_000, 39_000)
    assert len(outcome.kinds()) == 21_000
    assert outcome.listed == MAX_LISTED


@pytest.mark.long
def test_wrong_statistics_cost_time_and_nothing_else(databases: TwoDatabases) -> None:
    """A table that was counted small is cut again where it differs."""
    on_both(databases, "CREATE TABLE t (k bigint PRIMARY KEY, v int)")
    on_both(databases, "INSERT INTO t SELECT g, g FROM generate_series(1, 60000) g; ANALYZE t")
    databases.on_target("UPDATE t SET v = -v WHERE k IN (1, 30000, 60000)")

    def mistaken(table: Table) -> Table:
        return replace(table, row_estimate=5)

    assert set(compare(databases, "t", change=mistaken).kinds()) == {("1",), ("30000",), ("60000",)}


def test_empty_missing_and_partitioned_tables(databases: TwoDatabases) -> None:
    on_both(databases, "CREATE TABLE nothing (k int PRIMARY KEY)")
    databases.on_source("CREATE TABLE absent (k int PRIMARY KEY); INSERT INTO absent VALUES (1), (2)")
    databases.on_source(
        "CREATE TABLE parts (k int PRIMARY KEY, v text) PARTITION BY RANGE (k);"
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (50);"
        "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (50) TO (1000)"
    )
    databases.on_target("CREATE TABLE parts (k int PRIMARY KEY, v text)")
    on_both(databases, "INSERT INTO parts SELECT g, 'v' FROM generate_series(1, 99) g")
    databases.on_target("DELETE FROM parts WHERE k = 77")
    outcome = compare(databases, "nothing", "absent", "parts")
    assert list(outcome.tables) == ["public.nothing", "public.absent", "public.parts"]
    assert outcome.tables["public.nothing"].is_equal
    absent = outcome.tables["public.absent"]
    assert (absent.missing, absent.equal, absent.is_equal) == (2, 0, False)
    assert absent.note == "the table is not on the target"
    assert outcome.kinds() == {("77",): "missing"}
    assert len(outcome.told) == 3


def test_lists_of_columns_that_differ_are_a_difference(databases: TwoDatabases) -> None:
    databases.on_source("CREATE TABLE t (k int PRIMARY KEY, a int, b text, c int)")
    databases.on_target("CREATE TABLE t (c int, b varchar(9), k int PRIMARY KEY, d int)")
    databases.on_source("INSERT INTO t VALUES (1, 1, 'x', 3), (2, 1, 'y', 3)")
    databases.on_target("INSERT INTO t VALUES (3, 'x', 1, 1), (3, 'z', 2, 1)")
    outcome = compare(databases, "t")
    assert not outcome.one.is_equal
    assert outcome.one.other_differences == (
        "column a is not on the target",
        "column d is only on the target",
        "column b is text on the source, character varying(9) on the target",
    )
    assert outcome.kinds() == {("2",): "different"}


def test_generated_columns_are_compared(databases: TwoDatabases) -> None:
    databases.on_source("CREATE TABLE t (k int PRIMARY KEY, a int GENERATED ALWAYS AS (k * 2) STORED)")
    databases.on_target("CREATE TABLE t (k int PRIMARY KEY, a int GENERATED ALWAYS AS (k * 3) STORED)")
    on_both(databases, "INSERT INTO t VALUES (0), (1)")
    assert compare(databases, "t").kinds() == {("1",): "different"}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(seed=st.integers(0, 2**32))
def test_random_edits_are_all_found_and_typed(databases: TwoDatabases, seed: int) -> None:
    draw = random.Random(seed)
    rows = draw.choice([30, 3000])
    on_both(
        databases, "DROP TABLE IF EXISTS t; CREATE TABLE t (k int, l text, v int, w text, PRIMARY KEY (k, l))"
    )
    on_both(
        databases,
        "INSERT INTO t SELECT g, 'l' || g %% 5, g, 'w' || g FROM generate_series(1, %s) g",
        rows,
    )
    on_both(databases, "ANALYZE t")
    edited = draw.sample(range(1, rows + 1), draw.randint(0, 25))
    kinds = {k: draw.choice(["missing", "extra", "different"]) for k in edited}
    of = {
        kind: [k for k, each in kinds.items() if each == kind] for kind in ("missing", "extra", "different")
    }
    databases.on_target("DELETE FROM t WHERE k = ANY(%s::int[])", of["missing"])
    databases.on_source("DELETE FROM t WHERE k = ANY(%s::int[])", of["extra"])
    change = draw.choice(["v = v + 1", "w = w || ' '", "w = NULL", "v = NULL", "w = ''", "w = upper(w)"])
    databases.on_target(f"UPDATE t SET {change} WHERE k = ANY(%s::int[])", of["different"])
    found = compare(databases, "t")
    assert found.kinds() == {(str(k), f"l{k % 5}"): kind for k, kind in kinds.items()}, f"seed {seed}"
    assert found.one.equal == rows - len(kinds)
