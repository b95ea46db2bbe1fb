"""Experiments and runs of known content on an MLflow server, made as its clients make them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.support.tracking_server import Server

BEGAN, ENDED = 1_700_000_000_125, 1_700_003_600_500
_API = "api/2.0/mlflow"
Point = tuple[float, int, int]
"""Value, time in milliseconds, step."""


def recent(seconds: int = 3600) -> int:
    """Return a time that the service of metrics takes, in milliseconds."""
    return int(time.time() - seconds) * 1000


@dataclass(frozen=True)
class Team:
    """Whoever writes to a server."""

    server: Server

    def experiment(self, name: str, **tags: str) -> str:
        """Make an experiment; return its id."""
        body = {"name": name, "tags": _pairs(tags)}
        return str(self.server.ask("POST", f"{_API}/experiments/create", body)["experiment_id"])

    def run(
        self,
        experiment: str,
        name: str = "",
        parent: str = "",
        *,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, Sequence[Point]] | None = None,
        status: str = "FINISHED",
    ) -> str:
        """Make a run with all that is given; return its id."""
        own = dict(tags or {}) | ({"mlflow.parentRunId": parent} if parent else {})
        body = {"experiment_id": experiment, "run_name": name, "start_time": BEGAN, "tags": _pairs(own)}
        run = str(self.server.ask("POST", f"{_API}/runs/create", body)["run"]["info"]["run_id"])
        self.log(run, params=params, metrics=metrics)
        if status != "RUNNING":
            self.end(run, status)
        return run

    def log(
        self,
        run: str,
        *,
        params: Mapping[str, str] | None = None,
        metrics: Mapping[str, Sequence[Point]] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log to a run."""
        points = [
            {"key": key, "value": _sent(value), "timestamp": moment, "step": step}
            for key, of in (metrics or {}).items()
            for value, moment, step in of
        ]
        given = {"metrics": points, "params": _pairs(params or {}), "tags": _pairs(tags or {})}
        for sort, items in given.items():
            # No more than a server takes at once.
            for start in range(0, len(items), 100):
                body = {"run_id": run, sort: items[start : start + 100]}
                self.server.ask("POST", f"{_API}/runs/log-batch", body)

    def end(self, run: str, status: str = "FINISHED") -> None:
        """End a run."""
        body = {"run_id": run, "status": status, "end_time": ENDED}
        self.server.ask("POST", f"{_API}/runs/update", body)

    def rename(self, run: str, name: str) -> None:
        """Give a run another name."""
        self.server.ask("POST", f"{_API}/runs/update", {"run_id": run, "run_name": name})

    def delete(self, run: str) -> None:
        """Delete a run."""
        self.server.ask("POST", f"{_API}/runs/delete", {"run_id": run})


def _sent(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _pairs(given: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given.items()]
