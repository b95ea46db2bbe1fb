"""A database's whole journey from a shell: snapshot, follow, drain, proof, the way back, the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.tables.postgres.connect import connect
from tests.support import shell as shells
from tests.support.live_writer import LEDGER, TABLES, LiveWriter
from tests.support.two_databases import TwoDatabases, run_sql

BEFORE_SLOT = "SELECT 1 FROM pg_replication_slots WHERE database = current_database()"
BEFORE_ROWS = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'public.account'::regclass"
LIBRARY = Path(__file__).resolve().parents[3] / "include"


class Shell:
    """Runs ``heavylift tables`` between two databases, as a user does."""

    def __init__(self, databases: TwoDatabases, folder: Path) -> None:
        self.evidence = folder / "evidence"
        self._env = {
            **os.environ,
            "PYTHONPATH": str(LIBRARY),
            "AIRFLOW_CONN_DB_A": _text(databases.source),
            "AIRFLOW_CONN_DB_B": _text(databases.target),
        }
        self.started: list[subprocess.Popen[str]] = []

    def _command(self, act: str, *rest: str) -> list[str]:
        return [
            "tables", act, "--source-conn", "db_a", "--target-conn", "db_b", "--migration", "mine",
            "--database", "ledger", "--evidence", self.evidence.as_uri(), "--json", *rest,
        ]  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and let it run."""
        command = [sys.executable, "-m", "heavylift", *self._command(*arguments)]
        process = subprocess.Popen(
            command, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Run a command to its end; return what it printed."""
        ended, out, err = shells.start(self._command(*arguments), self._env).end()
        assert ended == status, f"{arguments}: {out}\n{err}"
        document: dict[str, Any] = json.loads(out)
        return document

    def heavylift(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run any other command."""
        return subprocess.run(
            [sys.executable, "-m", "heavylift", *arguments, "--evidence", self.evidence.as_uri()],
            env=self._env, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip


def _text(connection: Connection) -> str:
    fields = ("conn_type", "host", "port", "schema", "login", "password")
    return json.dumps({name: getattr(connection, name) for name in fields})


@pytest.fixture
def shell(databases: TwoDatabases, tmp_path: Path) -> Iterator[Shell]:
    made = Shell(databases, tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_database_moves_from_a_shell_and_could_come_back(databases: TwoDatabases, shell: Shell) -> None:
    databases.on_source(LEDGER)
    databases.on_source("INSERT INTO account SELECT i, 'o' || i, i FROM generate_series(1, 2000) i")
    assert "HL-6021" in json.dumps(shell.run("sync", status=2))
    assert shell.run("snapshot", "--dry-run")["preflight"]["tables"] == 3
    with LiveWriter(databases.source, seed=11) as writer:
        copied = shell.run("snapshot", "--tables", "public.*")
        assert copied["verification"]["passed"] is True
        assert copied["summary"]["passed"] is True
        # The snapshot has applied some already, to compare both sides at one position.
        before = databases.on_target("SELECT changes FROM heavylift.stream")
        following = shell.start("sync", "--tables", "public.*", "--follow", "--pause", "0.1")
        writer.wait_for(writer.commits + 300)
        assert shell.run("status")["streams"][0]["state"] == "streaming"
        while databases.on_target("SELECT changes FROM heavylift.stream") == before:
            assert following.poll() is None
        following.send_signal(signal.SIGTERM)
        out, err = following.communicate(timeout=60)
        assert following.returncode == 3, err
        assert json.loads(out)["changes"] > 0, err
        assert shell.run("sync", "--tables", "public.*")["sync"]["caught_up"] is True
    assert shell.run("drain", "--tables", "public.*", "--within", "60")["drain"]["reached"] is True
    proof = shell.run("verify", "--tables", "public.*", "--frozen")["verification"]
    assert proof["passed"] is True
    for table in TABLES:
        databases.assert_equal(table)
    shell.run("reverse", "prepare", "--tables", "public.*")
    written = databases.on_target("UPDATE account SET balance = 424242 WHERE id <= 100 RETURNING id")
    back = shell.run("reverse", "sync", "--tables", "public.*")["sync"]
    assert back["updates"] == len(written) > 0
    for table in TABLES:
        databases.assert_equal(table)
    assert [each["direction"] for each in shell.run("status")["streams"]] == ["forward", "reverse"]
    shell.run("end")
    shell.run("reverse", "end")
    for ask in (databases.on_source, databases.on_target):
        slots = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
        assert ask(slots) == [(0,)]
    audit = shell.heavylift("audit", "verify", "mine")
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_a_row_that_somebody_changed_on_the_target_is_found(databases: TwoDatabases, shell: Shell) -> None:
    databases.on_source(LEDGER)
    databases.on_source("INSERT INTO account SELECT i, 'o' || i, i FROM generate_series(1, 500) i")
    shell.run("snapshot", "--tables", "public.*")
    databases.on_target("UPDATE account SET note = 'x' WHERE id = 77")
    told = shell.run("verify", "--tables", "public.*", status=1)["verification"]
    assert told["differences"] == [{"table": "public.account", "kind": "different", "key": {"id": "77"}}]
    status = shell.heavylift("status", "mine")
    assert "ledger" in status.stdout


@pytest.mark.long
def test_a_snapshot_that_is_killed_goes_on(databases: TwoDatabases, shell: Shell) -> None:
    databases.on_source(LEDGER)
    databases.on_source(
        "INSERT INTO account SELECT i, 'o' || i, i, repeat(md5(i::text), 20) FROM generate_series(1, 60000) i"
    )
    # Held up before its slot is made, then in the middle of the rows: it cannot be done before the kill.
    # A new slot waits for every transaction that may write; rows wait for a lock of their table.
    held = (
        (databases.source, BEFORE_SLOT, "SELECT pg_current_xact_id()"),
        (databases.target, BEFORE_ROWS, "LOCK TABLE public.account IN SHARE MODE"),
    )
    for side, waiting, hold in held:
        with closing(connect(side, "holder", autocommit=False)) as holder:
            holder.execute(hold.encode())
            process = shell.start("snapshot", "--tables", "public.*", "--no-verify")
            while not run_sql(side, waiting):
                assert process.poll() is None
            process.kill()
            process.communicate()
        assert process.returncode == -signal.SIGKILL
        databases.on_source("UPDATE account SET balance = balance + 1 WHERE id % 100 = 0")
    told = shell.run("snapshot", "--tables", "public.*")
    assert told["verification"]["passed"] is True
    shell.run("sync", "--tables", "public.*")
    databases.assert_equal("account")
