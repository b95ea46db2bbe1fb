"""MLflow's own scoring server with the sandbox's model, on a port of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox import ports
from sandbox.servers.scoring import trained_model


@contextmanager
def mlflow_scoring(folder: Path) -> Iterator[str]:
    """Run the server; give the URL of its ``/invocations``."""
    port = ports.choose("golden-scoring", ("http",), before={}, taken=set())["http"]
    argv = [
        *(sys.executable, "-m", "uvicorn", "mlflow.pyfunc.scoring_server.app:app"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-access-log"),
    ]
    env = {**os.environ, "__pyfunc_model_path__": str(trained_model()), "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "scoring.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env=env, cwd=folder)
    try:
        _wait(f"http://127.0.0.1:{port}/ping", process, folder / "scoring.log")
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"the scoring server does not answer: {log.read_text(errors='replace')[-2000:]}")
