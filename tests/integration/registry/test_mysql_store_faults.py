"""A store in MySQL that may not be read, is none, goes away midway; a process that is killed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from heavylift.errors import (
    ConflictError,
    ConnectionConfigError,
    CredentialError,
    IntegrityError,
    NotFoundError,
    TransientError,
    UnsupportedError,
)
from heavylift.mirror.requests import stream_of
from heavylift.platforms.postgresql.connect import connect
from heavylift.registry.paths import choose_path
from heavylift.registry.store import staging
from heavylift.registry.ways import way_of
from heavylift.registry.work import RegistryProgress, Work
from heavylift.spec.sections_data import RegistryPath
from tests.integration.registry.test_killed import noted
from tests.integration.registry.test_sync import A_DAY
from tests.support.mysql_store import STAGED, MysqlStore, move
from tests.support.registry_worker import start
from tests.support.stores import TwoStores

MANY = (
    "INSERT INTO metrics (`key`, value, timestamp, run_uuid, step, is_nan)"
    " SELECT 'many', seq / 7, seq, (SELECT min(run_uuid) FROM runs), seq, 0 FROM seq_1_to_{rows}"
)
LOADING = (
    "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'heavylift registry staging'"
    " AND datname = current_database() AND state = 'active' AND query LIKE 'COPY %metrics%'"
)
"""Whether the table of metrics is being staged: MySQL may have sent all of it long before."""


def wait_until(due: Callable[[], Any], seconds: float = 120) -> Any:
    until = time.monotonic() + seconds
    while not (found := due()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return found


@contextmanager
def account(mysql: MysqlStore, *grants: str) -> Iterator[MysqlStore]:
    """Lend the store as an account sees it that has some rights only."""
    name = f"u_{mysql.connection.schema}"
    mysql.sql(f"CREATE USER {name}@'%' IDENTIFIED BY 'throw-away'")
    for each in grants:
        mysql.sql(f"GRANT {each} TO {name}@'%'")
    try:
        yield MysqlStore(replace(mysql.connection, login=name, password="throw-away"))
    finally:
        mysql.sql(f"DROP USER {name}@'%'")


def untouched(stores: TwoStores) -> bool:
    there = stores.on_target("SELECT to_regnamespace('heavylift'), count(*) FROM runs")
    return there == [(None, 0)] and stores.on_target(STAGED) == [(True,)]


def test_the_right_to_read_is_all_that_it_takes_and_what_may_not_be_read_is_named(
    stores: TwoStores, mysql: MysqlStore
) -> None:
    database = mysql.connection.schema
    tables = [row[0] for row in mysql.sql("SHOW TABLES")]
    some = [f"SELECT ON {database}.`{each}`" for each in tables if each not in {"params", "spans"}]
    # Of the first MySQL's own lists show nothing, of the second they do.
    with (
        account(mysql, *some, f"INSERT ON {database}.spans") as short,
        pytest.raises(CredentialError, match=r"no right to read params, spans, .*HL-9591"),
    ):
        move(stores, short)
    with account(mysql) as nothing, pytest.raises(CredentialError, match=r"and \d+ more.*HL-9591"):
        move(stores, nothing)
    with account(mysql, f"SELECT (run_uuid) ON {database}.params", f"SELECT ON {database}.runs") as columns:
        with pytest.raises(CredentialError, match="HL-9591"):
            move(stores, columns)
        wrong = MysqlStore(replace(columns.connection, password="another"))
        with pytest.raises(CredentialError, match="HL-6410") as caught:
            move(stores, wrong)
        assert "another" not in str(caught.value)
    assert untouched(stores)
    mysql.sql("CREATE TABLE theirs (id int)")
    with pytest.raises(ConflictError, match=r"other columns: theirs.*HL-9593"):
        move(stores, mysql)
    with account(mysql, *(f"SELECT ON {database}.`{each}`" for each in tables)) as enough:
        move(stores, enough)
    stores.assert_equal()


@pytest.mark.long
def test_what_is_no_store_or_another_one_is_told(stores: TwoStores, mysql: MysqlStore) -> None:
    nowhere = MysqlStore(replace(mysql.connection, schema=""))
    with pytest.raises(ConnectionConfigError, match="HL-9589"):
        move(stores, nowhere)
    for name in ("information_schema", "none_such"):
        with pytest.raises(NotFoundError, match="HL-9590"):
            move(stores, MysqlStore(replace(mysql.connection, schema=name)))
    gone = MysqlStore(replace(mysql.connection, port=9))
    with pytest.raises(TransientError, match="HL-6412"):
        move(stores, gone)
    mysql.sql(
        # Of a table that stays behind it does not matter.
        "CREATE TABLE alembic_version_auth (version_num int) ENGINE = MyISAM",
        "ALTER TABLE sql_trace_rollup_rebuild_queue ENGINE = Aria",
    )
    with pytest.raises(ConflictError, match=r"sql_trace_rollup_rebuild_queue \(Aria\), .*HL-9592"):
        move(stores, mysql)
    mysql.sql(
        "ALTER TABLE sql_trace_rollup_rebuild_queue ENGINE = InnoDB", "ALTER TABLE params DROP COLUMN value"
    )
    with pytest.raises(ConflictError, match=r"other columns: params.*HL-9593"):
        move(stores, mysql)
    mysql.sql("ALTER TABLE params ADD COLUMN value varchar(8000) NOT NULL DEFAULT 'v'")
    mysql.sql("UPDATE alembic_version SET version_num = 'older'")
    with pytest.raises(ConflictError, match=r"store-version.*HL-7111"):
        move(stores, mysql)
    assert untouched(stores)


@pytest.mark.long
def test_the_ways_that_are_not_open_are_told(stores: TwoStores, mysql: MysqlStore) -> None:
    request = mysql.beside(stores).request()
    assert choose_path(request).path == "store"
    turned = replace(request, source=request.target, target=request.source)
    assert choose_path(turned).reason.startswith(
        "through the interface, since there is a target store of type 'mysql', which is not PostgreSQL"
    )
    demanded = replace(turned, options=replace(request.options, path=RegistryPath.STORE))
    with pytest.raises(UnsupportedError, match=r"under databases in the spec.*HL-7104"):
        choose_path(demanded)
    with pytest.raises(UnsupportedError, match="HL-9596"):
        stream_of(request)
    # No table of its own: what --make-tables takes for empty.
    stores.on_target("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with pytest.raises(UnsupportedError, match="HL-9597"):
        move(stores, mysql, make_tables=True)
    with pytest.raises(NotFoundError, match="HL-7110"):
        move(stores, mysql)


@pytest.mark.long
@pytest.mark.parametrize("lost", ["the source's session", "the target's session"])
def test_a_server_that_goes_away_midway_leaves_nothing_and_the_next_run_does_it_all(
    stores: TwoStores, mysql: MysqlStore, lost: str
) -> None:
    mysql.sql(MANY.format(rows=60_000))

    def lose(progress: RegistryProgress) -> None:
        if (progress.doing, progress.rows) != ("staging metrics", 5_000):
            return
        if lost == "the source's session":
            # No other has a transaction open.
            ((session,),) = mysql.sql("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx")
            mysql.sql(f"KILL {session}")
            return
        stores.on_target(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'heavylift registry staging' AND datname = current_database()"
        )

    with pytest.raises(TransientError, match=r"mlflow_mysql|staging table metrics"):
        move(stores, mysql, work=Work(tell=lose))
    wait_until(lambda: untouched(stores))
    mysql.sql("DELETE FROM metrics WHERE `key` = 'many'")
    move(stores, mysql)
    stores.assert_equal()


@pytest.mark.long
@pytest.mark.parametrize("when", ["staging", "moving"])
def test_a_killed_process_leaves_nothing_in_the_way(stores: TwoStores, mysql: MysqlStore, when: str) -> None:
    mysql.sql(MANY.format(rows=60_000))
    worker = start(mysql.beside(stores), "copy")
    staging_it = lambda: stores.on_target(LOADING) == [(True,)]  # noqa: E731
    wait_until(staging_it if when == "staging" else lambda: len(noted(stores)) >= 3)
    worker.kill()
    output, _ = worker.communicate()
    assert worker.returncode == -signal.SIGKILL, output
    stores.on_source(A_DAY)
    mysql.fill(stores.source)

    def again() -> bool:
        try:
            move(stores, mysql, deletes="propagate")
        except TransientError as error:
            if error.code not in {"9542", "7120"}:
                raise
            return False
        return True

    wait_until(again)
    stores.assert_equal()
    assert stores.on_target(STAGED) == [(True,)]


@pytest.mark.long
def test_one_store_is_staged_at_a_time(stores: TwoStores, mysql: MysqlStore) -> None:
    with connect(stores.target, "test") as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('heavylift staging', 0))")
        with pytest.raises(TransientError, match="HL-9542"):
            move(stores, mysql)


@pytest.mark.long
def test_what_reads_back_otherwise_than_it_was_sent_is_refused(
    stores: TwoStores, mysql: MysqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(staging._FORMS, "boolean", lambda value: value)
    with pytest.raises(IntegrityError, match="HL-9594"):
        move(stores, mysql)
    assert untouched(stores)


@pytest.mark.long
def test_staging_tells_how_far_it_is_and_stops_when_asked(stores: TwoStores, mysql: MysqlStore) -> None:
    mysql.sql(MANY.format(rows=12_000))
    stop, told = threading.Event(), list[RegistryProgress]()

    def tell(progress: RegistryProgress) -> None:
        told.append(progress)
        if progress.doing == "staging metrics" and progress.rows == 5_000:
            stop.set()

    request = mysql.beside(stores).request()
    with pytest.raises(TransientError, match="HL-6112"):
        way_of(request).move(request, Work(stop, tell), "copy")
    assert untouched(stores)
    assert {each.rows for each in told if each.doing == "staging metrics"} == {0, 5_000}
    stop.clear()
    told.clear()
    way_of(request).move(request, Work(stop, told.append), "copy")
    assert {0, 5_000, 10_000} <= {each.rows for each in told if each.doing == "staging metrics"}
    looked = way_of(request).preflight(request)
    assert looked.path_reason.endswith("the source's is staged in the target's database meanwhile")
