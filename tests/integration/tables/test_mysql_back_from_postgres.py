"""MySQL to PostgreSQL and back: what is written there after the switch is on the source at a rollback."""

from __future__ import annotations

import asyncio
import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest

from heavylift.errors import ConflictError, IntegrityError, PermanentError
from heavylift.tables.engine import Work
from heavylift.tables.mysql.back.moving import BackEngine
from heavylift.tables.mysql.moving import BinlogEngine
from heavylift.tables.requests import TablesRequest
from heavylift.tables.wiring import engine_for, lag_reader
from sandbox.servers import mariadb
from sandbox.stack import Stack
from tests.integration.tables.test_mysql import ALL_TYPES, ROWS
from tests.support import table_worker
from tests.support.fault_rounds import seeds
from tests.support.longer import first_then_long
from tests.support.mysql_faults import patiently
from tests.support.mysql_to_postgres import MysqlToPostgres, mysql_to_postgres

ENGINE, BACK = BinlogEngine(), BackEngine()
PRODUCTS = ("mariadb", "postgresql")
KEYED = "CREATE TABLE k (id int AUTO_INCREMENT PRIMARY KEY, v varchar(20), n text)"


@pytest.fixture
def databases(sandbox: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[MysqlToPostgres]:
    sandbox.ensure("mysql_source")
    monkeypatch.setenv("HEAVYLIFT_MYSQL_BIN", str(mariadb.clients("mysql_source", sandbox.state_dir)))
    with mysql_to_postgres(sandbox.env) as made:
        yield made


def switch(databases: MysqlToPostgres, *statements: str) -> TablesRequest:
    """Move everything, drain, prepare the way back; return the request that leads back."""
    databases.on_source(*statements)
    request = databases.request()
    ENGINE.snapshot(request, Work())
    assert ENGINE.drain(request, Work(), within_seconds=60).reached
    ENGINE.prepare_reverse(request, Work())
    assert isinstance(engine_for(request.reversed()), BackEngine)
    return request.reversed()


def assert_proved(back: TablesRequest, *, frozen: bool = True) -> None:
    compared = BACK.compare(back, Work(), frozen=frozen)
    unlike = {each.table: (each.in_words, each.note) for each in compared.tables if not each.is_equal}
    assert not unlike, (unlike, compared.differences[:3])


def test_every_type_comes_back_exactly(databases: MysqlToPostgres) -> None:
    numbers = (
        "INSERT INTO t (g, f, d) SELECT (rand() - 0.5) * pow(10, cast(seq % 600 AS signed) - 300),"
        " rand() * pow(10, cast(seq % 60 AS signed) - 30), (rand() - 0.5) * 1e6 FROM seq_1_to_300"
    )
    back = switch(databases, ALL_TYPES, ROWS, "INSERT INTO t () VALUES ()", numbers)
    names = databases.on_target(
        "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
        " WHERE table_schema = %s AND column_name <> 'id'",
        databases.schema,
    )[0][0]
    databases.on_target(f"INSERT INTO t ({names}) SELECT {names} FROM t WHERE id <= 3")
    databases.on_target("UPDATE t SET g = 0 - g, tx = tx || ' x', bl = bl || '\\x27' WHERE id > 1")
    databases.on_target("DELETE FROM t WHERE id = 5")
    record = BACK.sync(back, Work())
    assert (record.inserts, record.deletes, record.updates > 300) == (3, 1, True)
    databases.assert_equal("t")
    assert_proved(back)
    databases.on_target("UPDATE t SET v = 'other' WHERE id = 1")
    databases.on_target("DELETE FROM t WHERE id = 7")
    compared = BACK.compare(back, Work(), frozen=True)
    assert {(each.kind, each.key["id"]) for each in compared.differences} == {
        ("different", "1"),
        ("extra", "7"),
    }
    assert_proved(back, frozen=False)


def test_the_way_back_and_forth_again(databases: MysqlToPostgres) -> None:
    trigger = "CREATE TRIGGER each_ BEFORE INSERT ON k FOR EACH ROW SET new.v = concat(new.v, '!')"
    fill = "INSERT INTO k (v, n) SELECT seq, repeat(md5(seq), 500) FROM seq_1_to_50"
    back = switch(databases, KEYED, "CREATE TABLE gone (id int PRIMARY KEY)", fill, trigger)
    databases.on_target("INSERT INTO gone VALUES (1), (2)")
    databases.on_target("UPDATE k SET id = id + 1000, v = 'ü''\\' WHERE id <= 10")
    databases.on_target("TRUNCATE gone")
    databases.on_target("INSERT INTO k (v) VALUES ('new')")
    databases.on_target("CREATE TABLE born_after_the_switch (id int PRIMARY KEY)")
    (left_out,) = BACK.sync(back, Work()).findings
    assert (left_out.rule, "born_after_the_switch" in left_out.detail) == ("way-back-left-out", True)
    databases.on_target("DROP TABLE born_after_the_switch")
    assert BACK.sync(back, Work()).caught_up
    for table in ("k", "gone"):
        databases.assert_equal(table)
    lag = asyncio.run(
        lag_reader(back.source.connection)(back.source.connection, back.target.connection, back.stream)
    )
    assert lag.state == "streaming"
    drained = BACK.drain(back, Work(), within_seconds=60)
    assert (drained.reached, drained.findings) == (True, ())
    assert drained.sequences[f"{databases.schema}.k.id"] > 1010
    forth = ENGINE.sync(databases.request(), Work())
    assert (forth.changes, forth.transactions_skipped > 0) == (0, True)
    # The source's own trigger is back, and what it does flows forth as ever.
    databases.on_source("INSERT INTO k (v) VALUES ('after')")
    assert databases.on_source("SELECT v FROM k WHERE v LIKE 'after%'") == [("after!",)]
    assert ENGINE.sync(databases.request(), Work()).inserts == 1
    assert BACK.sync(back, Work()).changes == 0
    databases.assert_equal("k")
    assert (BACK.status(back).state, BACK.status(back).slot_state) == ("streaming", "reserved")
    assert BACK.end(back).state == "ended"
    identity = "SELECT relreplident::text FROM pg_class WHERE oid = 'k'::regclass"
    assert databases.on_target(identity) == [("d",)]
    assert databases.on_target("SELECT 1 FROM pg_replication_slots WHERE database = current_database()") == []


@pytest.mark.parametrize(
    ("column", "value"),
    first_then_long(
        [
            ("double", "'NaN'"),
            ("decimal(9,2)", "'NaN'"),
            ("datetime", "'infinity'"),
            ("date", "'0044-03-15 BC'"),
            ("timestamp NULL", "'1960-01-01'"),
            ("enum('a','b')", "'A'"),
            ("set('x','y')", "'y,x'"),
            ("char(5)", "'x '"),
            ("binary(3)", "'\\x00'"),
            ("tinyint unsigned", "300"),
            ("varchar(9) CHARACTER SET latin1", "'한'"),
        ],
        first=2,
    ),
)
def test_a_value_that_would_not_come_back_exactly_stops_the_stream(
    databases: MysqlToPostgres, column: str, value: str
) -> None:
    back = switch(
        databases, f"CREATE TABLE t (id int PRIMARY KEY, x {column})", "INSERT INTO t VALUES (1, NULL)"
    )
    databases.on_target(f"UPDATE t SET x = {value}")
    with pytest.raises(IntegrityError, match=r"HL-64[57]"):
        BACK.sync(back, Work())
    assert databases.on_source("SELECT x FROM t") == [(None,)]
    databases.on_target("UPDATE t SET x = NULL")


def test_what_could_not_come_back_is_named_before_the_switch(databases: MysqlToPostgres) -> None:
    databases.on_source(
        "CREATE TABLE texts (a varchar(9) PRIMARY KEY)", "CREATE TABLE keyless (a int)", KEYED
    )
    request = databases.request()
    told = [each.subject for each in ENGINE.preflight(request, Work()).findings if each.rule == "way-back"]
    assert told == [f"{databases.schema}.keyless", f"{databases.schema}.texts.a"]
    ENGINE.snapshot(request, Work())
    with pytest.raises(ConflictError, match="way-back-key"):
        ENGINE.prepare_reverse(request, Work())
    assert databases.on_target("SELECT 1 FROM pg_replication_slots WHERE database = current_database()") == []


def test_a_lost_slot_and_another_type_stop_it(databases: MysqlToPostgres) -> None:
    back = switch(databases, KEYED)
    databases.on_target("ALTER TABLE k ALTER v TYPE text")
    databases.on_target("INSERT INTO k VALUES (1, 'x', NULL)")
    with pytest.raises(ConflictError, match="HL-6452"):
        BACK.sync(back, Work())
    databases.on_target("ALTER TABLE k ALTER v TYPE character varying(20)")
    databases.on_target("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                        " WHERE database = current_database()")  # fmt: skip
    with pytest.raises(PermanentError, match="HL-6116"):
        BACK.sync(back, Work())
    with pytest.raises(PermanentError, match="HL-6048"):
        ENGINE.prepare_reverse(databases.request(), Work())


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(1))
def test_the_way_back_survives_kills(databases: MysqlToPostgres, seed: int) -> None:
    chance, reached = random.Random(seed), set[int]()
    back = switch(databases, KEYED, "INSERT INTO k (v) SELECT seq FROM seq_1_to_500")
    for number in range(6):
        for part in range(10):
            databases.on_target(
                f"UPDATE k SET v = '{number}.{part}', n = repeat('n', id) WHERE id % 10 = {part}"
            )
            databases.on_target(f"INSERT INTO k (v) SELECT 'i{number}' FROM generate_series(1, 30)")
            databases.on_target(f"DELETE FROM k WHERE id % 97 = {part}")
        worker = table_worker.start(
            "sync back", databases.source, databases.target, f"m-{databases.schema}",
            products=PRODUCTS, batch_changes=40,
        )  # fmt: skip
        # From here on it reads and applies; starting alone may take longer than any wait before a kill.
        reading = "SELECT 1 FROM pg_replication_slots WHERE database = current_database() AND active"
        while worker.poll() is None and not databases.on_target(reading):
            pass
        with suppress(subprocess.TimeoutExpired):
            worker.wait(chance.uniform(0, 0.7))
        worker.kill()
        _, told = worker.communicate()
        assert worker.returncode in {0, table_worker.RETRY, -9}, told
        reached |= {worker.returncode}
    assert -9 in reached
    assert patiently(lambda: BACK.drain(back, Work(), within_seconds=60)).reached
    databases.assert_equal("k")
    assert_proved(back)
