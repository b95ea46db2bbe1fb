"""A process that takes a snapshot and then applies changes, to be killed; standard input asks for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heavylift.connections import Connection, connection_from_json
from heavylift.errors import TransientError
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_data import CaptureMethod, DatabaseEngine
from heavylift.tables import wiring
from heavylift.tables.engine import Work
from heavylift.tables.requests import DatabaseSideRequest, TablesOptions, TablesRequest

REPOSITORY = Path(__file__).parents[2]


def start(request: TablesRequest, options: Mapping[str, Any]) -> subprocess.Popen[str]:
    """Start a worker for a request.

    :param options: those of the request, as it was made with.
    """
    given = {
        "run": request.run.model_dump(),
        "sides": [_as_json(request.source.connection), _as_json(request.target.connection)],
        "engine": request.source.engine.value,
        "options": {**options, "method": request.options.method.value},
        "target": request.target.engine.value,
    }
    path = os.pathsep.join([str(REPOSITORY / "include"), str(REPOSITORY)])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.engine_worker"],
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
    names = ("conn_type", "host", "port", "login", "password", "schema")
    return {**{name: getattr(connection, name) for name in names}, "extra": dict(connection.extra)}


def main() -> None:
    """Take the snapshot that standard input describes, then apply changes again and again."""
    given = json.load(sys.stdin)
    source, target = (
        connection_from_json(f"c{at}", json.dumps(side)) for at, side in enumerate(given["sides"])
    )
    request = TablesRequest(
        run=RunKey(**given["run"]),
        database="db",
        source=DatabaseSideRequest(DatabaseEngine(given["engine"]), source),
        target=DatabaseSideRequest(DatabaseEngine(given["target"]), target),
        evidence_url=None,
        evidence_connection=None,
        options=TablesOptions(**{**given["options"], "method": CaptureMethod(given["options"]["method"])}),
    )
    engine = wiring.engine_for(request)
    while True:
        try:
            engine.snapshot(request, Work())
        except TransientError as error:
            # A connector's snapshot that is not complete yet; whatever else it is ends the process.
            if error.code != "6722":
                raise
            continue
        break
    while True:
        engine.sync(request, Work())


if __name__ == "__main__":
    main()
