"""Between versions: an older server's database moves to the newest; a failover of the source is outlived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from heavylift.errors import PermanentError
from heavylift.fencing import Side
from heavylift.tables.engine import Work
from heavylift.tables.fences import acts as fences
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.moving import ChangesEngine
from sandbox.pg_programs import find_in_wheel
from tests.support.live_writer import LEDGER, TABLES, LiveWriter
from tests.support.own_postgres import OwnPostgres
from tests.support.two_databases import TwoDatabases, run_sql

pytestmark = pytest.mark.long

ENGINE = ChangesEngine()


@pytest.fixture(scope="module")
def newest() -> Iterator[OwnPostgres]:
    """A server of the wheel's version; it keeps its log for the standby's slot too."""
    server = OwnPostgres("newest", find_in_wheel, hot_standby="on")
    try:
        yield server
    finally:
        server.remove()


def moved_to(server: OwnPostgres, databases: TwoDatabases, *sides: str) -> Iterator[TwoDatabases]:
    """Give the databases, with these sides on the server."""
    names = {side: f"{databases.source.schema}_{side}" for side in sides}
    for name in names.values():
        run_sql(server.connection("postgres"), f"CREATE DATABASE {name}")
    yield replace(databases, **{side: server.connection(name) for side, name in names.items()})
    with closing(connect(server.connection("postgres"), "test")) as session:
        for name in names.values():
            session.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s",
                [name],
            )
            session.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def upwards(newest: OwnPostgres, databases: TwoDatabases) -> Iterator[TwoDatabases]:
    """The source on the machine's version, the target on the newest."""
    yield from moved_to(newest, databases, "target")


@pytest.fixture
def level(newest: OwnPostgres, databases: TwoDatabases) -> Iterator[TwoDatabases]:
    """Both on the newest version."""
    yield from moved_to(newest, databases, "source", "target")


@pytest.mark.parametrize("pair", ["upwards", "level"])
def test_the_whole_journey_between_versions(pair: str, request: pytest.FixtureRequest) -> None:
    databases: TwoDatabases = request.getfixturevalue(pair)
    databases.on_source(LEDGER)
    databases.on_source("INSERT INTO account SELECT i, 'o' || i, i FROM generate_series(1000, 4000) i")
    asked = databases.request(range_bytes=64 * 1024, batch_changes=500)
    with LiveWriter(databases.source, seed=5) as writer:
        writer.wait_for(100)
        ENGINE.snapshot(asked, Work())
        writer.wait_for(writer.commits + 200)
        assert ENGINE.sync(asked, Work()).caught_up
        compared = ENGINE.compare(asked, Work(), frozen=False)
        assert (compared.mode, compared.difference_count) == ("snapshot", 0)
    assert ENGINE.drain(asked, Work(), within_seconds=60).reached
    assert ENGINE.compare(asked, Work(), frozen=True).difference_count == 0
    ENGINE.prepare_reverse(asked, Work())
    back = asked.reversed()
    with LiveWriter(databases.target, seed=6) as writer:
        writer.wait_for(200)
        assert ENGINE.sync(back, Work()).changes > 0
    assert ENGINE.drain(back, Work(), within_seconds=60).reached
    for table in TABLES:
        databases.assert_equal(table)
    assert ENGINE.sync(asked, Work()).changes == 0
    for each in (asked, back):
        assert ENGINE.end(each).state == "ended"


def test_a_slot_that_a_standby_keeps_outlives_a_failover(upwards: TwoDatabases) -> None:
    primary = OwnPostgres("primary", find_in_wheel)
    standby = None
    try:
        name = upwards.source.schema or ""
        run_sql(primary.connection("postgres"), f"CREATE DATABASE {name}")
        before = replace(upwards, source=primary.connection(name))
        before.on_source("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)")
        ENGINE.snapshot(before.request(), Work())
        standby = OwnPostgres(
            "standby", find_in_wheel, primary,
            hot_standby_feedback="on", sync_replication_slots="on", primary_slot_name="standby",
        )  # fmt: skip
        after = replace(upwards, source=standby.connection(name))
        before.on_source("INSERT INTO t SELECT generate_series(101, 200)")
        assert ENGINE.sync(before.request(), Work()).inserts == 100
        [(confirmed,)] = before.on_source("SELECT max(confirmed_flush_lsn)::text FROM pg_replication_slots")
        kept = (
            "SELECT 1 FROM pg_replication_slots WHERE synced AND NOT temporary"
            f" AND confirmed_flush_lsn >= '{confirmed}'"
        )
        while not after.on_source(kept):
            before.on_source("SELECT pg_log_standby_snapshot()")
        before.on_source("INSERT INTO t SELECT generate_series(201, 300)")
        [(written,)] = before.on_source("SELECT pg_current_wal_lsn()::text")
        while after.on_source(f"SELECT pg_last_wal_replay_lsn() < '{written}'") == [(True,)]:
            assert standby is not None
        primary.crash()
        standby.promote()
        assert ENGINE.sync(after.request(), Work()).inserts == 100
        after.on_source("DELETE FROM t WHERE id <= 50")
        assert ENGINE.sync(after.request(), Work()).deletes == 50
        after.assert_equal("t")
        # As if the target had got what the standby never did.
        upwards.on_target("UPDATE heavylift.stream SET source_timeline = 1")
        with pytest.raises(PermanentError, match=r"the earlier one ended at .*HL-6119"):
            ENGINE.sync(after.request(), Work())
    finally:
        primary.remove()
        if standby is not None:
            standby.remove()


def test_a_fence_holds_on_the_newest_version_and_over_a_crash(
    newest: OwnPostgres, level: TwoDatabases
) -> None:
    level.on_source("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    level.on_source("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); INSERT INTO p VALUES (1)")
    request = level.request()
    ENGINE.snapshot(request, Work())
    for side in Side:
        fences.freeze(request, Work(), side=side, epoch=1, within_seconds=20)
    newest.crash()
    newest.start()
    for side, run in ((Side.SOURCE, level.on_source), (Side.TARGET, level.on_target)):
        assert fences.state_of(request, side).is_frozen
        for statement in ("INSERT INTO p VALUES (2)", "DELETE FROM p1", "TRUNCATE p"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                run(statement)
    assert ENGINE.drain(request, Work(), within_seconds=60).reached
    ENGINE.prepare_reverse(request, Work())
    fences.unfreeze(request, Work(), side=Side.TARGET, epoch=1, within_seconds=20)
    level.on_target("INSERT INTO p VALUES (2)")
    assert ENGINE.sync(request.reversed(), Work()).inserts == 1
    level.assert_equal("p")
