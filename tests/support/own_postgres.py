"""A PostgreSQL server of the test's own, that it may crash and start again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from heavylift.connections import Connection
from sandbox.accounts import Account, unprivileged
from sandbox.pg_programs import Programs, find

PASSWORD = "own"


class OwnPostgres:
    """One server on a port of its own; its data outlives :meth:`crash`.

    :param programs: finds its programs; by default the machine's own.
    :param primary: of which server it is a standby; None for one of its own.
    """

    def __init__(
        self,
        name: str,
        programs: Callable[[Account, Path], Programs] = find,
        primary: OwnPostgres | None = None,
        **settings: str,
    ) -> None:
        self._account = unprivileged()
        self._home = Path(tempfile.mkdtemp(prefix=f"heavylift-own-{name}-", dir="/var/tmp"))
        self._home.chmod(0o711)
        self._programs = programs(self._account, self._home)
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.name = name
        self.port = _free_port()
        if primary is None:
            self._make()
        else:
            self._copy(primary)
        self.start()

    def connection(self, database: str, port: int | None = None) -> Connection:
        """Return a connection to a database, by another port where a proxy stands before the server."""
        return Connection(
            self.name, "postgres", "heavylift", PASSWORD, "127.0.0.1", port or self.port, database
        )

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {
            "wal_level": "logical",
            "max_replication_slots": "20",
            "max_wal_senders": "20",
            "fsync": "off",
            "shared_buffers": "32MB",
            "unix_socket_directories": "",
            "timezone": "UTC",
            **self._settings,
        }
        argv = [self._programs["postgres"], "-D", str(self._home / "data"), "-h", "127.0.0.1", "-p"]
        argv += [str(self.port), *(f"-c{name}={value}" for name, value in settings.items())]
        with (self._home / "log").open("ab") as log:
            self._process = self._run(argv, log.fileno())
        self._await()

    def crash(self) -> None:
        """End the server as a power cut would: nothing is written any more."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGQUIT)
        process.wait(30)
        self._process = None

    def remove(self) -> None:
        """End the server and throw its data away."""
        self.crash()
        shutil.rmtree(self._home, ignore_errors=True)

    def promote(self) -> None:
        """Make a standby a server of its own, as a failover does."""
        argv = [self._programs["pg_ctl"], "-D", str(self._home / "data"), "-w", "promote"]
        assert self._run(argv, subprocess.DEVNULL).wait(120) == 0

    def _copy(self, primary: OwnPostgres) -> None:
        self._account.own(self._home)
        address = f"host=127.0.0.1 port={primary.port} user=heavylift password={PASSWORD} dbname=postgres"
        argv = [self._programs["pg_basebackup"], "-D", str(self._home / "data"), "-R", "-c", "fast"]
        argv += ["-C", "-S", self.name, "-d", address]
        assert self._run(argv, subprocess.DEVNULL).wait(120) == 0

    def _make(self) -> None:
        keyfile = self._home / "key"
        keyfile.write_text(PASSWORD)
        self._account.own(self._home)
        self._account.own(keyfile)
        argv = [self._programs["initdb"], "-D", str(self._home / "data"), "-U", "heavylift", "-A"]
        argv += ["scram-sha-256", f"--pwfile={keyfile}", "-E", "UTF8", "--no-locale", "--no-sync"]
        assert self._run(argv, subprocess.DEVNULL).wait(120) == 0

    def _run(self, argv: list[str], output: int) -> subprocess.Popen[bytes]:
        uid, gid = self._account.ids or (None, None)
        return subprocess.Popen(
            argv,
            cwd=self._home,
            user=uid,
            group=gid,
            extra_groups=[] if self._account.ids else None,
            stdout=output,
            stderr=output,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        )

    def _await(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(
                    host="127.0.0.1", port=self.port, user="heavylift", password=PASSWORD, dbname="postgres"
                ).close()
            except psycopg.OperationalError:
                assert time.monotonic() < until, (self._home / "log").read_text()[-2000:]
                time.sleep(0.05)
            else:
                return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
