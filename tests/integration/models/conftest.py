"""Models of scikit-learn as MLflow keeps them, made once for all tests of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heavylift.environments import CACHE_VARIABLE

MAKER = Path(__file__).with_name("make_models.py")


@pytest.fixture(scope="session", autouse=True)
def _environments(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the environments of models for the whole run, and for later ones where a folder is named."""
    os.environ.setdefault(CACHE_VARIABLE, str(tmp_path_factory.mktemp("environments")))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sample models and their golden inputs; see make_models.py."""
    folder = tmp_path_factory.mktemp("models")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, str(MAKER), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder
