"""The lane of a followed registry: how late a change is on the target, how long a switch stops writes."""

from __future__ import annotations

import json
import statistics
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.platforms.postgresql.connect import connect
from sandbox.http import request
from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, alternate
from tests.benchmarks.objects.servers import Bench
from tests.benchmarks.registry import US
from tests.benchmarks.registry.seeded import Seeded, served, sizes
from tests.support.stores import forget_streams

MOST_LAG_MS, MOST_FROZEN_SECONDS = 1000.0, 30.0
FOLLOWED_SECONDS = 45
LEAST_RUNS = 100
_STREAMING = "SELECT 1 FROM heavylift.stream WHERE state = 'streaming'"
_ENDED = "SELECT 1 FROM public.runs WHERE run_uuid = %s AND status = 'FINISHED'"
_POLL_SECONDS = 0.003


def follow(bench: Bench, runs: int, scale: float) -> Result:
    """Follow while a client logs runs through the source's server, then switch."""
    sized = sizes(scale)
    ours = served(bench, sized)
    rows = ours.rows()
    found = alternate([_follower(ours, scale)], runs, bench.say)
    goals = (Goal("p95_lag_ms", MOST_LAG_MS), Goal("frozen_seconds", MOST_FROZEN_SECONDS))
    return Result(f"{sized.runs:,} runs, {rows:,} rows, and a client that logs", US, found, goals)


def _follower(ours: Seeded, scale: float) -> Contender:
    clients: dict[int, Client] = {}
    seconds = max(15, int(FOLLOWED_SECONDS * min(scale, 1.0)))
    least = max(10, int(LEAST_RUNS * min(scale, 1.0)))

    def prepare(number: int) -> None:
        for side in (ours.stores.source, ours.stores.target):
            forget_streams(side)
        ours.make_room()
        clients[number] = Client(ours)
        clients[number].thread.start()

    def check(number: int, _printed: Path) -> Mapping[str, float]:
        lags = clients[number].stop()
        if len(lags) < least:
            raise NoFigureError(f"only {len(lags)} runs were seen on the target")
        switched = _switch(ours, number)
        ours.demand_equal()
        quantiles = statistics.quantiles(lags, n=100)
        return {
            "runs_seen": len(lags),
            "median_lag_ms": 1000 * quantiles[49],
            "p95_lag_ms": 1000 * quantiles[94],
            "longest_lag_ms": 1000 * max(lags),
            "frozen_seconds": switched["frozen_seconds"],
        }

    def clean(number: int) -> None:
        clients[number].stop()
        for side in (ours.stores.source, ours.stores.target):
            forget_streams(side)

    more = ("--follow", "--deletes", "propagate", "--for", str(seconds))
    return Contender(
        US, lambda number: [ours.command("sync", f"follow-{number}", *more)], check, prepare, clean
    )


def _switch(ours: Seeded, number: int) -> dict[str, Any]:
    step = ours.command("switch", f"follow-{number}", "--to", "target")
    done = subprocess.run(step.command, env=dict(step.environment), check=False, capture_output=True)
    if done.returncode:
        raise NoFigureError(f"the switch failed: {done.stdout.decode()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)["switch"]
    return found


@dataclass
class Client:
    """Logs runs through the source's server, one by one, and looks when each has ended on the target.

    A lag is from the answer to the request that ends a run until the target's database shows it.
    """

    ours: Seeded
    lags: list[float] = field(default_factory=list)
    wrong: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self._host = str(json.loads(self.ours.env["AIRFLOW_CONN_BENCH_SOURCE"])["host"])

    def stop(self) -> list[float]:
        """End, and return the lags; the last run may not have been waited for."""
        self._stop.set()
        self.thread.join()
        if self.wrong:
            raise NoFigureError(f"the client: {self.wrong[0]!r}")
        return self.lags

    def _run(self) -> None:
        try:
            with closing(connect(self.ours.stores.target, "bench")) as target:
                if self._comes(target, "SELECT to_regclass('heavylift.stream') IS NOT NULL AS there", True):
                    self._comes(target, _STREAMING)
                while not self._stop.is_set():
                    run = self._log()
                    began = time.monotonic()
                    if self._comes(target, _ENDED, values=[run]):
                        self.lags.append(time.monotonic() - began)
        except Exception as error:
            self.wrong.append(error)

    def _comes(self, target: Any, query: str, wanted: object = None, values: list[str] | None = None) -> bool:
        while not self._stop.is_set():
            row = target.execute(query.encode(), values).fetchone()
            if row is not None and (wanted is None or row[0] == wanted):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _log(self) -> str:
        now = int(time.time() * 1000)
        made = self._post("runs/create", experiment_id="10", start_time=now, run_name="followed")
        run = str(made["run"]["info"]["run_id"])
        points = [{"key": "loss", "value": 1 / (n + 1), "timestamp": now + n, "step": n} for n in range(50)]
        self._post("runs/log-batch", run_id=run, metrics=points, params=[{"key": "depth", "value": "3"}])
        self._post("runs/update", run_id=run, status="FINISHED", end_time=now + 1)
        return run

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = request(
            f"{self._host}/api/2.0/mlflow/{path}",
            method="POST",
            headers={"Content-Type": "application/json"},
            body=json.dumps(body).encode(),
            timeout=60,
        )
        if answer.status != 200:
            raise NoFigureError(f"{path}: {answer.status}")
        found: dict[str, Any] = json.loads(answer.body)
        return found
