"""A tracking store in MariaDB, made by MLflow itself and filled with what a PostgreSQL store holds."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from heavylift.connections import Connection
from heavylift.platforms.postgresql.connect import connect
from heavylift.registry.store.catalog import read_catalog
from heavylift.registry.ways import way_of
from heavylift.registry.work import Work
from sandbox import tools
from sandbox.paths import TOOLS_DIR
from sandbox.stack import Stack
from tests.support.mysql_sessions import Rows, open_session, run_all
from tests.support.stores import TwoStores, connection
from tests.support.tracking_server import MLFLOW_ENV

STAGED = "SELECT to_regnamespace('heavylift_staging') IS NULL"
"""Whether nothing is left that was staged."""
_ROWS = 500


@dataclass(frozen=True)
class MysqlStore:
    """A database with MLflow's tables."""

    connection: Connection

    @property
    def url(self) -> str:
        """Return its address as MLflow wants it; not to be shown."""
        return url_of(self.connection)

    def sql(self, *statements: str) -> Rows:
        """Run statements; return the last one's rows."""
        return run_all(self.connection, *statements)

    def make_tables(self) -> None:
        """Make MLflow's tables in an empty database."""
        self.sql("SET foreign_key_checks = 0", *_definitions(replace(self.connection, schema=None)))

    def session(self) -> Any:
        """Open a session as a tracking server would."""
        return open_session(self.connection)

    def fill(self, source: Connection) -> None:
        """Put everything into it that a PostgreSQL store holds, in place of what is there."""
        with closing(self.session()) as mine, mine.cursor() as cursor, connect(source, "test") as theirs:
            catalog = read_catalog(theirs, "test")
            # The default experiment's id is 0, which otherwise asks for the next one.
            cursor.execute("SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
            cursor.execute("START TRANSACTION")
            for name, table in catalog.tables.items():
                columns = [each.name for each in table.written]
                # JSON as it stands there.
                texts = {each.name for each in table.columns if each.type_name.startswith("json")}
                read = ", ".join(f'"{each}"::text' if each in texts else f'"{each}"' for each in columns)
                rows = theirs.execute(f'SELECT {read} FROM public."{name}"'.encode()).fetchall()
                cursor.execute(f"DELETE FROM `{name}`")
                listed, places = ", ".join(f"`{each}`" for each in columns), ", ".join(["%s"] * len(columns))
                for at in range(0, len(rows), _ROWS):
                    cursor.executemany(
                        f"INSERT INTO `{name}` ({listed}) VALUES ({places})", rows[at : at + _ROWS]
                    )
            cursor.execute("COMMIT")

    def beside(self, stores: TwoStores) -> TwoStores:
        """Return the stores with this one as their source; statements still go to the PostgreSQL one."""
        return replace(stores, source=self.connection)


def move(
    stores: TwoStores, store: MysqlStore, act: str = "copy", work: Work | None = None, **options: Any
) -> Any:
    """Copy or sync a store in MariaDB to the target."""
    request = store.beside(stores).request(**options)
    return way_of(request).move(request, work or Work(), act)  # type: ignore[arg-type]


@contextmanager
def mysql_of(sandbox: Stack) -> Iterator[MysqlStore]:
    """Make a store without a history on the sandbox's MariaDB, and drop it after."""
    sandbox.ensure("mysql_source")
    with mysql_store(connection(sandbox, "mysql_source")) as made:
        yield made


def url_of(connection: Connection) -> str:
    """Return a database's address as MLflow wants it; not to be shown."""
    login = f"{connection.login}:{quote(connection.password or '', safe='')}"
    return f"mysql+pymysql://{login}@{connection.host}:{connection.port}/{connection.schema}"


@contextmanager
def mysql_store(server: Connection) -> Iterator[MysqlStore]:
    """Make a store on a server, and drop it after."""
    name = f"t_{secrets.token_hex(5)}"
    run_all(server, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        store = MysqlStore(replace(server, conn_id="mlflow_mysql", schema=name))
        store.make_tables()
        yield store
    finally:
        run_all(server, f"DROP DATABASE {name}")


def _definitions(server: Connection) -> list[str]:
    """Return the statements that make MLflow's tables; MLflow makes them once for each of its versions."""
    kept = TOOLS_DIR / f"mlflow-{metadata.version('mlflow')}-mysql.json"
    with tools.one_at_a_time("mlflow-mysql"):
        if not kept.exists():
            _keep(server, kept)
    found: list[str] = json.loads(kept.read_text())
    return found


def _keep(server: Connection, kept: Path) -> None:
    name = f"build_{secrets.token_hex(5)}"
    build = replace(server, schema=name)
    run_all(server, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        code = "import os; from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine"
        code += "; _initialize_tables(create_sqlalchemy_engine(os.environ['HEAVYLIFT_BUILD_URL']))"
        env = {**os.environ, **MLFLOW_ENV, "HEAVYLIFT_BUILD_URL": url_of(build)}
        tools.install("making MLflow's tables in MariaDB", [sys.executable, "-c", code], env=env)
        statements = [run_all(build, f"SHOW CREATE TABLE `{row[0]}`")[0][1] for row in _tables(build)]
        for (trigger,) in run_all(
            build, f"SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = '{name}'"
        ):
            text = run_all(build, f"SHOW CREATE TRIGGER `{trigger}`")[0][2]
            statements.append("CREATE " + text[text.index("TRIGGER") :])
        for table in ("alembic_version", "workspaces"):
            for row in run_all(build, f"SELECT * FROM `{table}`"):
                values = ", ".join("NULL" if value is None else f"'{value}'" for value in row)
                statements.append(f"INSERT INTO `{table}` VALUES ({values})")
    finally:
        run_all(server, f"DROP DATABASE {name}")
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(statements))
    part.rename(kept)


def _tables(build: Connection) -> Rows:
    return run_all(
        build,
        "SELECT table_name FROM information_schema.tables WHERE table_schema = database() ORDER BY 1",
    )
