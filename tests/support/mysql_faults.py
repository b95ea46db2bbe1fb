"""Killing a worker that moves a MySQL database, restarting servers, and waiting for what is left of both."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import pymysql

from heavylift.errors import ConflictError, TransientError
from sandbox.stack import Stack

OPTIONS: dict[str, Any] = {"range_bytes": 16384, "batch_changes": 200, "parallel_ranges": 2}
FILL = (
    "INSERT INTO account (owner, balance, note) SELECT concat('o', seq), seq / 7, repeat('n', seq % 300)"
    " FROM seq_1_to_6000"
)
T = TypeVar("T")


class Source(Protocol):
    """A database whose server can be restarted."""

    def on_source(self, *statements: str) -> Any:
        """Run statements on the source."""


def patiently(act: Callable[[], T], seconds: float = 60) -> T:
    """Do it, once what is left of a killed run has let go, and a restarted server answers."""
    until = time.monotonic() + seconds
    while True:
        try:
            return act()
        except (ConflictError, TransientError) as error:
            if (isinstance(error, ConflictError) and error.code != "6020") or time.monotonic() > until:
                raise
            time.sleep(0.2)


def kill_after(process: subprocess.Popen[str], seconds: float) -> None:
    """Kill a worker after some time; it must not have ended by itself but for the server's restart."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return
    assert "HL-6020" in output or "HL-6412" in output, output


def restart(sandbox: Stack, databases: Source, server: str = "mysql_source") -> None:
    """Shut MariaDB down and start it again."""
    databases.on_source("SHUTDOWN")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        sandbox.ensure(server)
        try:
            databases.on_source("SELECT 1")
        except pymysql.MySQLError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("MariaDB did not come back")
