"""A move from MySQL that is killed at any moment, with the server restarted in between, ends equal."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from heavylift.tables.engine import Work
from heavylift.tables.mysql.moving import BinlogEngine
from sandbox.stack import Stack
from tests.support.engine_worker import start
from tests.support.fault_rounds import seeds
from tests.support.mysql_faults import FILL, OPTIONS, kill_after, patiently, restart
from tests.support.mysql_to_postgres import MysqlToPostgres, mysql_to_postgres
from tests.support.mysql_writer import LEDGER, TABLES, MysqlWriter

pytestmark = pytest.mark.long

ENGINE = BinlogEngine()


@pytest.fixture
def databases(sandbox: Stack) -> Iterator[MysqlToPostgres]:
    sandbox.ensure("mysql_source")
    with mysql_to_postgres(sandbox.env) as made:
        yield made


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(1))
def test_killed_at_random_moments(sandbox: Stack, databases: MysqlToPostgres, seed: int) -> None:
    chance = random.Random(seed)
    databases.on_source(*LEDGER, FILL, FILL, "ANALYZE TABLE account")
    request = databases.request(**OPTIONS)
    with MysqlWriter(databases, seed=seed):
        for number in range(chance.randint(4, 6)):
            kill_after(start(request, OPTIONS), chance.uniform(0.6, 4.0))
            if number == 2:
                restart(sandbox, databases)
        snapshot = patiently(lambda: ENGINE.snapshot(request, Work()))
        patiently(lambda: ENGINE.sync(request, Work()))
    drained = patiently(lambda: ENGINE.drain(request, Work(), within_seconds=60))
    assert drained.reached
    print(f"seed {seed}: {sum(count.ranges_reused for count in snapshot.tables)} ranges reused")
    for table in TABLES:
        databases.assert_equal(table)
    compared = ENGINE.compare(request, Work(), frozen=True)
    assert compared.difference_count == 0


def test_a_snapshot_goes_on_where_it_was_killed_and_settles(databases: MysqlToPostgres) -> None:
    databases.on_source(*LEDGER, FILL, FILL, "ANALYZE TABLE account")
    request = databases.request(**OPTIONS)
    process = start(request, OPTIONS)
    done = "SELECT count(done_at), count(*) FROM heavylift.stream_range WHERE table_name = 'account'"
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if databases.on_target("SELECT to_regclass('heavylift.stream_range')") == [(None,)]:
            continue
        arrived, planned = databases.on_target(done)[0]
        if arrived >= 3:
            break
    process.kill()
    process.communicate()
    arrived, planned = databases.on_target(done)[0]
    assert 0 < arrived < planned
    databases.on_source(
        "UPDATE account SET balance = 1, tag = concat('t', id) WHERE id % 3 = 0",
        "UPDATE account SET id = id + 100000 WHERE id % 50 = 0",
        "DELETE FROM account WHERE id % 7 = 0",
    )
    record = patiently(lambda: ENGINE.snapshot(request, Work()))
    assert record.settled_position != record.consistent_position
    assert sum(count.ranges_reused for count in record.tables) >= arrived
    unique = "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE 'CREATE UNIQUE%%tag%%'"
    assert databases.on_target(unique) == [(0,)]
    ENGINE.sync(request, Work())
    assert databases.on_target(unique) == [(1,)]
    databases.assert_equal("account")
