"""Model serving: MLflow's scoring server, one for each side, each with a copy of one model."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from sandbox import tools
from sandbox.http import expect
from sandbox.model import Connection, Launch, Place, Server
from sandbox.paths import REPO, TOOLS_DIR

# One thread: the model is small, and two servers share the machine with everything else.
_ENV = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def server(name: str, title: str) -> Server:
    """Return one scoring server; started only where it is asked for."""
    return Server(
        name=name,
        title=f"{title} (MLflow scoring)",
        ports=("http",),
        launch=_launch,
        probe=_probe,
        connection=_connection,
        prepare=_prepare,
        deadline=120.0,
    )


def _connection(place: Place) -> Connection:
    return {"conn_type": "http", "host": f"{place.url}/invocations"}


def _prepare(place: Place) -> None:
    """Give the server its copy of the model."""
    model = place.home / "model"
    if model.exists():
        return
    copied = Path(tempfile.mkdtemp(prefix="model-", dir=place.home))
    shutil.copytree(trained_model(), copied, dirs_exist_ok=True)
    copied.rename(model)


def trained_model() -> Path:
    """Return the folder of the model, which is trained once for each version of its packages."""
    versions = "-".join(metadata.version(name) for name in ("mlflow", "scikit-learn", "numpy"))
    made = TOOLS_DIR / f"scoring-{versions}"
    with tools.one_at_a_time("scoring"):
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=TOOLS_DIR) as area:
                argv = [sys.executable, "-m", "sandbox.examples.scoring_model", f"{area}/model"]
                env = {**os.environ, **_ENV, "PYTHONPATH": str(REPO)}
                tools.install("training the scoring servers' model", argv, cwd=REPO, env=env)
                Path(area, "model").rename(made)
    return made


def _launch(place: Place) -> Launch:
    """Return what ``mlflow models serve`` itself starts, without the process that would only wait for it."""
    argv = [
        *(sys.executable, "-m", "uvicorn", "mlflow.pyfunc.scoring_server.app:app"),
        *("--host", "127.0.0.1", "--port", str(place.ports["http"]), "--workers", "1"),
        "--no-access-log",
    ]
    env = {**_ENV, "__pyfunc_model_path__": str(place.home / "model")}
    env["MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"] = "60"
    return Launch(place.name, argv, str(place.log), str(place.home), env=env)


def _probe(place: Place) -> None:
    expect(f"{place.url}/ping")
