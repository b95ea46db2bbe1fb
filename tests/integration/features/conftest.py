"""Feast in an environment of its own, and repositories that each test gets a copy of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from heavylift.environments import CACHE_VARIABLE, Solver
from heavylift.registry.features.feast_process import FEAST, FeastProcesses
from tests.support.feature_group_server import FeatureGroupServer
from tests.support.feature_moves import FeatureMoves, feast
from tests.support.isolated import REPOSITORY

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
