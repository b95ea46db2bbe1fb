"""Feast in an environment of its own, and repositories that each test gets a copy of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection, connection_from_env
from heavylift.environments import CACHE_VARIABLE, Solver
from heavylift.registry.features import moving, wiring
from heavylift.registry.features.feast_process import FEAST, FeastProcesses
from sandbox.stack import Stack
from tests.integration.features.sides import Sides, made, storage_client
from tests.support.feature_group_server import FeatureGroupServer
from tests.support.feature_moves import FeatureMoves, feast
from tests.support.isolated import REPOSITORY
from tests.support.memory_features import Pair

DRIVERS = 40


@pytest.fixture(scope="session")
def feast_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an interpreter that has Feast, made as a move makes it."""
    os.environ.setdefault(CACHE_VARIABLE, str(tmp_path_factory.mktemp("environments")))
    return Solver().tool(FEAST, "3.11")


@pytest.fixture(scope="session")
def processes(feast_python: Path) -> Iterator[FeastProcesses]:
    """Return the one process with Feast of all tests: its imports take seconds."""
    found = FeastProcesses()
    yield found
    found.close()


@pytest.fixture(scope="session")
def filled(feast_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with two views."""
    folder = tmp_path_factory.mktemp("feast") / "filled"
    maker = REPOSITORY / "tests/support/feast_repository.py"
    options = json.dumps({"now": int(time.time()), "drivers": DRIVERS})
    done = subprocess.run(
        [str(feast_python), str(maker), str(folder), options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Return a repository without views."""
    folder = tmp_path / "target"
    maker = REPOSITORY / "tests/support/feast_repository.py"
    subprocess.run([sys.executable, str(maker), str(folder), "{}"], check=True)
    return folder


@pytest.fixture
def moves(processes: FeastProcesses, feast_python: Path, filled: Path, empty: Path) -> FeatureMoves:
    """Return a move from a copy of the filled repository to an empty one."""
    source = empty.parent / "source"
    shutil.copytree(filled, source)
    return FeatureMoves(
        feast(source, feast_python),
        feast(empty, feast_python),
        ((f"file://{source}/data", f"file://{empty.parent}/lake"),),
        processes=processes,
    )


@pytest.fixture
def sagemaker() -> Iterator[FeatureGroupServer]:
    """Return a Feature Store without groups."""
    server = FeatureGroupServer()
    yield server
    server.close()
    assert server.rejected == []


@pytest.fixture(scope="session")
def lakes() -> Iterator[Callable[[str], Connection]]:
    """Return a function that starts Cloud Storage (``gs``) or a Blob server (``az``), and connects to it."""
    folder = Path(tempfile.mkdtemp(prefix="heavylift-sandbox-"))
    stack, known = Stack.start(folder, []), {"gs": "gcp_target", "az": "azure_target"}

    def lake(scheme: str) -> Connection:
        name = known[scheme]
        if f"AIRFLOW_CONN_{name.upper()}" not in stack.env:
            stack.ensure(name)
            if scheme == "gs":
                storage_client(connection_from_env(name, stack.env)).create_bucket("staging")
        return connection_from_env(name, stack.env)

    try:
        yield lake
    finally:
        stack.stop()
        shutil.rmtree(folder)


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Return two stores in memory; connections of other types lead to where they always do."""
    pair = Pair(tmp_path, int(time.time()))

    def opened(connection: Connection, *more: Any) -> Any:
        if connection.conn_type == "memory":
            return pair.open(connection)
        return wiring.open_feature_store(connection, *more)

    monkeypatch.setattr(moving, "open_feature_store", opened)
    return pair


@pytest.fixture
def sides(tmp_path: Path, lakes: Callable[[str], Connection], pair: Pair) -> Iterator[Sides]:
    """Return what makes a store of each kind."""
    with made(Sides(tmp_path, lakes, pair)) as found:
        yield found
