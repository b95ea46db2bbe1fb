"""Comparing while rows change, while sessions die, and until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.errors import CredentialError, ServerUnavailableError, TransientError
from heavylift.tables.engine import Work
from heavylift.tables.postgres.connect import connect
from heavylift.tables.verify.databases import compare_databases, options_for
from heavylift.tables.verify.postgres_side import PostgresSide
from heavylift.tables.verify.sampling import SampleChoice
from heavylift.tables.verify.sequences import sequences_behind
from heavylift.tables.verify.sessions import Sessions
from heavylift.tables.verify.settle import Settling
from heavylift.tables.verify.tables import CompareOptions, compare_tables
from tests.support.two_databases import TwoDatabases
from tests.support.verifying import compare, on_both, read_table, sides

FILL = "INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 2000) g; ANALYZE t"


@pytest.fixture
def table(databases: TwoDatabases) -> TwoDatabases:
    on_both(databases, f"CREATE TABLE t (k int PRIMARY KEY, v text); {FILL}")
    return databases


def settling(wait: Callable[[], None], rounds: int = 5) -> CompareOptions:
    return CompareOptions(settling=Settling(wait, rounds))


def test_a_late_row_settles_a_wrong_one_holds_and_a_restless_one_is_unsettled(table: TwoDatabases) -> None:
    table.on_source("UPDATE t SET v = 'late' WHERE k = 1; INSERT INTO t VALUES (2001, 'late')")
    table.on_source("DELETE FROM t WHERE k = 5")
    table.on_target("UPDATE t SET v = 'wrong' WHERE k = 2; DELETE FROM t WHERE k = 3")
    table.on_target("UPDATE t SET v = 'behind' WHERE k = 4")
    waits = []

    def wait() -> None:
        waits.append(1)
        table.on_source("UPDATE t SET v = 'n' || %s WHERE k = 4", len(waits))
        if len(waits) == 2:
            table.on_target("UPDATE t SET v = 'late' WHERE k = 1; INSERT INTO t VALUES (2001, 'late')")
            table.on_target("DELETE FROM t WHERE k = 5")

    outcome = compare(table, "t", options=settling(wait))
    assert outcome.kinds() == {("2",): "different", ("3",): "missing", ("4",): "unsettled"}
    assert (outcome.one.different, outcome.one.missing, outcome.one.unsettled) == (1, 1, 1)
    assert len(waits) == 5
    assert not outcome.one.is_equal


def test_a_row_that_goes_away_and_comes_back_is_no_difference(table: TwoDatabases) -> None:
    table.on_target("UPDATE t SET v = 'in between' WHERE k = 1")
    waits = []

    def wait() -> None:
        waits.append(1)
        if len(waits) == 2:
            table.on_target("UPDATE t SET v = 'v1' WHERE k = 1")

    assert compare(table, "t", options=settling(wait)).one.is_equal


def test_rows_without_a_key_settle_too(databases: TwoDatabases) -> None:
    on_both(databases, "CREATE TABLE t (a int)")
    databases.on_source("INSERT INTO t VALUES (1), (1), (2)")
    databases.on_target("INSERT INTO t VALUES (1), (3)")
    waits = []

    def wait() -> None:
        waits.append(1)
        if len(waits) == 1:
            databases.on_target("INSERT INTO t VALUES (1)")

    outcome = compare(databases, "t", options=settling(wait))
    assert (outcome.one.missing, outcome.one.extra) == (1, 1)


def test_the_source_is_read_as_an_exported_snapshot_has_it(table: TwoDatabases, tmp_path: Path) -> None:
    ours, theirs = read_table(table.source, "t"), read_table(table.target, "t")
    assert ours is not None
    with connect(table.source, "test") as holder:
        holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        row = holder.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        table.on_source("DELETE FROM t WHERE k < 100; UPDATE t SET v = ''")
        source = PostgresSide(Sessions("source", table.source, snapshot=row[0]))
        (compared,), differences = compare_tables(
            [(ours, theirs)],
            source,
            sides(table)[1],
            stop=threading.Event(),
            tell=lambda text: None,
            file=tmp_path / "rows.parquet",
        )
    assert compared.is_equal
    assert differences.count == 0
    assert not (tmp_path / "rows.parquet").exists()
    assert not compare(table, "t").one.is_equal


def waiting(databases: TwoDatabases) -> list[int]:
    """Return the sessions of a comparison that wait for a lock on the target."""
    rows = databases.on_target(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'heavylift verify' AND wait_event_type = 'Lock'"
    )
    return [pid for (pid,) in rows]


class Held:
    """A comparison that waits for a table which the test has locked on the target."""

    def __init__(self, databases: TwoDatabases) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._databases = databases

    def __enter__(self) -> Held:
        self._tables = read_table(self._databases.source, "t"), read_table(self._databases.target, "t")
        self._holder = connect(self._databases.target, "test")
        self._holder.execute("BEGIN")
        self._holder.execute("LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        self._thread = threading.Thread(target=self._compare)
        self._thread.start()
        for _ in range(400):
            if waiting(self._databases):
                return self
            time.sleep(0.05)
        raise AssertionError("the comparison never waited for the lock")

    def _compare(self) -> None:
        source, target = self._tables
        assert source is not None
        try:
            compare_tables(
                [(source, target)],
                *sides(self._databases),
                stop=self.stop,
                tell=lambda text: None,
                file=Path(self._databases.evidence_url.removeprefix("file://") + ".parquet"),
            )
        except BaseException as error:
            self.error = error

    def ended(self) -> BaseException | None:
        """Wait until the comparison ended, which it does while the lock is still held."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.error

    def __exit__(self, *_: object) -> None:
        self._holder.close()


def test_a_request_to_stop_cancels_what_runs(table: TwoDatabases) -> None:
    with Held(table) as held:
        held.stop.set()
        error = held.ended()
        assert isinstance(error, TransientError)
        assert error.code == "6200"
        assert not waiting(table)


def test_a_session_that_is_killed_is_a_passing_fault(table: TwoDatabases) -> None:
    with Held(table) as held:
        for pid in waiting(table):
            table.on_target("SELECT pg_terminate_backend(%s)", pid)
        error = held.ended()
        assert isinstance(error, ServerUnavailableError)
        assert "v1" not in str(error)


def test_nothing_begins_once_told_to_stop(table: TwoDatabases) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(TransientError, match="6200"):
        compare(table, "t", stop=stop)


def test_a_sample_reads_some_ranges_and_says_what_that_proves(databases: TwoDatabases) -> None:
    on_both(databases, "CREATE TABLE t (k int PRIMARY KEY, v int)")
    on_both(databases, "INSERT INTO t SELECT g, g FROM generate_series(1, 40000) g; ANALYZE t")
    options = CompareOptions(sample=SampleChoice(buckets=10, seed=3))
    one = compare(databases, "t", options=options).one
    assert one.is_equal
    assert 0 < one.equal < 20_000
    assert one.equal + one.not_compared == one.source_rows == one.target_rows == 40_000
    assert "10 of 40 ranges drawn at random (seed 3)" in one.note
    assert "fewer than 25.887% of the ranges" in one.note
    databases.on_target("UPDATE t SET v = -v")
    assert compare(databases, "t", options=options).one.different == one.equal
    databases.on_target("UPDATE t SET v = -v; DELETE FROM t WHERE k = 40000")
    found = compare(databases, "t", options=options).one
    assert not found.is_equal
    assert "40,000 rows on the source, 39,999 on the target" in found.in_words or found.missing == 1


def test_sequences_that_would_repeat_a_number(databases: TwoDatabases) -> None:
    on_both(databases, "CREATE SEQUENCE free; CREATE SEQUENCE other")
    on_both(
        databases,
        "CREATE TABLE t (a serial, b int GENERATED ALWAYS AS IDENTITY, c int DEFAULT nextval('free'),"
        " d int GENERATED ALWAYS AS IDENTITY (INCREMENT -1), e serial)",
    )
    sides = Sessions("source", databases.source), Sessions("target", databases.target)
    table = read_table(databases.source, "t")
    assert table is not None
    assert sequences_behind(*sides, [table]) == ()
    databases.on_source("INSERT INTO t DEFAULT VALUES; SELECT nextval('other')")
    databases.on_target("SELECT nextval('t_b_seq'), setval('t_a_seq', 100); DROP SEQUENCE t_e_seq CASCADE")
    behind = ("public.free", "public.t_d_seq", "public.t_e_seq (not on the target)")
    assert sequences_behind(*sides, [table]) == behind
    for each in sides:
        each.close()


@pytest.mark.long
def test_servers_of_two_encodings(databases: TwoDatabases) -> None:
    name = databases.target.schema + "_latin"
    databases.on_target(
        f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    latin = TwoDatabases(databases.source, replace(databases.target, schema=name), "")
    try:
        on_both(latin, "CREATE TABLE t (k text PRIMARY KEY, v text, w text, x text[])")
        on_both(latin, "INSERT INTO t SELECT 'ä' || g, 'é', 'öß', '{ü}' FROM generate_series(1, 100) g")
        assert compare(latin, "t").one.is_equal
        assert "MD5" in compare(latin, "t").one.method
        latin.on_target("UPDATE t SET v = 'è', w = NULL WHERE k = 'ä7'")
        assert compare(latin, "t").kinds() == {("ä7",): "different"}
    finally:
        databases.on_target(f"DROP DATABASE {name} WITH (FORCE)")


def test_rows_that_a_policy_hides_are_not_overlooked(table: TwoDatabases) -> None:
    role = f"r_{table.source.schema}"
    on_both(table, "ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY")
    on_both(table, f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT ON t TO {role}")
    try:
        users = (replace(each, login=role, password="x") for each in (table.source, table.target))
        limited = TwoDatabases(*users, "")
        with pytest.raises(CredentialError, match="row-level security"):
            compare(limited, "t")
    finally:
        on_both(table, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_comparison_is_handed_over_with_a_file_only_where_rows_differ(table: TwoDatabases) -> None:
    ours, theirs = read_table(table.source, "t"), read_table(table.target, "t")
    assert ours is not None
    told: list[str] = []
    work = Work(tell=lambda progress: told.append(progress.detail))
    options = options_for(table.request().options)
    pairs = [(ours, theirs)]
    equal = compare_databases(pairs, *sides(table), mode="frozen", options=options, work=work)
    table.on_target("UPDATE t SET v = '' WHERE k = 7")
    other = compare_databases(pairs, *sides(table), mode="frozen", options=options, work=work)
    assert (equal.spilled, equal.difference_count) == (None, 0)
    assert equal.statement.endswith("every row is on both sides with the same values in all columns")
    assert other.spilled is not None
    Path(other.spilled).unlink()
    assert [each.key for each in other.differences] == [{"k": "7"}]
    assert other.statement == "1 table of 1 not equal: public.t"
    assert [text.split(" (")[0] for text in told] == [
        "public.t: 2,000 rows: equal",
        "public.t: 2,000 rows: 1 different",
    ]
