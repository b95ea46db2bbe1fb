"""Fences on PostgreSQL: nothing is acknowledged after them, nothing is lost before, and one side is open."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest

from heavylift.connections import Connection
from heavylift.errors import ConflictError, CredentialError, NotFoundError, TransientError
from heavylift.fencing import Side, Writes
from heavylift.spec.sections_data import CaptureMethod
from heavylift.tables import api
from heavylift.tables.postgres.connect import connect
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.requests import TablesRequest
from tests.support.fenced_writer import FencedWriter
from tests.support.two_databases import TwoDatabases, run_sql

T = TypeVar("T")
LIBRARY = Path(__file__).resolve().parents[3] / "include"
SOURCE, TARGET = Side.SOURCE, Side.TARGET
SCHEMA = """
CREATE TABLE item (id bigint PRIMARY KEY, n int, body text);
CREATE TABLE part (id bigint, at int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent ON DELETE CASCADE);
CREATE TABLE "we""ird %s" (id int);
ALTER TABLE "we""ird %s" REPLICA IDENTITY FULL;
CREATE VIEW item_view AS SELECT id, n FROM item;
INSERT INTO item SELECT i, i, 'x' FROM generate_series(-100, -1) i;
INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1, 1);
"""


def wait(doing: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(doing)


def freeze(request: TablesRequest, side: Side, epoch: int, within: float = 20.0) -> Any:
    return wait(api.freeze_writes(request, side=side, epoch=epoch, within_seconds=within))[0]


def unfreeze(request: TablesRequest, side: Side, epoch: int, **options: Any) -> Any:
    return wait(api.unfreeze_writes(request, side=side, epoch=epoch, **options))[0]


def state(request: TablesRequest, side: Side) -> Any:
    return wait(api.writes_state(request, side=side))


def begun(databases: TwoDatabases) -> TablesRequest:
    """Move the tables, so that changes flow, with a fence on the target as there is before a switch."""
    databases.on_source(SCHEMA)
    request = databases.request()
    wait(api.snapshot_tables(request))
    freeze(request, TARGET, 1)
    return request


def writer(connection: Connection, begin: int = 0) -> FencedWriter:
    def insert(session: Any, number: int) -> None:
        session.execute("INSERT INTO public.item VALUES (%s, %s, 'w')", [number, number])
        session.execute("INSERT INTO public.part VALUES (%s, 1)", [number])

    return FencedWriter(
        lambda: closing(connect(connection, "writer", autocommit=False)),
        insert,
        lambda error: isinstance(error, psycopg.errors.ReadOnlySqlTransaction),
        begin=begin,
    )


def numbers(connection: Connection) -> list[int]:
    return [row[0] for row in run_sql(connection, "SELECT id FROM item WHERE id >= 0 ORDER BY 1")]


def equal(databases: TwoDatabases) -> None:
    for table in ("item", "part", "parent", "child"):
        databases.assert_equal(table)


def refused(connection: Connection, statement: str) -> str:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as error:
        run_sql(connection, statement)
    return str(error.value)


def test_a_switch_and_the_way_back_lose_and_double_nothing(databases: TwoDatabases) -> None:
    request = begun(databases)
    assert wait(api.switched_to(request)) is SOURCE
    with writer(databases.source) as live:
        live.wait_until(lambda: len(live.acknowledged) >= 200)
        record = freeze(request, SOURCE, 2)
        live.wait_until(lambda: live.refused >= 8)
    acknowledged = sorted(live.acknowledged)
    assert numbers(databases.source) == acknowledged
    assert (record.act, record.writes, record.tables, record.already) == ("frozen", "frozen", 6, False)
    drained, _ = wait(api.drain_tables(request, within_seconds=60))
    assert (drained.reached, drained.findings) == (True, ())
    assert lsn_from_text(drained.upto_position) >= lsn_from_text(record.position)
    assert wait(api.verify_tables(request, frozen=True))[0].passed
    assert numbers(databases.target) == acknowledged
    wait(api.prepare_reverse(request))
    with pytest.raises(ConflictError, match="HL-8701"):
        unfreeze(request, TARGET, 0)
    assert unfreeze(request, TARGET, 2).act == "opened"
    assert (state(request, SOURCE).is_frozen, state(request, TARGET).writes) == (True, Writes.OPEN)
    assert wait(api.switched_to(request)) is TARGET
    with pytest.raises(ConflictError, match="HL-8786"):
        wait(api.sync_tables(request))
    back = request.reversed()
    assert wait(api.live_request(request)) == back
    with writer(databases.target, begin=1_000_000) as live:
        live.wait_until(lambda: len(live.acknowledged) >= 100)
        assert wait(api.sync_tables(back))[0].changes > 0
        freeze(request, TARGET, 3)
        live.wait_until(lambda: live.refused >= 8)
    # Both are frozen: the last open one tells where changes come from.
    assert wait(api.switched_to(request)) is TARGET
    assert wait(api.drain_tables(back, within_seconds=60))[0].reached
    unfreeze(request, SOURCE, 3)
    assert numbers(databases.source) == [*acknowledged, *sorted(live.acknowledged)]
    equal(databases)
    assert wait(api.switched_to(request)) is SOURCE
    with pytest.raises(ConflictError, match="HL-8786"):
        wait(api.sync_tables(back))
    databases.on_source("INSERT INTO item VALUES (-1000, 1, 'after the rollback')")
    assert wait(api.sync_tables(request))[0].changes == 1
    equal(databases)


def test_every_way_to_write_is_refused_and_every_way_to_read_is_not(databases: TwoDatabases) -> None:
    request = begun(databases)
    freeze(request, SOURCE, 1)
    for statement in (
        'INSERT INTO "we""ird %s" VALUES (1)',
        "INSERT INTO item VALUES (1)",
        "UPDATE item SET n = 1 WHERE false",
        "DELETE FROM item",
        "TRUNCATE child",
        "INSERT INTO part VALUES (1, 1)",
        "INSERT INTO part_low VALUES (1, 1)",
        "TRUNCATE part_low",
        "UPDATE item_view SET n = 2",
        "DELETE FROM parent",
        "WITH gone AS (DELETE FROM item RETURNING id) SELECT count(*) FROM gone",
        "INSERT INTO item VALUES (-1) ON CONFLICT (id) DO UPDATE SET n = 3",
        "ALTER TABLE item ADD extra int; INSERT INTO item VALUES (1)",
    ):
        said = refused(databases.source, statement)
    assert f"migration {request.run.migration}, source of database db, epoch 1" in said
    with (
        connect(databases.source, "test") as session,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        session.cursor().copy("COPY public.item FROM STDIN") as copy,
    ):
        copy.write(b"1\t1\tx\n")
    assert databases.on_source("SELECT count(*) FROM item") == [(100,)]
    databases.on_source(
        "SELECT * FROM item FOR UPDATE; CREATE TABLE other (id int); INSERT INTO other VALUES (1)"
    )
    assert state(request, SOURCE).partly == ("public.other",)


def test_a_transaction_in_the_way_is_told_and_nothing_is_frozen(databases: TwoDatabases) -> None:
    request = begun(databases)
    with connect(databases.source, "test", autocommit=False) as session:
        session.execute("SET application_name = 'nightly job'")
        session.execute("UPDATE public.item SET n = 42 WHERE id = -1")
        with pytest.raises(TransientError, match=r"HL-8781") as error:
            freeze(request, SOURCE, 2, within=0.8)
        assert f"pid {session.info.backend_pid} (application 'nightly job'" in error.value.got
        assert "UPDATE" not in error.value.got
        assert state(request, SOURCE).writes is Writes.OPEN
        databases.on_source("UPDATE item SET n = 43 WHERE id = -2; TRUNCATE child")
        session.commit()
    assert freeze(request, SOURCE, 2).attempts == 1
    refused(databases.source, "DELETE FROM item")


def test_later_epochs_win_and_the_same_act_twice_changes_nothing(databases: TwoDatabases) -> None:
    request = begun(databases)
    assert [freeze(request, SOURCE, epoch).already for epoch in (5, 5, 6)] == [False, True, False]
    for act in (freeze, unfreeze):
        with pytest.raises(ConflictError, match=r"epoch 5, while epoch 6 is in force.*HL-8701"):
            act(request, SOURCE, 5)
    assert (state(request, SOURCE).epoch, state(request, SOURCE).is_frozen) == (6, True)
    with pytest.raises(ConflictError, match=r"HL-8784"):
        wait(api.drop_fence(request, side=SOURCE, epoch=6))
    assert [unfreeze(request, SOURCE, 6).already for _ in range(2)] == [False, True]
    with pytest.raises(ConflictError, match=r"HL-8783"):
        unfreeze(request, TARGET, 6)
    unfreeze(request, TARGET, 6, whatever_the_other=True)
    for act in (api.switched_to, api.sync_tables):
        with pytest.raises(ConflictError, match=r"HL-8785"):
            wait(act(request))
    for side in Side:
        assert wait(api.drop_fence(request, side=side, epoch=6))[0].act == "dropped"
        assert wait(api.drop_fence(request, side=side, epoch=6))[0].already
        assert state(request, side).epoch == 0
    for rows in databases.rows("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'heavylift%'"):
        assert rows == [(0,)]


def test_two_at_once_come_one_after_the_other(databases: TwoDatabases) -> None:
    request = begun(databases)

    async def both() -> list[Any]:
        acts = [api.freeze_writes(request, side=SOURCE, epoch=e, within_seconds=20) for e in (7, 8)]
        return await asyncio.gather(*acts, return_exceptions=True)

    lower, higher = wait(both())
    assert higher[0].act == "frozen"
    assert isinstance(lower, tuple) or "HL-8701" in str(lower)
    assert (state(request, SOURCE).epoch, state(request, SOURCE).is_frozen) == (8, True)


def test_what_comes_later_is_carried_through_the_fence_and_told_as_open(databases: TwoDatabases) -> None:
    request = begun(databases)
    databases.on_source(
        "CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1);"
        "CREATE TABLE part_high PARTITION OF part FOR VALUES FROM (100) TO (200);"
        "INSERT INTO part VALUES (1, 150); TRUNCATE child, parent; INSERT INTO parent VALUES (9)"
    )
    assert wait(api.sync_tables(request))[0].truncates == 2
    databases.assert_equal("late")
    equal(databases)
    found = state(request, TARGET)
    assert (found.writes, found.partly) == (Writes.FROZEN, ("public.late", "public.part_high"))
    assert not found.is_frozen
    freeze(request, TARGET, 1)
    assert state(request, TARGET).is_frozen
    refused(databases.target, "INSERT INTO part_high VALUES (2, 150)")


@pytest.mark.long
def test_a_fence_is_no_part_of_the_schema_that_moves(databases: TwoDatabases) -> None:
    databases.on_source(SCHEMA)
    request = databases.request()
    freeze(request, SOURCE, 1)
    with pytest.raises(NotFoundError, match="HL-6021"):
        freeze(request, TARGET, 1)
    wait(api.snapshot_tables(request))
    assert wait(api.drain_tables(request, within_seconds=60))[0].reached
    assert wait(api.verify_tables(request, frozen=True))[0].passed
    ours = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'heavylift%'"
    assert databases.rows(ours) == ([(6,)], [(0,)])
    freeze(request, TARGET, 1)
    # Begun over, the target's tables are made anew, without a fence until the next one is put up.
    wait(api.snapshot_tables(replace(request, options=replace(request.options, anew=True))))
    assert (state(request, TARGET).writes, state(request, TARGET).epoch) == (Writes.OPEN, 1)
    equal(databases)


@pytest.mark.long
def test_roles_without_the_right_to_be_a_replica_pass_the_fence_all_the_same(databases: TwoDatabases) -> None:
    role = f"{databases.source.schema}_plain"
    for side in (databases.source, databases.target):
        run_sql(
            side,
            f"CREATE ROLE {role} LOGIN REPLICATION PASSWORD 'plain'; CREATE SCHEMA app AUTHORIZATION {role};"
            f"GRANT CREATE ON DATABASE {databases.source.schema} TO {role}",
        )
    sides = [replace(side, login=role, password="plain") for side in (databases.source, databases.target)]
    plain = replace(databases, source=sides[0], target=sides[1])
    try:
        run_sql(plain.source, "CREATE TABLE app.item (id int PRIMARY KEY); INSERT INTO app.item VALUES (1)")
        request = plain.request(tables=("app.*",))
        wait(api.snapshot_tables(request))
        freeze(request, TARGET, 1)
        run_sql(plain.source, "INSERT INTO app.item VALUES (2)")
        assert wait(api.sync_tables(request))[0].inserts == 1
        freeze(request, SOURCE, 2)
        assert wait(api.drain_tables(request, within_seconds=60))[0].reached
        wait(api.prepare_reverse(request))
        unfreeze(request, TARGET, 2)
        refused(plain.source, "INSERT INTO app.item VALUES (3)")
        run_sql(
            plain.target,
            "INSERT INTO app.item VALUES (4); TRUNCATE app.item; INSERT INTO app.item VALUES (5)",
        )
        assert wait(api.sync_tables(request.reversed()))[0].truncates == 1
        databases.assert_equal("app.item")
        run_sql(databases.source, "ALTER TABLE app.item OWNER TO CURRENT_USER")
        with pytest.raises(CredentialError, match="HL-6010"):
            unfreeze(request, SOURCE, 3, whatever_the_other=True)
        assert state(request, SOURCE).is_frozen
    finally:
        for side in (databases.source, databases.target):
            run_sql(side, f"REASSIGN OWNED BY {role} TO CURRENT_USER")
            run_sql(side, f"DROP OWNED BY {role}; DROP ROLE {role}")


class Shell:
    """Runs ``heavylift tables`` between two databases, as a user does."""

    def __init__(self, databases: TwoDatabases) -> None:
        self._folder = databases.evidence_url
        self._env = {**os.environ, "PYTHONPATH": str(LIBRARY)}
        for name, side in (("A", databases.source), ("B", databases.target)):
            fields = ("conn_type", "host", "port", "schema", "login", "password")
            self._env[f"AIRFLOW_CONN_DB_{name}"] = json.dumps({each: getattr(side, each) for each in fields})

    def start(self, act: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and let it run."""
        command = [
            sys.executable, "-m", "heavylift", "tables", act, "--source-conn", "db_a",
            "--target-conn", "db_b", "--evidence", self._folder, "--json", *arguments,
        ]  # fmt: skip
        return subprocess.Popen(
            command, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, act: str, *arguments: str, status: int = 0) -> Any:
        """Run a command to its end; return what it printed."""
        process = self.start(act, *arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, (out, err)
        return json.loads(out)


@pytest.mark.long
def test_a_killed_freeze_leaves_nothing_frozen_and_a_shell_does_it_all(databases: TwoDatabases) -> None:
    databases.on_source(SCHEMA)
    shell, side = Shell(databases), ("--side", "source", "--epoch", "3")
    with connect(databases.source, "test", autocommit=False) as session:
        session.execute("UPDATE public.item SET n = 42 WHERE id = -1")
        process = shell.start("freeze", *side, "--within", "60")
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'public.item'::regclass"
        while not databases.on_source(waiting):
            assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()
        session.commit()
    # Whoever is served after it finds all tables open.
    databases.on_source("DELETE FROM item; TRUNCATE part")
    assert shell.run("writes", status=1)["writes"]["source"] == {"writes": "open", "epoch": 0, "partly": []}
    assert shell.run("freeze", *side, "--dry-run", status=1)["writes"]["source"]["writes"] == "open"
    shell.run("snapshot")
    assert shell.run("freeze", "--side", "target", "--epoch", "3")["fence"]["tables"] == 6
    assert shell.run("writes")["writes"]["target"]["writes"] == "frozen"
    assert shell.run("freeze", *side)["fence"]["writes"] == "frozen"
    refused(databases.source, "INSERT INTO item VALUES (1)")
    assert "HL-8701" in json.dumps(shell.run("unfreeze", "--side", "source", "--epoch", "2", status=1))
    assert "HL-8784" in json.dumps(shell.run("unfence", *side, status=1))
    assert shell.run("unfreeze", *side)["fence"]["act"] == "opened"
    assert shell.run("unfence", *side)["fence"]["act"] == "dropped"
    databases.on_source("INSERT INTO item VALUES (1)")


@pytest.mark.long
def test_two_hundred_tables_are_frozen_at_once(databases: TwoDatabases) -> None:
    databases.on_source(
        "".join(f"CREATE TABLE t{n} (id int PRIMARY KEY, body text);" for n in range(200)) + SCHEMA
    )
    request = databases.request()
    with writer(databases.source) as live:
        live.wait_until(lambda: len(live.acknowledged) >= 100)
        record = freeze(request, SOURCE, 1)
        live.wait_until(lambda: live.refused >= 8)
    assert (record.tables, numbers(databases.source)) == (206, sorted(live.acknowledged))
    print(f"frozen {record.tables} tables in {record.seconds:.2f} s, {record.attempts} attempts")
    opened = unfreeze(request, SOURCE, 1, whatever_the_other=True)
    print(f"opened {opened.tables} tables in {opened.seconds:.2f} s")


@pytest.mark.long
def test_a_subscription_of_the_servers_own_passes_the_fence(databases: TwoDatabases) -> None:
    databases.on_source(SCHEMA)
    request = databases.request(method=CaptureMethod.NATIVE)
    wait(api.snapshot_tables(request))
    freeze(request, TARGET, 1)
    databases.on_source("INSERT INTO item VALUES (1); TRUNCATE child")
    freeze(request, SOURCE, 2)
    assert wait(api.drain_tables(request, within_seconds=60))[0].reached
    equal(databases)
    wait(api.prepare_reverse(request))
    unfreeze(request, TARGET, 2)
    databases.on_target("INSERT INTO item VALUES (2)")
    with pytest.raises(ConflictError, match="HL-8786"):
        wait(api.sync_tables(request))
    assert wait(api.sync_tables(request.reversed()))[0].inserts == 1
    equal(databases)


@pytest.mark.long
def test_a_prepared_transaction_is_in_the_way_until_it_ends(small: TwoDatabases) -> None:
    small.on_source(SCHEMA)
    request = small.request()
    with connect(small.source, "test") as session:
        session.execute("BEGIN; INSERT INTO public.item VALUES (1); PREPARE TRANSACTION 'later'")
    with pytest.raises(TransientError, match=r"a prepared transaction \(pg_prepared_xacts\).*HL-8781"):
        freeze(request, SOURCE, 1, within=0.5)
    with connect(small.source, "test") as session:
        session.execute("COMMIT PREPARED 'later'")
    freeze(request, SOURCE, 1)
    refused(small.source, "INSERT INTO item VALUES (2)")
    assert numbers(small.source) == [1]
