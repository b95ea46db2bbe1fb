"""A process that takes a snapshot, to be killed; its request comes on standard input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heavylift.connections import Connection, connection_from_json
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.requests import DatabaseSideRequest, TablesOptions, TablesRequest

REPOSITORY = Path(__file__).parents[2]


def start(request: TablesRequest, options: Mapping[str, Any]) -> subprocess.Popen[str]:
    """Start a worker for a request.

    :param options: those of the request, as it was made with.
    """
    given = {
        "run": request.run.model_dump(),
        "sides": [_as_json(request.source.connection), _as_json(request.target.connection)],
        "options": dict(options),
    }
    path = os.pathsep.join([str(REPOSITORY / "include"), str(REPOSITORY)])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.snapshot_worker"],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(given))
    process.stdin.close()
    process.stdin = None
    return process


def _as_json(connection: Connection) -> dict[str, Any]:
    return {
        "conn_type": connection.conn_type,
        "host": connection.host,
        "port": connection.port,
        "login": connection.login,
        "password": connection.password,
        "schema": connection.schema,
    }


def main() -> None:
    """Take the snapshot that standard input describes."""
    from heavylift.tables.postgres.snapshot import snapshot_tables

    given = json.load(sys.stdin)
    sides = [
        DatabaseSideRequest(DatabaseEngine.POSTGRESQL, connection_from_json(name, json.dumps(side)))
        for name, side in zip(("features_source", "features_target"), given["sides"], strict=True)
    ]
    request = TablesRequest(
        run=RunKey(**given["run"]),
        database="db",
        source=sides[0],
        target=sides[1],
        evidence_url=None,
        evidence_connection=None,
        options=TablesOptions(**given["options"]),
    )
    record = snapshot_tables(request, tell=lambda progress: print(progress, flush=True))
    print(record.model_dump_json())


if __name__ == "__main__":
    main()
