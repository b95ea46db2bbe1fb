"""Edges: log that is gone, prepared transactions, idle databases, runs that come back from the dead."""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path

import pytest

from heavylift.errors import PermanentError, TransientError
from heavylift.tables.engine import Work
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.postgres.moving import ChangesEngine
from tests.support import table_worker
from tests.support.frozen import freeze
from tests.support.two_databases import TwoDatabases

ENGINE = ChangesEngine()
ITEM = """
CREATE TABLE item (id int PRIMARY KEY, body text);
INSERT INTO item SELECT i, 'x' FROM generate_series(1, 50) i
"""
NOISE = "CREATE TABLE noise AS SELECT repeat(md5(i::text), 60) AS v FROM generate_series(1, 60000) i"


@pytest.mark.long
def test_a_slot_whose_log_is_gone_ends_the_stream_for_good(small: TwoDatabases) -> None:
    small.on_source(ITEM)
    request = small.request()
    ENGINE.snapshot(request, Work())
    small.on_source(NOISE)
    for _ in range(3):
        small.on_source("SELECT pg_switch_wal()")
        small.on_source("CHECKPOINT")
    small.on_source("UPDATE item SET body = 'after'")
    with pytest.raises(PermanentError, match="no longer keeps the log"):
        ENGINE.sync(request, Work())
    assert ENGINE.status(request).state == "invalid"
    assert small.on_target("SELECT DISTINCT body FROM item") == [("x",)]
    for act in (ENGINE.sync, ENGINE.snapshot):
        with pytest.raises(PermanentError, match="invalid"):
            act(request, Work())
    small.on_source("DROP TABLE noise")
    ENGINE.snapshot(small.request(anew=True), Work())
    small.on_source("INSERT INTO item VALUES (51, 'new')")
    assert ENGINE.sync(request, Work()).caught_up
    small.assert_equal("item")


@pytest.mark.long
def test_too_much_kept_log_gives_the_slot_up_before_the_disk_fills(databases: TwoDatabases) -> None:
    databases.on_source(ITEM)
    ENGINE.snapshot(databases.request(), Work())
    databases.on_source("CREATE TABLE noise AS SELECT md5(i::text) FROM generate_series(1, 30000) i")
    with pytest.raises(PermanentError, match="max_retained_wal"):
        ENGINE.sync(databases.request(max_retained_wal=100_000), Work())
    left = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    assert databases.on_source(left) == [(0,)]


@pytest.mark.long
def test_prepared_transactions_count_only_once_they_are_committed(small: TwoDatabases) -> None:
    small.on_source(ITEM)
    request = small.request()
    ENGINE.snapshot(request, Work())
    for gid, value in (("kept", 100), ("thrown", 101)):
        with closing(connect(small.source, "test")) as session:
            for statement in ("BEGIN", f"INSERT INTO public.item VALUES ({value}, '{gid}')"):
                session.execute(statement.encode())
            session.execute(f"PREPARE TRANSACTION '{gid}'".encode())
    assert ENGINE.sync(request, Work()).changes == 0
    small.on_source("ROLLBACK PREPARED 'thrown'")
    small.on_source("COMMIT PREPARED 'kept'")
    assert ENGINE.sync(request, Work()).inserts == 1
    small.assert_equal("item")


def test_the_slot_of_an_idle_database_moves_on(databases: TwoDatabases) -> None:
    databases.on_source(ITEM)
    request = databases.request()
    ENGINE.snapshot(request, Work())
    databases.on_source("CREATE TABLE other AS SELECT md5(i::text) FROM generate_series(1, 20000) i")
    record = ENGINE.sync(databases.request(exclude=("other",)), Work())
    assert record.changes == 0
    confirmed = databases.on_source(
        "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = current_database()"
    )
    assert lsn_from_text(confirmed[0][0]) >= lsn_from_text(record.upto_position)


def test_a_run_that_was_taken_for_dead_changes_nothing_any_more(databases: TwoDatabases) -> None:
    databases.on_source(ITEM)
    request = databases.request()
    ENGINE.snapshot(request, Work())
    databases.on_source("INSERT INTO item SELECT i, 'later' FROM generate_series(100, 40000) i")
    zombie = table_worker.start(
        "sync", databases.source, databases.target, request.run.migration, batch_changes=50
    )
    at_work = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
    while not databases.on_target(at_work, "heavylift apply"):
        assert zombie.poll() is None
    freeze(zombie.pid)
    with pytest.raises(TransientError, match="another run"):
        ENGINE.sync(request, Work())
    for name in ("heavylift lease", "heavylift apply"):
        databases.on_target(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = %s"
            " AND datname = current_database()",
            name,
        )
    databases.on_source(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE application_name = 'heavylift changes' AND datname = current_database()"
    )
    assert ENGINE.sync(request, Work()).caught_up
    zombie.send_signal(signal.SIGCONT)
    _out, err = zombie.communicate(timeout=120)
    assert zombie.returncode in {table_worker.RETRY, table_worker.GIVE_UP}, err
    databases.assert_equal("item")


@pytest.mark.long
def test_a_huge_transaction_needs_little_memory(databases: TwoDatabases) -> None:
    databases.on_source(ITEM)
    request = databases.request()
    ENGINE.snapshot(request, Work())
    databases.on_source("INSERT INTO item SELECT i, md5(i::text) FROM generate_series(100, 200000) i")
    worker = table_worker.start("sync", databases.source, databases.target, request.run.migration)
    peak = 0
    while worker.poll() is None:
        try:
            status = Path(f"/proc/{worker.pid}/status").read_text()
        except OSError:
            break
        marks = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
        peak = max(peak, *marks, 0)
    out, err = worker.communicate()
    assert worker.returncode == 0, err
    assert '"transactions":1' in out
    assert peak < 300 * 1024
    databases.assert_equal("item")
