"""Fences on PostgreSQL: nothing is acknowledged after them, nothing is lost before, and one side is open."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import closing
from typing import Any, TypeVar

import psycopg
import pytest

from heavylift.connections import Connection
from heavylift.errors import ConflictError, TransientError
from heavylift.fencing import Side, Writes
from heavylift.tables import api
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.requests import TablesRequest
from tests.support.fenced_writer import FencedWriter
from tests.support.two_databases import TwoDatabases, run_sql

T = TypeVar("T")
SOURCE, TARGET = Side.SOURCE, Side.TARGET
SCHEMA = """
CREATE TABLE item (id bigint PRIMARY KEY, n int, body text);
CREATE TABLE part (id bigint, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent ON DELETE CASCADE);
CREATE VIEW item_view AS SELECT id, n FROM item;
INSERT INTO item SELECT i, i, 'x' FROM generate_series(-100, -1) i;
INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1, 1);
"""


def wait(doing: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(doing)


def freeze(request: TablesRequest, side: Side, epoch: int, within: float = 20.0) -> Any:
    return wait(api.freeze_writes(request, side=side, epoch=epoch, within_seconds=within))[0]


def unfreeze(request: TablesRequest, side: Side, epoch: int, **options: Any) -> Any:
    return wait(api.unfreeze_writes(request, side=side, epoch=epoch, **options))[0]


def state(request: TablesRequest, side: Side) -> Any:
    return wait(api.writes_state(request, side=side))


def begun(databases: TwoDatabases) -> TablesRequest:
    """Move the tables, so that changes flow, with a fence on the target as there is before a switch."""
    databases.on_source(SCHEMA)
    request = databases.request()
    wait(api.snapshot_tables(request))
    freeze(request, TARGET, 1)
    return request


def writer(connection: Connection, begin: int = 0) -> FencedWriter:
    def insert(session: Any, number: int) -> None:
        session.execute("INSERT INTO public.item VALUES (%s, %s, 'w')", [number, number])
        session.execute("INSERT INTO public.part VALUES (%s, 1)", [number])

    return FencedWriter(
        lambda: closing(connect(connection, "writer", autocommit=False)),
        insert,
        lambda error: isinstance(error, psycopg.errors.ReadOnlySqlTransaction),
        begin=begin,
    )


def numbers(connection: Connection) -> list[int]:
    return [row[0] for row in run_sql(connection, "SELECT id FROM item WHERE id >= 0 ORDER BY 1")]


def equal(databases: TwoDatabases) -> None:
    for table in ("item", "part", "parent", "child"):
        databases.assert_equal(table)


def refused(connection: Connection, statement: str) -> str:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as error:
        run_sql(connection, statement)
    return str(error.value)


def test_a_switch_and_the_way_back_lose_and_double_nothing(databases: TwoDatabases) -> None:
    request = begun(databases)
    assert wait(api.switched_to(request)) is SOURCE
    with writer(databases.source) as live:
        live.wait_until(lambda: len(live.acknowledged) >= 200)
        record = freeze(request, SOURCE, 2)
        live.wait_until(lambda: live.refused >= 8)
    acknowledged = sorted(live.acknowledged)
    assert numbers(databases.source) == acknowledged
    assert (record.act, record.writes, record.tables, record.already) == ("frozen", "frozen", 5, False)
    drained, _ = wait(api.drain_tables(request, within_seconds=60))
    assert (drained.reached, drained.findings) == (True, ())
    assert lsn_from_text(drained.upto_position) >= lsn_from_text(record.position)
    assert wait(api.verify_tables(request, frozen=True))[0].passed
    assert numbers(databases.target) == acknowledged
    wait(api.prepare_reverse(request))
    with pytest.raises(ConflictError, match="HL-8701"):
        unfreeze(request, TARGET, 0)
    assert unfreeze(request, TARGET, 2).act == "opened"
    assert (state(request, SOURCE).is_frozen, state(request, TARGET).writes) == (True, Writes.OPEN)
    assert wait(api.switched_to(request)) is TARGET
    with pytest.raises(ConflictError, match="HL-8786"):
        wait(api.sync_tables(request))
    back = request.reversed()
    assert wait(api.live_request(request)) == back
    with writer(databases.target, begin=1_000_000) as live:
        live.wait_until(lambda: len(live.acknowledged) >= 100)
        assert wait(api.sync_tables(back))[0].changes > 0
        freeze(request, TARGET, 3)
        live.wait_until(lambda: live.refused >= 8)
    # Both are frozen: the last open one tells where changes come from.
    assert wait(api.switched_to(request)) is TARGET
    assert wait(api.drain_tables(back, within_seconds=60))[0].reached
    unfreeze(request, SOURCE, 3)
    assert numbers(databases.source) == [*acknowledged, *sorted(live.acknowledged)]
    equal(databases)
    assert wait(api.switched_to(request)) is SOURCE
    with pytest.raises(ConflictError, match="HL-8786"):
        wait(api.sync_tables(back))
    databases.on_source("INSERT INTO item VALUES (-1000, 1, 'after the rollback')")
    assert wait(api.sync_tables(request))[0].changes == 1
    equal(databases)


def test_every_way_to_write_is_refused_and_every_way_to_read_is_not(databases: TwoDatabases) -> None:
    request = begun(databases)
    freeze(request, SOURCE, 1)
    for statement in (
        "INSERT INTO item VALUES (1)",
        "UPDATE item SET n = 1 WHERE false",
        "DELETE FROM item",
        "TRUNCATE child",
        "INSERT INTO part VALUES (1, 1)",
        "INSERT INTO part_low VALUES (1, 1)",
        "TRUNCATE part_low",
        "UPDATE item_view SET n = 2",
        "DELETE FROM parent",
        "WITH gone AS (DELETE FROM item RETURNING id) SELECT count(*) FROM gone",
        "INSERT INTO item VALUES (-1) ON CONFLICT (id) DO UPDATE SET n = 3",
        "ALTER TABLE item ADD extra int; INSERT INTO item VALUES (1)",
    ):
        said = refused(databases.source, statement)
    assert f"migration {request.run.migration}, source of database db, epoch 1" in said
    with (
        connect(databases.source, "test") as session,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        session.cursor().copy("COPY public.item FROM STDIN") as copy,
    ):
        copy.write(b"1\t1\tx\n")
    assert databases.on_source("SELECT count(*) FROM item") == [(100,)]
    databases.on_source(
        "SELECT * FROM item FOR UPDATE; CREATE TABLE other (id int); INSERT INTO other VALUES (1)"
    )
    assert state(request, SOURCE).partly == ("public.other",)


def test_a_transaction_in_the_way_is_told_and_nothing_is_frozen(databases: TwoDatabases) -> None:
    request = begun(databases)
    with connect(databases.source, "test", autocommit=False) as session:
        session.execute("SET application_name = 'nightly job'")
        session.execute("UPDATE public.item SET n = 42 WHERE id = -1")
        with pytest.raises(TransientError, match=r"HL-8781") as error:
            freeze(request, SOURCE, 2, within=0.8)
        assert f"pid {session.info.backend_pid} (application 'nightly job'" in error.value.got
        assert "UPDATE" not in error.value.got
        assert state(request, SOURCE).writes is Writes.OPEN
        databases.on_source("UPDATE item SET n = 43 WHERE id = -2; TRUNCATE child")
        session.commit()
    assert freeze(request, SOURCE, 2).attempts == 1
    refused(databases.source, "DELETE FROM item")


def test_later_epochs_win_and_the_same_act_twice_changes_nothing(databases: TwoDatabases) -> None:
    request = begun(databases)
    assert [freeze(request, SOURCE, epoch).already for epoch in (5, 5, 6)] == [False, True, False]
    for act in (freeze, unfreeze):
        with pytest.raises(ConflictError, match=r"epoch 5, while epoch 6 is in force.*HL-8701"):
            act(request, SOURCE, 5)
    assert (state(request, SOURCE).epoch, state(request, SOURCE).is_frozen) == (6, True)
    with pytest.raises(ConflictError, match=r"HL-8784"):
        wait(api.drop_fence(request, side=SOURCE, epoch=6))
    assert [unfreeze(request, SOURCE, 6).already for _ in range(2)] == [False, True]
    with pytest.raises(ConflictError, match=r"HL-8783"):
        unfreeze(request, TARGET, 6)
    unfreeze(request, TARGET, 6, whatever_the_other=True)
    with pytest.raises(ConflictError, match=r"HL-8785"):
        wait(api.switched_to(request)) if state(request, SOURCE).opened else None
    for side in Side:
        assert wait(api.drop_fence(request, side=side, epoch=6))[0].act == "dropped"
        assert wait(api.drop_fence(request, side=side, epoch=6))[0].already
        assert state(request, side).epoch == 0
    for rows in databases.rows("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'heavylift%'"):
        assert rows == [(0,)]


def test_two_at_once_come_one_after_the_other(databases: TwoDatabases) -> None:
    request = begun(databases)

    async def both() -> list[Any]:
        acts = [api.freeze_writes(request, side=SOURCE, epoch=e, within_seconds=20) for e in (7, 8)]
        return await asyncio.gather(*acts, return_exceptions=True)

    lower, higher = wait(both())
    assert higher[0].act == "frozen"
    assert isinstance(lower, tuple) or "HL-8701" in str(lower)
    assert (state(request, SOURCE).epoch, state(request, SOURCE).is_frozen) == (8, True)
