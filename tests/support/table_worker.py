"""One act of an engine in a process of its own, as a worker of Airflow would run it; it can be killed.

``python -m tests.support.table_worker ACT``: the request comes as JSON on standard input; the record is one
line of JSON on standard output, an error one line on standard error. Exit status 0 done, 3 may be retried,
4 may not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from heavylift.connections import Connection
from heavylift.errors import HeavyliftError, TransientError
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.engine import Work
from heavylift.tables.requests import DatabaseSideRequest, TablesOptions, TablesRequest
from tests.support.isolated import REPOSITORY

RETRY, GIVE_UP = 3, 4


def start(
    act: str,
    source: Connection,
    target: Connection,
    migration: str,
    *,
    products: tuple[str, str] = ("postgresql", "postgresql"),
    **options: Any,
) -> subprocess.Popen[str]:
    """Start the worker; its output is to be read with ``communicate``.

    :param products: of source and target.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.table_worker", act],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={
            "PYTHONPATH": f"{REPOSITORY}/include:{REPOSITORY}",
            "PATH": "/usr/bin:/bin",
            **{name: os.environ[name] for name in ("HEAVYLIFT_MYSQL_BIN",) if name in os.environ},
        },
    )
    assert process.stdin is not None
    asked = {
        "source": asdict(source),
        "target": asdict(target),
        "migration": migration,
        "products": products,
        "options": options,
    }
    process.stdin.write(json.dumps(asked))
    process.stdin.close()
    process.stdin = None
    return process


def _request(asked: dict[str, Any], phase: str) -> TablesRequest:
    def side(number: int, name: str) -> DatabaseSideRequest:
        return DatabaseSideRequest(DatabaseEngine(asked["products"][number]), Connection(**asked[name]))

    return TablesRequest(
        run=RunKey(migration=asked["migration"], phase=phase, run="r"),
        database="db",
        source=side(0, "source"),
        target=side(1, "target"),
        evidence_url=None,
        evidence_connection=None,
        options=TablesOptions(**asked["options"]),
    )


def main(act: str) -> int:
    """Run the act and print what came of it."""
    from heavylift.tables.wiring import engine_for

    forth = _request(json.load(sys.stdin), act)
    # The way back may be carried by another engine than the way forth.
    request = forth.reversed() if act.endswith(" back") else forth
    engine = engine_for(request)
    acts: dict[str, Callable[[], BaseModel]] = {
        "snapshot": lambda: engine.snapshot(request, Work()),
        "sync": lambda: engine.sync(request, Work()),
        "drain": lambda: engine.drain(request, Work(), within_seconds=120),
        "reverse": lambda: engine.prepare_reverse(request, Work()),
    }
    try:
        print(acts[act.removesuffix(" back")]().model_dump_json())
    except HeavyliftError as error:
        print(error, file=sys.stderr)
        return RETRY if isinstance(error, TransientError) else GIVE_UP
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
