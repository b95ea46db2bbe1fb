"""The experiment history of the fraud-scoring workload: years of runs on the source's tracking server.

``seed`` fills the store of ``mlflow_source`` and leaves what is there; ``mutate`` then works on the server as
a team does, through its public interface, so that the next run has something to bring.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from heavylift.connections import Connection, connection_from_env
from heavylift.platforms.postgresql.connect import connect
from sandbox.examples import experiments
from sandbox.examples.experiments import Sizes
from sandbox.http import request
from sandbox.servers import mlflow

SOURCE = "mlflow_source"
SIZES = Sizes(runs=60, metrics=4, steps=25, models=4, traces=12)
_TAG = "today"


@dataclass(frozen=True)
class HistorySummary:
    """What was done to the experiment history."""

    what: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.what} ({self.seconds:.1f} s)"


def seed(env: Mapping[str, str] | None = None, sizes: Sizes = SIZES) -> HistorySummary:
    """Fill the source's store and put artifacts where some of it points. What is there stays.

    :raises ConnectionConfigError: a connection is missing.
    """
    began = time.monotonic()
    environ = os.environ if env is None else env
    store = connection_from_env(mlflow.store_of(SOURCE), environ)
    root = mlflow.artifact_root(SOURCE)
    if not _runs(store):
        experiments.seed(store, root, sizes)
    files = experiments.seed_artifacts(store, connection_from_env("aws_source", environ))
    what = f"{_runs(store):,} runs of 6 experiments with {files} artifacts in {root}"
    return HistorySummary(what, time.monotonic() - began)


def mutate(env: Mapping[str, str] | None = None) -> HistorySummary:
    """Log a run, mark another as deleted, move an alias and tag a model, as a team does in an hour.

    :raises ConnectionConfigError: the connection is missing.
    """
    began = time.monotonic()
    server = connection_from_env(SOURCE, os.environ if env is None else env)
    now = int(time.time() * 1000)
    run = _post(server, "runs/create", experiment_id="10", start_time=now, run_name="the newest")
    run_id = run["run"]["info"]["run_id"]
    points = [{"key": "auc", "value": step / 40, "timestamp": now + step, "step": step} for step in range(30)]
    _post(server, "runs/log-batch", run_id=run_id, metrics=points, params=[{"key": "depth", "value": "9"}])
    _post(server, "runs/update", run_id=run_id, status="FINISHED", end_time=now + 1000)
    _post(server, "registered-models/alias", name="model-0", alias="champion", version="4")
    _post(server, "registered-models/set-tag", name="model-1", key=_TAG, value=str(now))
    return HistorySummary(f"run {run_id} logged, an alias moved and a model tagged", time.monotonic() - began)


def _runs(store: Connection) -> int:
    with closing(connect(store, "seed")) as session:
        row = session.execute("SELECT count(*) FROM public.runs").fetchone()
    return int((row or (0,))[0])


def _post(server: Connection, path: str, **body: Any) -> dict[str, Any]:
    answer = request(
        f"{server.host}/api/2.0/mlflow/{path}",
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body).encode(),
        timeout=30,
    )
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}: {answer.body[:300].decode(errors='replace')}")
    found: dict[str, Any] = json.loads(answer.body)
    return found
