"""PostgreSQL's own subscription, under the same acts and proofs."""

from __future__ import annotations

import pytest

from heavylift.errors import ConflictError, PermanentError
from heavylift.spec.sections_data import CaptureMethod
from heavylift.tables.engine import Work
from heavylift.tables.postgres.slot import slot_name
from heavylift.tables.wiring import engine_for
from tests.support.live_writer import LEDGER, TABLES, LiveWriter
from tests.support.two_databases import TwoDatabases, run_sql


@pytest.mark.long
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


@pytest.mark.long
def test_what_a_subscription_would_pass_over_is_told(databases: TwoDatabases) -> None:
    databases.on_source(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100)"
    )
    request = databases.request(method=CaptureMethod.NATIVE)
    engine = engine_for(request)
    engine.snapshot(request, Work())
    more = "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200)"
    databases.on_source(more)
    databases.on_source("INSERT INTO p VALUES (1), (150)")
    with pytest.raises(ConflictError, match=r"does not follow: public.p2.*HL-6602"):
        engine.sync(request, Work())
    databases.on_target(more)
    name = slot_name(request.stream)
    databases.on_source(f"ALTER PUBLICATION {name} ADD TABLE p2")
    with pytest.raises(ConflictError, match="HL-6602"):
        engine.sync(request, Work())
    run_sql(databases.target, f"ALTER SUBSCRIPTION {name} REFRESH PUBLICATION")
    while databases.on_target("SELECT 1 FROM pg_subscription_rel WHERE srsubstate <> 'r'"):
        assert databases.on_target("SELECT 1 FROM pg_stat_subscription")
    assert engine.sync(request, Work()).caught_up
    databases.assert_equal("p")
    assert engine.snapshot(databases.request(method=CaptureMethod.NATIVE, anew=True), Work()).rows >= 0
    databases.assert_equal("p")
    engine.end(request)


@pytest.mark.long
def test_a_copy_that_the_target_refuses_is_told_and_not_waited_for(databases: TwoDatabases) -> None:
    databases.on_source("CREATE TABLE good (id int PRIMARY KEY); CREATE TABLE bad (id int PRIMARY KEY)")
    databases.on_source("INSERT INTO good VALUES (1); INSERT INTO bad VALUES (1)")
    databases.on_target("CREATE TABLE bad (id int PRIMARY KEY)")
    # It stands in the way of the rows, but of nothing that the preflight compares.
    databases.on_target("ALTER TABLE bad ADD CONSTRAINT none CHECK (id > 5)")
    request = databases.request(method=CaptureMethod.NATIVE)
    engine = engine_for(request)
    with pytest.raises(PermanentError, match=r"copying public\.bad .*failures of its workers.*HL-6600"):
        engine.snapshot(request, Work())
    databases.on_target("ALTER TABLE bad DROP CONSTRAINT none")
    engine.snapshot(request, Work())
    databases.assert_equal("bad")
    databases.assert_equal("good")
    engine.end(request)
