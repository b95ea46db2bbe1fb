"""Servers for trials that are made up: what each setting bears is planted, and the latencies are drawn."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from heavylift.evidence.baseline_records import QuantileFigure, StepRecord
from heavylift.evidence.optimize_records import TrialStep
from heavylift.load.driving import Outcome
from heavylift.optimize.judging import QUANTILES, SLOW, Objective, Watching
from heavylift.optimize.ports import UnservedError
from heavylift.optimize.requests import HourlyPrice
from heavylift.optimize.spaces import Setting, Space, knobs_of

SPACE = knobs_of(
    {
        "workers": (1, 2, 3, 4, 6, 8),
        "rows": (1, 4, 16, 64, 256),
        "connections": (4, 16, 64),
        "model": ("skops", "onnx"),
    }
)
OBJECTIVE = Objective(0.95, 50.0)
_SIGMA, _Z95 = 0.35, 1.6449


@dataclass(frozen=True)
class Landscape:
    """How fast a made-up server is: cores, what a row and a request take, how a queue grows."""

    cores: float
    row_ms: float
    request_ms: float
    onnx: float
    waste: float
    narrow: float

    @classmethod
    def drawn(cls, seed: int) -> Landscape:
        """Return one of many landscapes."""
        g = np.random.default_rng([seed, 7])
        return cls(
            cores=float(g.uniform(1.5, 6)),
            row_ms=float(10 ** g.uniform(-2.3, -0.7)),
            request_ms=float(g.uniform(0.5, 4)),
            onnx=float(g.uniform(0.4, 1.6)),
            waste=float(g.uniform(0.02, 0.25)),
            narrow=float(g.uniform(0.05, 0.5)),
        )

    def service_ms(self, setting: Setting) -> float:
        """Return the milliseconds of one request."""
        had = dict(setting)
        row = self.row_ms * (self.onnx if had["model"] == "onnx" else 1.0)
        return self.request_ms + row * float(had["rows"])

    def ceiling(self, setting: Setting) -> float:
        """Return the requests a second that no rate is beyond."""
        had = dict(setting)
        workers = float(had["workers"])
        useful = min(workers, self.cores) / (1 + self.waste * max(0.0, workers - self.cores))
        wide = 1 - self.narrow / math.sqrt(float(had["connections"]))
        return 1000 / self.service_ms(setting) * useful * wide

    def median_ms(self, setting: Setting, rate: float) -> float:
        """Return the median latency at a rate; without end beyond the ceiling."""
        load = rate / self.ceiling(setting)
        return self.service_ms(setting) / (1 - load) if load < 1 else math.inf

    def capacity(self, setting: Setting, objective: Objective = OBJECTIVE) -> float:
        """Return the predictions a second at which the objective is just held: the truth."""
        longest = self.service_ms(setting) * math.exp(_SIGMA * _Z95)
        rate = self.ceiling(setting) * (1 - longest / objective.limit_ms)
        return max(0.0, rate) * float(dict(setting)["rows"])


@dataclass
class PlantedServers:
    """Starts servers of a landscape; knows how often, and how many requests were drawn."""

    landscape: Landscape
    objective: Objective = OBJECTIVE
    noise: float = 0.02
    unserved: tuple[str, ...] = ()
    started: list[Setting] = field(default_factory=list)
    requests: int = 0
    seconds: float = 0.0

    @asynccontextmanager
    async def served(self, setting: Setting, rate: float, seed: int) -> AsyncIterator[PlantedServer]:
        """Start one."""
        self.started.append(setting)
        if dict(setting).get("model") in self.unserved:
            raise UnservedError("it ended with 1; it wrote nothing")
        mood = float(np.exp(self.noise * np.random.default_rng([seed, 3]).standard_normal()))
        yield PlantedServer(self, setting, mood)


@dataclass
class PlantedServer:
    """One that runs; its mood makes it a little faster or slower than the last with the same setting."""

    servers: PlantedServers
    setting: Setting
    mood: float

    async def step(self, rate: float, seed: int) -> TrialStep:
        """Draw a step's latencies."""
        g = np.random.default_rng(seed)
        planned = max(100, min(600, round(rate * 3.0)))
        median = self.servers.landscape.median_ms(self.setting, rate / self.mood)
        watching = Watching(self.servers.objective)
        drawn = min(median, 1e7) * np.exp(_SIGMA * g.standard_normal(planned))
        stopped = False
        for ms in drawn.tolist():
            if watching(Outcome(0.0, 0.0, 0.0, ms / 1e3)) == SLOW:
                stopped = True
                break
        self.servers.requests += watching.ended
        self.servers.seconds += watching.ended / rate
        seen = drawn[: watching.ended]
        return TrialStep(
            step=_record(rate, planned, seen),
            ended=watching.ended,
            late=watching.late,
            holds=not stopped and watching.holds(planned),
            stopped=stopped,
        )


def _record(rate: float, planned: int, drawn: np.ndarray) -> StepRecord:
    figures = []
    for quantile in QUANTILES:
        ms = float(np.quantile(drawn, quantile))
        figures.append(QuantileFigure(quantile=quantile, ms=ms, low_ms=ms, high_ms=ms))
    return StepRecord(
        rate=rate, seconds=planned / rate, planned=planned, answered=len(drawn), errors={},
        not_sent=planned - len(drawn), reconnected=0, achieved=rate, error_rate=0.0,
        quantiles=tuple(figures), largest_ms=float(drawn.max()), late_p99_ms=0.0, waited_p99_ms=0.0,
        most_waiting=0, sustained=True, blocks=(),
    )  # fmt: skip


def truth(landscape: Landscape, space: Space, price: HourlyPrice) -> dict[Setting, float]:
    """Return what 1,000 predictions truly cost with each setting; endless where none can be served."""
    found = {}
    for setting in space.settings:
        capacity = landscape.capacity(setting)
        found[setting] = price.of(setting) / (capacity * 3.6) if capacity else math.inf
    return found
