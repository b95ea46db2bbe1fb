"""An application that is killed while Vertex AI is at work is carried on, and nothing is made twice."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.serving import deployment
from tests.support.serving_vertex import ServingVertex
from tests.support.shell import start


@pytest.fixture
def server() -> Iterator[ServingVertex]:
    found = ServingVertex()
    yield found
    found.close()
    assert not found.rejected


def test_endpoints_are_planned_brought_up_killed_carried_on_and_removed(
    server: ServingVertex, tmp_path: Path
) -> None:
    spec = written(tmp_path)
    there = {"conn_type": "google_cloud_platform", "extra": dict(server.connection.extra)}
    given = {**os.environ, "AIRFLOW_CONN_THERE": json.dumps(there)}

    def run(*words: str) -> tuple[int, Any]:
        status, out, err = start([*command(spec, tmp_path, *words)], given).end()
        assert out, err
        return status, json.loads(out)["endpoints"]

    status, plan = run("plan")
    assert (status, len(plan["rows"])) == (0, 6)
    # What is begun stays under way until this is let go.
    server.polls = 10**9
    running = start(command(spec, tmp_path, "apply", "--approve", plan["digest"]), given)
    wait_for(lambda: bool(server.operations))
    os.kill(running.pid, signal.SIGKILL)
    assert running.end()[0] == -signal.SIGKILL
    server.polls = 0
    for each in server.operations.values():
        each["polls"] = 0
    status, done = run("apply", "--approve", plan["digest"])
    assert (status, done["passed"]) == (0, True)
    # What was under way when it was killed was found, not begun again.
    assert Counter(server.writes) == {
        "models.upload": 2, "endpoints.create": 1, "endpoints.deployModel": 2, "endpoints.patch": 1,
    }  # fmt: skip
    status, verified = run("verify")
    assert (status, verified["smoke"][0]["passed"]) == (0, True)
    writes = len(server.writes)
    assert run("apply", "--approve", plan["digest"])[0] == 0
    assert len(server.writes) == writes
    status, removal = run("plan", "--removal")
    assert run("remove", "--approve", removal["digest"])[0] == 0
    assert (server.models, server.endpoints) == ({}, {})


def command(spec: Path, folder: Path, act: str, *more: str) -> list[str]:
    return ["endpoints", act, str(spec), *more, "--evidence", (folder / "evidence").as_uri(), "--json"]


def written(folder: Path) -> Path:
    (folder / "golden.json").write_text('{"instances": [[1, 2]]}')
    (folder / "answer.json").write_text('{"predictions": [3]}')
    spec = {
        "apiVersion": "heavylift/v1",
        "migration": "fraud",
        "owner": "team",
        "source": {"platform": "aws", "connection": "here"},
        "target": {"platform": "gcp", "connection": "there"},
        "endpoints": [
            {
                "name": "score",
                "target": {"kind": "vertex", "connection": "there", "endpoint": "score"},
                "deployments": [deployment("vertex", "blue", 80), deployment("vertex", "green", 20)],
                "smoke": {"request": "golden.json", "expected": "answer.json"},
            }
        ],
    }
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec))
    return path


def wait_for(there: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 120
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)
