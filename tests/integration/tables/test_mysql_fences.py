"""Fences on MariaDB: nothing is acknowledged after them, nothing is lost before, and one side is open."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pymysql
import pytest

from heavylift.errors import ConflictError, TransientError
from heavylift.fencing import Side, Writes
from heavylift.tables import api
from heavylift.tables.fences.acts import fence_of
from heavylift.tables.mysql import fence_sql
from heavylift.tables.mysql.connect import connect, execute
from heavylift.tables.mysql.twin.programs import FOLDER
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.requests import TablesRequest
from sandbox.servers import mariadb
from sandbox.stack import Stack
from tests.support.fenced_writer import FencedWriter
from tests.support.mysql_to_postgres import MysqlToPostgres, mysql_to_postgres
from tests.support.mysql_twin import MysqlTwin

T = TypeVar("T")
SOURCE, TARGET = Side.SOURCE, Side.TARGET
SCHEMA = (
    "CREATE TABLE item (id bigint PRIMARY KEY, n int)",
    "CREATE TABLE other (id bigint PRIMARY KEY)",
    "CREATE TABLE tally (id int PRIMARY KEY, total int)",
    "INSERT INTO item VALUES (-1, 1)",
    "INSERT INTO tally VALUES (1, 0)",
    "CREATE TRIGGER counts BEFORE INSERT ON item FOR EACH ROW SET NEW.n = NEW.n + 1",
)


def wait(doing: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(doing)


def freeze(request: TablesRequest, side: Side, epoch: int, within: float = 20.0) -> Any:
    return wait(api.freeze_writes(request, side=side, epoch=epoch, within_seconds=within))[0]


def unfreeze(request: TablesRequest, side: Side, epoch: int, **options: Any) -> Any:
    return wait(api.unfreeze_writes(request, side=side, epoch=epoch, **options))[0]


def state(request: TablesRequest, side: Side) -> Any:
    return wait(api.writes_state(request, side=side))


def writer(twin: MysqlTwin, begin: int = 0) -> FencedWriter:
    def insert(session: Any, number: int) -> None:
        execute(session, "INSERT INTO item VALUES (%s, 1)", [number])
        execute(session, "INSERT INTO other VALUES (%s)", [number])

    def opened() -> Any:
        session = twin.session()
        session.autocommit(False)
        return closing(session)

    return FencedWriter(opened, insert, lambda error: error.args[0] == 1792, begin=begin)


def numbers(twin: MysqlTwin) -> list[int]:
    return [row[0] for row in twin.on_source("SELECT id FROM item WHERE id >= 0 ORDER BY id")]


@pytest.fixture
def moved(twin: MysqlTwin, tmp_path: Path) -> TablesRequest:
    """Move the tables, so that changes flow, with a fence on the target as there is before a switch."""
    twin.on_source(*SCHEMA)
    request = replace(twin.request(), evidence_url=f"file://{tmp_path}/evidence")
    wait(api.snapshot_tables(request))
    freeze(request, TARGET, 1)
    return request


@pytest.mark.long
def test_a_switch_and_the_way_back_lose_and_double_nothing(twin: MysqlTwin, moved: TablesRequest) -> None:
    with writer(twin) as live:
        live.wait_until(lambda: len(live.acknowledged) >= 100)
        wait(api.sync_tables(moved))
        record = freeze(moved, SOURCE, 2)
        live.wait_until(lambda: live.refused >= 8)
    acknowledged = sorted(live.acknowledged)
    assert numbers(twin) == acknowledged
    assert (record.writes, record.tables, state(moved, SOURCE).is_frozen) == ("frozen", 3, True)
    drained, _ = wait(api.drain_tables(moved, within_seconds=60))
    assert (drained.reached, drained.findings) == (True, ())
    assert lsn_from_text(drained.upto_position) >= lsn_from_text(record.position)
    assert wait(api.verify_tables(moved, frozen=True))[0].passed
    wait(api.prepare_reverse(moved))
    unfreeze(moved, TARGET, 2)
    assert wait(api.switched_to(moved)) is TARGET
    with pytest.raises(ConflictError, match="HL-8786"):
        wait(api.sync_tables(moved))
    other = twin.flipped_session()
    with writer(other, begin=1_000_000) as live:
        live.wait_until(lambda: len(live.acknowledged) >= 50)
        assert wait(api.sync_tables(moved.reversed()))[0].changes > 0
        freeze(moved, TARGET, 3)
        live.wait_until(lambda: live.refused >= 8)
    assert wait(api.drain_tables(moved.reversed(), within_seconds=60))[0].reached
    unfreeze(moved, SOURCE, 3)
    assert numbers(twin) == [*acknowledged, *sorted(live.acknowledged)]
    twin.assert_equal("item", "other", "tally")
    twin.on_source("INSERT INTO item VALUES (-2, 1)")
    assert wait(api.sync_tables(moved))[0].changes == 1
    twin.assert_equal("item", "other", "tally")
    # The application's own trigger is there again, and none of ours.
    assert [row[0] for row in twin.on_source("SHOW TRIGGERS")] == ["counts"]


def test_a_transaction_in_the_way_is_told_and_nothing_is_frozen(
    twin: MysqlTwin, moved: TablesRequest
) -> None:
    with closing(twin.session()) as session:
        session.autocommit(False)
        execute(session, "UPDATE item SET n = 42 WHERE id = -1")
        with pytest.raises(TransientError, match="HL-8781") as error:
            freeze(moved, SOURCE, 2, within=1.0)
        assert f"connection {session.thread_id()} (user " in error.value.got
        assert "UPDATE" not in error.value.got
        assert state(moved, SOURCE).writes is Writes.OPEN
        twin.on_source("INSERT INTO other VALUES (-5)")
        session.commit()
    freeze(moved, SOURCE, 2)
    for statement in ("DELETE FROM tally", "UPDATE item SET n = 3", "REPLACE INTO tally VALUES (1, 7)"):
        with pytest.raises(pymysql.MySQLError, match="frozen by Heavylift: epoch 2, source of database db"):
            twin.on_source(statement)


@pytest.mark.long
def test_a_half_made_fence_is_completed_and_a_stale_epoch_is_refused(
    twin: MysqlTwin, moved: TablesRequest
) -> None:
    _, fenced = fence_of(moved, SOURCE)
    with closing(connect(moved.source.connection)) as session:
        fence_sql.ensure_fences(session)
        # As an act leaves it that was killed after some of its statements.
        fence_sql.raise_epoch(session, fenced, 4)
        names = fence_sql.names_of(session, fenced)
        execute(session, fence_sql.create(fenced, names[0], "i"))
        execute(session, fence_sql.create(fenced, names[1], "d"))
    twin.on_source("INSERT INTO item VALUES (50, 1)", "DELETE FROM other")
    found = state(moved, SOURCE)
    assert (found.writes, found.epoch, found.partly) == (Writes.OPEN, 4, ())
    with pytest.raises(ConflictError, match=r"epoch 3, while epoch 4 is in force.*HL-8701"):
        freeze(moved, SOURCE, 3)
    assert [freeze(moved, SOURCE, 4).already for _ in range(2)] == [False, True]
    assert state(moved, SOURCE).is_frozen
    twin.on_source("CREATE TABLE late (id int PRIMARY KEY)", "INSERT INTO late VALUES (1)")
    found = state(moved, SOURCE)
    assert (found.writes, found.is_frozen, found.partly) == (Writes.FROZEN, False, (f"{twin.schema}.late",))
    assert not freeze(moved, SOURCE, 4).already
    with pytest.raises(pymysql.MySQLError, match="frozen by Heavylift: epoch 4"):
        twin.on_source("DELETE FROM late")
    unfreeze(moved, SOURCE, 5)
    assert wait(api.drop_fence(moved, side=SOURCE, epoch=5))[0].act == "dropped"
    assert state(moved, SOURCE).epoch == 0


@pytest.mark.long
def test_two_hundred_tables_are_frozen_at_once(twin: MysqlTwin, tmp_path: Path) -> None:
    twin.on_source(*SCHEMA, *(f"CREATE TABLE t{n} (id int PRIMARY KEY, body text)" for n in range(200)))
    request = replace(twin.request(), evidence_url=f"file://{tmp_path}/evidence")
    with writer(twin) as live:
        live.wait_until(lambda: len(live.acknowledged) >= 100)
        record = freeze(request, SOURCE, 1)
        live.wait_until(lambda: live.refused >= 8)
    assert (record.tables, numbers(twin)) == (203, sorted(live.acknowledged))
    opened = unfreeze(request, SOURCE, 1, whatever_the_other=True)
    print(f"froze {record.tables} tables, locked for {record.waited_seconds:.2f} of {record.seconds:.2f} s;")
    print(f"open after {opened.waited_seconds:.2f} of {opened.seconds:.2f} s")


@pytest.fixture
def apart(
    sandbox: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[MysqlToPostgres, TablesRequest]]:
    """A database of MariaDB, whose target is PostgreSQL."""
    sandbox.ensure("mysql_source")
    monkeypatch.setenv(FOLDER, str(mariadb.clients("mysql_source", sandbox.state_dir)))
    with mysql_to_postgres(sandbox.env) as made:
        yield made, replace(made.request(), evidence_url=f"file://{tmp_path}/evidence")


@pytest.mark.long
def test_a_switch_to_the_other_product_and_back(apart: tuple[MysqlToPostgres, TablesRequest]) -> None:
    databases, request = apart
    databases.on_source(*SCHEMA)
    wait(api.snapshot_tables(request))
    freeze(request, TARGET, 1)
    databases.on_source("INSERT INTO item VALUES (5, 5)", "UPDATE tally SET total = 9")
    wait(api.sync_tables(request))
    freeze(request, SOURCE, 2)
    with pytest.raises(pymysql.MySQLError, match="frozen by Heavylift: epoch 2"):
        databases.on_source("INSERT INTO item VALUES (6, 6)")
    assert wait(api.drain_tables(request, within_seconds=60))[0].reached
    wait(api.prepare_reverse(request))
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        databases.on_target("INSERT INTO item VALUES (7, 7)")
    unfreeze(request, TARGET, 2)
    databases.on_target("INSERT INTO item VALUES (7, 7)")
    with pytest.raises(ConflictError, match="HL-8786"):
        wait(api.sync_tables(request))
    assert wait(api.sync_tables(request.reversed()))[0].inserts == 1
    freeze(request, TARGET, 3)
    assert wait(api.drain_tables(request.reversed(), within_seconds=60))[0].reached
    unfreeze(request, SOURCE, 3)
    databases.on_source("INSERT INTO item VALUES (8, 8)")
    assert wait(api.sync_tables(request))[0].inserts == 1
    for table in ("item", "tally"):
        databases.assert_equal(table)


def test_a_transaction_with_an_older_snapshot_is_refused_too(twin: MysqlTwin, moved: TablesRequest) -> None:
    with closing(twin.session()) as session:
        session.autocommit(False)
        # Its snapshot is older than the fence, and it has not been at any of the tables.
        execute(session, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
        execute(session, "SELECT 1 FROM information_schema.tables LIMIT 1")
        freeze(moved, SOURCE, 2)
        with pytest.raises(pymysql.MySQLError, match="frozen by Heavylift"):
            execute(session, "INSERT INTO item VALUES (1, 1)")
    unfreeze(moved, SOURCE, 2)
    twin.on_source("INSERT INTO item VALUES (1, 1)")
