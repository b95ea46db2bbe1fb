"""What a stream holds on its source is never lost without a word, nor left behind."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from heavylift.errors import PermanentError, ServerUnavailableError, TransientError
from heavylift.tables.engine import Work
from heavylift.tables.model import TableName
from heavylift.tables.postgres import copy_pool
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.copy_progress import SnapshotProgress
from heavylift.tables.postgres.guard import guard
from heavylift.tables.postgres.lsn import lsn_from_text, lsn_to_text
from heavylift.tables.postgres.replication import exported_snapshot, identify
from heavylift.tables.postgres.schema_copy import finish_schema, is_schema_finished
from heavylift.tables.postgres.slot import end_stream, published, slot_name, slot_status
from heavylift.tables.postgres.snapshot import snapshot_tables
from heavylift.tables.postgres.snapshot_begin import ensure_stream
from heavylift.tables.postgres.state import StreamPhase, leased, read_stream, read_tables
from heavylift.tables.postgres.sync import sync_changes
from heavylift.tables.postgres.tables_added import add_tables, new_tables
from heavylift.tables.requests import TablesRequest
from tests.support.two_databases import TwoDatabases

TABLE = (
    "CREATE TABLE t (id int PRIMARY KEY, v text);INSERT INTO t SELECT i, 'v' FROM generate_series(1, 5000) i"
)


def guarded(request: TablesRequest) -> None:
    with (
        connect(request.source.connection, "test") as source,
        connect(request.target.connection, "test") as target,
    ):
        state = read_stream(target, request.stream)
        assert state is not None
        guard(request, state, source=source, target=target)


def phase(databases: TwoDatabases, request: TablesRequest) -> StreamPhase:
    with connect(databases.target, "test") as target:
        state = read_stream(target, request.stream)
        assert state is not None
        return state.phase


def test_a_slot_without_a_noted_position_is_made_anew(databases: TwoDatabases) -> None:
    databases.on_source(TABLE)
    request = databases.request()
    with connect(databases.source, "test") as source, connect(databases.target, "test") as target:
        ensure_stream(request, source=source, target=target)
    with exported_snapshot(databases.source, slot_name(request.stream)) as first:
        pass
    databases.on_source("INSERT INTO t VALUES (0, 'between')")
    record = snapshot_tables(request)
    assert record.consistent_position != lsn_to_text(first.consistent)
    databases.assert_equal("t")
    guarded(request)


def test_a_lost_slot_is_told_and_only_a_new_snapshot_helps(databases: TwoDatabases) -> None:
    databases.on_source(TABLE)
    request = databases.request()
    snapshot_tables(request)
    guarded(request)
    name = slot_name(request.stream)
    databases.on_source(f"SELECT pg_drop_replication_slot('{name}')")
    with pytest.raises(PermanentError, match=r"is gone from the source.*HL-6116"):
        guarded(request)
    assert phase(databases, request) is StreamPhase.INVALID
    with pytest.raises(PermanentError, match=r"invalid: the replication slot.*is gone.*HL-6115"):
        snapshot_tables(request)
    databases.on_source("DELETE FROM t WHERE id % 2 = 0")
    snapshot_tables(request, anew=True)
    databases.assert_equal("t")
    assert phase(databases, request) is StreamPhase.STREAMING


def test_a_slot_that_somebody_made_again_is_refused(databases: TwoDatabases) -> None:
    databases.on_source(TABLE)
    request = databases.request()
    snapshot_tables(request)
    name = slot_name(request.stream)
    databases.on_source(f"SELECT pg_drop_replication_slot('{name}')")
    databases.on_source("UPDATE t SET v = 'lost'")
    databases.on_source(f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')")
    with pytest.raises(PermanentError, match=r"what lies between is lost.*HL-6116"):
        guarded(request)
    assert phase(databases, request) is StreamPhase.INVALID


@pytest.mark.parametrize(
    "act",
    [
        "ALTER PUBLICATION {publication} DROP TABLE t",
        "DROP PUBLICATION {publication}",
        "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text)",
    ],
)
def test_a_table_that_is_no_longer_published_ends_the_stream(databases: TwoDatabases, act: str) -> None:
    databases.on_source(TABLE + "; CREATE TABLE u (id int PRIMARY KEY)")
    request = databases.request()
    snapshot_tables(request)
    databases.on_source(act.format(publication=slot_name(request.stream)))
    databases.on_source("INSERT INTO t VALUES (0, 'in no log of ours')")
    with pytest.raises(PermanentError, match=r"lacks public\.t.*HL-6116"):
        sync_changes(request, Work())
    assert phase(databases, request) is StreamPhase.INVALID


def test_a_slot_that_keeps_too_much_is_given_up(databases: TwoDatabases) -> None:
    databases.on_source(TABLE)
    request = databases.request(max_retained_wal=1024)
    snapshot_tables(request)
    databases.on_source("UPDATE t SET v = repeat('x', 100)")
    with pytest.raises(PermanentError, match=r"at most 1024 bytes.*HL-6118"):
        guarded(request)
    assert phase(databases, request) is StreamPhase.INVALID
    with connect(databases.source, "test") as source:
        assert slot_status(source, slot_name(request.stream)) is None


def test_ending_gives_everything_back_and_can_be_done_twice(databases: TwoDatabases) -> None:
    databases.on_source(TABLE)
    request = databases.request()
    assert not end_stream(request)
    snapshot_tables(request)
    assert end_stream(request)
    assert not end_stream(request)
    assert phase(databases, request) is StreamPhase.ENDED
    left = "SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()), count(*)"
    assert databases.on_source(f"{left} FROM pg_publication") == [(0, 0)]
    databases.assert_equal("t")
    with pytest.raises(PermanentError, match="HL-6115"):
        snapshot_tables(request)


def test_another_server_is_refused(databases: TwoDatabases) -> None:
    databases.on_source(TABLE)
    request = databases.request()
    stop = threading.Event()

    def tell(progress: SnapshotProgress) -> None:
        # Told between two steps, and the wish is heard before the next one.
        if progress.step.startswith("building"):
            stop.set()

    with pytest.raises(TransientError, match="HL-6112"):
        snapshot_tables(request, stop=stop, tell=tell)
    assert phase(databases, request) is StreamPhase.COPYING
    databases.on_target("UPDATE heavylift.stream SET source_timeline = 7")
    for act in (snapshot_tables, lambda request: sync_changes(request, Work())):
        with pytest.raises(PermanentError, match=r"timeline 1, .* expected .* timeline 7.*HL-6119"):
            act(request)
        databases.on_target("UPDATE heavylift.stream SET state = 'streaming', applied_lsn = consistent_lsn")


@pytest.mark.long
def test_a_wish_to_stop_is_heard_and_the_rest_follows(
    databases: TwoDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_pool, "_TELL_EVERY", 0.05)
    databases.on_source(TABLE)
    databases.on_source("INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(10000, 60000) i")
    request = databases.request(range_bytes=65536, parallel_ranges=1)
    stop, told = threading.Event(), list[SnapshotProgress]()

    def tell(progress: SnapshotProgress) -> None:
        told.append(progress)
        if progress.ranges_done:
            stop.set()

    with pytest.raises(TransientError, match=r"the wish to stop.*HL-6112"):
        snapshot_tables(request, stop=stop, tell=tell)
    assert 0 < told[-1].ranges_done <= told[-1].ranges
    record = snapshot_tables(request)
    assert record.tables[0].ranges_reused >= told[-1].ranges_done
    databases.assert_equal("t")


def test_a_transaction_that_does_not_end_is_named(databases: TwoDatabases) -> None:
    databases.on_source(TABLE)
    with connect(databases.source, "test", autocommit=False) as writer:
        writer.execute("INSERT INTO public.t VALUES (-1, 'open')")
        pid = writer.info.backend_pid
        with (
            pytest.raises(ServerUnavailableError, match=rf"pid {pid} .*HL-6111"),
            exported_snapshot(databases.source, "heavylift_waits", patience=1.0),
        ):
            pass
        writer.rollback()
    ends = time.monotonic() + 120
    with connect(databases.source, "test") as source:
        while slot_status(source, "heavylift_waits") is not None:
            assert time.monotonic() < ends


def test_identity_is_told_by_the_server(databases: TwoDatabases) -> None:
    found = identify(databases.source)
    assert found.database == databases.source.schema
    assert (
        found.system == databases.on_source("SELECT system_identifier::text FROM pg_control_system()")[0][0]
    )
    assert replace(found, timeline=1) == found


def test_tables_that_come_later_join_the_stream(databases: TwoDatabases) -> None:
    databases.on_source(TABLE)
    request = databases.request()
    first = snapshot_tables(request)
    databases.on_source(
        "CREATE TABLE later (id serial PRIMARY KEY, t int REFERENCES t, v text UNIQUE);"
        "INSERT INTO later (t, v) SELECT i, 'l' || i FROM generate_series(1, 100) i"
    )
    with (
        connect(databases.source, "test") as source,
        connect(databases.target, "test") as target,
        leased(target, request.stream) as lease,
    ):
        tables = new_tables(request, source=source, target=target)
        assert [str(table.name) for table in tables] == ["public.later"]
        counts, _ = add_tables(request, tables, source=source, target=target, lease=lease)
        assert [(count.table, count.rows) for count in counts] == [("public.later", 100)]
        assert new_tables(request, source=source, target=target) == ()
        assert published(source, slot_name(request.stream)) == {
            TableName("public", "t"), TableName("public", "later")
        }  # fmt: skip
        state = read_tables(target, request.stream)[TableName("public", "later")]
        assert state.copied == state.settled
        assert (state.copied or 0) > lsn_from_text(first.consistent_position)
        assert not is_schema_finished(target, request.stream)
        finish_schema(request, source=source, target=target)
        assert is_schema_finished(target, request.stream)
    databases.assert_equal("later")
    constraints = "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1"
    assert databases.on_target(constraints) == databases.on_source(constraints)
