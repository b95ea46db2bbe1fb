"""How long the board takes: ``python -m tests.benchmarks.board_scale 1000``; see docs/reference/board.md.

Airflow's own application with the plugin, in one process, over migrations that are made for it: a spec, and
four runs with gates, summaries and syncs for each. The index is kept fresh beside the requests, as always.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

_PHASES = ("transfer", "sync", "registry", "cutover")
_REQUESTS = 60


def main(arguments: list[str]) -> int:
    """Print milliseconds of the list, its searches and a migration's page."""
    count = int(arguments[0]) if arguments else 1000
    with tempfile.TemporaryDirectory(prefix="heavylift-board-") as folder:
        root = Path(folder)
        _fill(root, count)
        client = _client(root)
        began = time.perf_counter()
        client.get("/heavylift/board").raise_for_status()
        print(f"first page, nothing read yet   {_ms(time.perf_counter() - began)}")
        while client.get("/heavylift/board/api/migrations").json()["unread"] or not _total(client):
            time.sleep(0.2)
        print(f"all {count:,} migrations read   {time.perf_counter() - began:8.1f} s after it")
        pages = -(-count // 25)
        for title, path in (
            ("a page of the list", "/heavylift/board?page={page}"),
            ("the same as JSON", "/heavylift/board/api/migrations?page={page}"),
            ("a search", "/heavylift/board?q=team-{page}&sort=activity"),
            ("a migration", "/heavylift/board/m/m-{page:04d}"),
        ):
            _measure(client, title, path, pages)
    return 0


def _measure(client: Any, title: str, path: str, pages: int) -> None:
    taken = []
    for number in range(_REQUESTS):
        address = path.format(page=number % pages + 1)
        began = time.perf_counter()
        client.get(address).raise_for_status()
        taken.append(time.perf_counter() - began)
    taken.sort()
    p95 = taken[int(len(taken) * 0.95) - 1]
    print(f"{title:<30} {_ms(statistics.median(taken))} median, {_ms(p95)} p95, {_ms(taken[-1])} most")


def _total(client: Any) -> int:
    return int(client.get("/heavylift/board/api/migrations").json()["total"])


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:8.1f} ms"


def _fill(root: Path, count: int) -> None:
    from tests.support.board_place import Place

    place = Place(root)
    for number in range(count):
        name = f"m-{number:04d}"
        # Written as text: checking a thousand specs is part of what is measured later.
        (place.specs / f"{name}.yaml").write_text(_spec(name, number))
        for phase in _PHASES:
            run = place.run(phase, name)
            place.gate(run, approval=number % 10 == 0)
            if number % 10:
                place.summary(run, passed=number % 7 != 0, reasons=("data: it differs",))


def _spec(name: str, number: int) -> str:
    return f"""
apiVersion: heavylift/v1
migration: {name}
owner: team-{number % 40}
source: {{platform: kubernetes, connection: here}}
target: {{platform: kubernetes, connection: there}}
datasets: [{{name: data, source: file:///a, target: file:///b}}]
"""


def _client(root: Path) -> Any:
    """Return a client of Airflow's application, in a home of its own, logged in as a viewer."""
    repository = Path(__file__).resolve().parents[2]
    store = {"conn_type": "file", "extra": {"path": str(root / "evidence")}}
    os.environ |= {
        "AIRFLOW_HOME": str(root / "airflow"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(repository / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{root / 'airflow.db'}",
        "AIRFLOW__API_AUTH__JWT_SECRET": "0" * 64,
        "AIRFLOW_CONN_EVIDENCE": json.dumps(store),
        "HEAVYLIFT_MIGRATIONS": str(root / "specs"),
    }
    warnings.simplefilter("ignore")
    from airflow.api_fastapi.app import create_app
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.utils.db import initdb
    from fastapi.testclient import TestClient

    initdb()
    app = create_app(apps="core")
    token = app.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="v", role="viewer"))
    return TestClient(app, headers={"Authorization": f"Bearer {token}"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
