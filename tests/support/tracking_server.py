"""Small tracking servers, as many teams have them: MLflow over SQLite, artifacts through the server."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from heavylift.connections import Connection
from sandbox import ports, tools
from sandbox.paths import TOOLS_DIR

MLFLOW_ENV = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    # Copies of a store are read by another server, which must know the same key.
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": base64.urlsafe_b64encode(bytes(32)).decode(),
    "PYTHONDONTWRITEBYTECODE": "",
}


@dataclass(frozen=True)
class Server:
    """A running server.

    :param database: its SQLite file.
    :param artifacts: the folder of its artifacts.
    """

    name: str
    url: str
    database: Path
    artifacts: Path

    @property
    def connection(self) -> Connection:
        """The connection of the server."""
        return Connection(self.name, "mlflow", host=self.url)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement past the server."""
        with closing(sqlite3.connect(self.database, timeout=30)) as session, session:
            return session.execute(statement, values).fetchall()

    def clear(self) -> None:
        """Make the server forget everything but its default experiment."""
        shutil.rmtree(self.artifacts, ignore_errors=True)
        with closing(sqlite3.connect(self.database, timeout=30)) as session, session:
            tables = session.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                " AND name NOT IN ('alembic_version', 'workspaces')"
            ).fetchall()
            for (name,) in tables:
                session.execute(
                    f'DELETE FROM "{name}"' + (" WHERE experiment_id <> 0" * (name == "experiments"))
                )

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table."""
        with closing(sqlite3.connect(self.database, timeout=30)) as session:
            names = session.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return {
                name: sorted(session.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
                for (name,) in names
            }

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | bytes | None = None, **headers: str
    ) -> Any:
        """Send a request as any client would; return the answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
        except HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read()[:500]!r}") from error
        return json.loads(text) if text.startswith(b"{") else text


def empty_database() -> Path:
    """Return a SQLite file with MLflow's tables; made once for each version of MLflow."""
    template = TOOLS_DIR / f"mlflow-{metadata.version('mlflow')}.sqlite"
    with tools.one_at_a_time("mlflow-sqlite"):
        if not template.exists():
            part = template.with_suffix(".part")
            part.unlink(missing_ok=True)
            code = (
                "import sys; from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine"
            )
            code += "; _initialize_tables(create_sqlalchemy_engine('sqlite:///' + sys.argv[1]))"
            env = {**os.environ, **MLFLOW_ENV}
            tools.install("making MLflow's tables", [sys.executable, "-c", code, str(part)], env=env)
            part.rename(template)
    return template


@contextmanager
def servers(folder: Path, *names: str) -> Iterator[list[Server]]:
    """Run servers for the length of the block; they start side by side."""
    template = empty_database()
    processes: list[subprocess.Popen[bytes]] = []
    found: list[Server] = []
    taken: set[int] = set()
    try:
        for name in names:
            home = folder / name
            home.mkdir(parents=True)
            shutil.copy(template, home / "mlflow.db")
            port = ports.choose(name, ("http",), before={}, taken=taken)["http"]
            server = Server(name, f"http://127.0.0.1:{port}", home / "mlflow.db", home / "artifacts")
            processes.append(_start(server, home, port))
            found.append(server)
        for server, process in zip(found, processes, strict=True):
            _wait(server, process, folder / server.name / "log")
        yield found
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


@contextmanager
def over_store(folder: Path, store: str, artifacts: Path) -> Iterator[Server]:
    """Run a server over a database that is there, named by its URL, for the length of the block.

    :param artifacts: a folder that another server may keep its files in, too.
    """
    folder.mkdir()
    port = ports.choose(folder.name, ("http",), before={}, taken=set())["http"]
    server = Server(folder.name, f"http://127.0.0.1:{port}", folder / "none", artifacts)
    process = _start(server, folder, port, store)
    try:
        _wait(server, process, folder / "log")
        yield server
    finally:
        process.terminate()
        process.wait(20)


def _start(server: Server, home: Path, port: int, store: str = "") -> subprocess.Popen[bytes]:
    """Start the server as ``mlflow server`` does, without the seconds that its command line takes."""
    argv = [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port)]
    env = {
        "_MLFLOW_SERVER_FILE_STORE": store or f"sqlite:///{server.database}",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(server.artifacts),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }
    with (home / "log").open("wb") as log:
        return subprocess.Popen(
            [*argv, "mlflow.server.fastapi_app:app"],
            cwd=home,
            env={**os.environ, **MLFLOW_ENV, **env},
            stdout=log,
            stderr=log,
        )


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 300
    while True:
        try:
            server.ask("GET", "api/2.0/mlflow/experiments/get?experiment_id=0")
            return
        except (URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"{server.name} does not serve: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)
