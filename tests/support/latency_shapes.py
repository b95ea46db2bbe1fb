"""Durations of many shapes, drawn from a seed, and whether a target that takes longer by a factor passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from heavylift.models.latency import BLOCK, Latency, LatencyPlan, measure

REQUESTS = 5000
_PLAN = LatencyPlan(requests=REQUESTS, warm_up=0)
_ALL = REQUESTS * _PLAN.extended

Floats = np.ndarray[Any, np.dtype[np.float64]]
Generator = np.random.Generator


def _plain(generator: Generator, spread: float = 0.25) -> Floats:
    return generator.lognormal(0.0, spread, _ALL)


def _bimodal(generator: Generator) -> Floats:
    return np.where(generator.random(_ALL) < 0.3, 4.0, 1.0) * _plain(generator, 0.05)


def _drifting(generator: Generator) -> Floats:
    return _plain(generator) * np.linspace(1.0, 2.0, _ALL)


def _heavy(generator: Generator) -> Floats:
    return np.asarray(1 + generator.pareto(3.0, _ALL))


def _heavier(generator: Generator) -> Floats:
    return np.asarray(1 + generator.pareto(1.5, _ALL))


def _periodic(generator: Generator) -> Floats:
    """Each side pauses on its own: for 8 of 100 requests."""
    pauses = (np.arange(_ALL) + generator.integers(100)) % 100 < 8
    return _plain(generator, 0.1) + 5.0 * pauses


def _rounded(generator: Generator) -> Floats:
    return 20.0 * _plain(generator)


def _correlated(generator: Generator) -> Floats:
    """Each side has a mood of its own, of which each request keeps 95 %."""
    moods = np.empty(_ALL)
    mood = 0.0
    for number, push in enumerate(generator.normal(size=_ALL) * 0.3 * np.sqrt(1 - 0.95**2)):
        mood = 0.95 * mood + push
        moods[number] = mood
    return _plain(generator, 0.1) * np.exp(moods)


SHAPES: dict[str, Callable[[Generator], Floats]] = {
    "rounded to 1 ms": _rounded,
    "autocorrelated, 0.95": _correlated,
    "pauses, one after the other": _periodic,
    "heavy tail (Pareto, 1.5)": _heavier,
    "two modes": _bimodal,
    "drifting": _drifting,
    "heavy tail (Pareto, 3)": _heavy,
}


def judged(shape: str, factor: float, seed: int) -> Latency:
    """Judge a target that takes ``factor`` times as long."""
    generator = np.random.default_rng(seed)
    sides = [each * SHAPES[shape](generator) for each in (1.0, factor)]
    if shape.startswith("rounded"):
        sides = [np.round(side) for side in sides]
    waiting: list[Iterator[Floats]] = [iter(side.reshape(-1, BLOCK)) for side in sides]

    def ask(number: int) -> Callable[[Sequence[int]], Sequence[float]]:
        return lambda _rows: next(waiting[number]).tolist()

    return measure(ask(0), ask(1), 1, _PLAN, generator)


def shape_passes(shape: str, factor: float, seed: int) -> bool:
    """Tell whether a target passes that takes ``factor`` times as long."""
    return judged(shape, factor, seed).passed
