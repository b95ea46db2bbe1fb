"""A database's whole journey: snapshot, sync, comparison, drain, switch, and the way back."""

from __future__ import annotations

from heavylift.tables.engine import Work
from heavylift.tables.postgres.moving import ChangesEngine
from tests.support.live_writer import LEDGER, TABLES, LiveWriter
from tests.support.two_databases import TwoDatabases

ENGINE = ChangesEngine()


def assert_all_equal(databases: TwoDatabases) -> None:
    for table in TABLES:
        databases.assert_equal(table)


def test_a_database_moves_while_it_is_written_to(databases: TwoDatabases) -> None:
    databases.on_source(LEDGER)
    request = databases.request(range_bytes=64 * 1024, batch_changes=500)
    with LiveWriter(databases.source, seed=1) as writer:
        writer.wait_for(300)
        snapshot = ENGINE.snapshot(request, Work())
        assert snapshot.rows > 0
        writer.wait_for(writer.commits + 300)
        assert ENGINE.sync(request, Work()).caught_up
        compared = ENGINE.compare(request, Work(), frozen=False)
        assert compared.difference_count == 0, compared.differences
        assert compared.mode == "snapshot"
        writer.wait_for(writer.commits + 100)
    drained = ENGINE.drain(request, Work(), within_seconds=60)
    assert drained.reached
    assert drained.findings == ()
    assert_all_equal(databases)
    frozen = ENGINE.compare(request, Work(), frozen=True)
    assert (frozen.difference_count, frozen.sequences_behind) == (0, ())
    status = ENGINE.status(request)
    assert (status.state, status.slot_state, status.tables_copied) == ("streaming", "reserved", 3)
    assert (status.lag_bytes or 0) < 100_000


def test_what_is_written_after_the_switch_flows_back_and_not_in_a_circle(databases: TwoDatabases) -> None:
    databases.on_source(LEDGER)
    databases.on_source("INSERT INTO account SELECT i, 'o' || i, i FROM generate_series(1, 50) i")
    request = databases.request()
    ENGINE.snapshot(request, Work())
    assert ENGINE.drain(request, Work(), within_seconds=60).reached
    first = ENGINE.prepare_reverse(request, Work())
    again = ENGINE.prepare_reverse(request, Work())
    assert again.consistent_position == first.consistent_position
    back = request.reversed()
    with LiveWriter(databases.target, seed=2) as writer:
        writer.wait_for(200)
        assert ENGINE.sync(back, Work()).changes > 0
        writer.wait_for(writer.commits + 100)
        compared = ENGINE.compare(back, Work(), frozen=False)
        assert compared.difference_count == 0
    databases.on_target("CREATE TABLE born_after_the_switch (id int PRIMARY KEY)")
    drained = ENGINE.drain(back, Work(), within_seconds=60)
    assert drained.reached
    (left_out,) = drained.findings
    assert (left_out.rule, "born_after_the_switch" in left_out.detail) == ("way-back-left-out", True)
    databases.on_target("DROP TABLE born_after_the_switch")
    assert_all_equal(databases)
    forth = ENGINE.sync(request, Work())
    assert forth.changes == 0
    assert forth.transactions_skipped > 0
    for each in (request, back):
        assert ENGINE.end(each).state == "ended"
    assert databases.on_source(
        "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    ) == [(0,)]
