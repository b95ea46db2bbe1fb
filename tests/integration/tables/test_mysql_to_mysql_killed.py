"""A move from MySQL to MySQL that is killed at any moment, with servers restarted in between, ends equal."""

from __future__ import annotations

import random
import time

import pymysql
import pytest

from heavylift.tables.engine import Work
from heavylift.tables.mysql.moving import TwinEngine
from sandbox.stack import Stack
from tests.support.engine_worker import start
from tests.support.fault_rounds import seeds
from tests.support.mysql_faults import FILL, OPTIONS, kill_after, patiently, restart
from tests.support.mysql_twin import MysqlTwin
from tests.support.mysql_writer import LEDGER, TABLES, MysqlWriter

pytestmark = pytest.mark.long

ENGINE = TwinEngine()
UNIQUE = "SELECT count(*) FROM information_schema.statistics WHERE table_schema = '{}' AND index_name = 'tag'"
DONE = "SELECT count(done_at), count(*) FROM heavylift.stream_range WHERE schema_name = '{}'"


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(1))
def test_killed_at_random_moments(sandbox: Stack, twin: MysqlTwin, seed: int) -> None:
    chance = random.Random(seed)
    twin.on_source(*LEDGER, FILL, FILL, "ANALYZE TABLE account")
    request = twin.request(**OPTIONS)
    with MysqlWriter(twin, seed=seed):
        for number in range(chance.randint(4, 6)):
            kill_after(start(request, OPTIONS), chance.uniform(0.6, 4.0))
            if number == 2:
                restart(sandbox, twin)
            if number == 3:
                restart(sandbox, twin.flipped(), "mysql_target")
        snapshot = patiently(lambda: ENGINE.snapshot(request, Work()))
        patiently(lambda: ENGINE.sync(request, Work()))
    drained = patiently(lambda: ENGINE.drain(request, Work(), within_seconds=60))
    assert drained.reached
    print(f"seed {seed}: {sum(count.ranges_reused for count in snapshot.tables)} ranges reused")
    twin.assert_equal(*TABLES)
    twin.assert_same_definitions(*TABLES)
    compared = ENGINE.compare(request, Work(), frozen=True)
    assert (compared.difference_count, compared.sequences_behind) == (0, ())


def test_a_snapshot_goes_on_where_it_was_killed_and_settles(twin: MysqlTwin) -> None:
    twin.on_source(*LEDGER, FILL, FILL, "ANALYZE TABLE account")
    request = twin.request(**OPTIONS)
    process = start(request, OPTIONS)
    until = time.monotonic() + 60
    arrived = planned = 0
    while time.monotonic() < until and arrived < 3:
        arrived, planned = ranges_of(twin)
    process.kill()
    process.communicate()
    arrived, planned = ranges_of(twin)
    assert 0 < arrived < planned
    twin.on_source(
        "UPDATE account SET balance = 1, tag = concat('t', id) WHERE id % 3 = 0",
        "UPDATE account SET id = id + 100000 WHERE id % 50 = 0",
        "DELETE FROM account WHERE id % 7 = 0",
    )
    record = patiently(lambda: ENGINE.snapshot(request, Work()))
    assert record.settled_position != record.consistent_position
    assert sum(count.ranges_reused for count in record.tables) >= arrived
    assert twin.on_target(UNIQUE.format(twin.schema)) == [(0,)]
    ENGINE.sync(request, Work())
    assert twin.on_target(UNIQUE.format(twin.schema)) == [(1,)]
    twin.assert_equal("account")
    twin.assert_same_definitions(*TABLES)


def ranges_of(twin: MysqlTwin) -> tuple[int, int]:
    try:
        ((arrived, planned),) = twin.anywhere_on_target(DONE.format(twin.schema))
    except pymysql.MySQLError:
        return 0, 0
    return int(arrived), int(planned)
