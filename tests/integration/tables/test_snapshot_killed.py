"""A snapshot that is killed at any moment goes on: nothing is lost, and no finished range comes twice."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from typing import Any

import pytest

from heavylift.errors import TransientError
from heavylift.evidence.table_records import SnapshotRecord
from heavylift.tables.engine import Work
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.schema_copy import finish_schema, is_schema_finished
from heavylift.tables.postgres.snapshot import snapshot_tables
from heavylift.tables.postgres.sync import sync_changes
from tests.support.fault_rounds import seeds
from tests.support.longer import first_then_long
from tests.support.snapshot_worker import start
from tests.support.two_databases import TwoDatabases

TABLES = """
CREATE TABLE keyed (id int PRIMARY KEY, v int, long text, tag text UNIQUE);
ALTER TABLE keyed ALTER long SET STORAGE EXTERNAL;
INSERT INTO keyed SELECT i, i, CASE WHEN i % 40 = 0 THEN repeat(md5(i::text), 80) END, 't' || i
    FROM generate_series(1, 40000) i;
CREATE TABLE parted (a int, b text, v text, PRIMARY KEY (b, a)) PARTITION BY HASH (b);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT i, i % 7, md5(i::text) FROM generate_series(1, 20000) i;
CREATE TABLE keyless (a int, b text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
INSERT INTO keyless SELECT i % 1000, 'x' || i % 10 FROM generate_series(1, 20000) i;
CREATE TABLE hangs_on (id int PRIMARY KEY, k int REFERENCES keyed);
INSERT INTO hangs_on SELECT i, i / 5 * 5 + 1 FROM generate_series(1, 2000) i;
"""
OPTIONS: dict[str, Any] = {"range_bytes": 16384, "parallel_ranges": 2}
SHARE = "SELECT coalesce(avg((done_at IS NOT NULL)::int), 0)::float FROM heavylift.stream_range"
DONE = (
    "SELECT table_name, number, snapshot_lsn::text, done_at FROM heavylift.stream_range"
    " WHERE done_at IS NOT NULL AND table_name <> 'keyless' ORDER BY 1, 2"
)


def change(databases: TwoDatabases, chance: random.Random) -> None:
    """Change the source as an application would: rows move between pages, keys change, rows go and come."""
    low = chance.randrange(40000)
    databases.on_source(
        f"""
        UPDATE keyed SET v = v + 1 WHERE id BETWEEN {low} AND {low + 3000} AND id % 3 = 0;
        DELETE FROM keyed WHERE id BETWEEN {low} AND {low + 900} AND id % 5 = 0;
        INSERT INTO keyed SELECT max(id) + 1, 0, repeat('n', 4000), 'n' || max(id) FROM keyed;
        UPDATE keyed SET id = -id WHERE id BETWEEN {low + 1000} AND {low + 1200} AND id % 40 = 0;
        UPDATE parted SET v = 'changed', b = (b::int + 1) % 7 WHERE a % 100 = {chance.randrange(100)};
        """
    )
    databases.on_source("VACUUM keyed")
    databases.on_source(f"UPDATE keyed SET v = v + 1 WHERE id % 50 = {chance.randrange(50)}")


def take(databases: TwoDatabases) -> SnapshotRecord:
    """Run the snapshot to its end, once what is left of the killed run has let go."""
    until = time.monotonic() + 120
    while True:
        try:
            return snapshot_tables(databases.request(**OPTIONS))
        except TransientError as error:
            if error.code != "6020" or time.monotonic() > until:
                raise
            time.sleep(0.1)


def kill_at(databases: TwoDatabases, process: subprocess.Popen[str], share: float) -> bool:
    """Kill a worker once this share of all ranges is noted; tell whether it was still at work."""
    while process.poll() is None:
        if (
            databases.on_target("SELECT to_regclass('heavylift.stream_range')") != [(None,)]
            and databases.on_target(SHARE)[0][0] >= share
        ):
            break
    process.kill()
    output, _ = process.communicate()
    assert process.returncode in {0, -signal.SIGKILL} or "HL-6020" in output, output
    return process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("seed", first_then_long(seeds(1, 2)))
def test_killed_at_random_moments(databases: TwoDatabases, seed: int) -> None:
    chance = random.Random(seed)
    databases.on_source(TABLES)
    request = databases.request(**OPTIONS)
    done: dict[tuple[str, int], tuple[Any, ...]] = {}
    for share in sorted(chance.uniform(0.05, 0.7) for _ in range(chance.randint(2, 4))):
        assert kill_at(databases, start(request, OPTIONS), share), f"seed {seed}: it was done before the kill"
        change(databases, chance)
        done = unchanged(databases, done, seed)
    assert done, f"seed {seed}: no range was there before the last run"
    take(databases)
    unchanged(databases, done, seed)
    for table in ("keyless", "hangs_on"):
        databases.assert_equal(table)
    # Tables of two moments are exact again once the stream has passed the later one.
    assert sync_changes(databases.request("sync"), Work()).caught_up
    for table in ("keyed", "parted", "keyless", "hangs_on"):
        databases.assert_equal(table)


def unchanged(
    databases: TwoDatabases, done: dict[tuple[str, int], tuple[Any, ...]], seed: int
) -> dict[tuple[str, int], tuple[Any, ...]]:
    """Assert that what was finished has stayed as it was; return what is finished now."""
    now = {(row[0], row[1]): row[2:] for row in databases.on_target(DONE)}
    assert done.items() <= now.items(), f"seed {seed}: a finished range was copied again"
    return now


@pytest.mark.long
def test_what_is_left_is_merged_and_the_schema_waits_for_the_stream(databases: TwoDatabases) -> None:
    chance = random.Random(7)
    databases.on_source(TABLES)
    request = databases.request(**OPTIONS)
    process = start(request, OPTIONS)
    assert kill_at(databases, process, 0.34)
    for _ in range(5):
        change(databases, chance)
    done = databases.on_target(DONE)
    assert done
    record = take(databases)
    assert record.consistent_position != record.settled_position
    reused = {count.table: count.ranges_reused for count in record.tables}
    assert sum(reused.values()) >= len(done)
    assert set(done) <= set(databases.on_target(DONE))
    state = databases.on_target("SELECT state, applied_lsn = consistent_lsn FROM heavylift.stream")
    assert state == [("streaming", True)]
    waiting = databases.on_target(
        "SELECT conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
    )
    assert waiting == []
    # What the stream would do: delete what is gone.
    kept = ",".join(str(row[0]) for row in databases.on_source("SELECT id FROM keyed"))
    databases.on_target(f"DELETE FROM keyed WHERE id NOT IN ({kept})")
    gone = {row[:2] for row in databases.on_target("SELECT a, b FROM parted")} - {
        row[:2] for row in databases.on_source("SELECT a, b FROM parted")
    }
    for a, b in gone:
        databases.on_target("DELETE FROM parted WHERE a = %s AND b = %s", a, b)
    with connect(databases.source, "test") as source, connect(databases.target, "test") as target:
        finish_schema(request, source=source, target=target)
        assert is_schema_finished(target, request.stream)
    for table in ("keyed", "parted", "hangs_on"):
        databases.assert_equal(table)
    constraints = (
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace ="
        " 'public'::regnamespace ORDER BY 1, 2"
    )
    assert databases.on_target(constraints) == databases.on_source(constraints)
