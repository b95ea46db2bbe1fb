"""A snapshot that is killed at any moment goes on: nothing is lost, and no finished range comes twice."""

from __future__ import annotations

import random
import subprocess
import time
from typing import Any

import pytest

from heavylift.errors import ConflictError
from heavylift.evidence.table_records import SnapshotRecord
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.schema_copy import finish_schema, is_schema_finished
from heavylift.tables.postgres.snapshot import snapshot_tables
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
    until = time.monotonic() + 20
    while True:
        try:
            return snapshot_tables(databases.request(**OPTIONS))
        except ConflictError as error:
            if error.code != "6020" or time.monotonic() > until:
                raise
            time.sleep(0.1)


def kill_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill a worker after some time; tell whether it was still at work."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    assert process.returncode == 0 or "HL-6020" in output, output
    return False


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_killed_at_random_moments(databases: TwoDatabases, seed: int) -> None:
    chance = random.Random(seed)
    databases.on_source(TABLES)
    request = databases.request(**OPTIONS)
    kills, done = 0, {}
    for _ in range(chance.randint(2, 5)):
        kills += kill_after(start(request, OPTIONS), chance.uniform(0.5, 2.2))
        change(databases, chance)
        if databases.on_target("SELECT to_regclass('heavylift.stream_range')") == [(None,)]:
            continue
        now = {row[:2]: row[2:] for row in databases.on_target(DONE)}
        assert done.items() <= now.items(), f"seed {seed}: a finished range was copied again"
        done = now
    record = take(databases)
    now = {row[:2]: row[2:] for row in databases.on_target(DONE)}
    assert done.items() <= now.items(), f"seed {seed}: a finished range was copied again"
    if not record.already_complete:
        print(f"seed {seed}: {kills} kills, {len(done)} of {len(now)} ranges were there")
    check(databases, record, seed)


def check(databases: TwoDatabases, record: SnapshotRecord, seed: int) -> None:
    """Compare: a table that was settled last has every row; others are as they were at their moment."""
    settled = dict(
        databases.on_target(
            "SELECT table_name, settled_lsn = (SELECT max(settled_lsn) FROM heavylift.stream_table)"
            " AND copied_lsn <> settled_lsn FROM heavylift.stream_table"
        )
    )
    for table, key in (("keyed", (0,)), ("parted", (0, 1))):
        if not settled[table]:
            continue
        source = {tuple(row[i] for i in key): row for row in databases.on_source(f"SELECT * FROM {table}")}
        target = {tuple(row[i] for i in key): row for row in databases.on_target(f"SELECT * FROM {table}")}
        lost = [row for name, row in source.items() if target.get(name) != row]
        assert not lost, f"seed {seed}: {table}: {len(lost)} rows of the source are not on the target"
    databases.assert_equal("keyless")
    databases.assert_equal("hangs_on")


def test_what_is_left_is_merged_and_the_schema_waits_for_the_stream(databases: TwoDatabases) -> None:
    chance = random.Random(7)
    databases.on_source(TABLES)
    request = databases.request(**OPTIONS)
    process = start(request, OPTIONS)
    until = time.monotonic() + 30
    half = "SELECT count(*) FILTER (WHERE done_at IS NOT NULL) * 3 > count(*) FROM heavylift.stream_range"
    while time.monotonic() < until:
        if databases.on_target("SELECT to_regclass('heavylift.stream_range')") != [(None,)] and (
            databases.on_target(half) == [(True,)]
        ):
            break
    process.kill()
    process.communicate()
    for _ in range(5):
        change(databases, chance)
    done = databases.on_target(DONE)
    assert done
    record = take(databases)
    assert record.consistent_position != record.settled_position
    reused = {count.table: count.ranges_reused for count in record.tables}
    assert sum(reused.values()) >= len(done)
    assert set(done) <= set(databases.on_target(DONE))
    check(databases, record, 7)
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
