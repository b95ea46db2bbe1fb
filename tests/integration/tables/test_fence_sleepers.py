"""A process that is stopped in the middle of freezing holds nobody up for long, and changes nothing later."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg import sql

from heavylift.errors import ConflictError, TransientError
from heavylift.fencing import Side, Writes
from heavylift.switching.databases import TablesDatabase
from heavylift.tables import api
from heavylift.tables.postgres import fence_sql, state_lock
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.pump import Pump
from tests.support.longer import first_then_long
from tests.support.two_databases import TwoDatabases

SOURCE, TARGET = Side.SOURCE, Side.TARGET


def test_who_is_stopped_within_a_fence_s_transaction_holds_the_tables_for_seconds_only(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends its session; another attempt freezes, and the one that wakes has frozen nothing."""
    databases.on_source("CREATE TABLE item (id bigint PRIMARY KEY, n int)")
    request = databases.request()
    asyncio.run(api.snapshot_tables(request))
    stopped, wake, ended = threading.Event(), threading.Event(), list[BaseException]()
    note = fence_sql.write_note

    def stopping(session: Any, fenced: Any, epoch: int, writes: Writes) -> None:
        if epoch == 2:
            stopped.set()
            wake.wait(60)
        note(session, fenced, epoch, writes)

    def sleep() -> None:
        try:
            asyncio.run(api.freeze_writes(request, side=SOURCE, epoch=2, within_seconds=20))
        except BaseException as error:
            ended.append(error)

    monkeypatch.setattr(fence_sql, "write_note", stopping)
    thread = threading.Thread(target=sleep, daemon=True)
    thread.start()
    assert stopped.wait(60)
    asyncio.run(api.freeze_writes(request, side=SOURCE, epoch=3, within_seconds=50))
    wake.set()
    thread.join(60)
    assert isinstance(ended[0], TransientError)
    state = asyncio.run(api.writes_state(request, side=SOURCE))
    assert (state.epoch, state.is_frozen) == (3, True)


@pytest.mark.parametrize("way_back", first_then_long([False, True]))
def test_a_drain_of_a_later_turn_ends_who_was_stopped_at_the_stream(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch, way_back: bool
) -> None:
    """The one that was stopped has applied nothing when it wakes; what it had to carry has arrived once."""
    databases.on_source("CREATE TABLE item (id bigint PRIMARY KEY, n int)")
    request = databases.request()
    asyncio.run(api.snapshot_tables(request))
    origin, insert = (TARGET, databases.on_target) if way_back else (SOURCE, databases.on_source)
    if way_back:
        asyncio.run(api.prepare_reverse(request))
    insert("INSERT INTO item SELECT i, i FROM generate_series(1, 500) i")
    ended, stopped, wake = list[BaseException](), threading.Event(), threading.Event()
    first = request.reversed() if way_back else request
    run = Pump.run

    def stopping(pump: Pump, *arguments: Any) -> None:
        if not stopped.is_set():
            stopped.set()
            wake.wait(60)
        run(pump, *arguments)

    def sleep() -> None:
        try:
            asyncio.run(api.sync_tables(first))
        except BaseException as error:
            ended.append(error)

    monkeypatch.setattr(Pump, "run", stopping)
    thread = threading.Thread(target=sleep, daemon=True)
    thread.start()
    assert stopped.wait(60)
    port = TablesDatabase(request)
    asyncio.run(port.catch_up(origin.other))
    drained = asyncio.run(port.drain(origin.other, within_seconds=60))
    assert drained.reached, drained.in_the_way
    wake.set()
    thread.join(60)
    assert isinstance(ended[0], TransientError | ConflictError), ended
    databases.assert_equal("item")


def test_who_is_stopped_while_it_makes_our_tables_holds_them_up_for_seconds_only(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock of Heavylift's own tables is free again though its holder never ended its transaction."""
    monkeypatch.setattr(state_lock, "ASLEEP", 0.2)
    with (
        closing(connect(databases.source, "sleeper")) as asleep,
        closing(connect(databases.source, "next")) as later,
    ):
        asleep.execute("BEGIN")
        state_lock.lock_state(asleep)
        fence_sql.ensure_fences(later)
        assert fence_sql.has_fences(later)
        with pytest.raises(psycopg.Error, match="idle-in-transaction"):
            asleep.execute("SELECT 1")


def test_a_side_tells_how_many_connections_it_has_and_takes(databases: TwoDatabases) -> None:
    databases.on_source("CREATE TABLE item (id bigint PRIMARY KEY)")
    port = TablesDatabase(databases.request())
    before = asyncio.run(port.connections(SOURCE))
    assert before is not None
    assert before.free is not None
    with closing(connect(databases.source, "one")), closing(connect(databases.source, "two")):
        after = asyncio.run(port.connections(SOURCE))
        assert after is not None
        assert after.in_use == before.in_use + 2
        limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
        with closing(connect(databases.source, "limit")) as session:
            session.execute(
                limit.format(sql.Identifier(str(databases.source.schema)), sql.Literal(after.in_use + 3))
            )
        limited = asyncio.run(port.connections(SOURCE))
        assert limited is not None
        assert limited.free == 3
