"""Experiment tracking and model registry: MLflow servers."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

from sandbox import tools
from sandbox.http import expect
from sandbox.model import Launch, Place, Server
from sandbox.paths import TOOLS_DIR

# No usage reports, no job runner (it would start further processes), no look for a git program.
_ENV = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


def server(name: str, title: str) -> Server:
    """Return one tracking server with a database and an artifact folder of its own."""
    return Server(
        name=name,
        title=f"{title} (MLflow)",
        ports=("http",),
        launch=_launch,
        probe=_probe,
        connection=lambda place: {"conn_type": "mlflow", "host": place.url},
        prepare=_prepare,
        deadline=180.0,
    )


def _prepare(place: Place) -> None:
    (place.home / "artifacts").mkdir(parents=True, exist_ok=True)
    database = place.home / "mlflow.db"
    if not database.exists():
        partial = database.with_suffix(".part")
        shutil.copy(_empty_database(), partial)
        partial.rename(database)


def _empty_database() -> Path:
    """Return a database with tables and no rows, made once for each MLflow version.

    MLflow builds its tables by replaying all of its schema's history, in about ten seconds of
    CPU; a copy takes none.
    """
    template = TOOLS_DIR / f"mlflow-{metadata.version('mlflow')}.db"
    with tools.one_at_a_time("mlflow"):
        if not template.exists():
            partial = template.with_suffix(".part")
            partial.unlink(missing_ok=True)
            argv = [sys.executable, "-m", "mlflow", "db", "upgrade", f"sqlite:///{partial}"]
            tools.install("making MLflow's tables", argv, env={**os.environ, **_ENV})
            partial.rename(template)
    return template


def _launch(place: Place) -> Launch:
    argv = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", "127.0.0.1", "--port", str(place.ports["http"]), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{place.home / 'mlflow.db'}"),
        *("--artifacts-destination", (place.home / "artifacts").as_uri()),
    ]
    return Launch(place.name, argv, str(place.log), str(place.home), env=_ENV)


def _probe(place: Place) -> None:
    expect(f"{place.url}/health")
    # /health answers before the database is there.
    expect(f"{place.url}/api/2.0/mlflow/experiments/get?experiment_id=0")
