"""PostgreSQL's own subscription, under the same acts and proofs."""

from __future__ import annotations

from heavylift.spec.sections_data import CaptureMethod
from heavylift.tables.engine import Work
from heavylift.tables.wiring import engine_for
from tests.support.live_writer import LEDGER, TABLES, LiveWriter
from tests.support.two_databases import TwoDatabases


def test_a_database_moves_by_its_own_replication_and_is_proved_all_the_same(databases: TwoDatabases) -> None:
    databases.on_source(LEDGER)
    databases.on_source("CREATE SEQUENCE counted; SELECT nextval('counted')")
    request = databases.request(method=CaptureMethod.NATIVE)
    engine = engine_for(request)
    with LiveWriter(databases.source, seed=3) as writer:
        writer.wait_for(100)
        assert engine.snapshot(request, Work()).engine == "native"
        assert engine.snapshot(request, Work()).already_complete
        writer.wait_for(writer.commits + 100)
        assert engine.sync(request, Work()).caught_up
        compared = engine.compare(request, Work(), frozen=False)
        assert compared.mode == "settled"
        assert compared.difference_count == 0, compared.differences
    drained = engine.drain(request, Work(), within_seconds=60)
    assert drained.reached
    assert drained.sequences["public.counted"] > 1000
    for table in TABLES:
        databases.assert_equal(table)
    assert engine.status(request).details["subscription_running"]
    engine.prepare_reverse(request, Work())
    databases.on_target("INSERT INTO event VALUES ('written on the target', NULL)")
    assert engine_for(request.reversed()).status(request.reversed()).state == "streaming"
    assert engine.end(request).state == "ended"
    assert databases.on_target("SELECT count(*) FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid"
                               " WHERE datname = current_database()") == [(0,)]  # fmt: skip
