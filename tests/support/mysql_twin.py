"""A database on the sandbox's two MariaDB servers, for one test; compared by ordered dumps of both.

The dump is the product's own, so that none of Heavylift's SQL has a part in it.
"""

from __future__ import annotations

import re
import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heavylift.connections import Connection, connection_from_json
from heavylift.evidence.records import RunKey
from heavylift.evidence.table_records import SyncRecord
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.engine import Work
from heavylift.tables.mysql.moving import TwinEngine
from heavylift.tables.requests import DatabaseSideRequest, TablesOptions, TablesRequest
from tests.support.mysql_sessions import Rows, open_session, run_all

ENGINE = TwinEngine()


@dataclass(frozen=True)
class MysqlTwin:
    """One database that moves from one server to the other, and keeps its name."""

    source: Connection
    target: Connection

    @property
    def schema(self) -> str:
        """Return the database's name."""
        assert self.source.schema is not None
        return self.source.schema

    def session(self) -> Any:
        """Open a session of the source, as an application would."""
        return open_session(self.source)

    def on_source(self, *statements: str) -> Rows:
        """Run statements on the source; return the last one's rows."""
        return run_all(self.source, *statements)

    def on_target(self, *statements: str) -> Rows:
        """Run statements on the target; return the last one's rows."""
        return run_all(self.target, *statements)

    def anywhere_on_target(self, *statements: str) -> Rows:
        """Run statements on the target, where the database need not be there yet."""
        return run_all(replace(self.target, schema=None), *statements)

    def flipped(self) -> MysqlTwin:
        """Return the same with the sides exchanged, for what is done to a source."""
        return replace(self, source=replace(self.target, schema=None), target=self.source)

    def flipped_session(self) -> MysqlTwin:
        """Return the same for an application that writes on the target after the switch."""
        return replace(self, source=self.target, target=self.source)

    def request(self, **options: Any) -> TablesRequest:
        """Return a request that moves the whole database."""
        return TablesRequest(
            run=RunKey(migration=f"m-{self.schema}", phase="transfer", run="r1"),
            database="db",
            source=DatabaseSideRequest(DatabaseEngine.MARIADB, self.source),
            target=DatabaseSideRequest(DatabaseEngine.MARIADB, self.target),
            evidence_url=None,
            evidence_connection=None,
            options=TablesOptions(**options),
        )

    def begin(self, *statements: str) -> None:
        """Run statements on the source, then take the snapshot."""
        self.on_source(*statements)
        ENGINE.snapshot(self.request(), Work())

    def sync(self, **options: Any) -> SyncRecord:
        """Apply what the source has committed until now."""
        return ENGINE.sync(self.request(**options), Work())

    def assert_proved(self, *, frozen: bool = True) -> None:
        """Assert that the comparison finds both sides equal."""
        compared = ENGINE.compare(self.request(), Work(), frozen=frozen)
        unlike = {each.table: (each.in_words, each.note) for each in compared.tables if not each.is_equal}
        assert not unlike, (unlike, compared.differences[:3])

    def with_target_extra(self, **extra: Any) -> MysqlTwin:
        """Return the same with other extras of the target's connection."""
        return replace(self, target=replace(self.target, extra=extra))

    def assert_equal(self, *tables: str) -> None:
        """Assert that rows are the same on both sides, in the order of their key, duplicates and all."""
        for table in tables:
            source, target = (_dumped(each, table) for each in (self.source, self.target))
            unlike = [(a, b) for a, b in zip(source, target, strict=False) if a != b]
            assert not unlike, f"{table}: {len(unlike)} rows differ, such as {unlike[0]}"
            assert len(source) == len(target), f"{table}: {len(source)} rows, {len(target)} on the target"

    def definition(self, table: str, *, on_target: bool = False) -> str:
        """Return a table's definition, without the counter of its rows."""
        run = self.on_target if on_target else self.on_source
        return re.sub(r" AUTO_INCREMENT=\d+", "", str(run(f"SHOW CREATE TABLE `{table}`")[0][1]))

    def assert_same_definitions(self, *tables: str) -> None:
        """Assert that tables are defined alike."""
        for table in tables:
            assert self.definition(table, on_target=True) == self.definition(table)


def _dumped(connection: Connection, table: str) -> list[str]:
    """Return a table's rows as statements, in the order of its key; without one, sorted by themselves."""
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as settings:
        settings.write(
            f"[client]\nhost=127.0.0.1\nport={connection.port}\nuser={connection.login}\n"
            f"password={connection.password}\n"
        )
        settings.flush()
        program, login = str(PROGRAMS / "mariadb-dump"), f"--defaults-file={settings.name}"
        done = subprocess.run(
            [program, login, *OPTIONS, str(connection.schema), table],
            capture_output=True,
            check=True,
        )
    lines = [line for line in done.stdout.decode("latin1").split("\n") if line.startswith("INSERT")]
    return lines if _has_key(connection, table) else sorted(lines)


def _has_key(connection: Connection, table: str) -> bool:
    query = f"SHOW KEYS FROM `{table}` WHERE Key_name = 'PRIMARY'"
    return bool(run_all(connection, query))


PROGRAMS = Path()
OPTIONS = (
    "--no-create-info", "--skip-triggers", "--order-by-primary", "--skip-extended-insert", "--compact",
    "--hex-blob", "--complete-insert", "--default-character-set=binary",
)  # fmt: skip


@contextmanager
def mysql_twin(env: Mapping[str, str], clients: Path) -> Iterator[MysqlTwin]:
    """Make the database on ``mysql_source``, and drop it on both sides afterwards.

    :param clients: the folder of MariaDB's own programs, for :data:`FOLDER`.
    """
    global PROGRAMS
    PROGRAMS = clients
    name = f"t_{secrets.token_hex(5)}"
    source = connection_from_json("mysql_source", env["AIRFLOW_CONN_MYSQL_SOURCE"])
    target = connection_from_json("mysql_target", env["AIRFLOW_CONN_MYSQL_TARGET"])
    run_all(source, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        yield MysqlTwin(replace(source, schema=name), replace(target, schema=name))
    finally:
        run_all(source, f"DROP DATABASE {name}")
        run_all(replace(target, schema=None), f"DROP DATABASE IF EXISTS {name}")
