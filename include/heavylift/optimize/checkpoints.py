"""How often a job on interruptible machines saves its state, and what it then takes and costs.

Interruptions are those of a Poisson process: after any moment the time to the next one is exponential. The
job works in segments of one interval, each ended by a checkpoint, the last by the job's own end. After an
interruption it waits for a machine (nothing is billed), restarts (which may be interrupted as well) and does
the segment again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heavylift.optimize.checks import demand

MOST_SEGMENTS = 1_000_000
_MOST_EXPONENT = 500.0
"""Beyond exp of this the job practically never ends, and floats end as well."""
_MOST_INTERRUPTIONS = 100_000.0
"""A job that is interrupted more often is not played through: nobody would run it."""


@dataclass(frozen=True)
class Interruptions:
    """What interrupts, and what each one takes; all times in hours.

    :param rate: interruptions of one machine in an hour of running.
    :param wait: until there is another machine; nothing is billed.
    :param restart: until work goes on; billed.
    :param checkpoint: saving the state once; billed.
    """

    rate: float
    wait: float = 0.0
    restart: float = 0.0
    checkpoint: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no number, or below 0."""
        demand(
            all(math.isfinite(x) and x >= 0 for x in (self.rate, self.wait, self.restart, self.checkpoint)),
            "reckoning with interruptions",
            "a rate or a time that is below 0 or no number",
            "finite numbers from 0 on",
            "9241",
        )


@dataclass(frozen=True)
class Expected:
    """Expectations, in hours. ``elapsed`` is ``billed`` and the waits."""

    billed: float
    elapsed: float
    interruptions: float


def young_interval(rate: float, checkpoint: float) -> float:
    """Return Young's first-order optimum of the work between two checkpoints: sqrt(2 C M).

    J. W. Young, A first order approximation to the optimum checkpoint interval, CACM 17(9), 1974.
    """
    return math.sqrt(2 * checkpoint / rate) if rate > 0 else math.inf


def daly_interval(rate: float, checkpoint: float) -> float:
    """Return Daly's higher-order optimum of the work between two checkpoints, in hours.

    With M = 1/rate and C the checkpoint: sqrt(2CM) (1 + sqrt(C/2M)/3 + (C/2M)/9) - C where C < 2M, else M.
    J. T. Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, Future
    Generation Computer Systems 22(3), 2006, equation 37.
    """
    if rate <= 0:
        return math.inf
    mean = 1 / rate
    if checkpoint >= 2 * mean:
        return mean
    share = checkpoint / (2 * mean)
    return math.sqrt(2 * checkpoint * mean) * (1 + math.sqrt(share) / 3 + share / 9) - checkpoint


def chosen_interval(work: float, met: Interruptions) -> float:
    """Return the interval that a job uses: Daly's, where saving pays at all; never longer than the job.

    A checkpoint that costs nothing would be made without end; then it is a hundredth of the job.
    """
    if met.rate > 0 and met.checkpoint == 0:
        return work / 100
    return min(work, max(daly_interval(met.rate, met.checkpoint), work / MOST_SEGMENTS))


def expected(work: float, interval: float, met: Interruptions) -> Expected:
    """Return what a job is expected to take, exactly within the model.

    A segment of s hours, saving included, takes exp(rate R) (exp(rate s) - 1) / rate hours until it is done.
    """
    check_job(work, interval)
    billed = sum(count * _segment(length, met) for length, count in _segments(work, interval, met))
    interruptions = met.rate * billed
    return Expected(billed, billed + met.wait * interruptions, interruptions)


def simulate(
    work: float, interval: float, met: Interruptions, runs: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return billed and elapsed hours of so many jobs, each played through interruption by interruption."""
    check_job(work, interval)
    if expected(work, interval, met).interruptions > _MOST_INTERRUPTIONS:
        return np.full(runs, math.inf), np.full(runs, math.inf)
    billed, breaks = np.zeros(runs), np.zeros(runs)
    for length, count in _segments(work, interval, met):
        _play(length, np.full(runs, count), met, generator, (billed, breaks))
    return billed, billed + met.wait * breaks


def _play(
    length: float,
    left: NDArray[np.int64],
    met: Interruptions,
    generator: np.random.Generator,
    into: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Play segments of one length until each job has done all of them; in rounds, one interruption each."""
    billed, breaks = into
    if met.rate == 0:
        billed += length * left
        return
    left = left.copy()
    into_step = np.zeros(len(left))  # hours of the restart that are still to be done before the segment
    while (open_jobs := np.flatnonzero(left > 0)).size:
        until = generator.exponential(1 / met.rate, open_jobs.size)
        start, remain = into_step[open_jobs], left[open_jobs]
        # Exponential times forget: those whole segments that fit before the interruption are done at once.
        done = np.minimum(np.floor(np.maximum(until - start, 0) / length), remain).astype(np.int64)
        finished = done == remain
        billed[open_jobs] += np.where(finished, start + remain * length, until)
        breaks[open_jobs] += ~finished
        left[open_jobs] = remain - done
        into_step[open_jobs] = met.restart


def _segments(work: float, interval: float, met: Interruptions) -> Iterator[tuple[float, int]]:
    """Yield the lengths of segments and how many of each there are; the last one saves nothing."""
    whole = math.ceil(work / interval - 1e-9) - 1
    if whole > 0:
        yield interval + met.checkpoint, whole
    yield work - max(0, whole) * interval, 1


def _segment(length: float, met: Interruptions) -> float:
    if met.rate == 0:
        return length
    if met.rate * (length + met.restart) > _MOST_EXPONENT:
        return math.inf
    return math.exp(met.rate * met.restart) * math.expm1(met.rate * length) / met.rate


def check_job(work: float, interval: float) -> None:
    """Refuse a job without work, or an interval that would make segments without end."""
    fine = math.isfinite(work) and work > 0 and interval > 0 and work / interval <= MOST_SEGMENTS + 1
    demand(
        fine,
        "reckoning a job on interruptible machines",
        f"{work:g} hours of work in intervals of {interval:g} hours",
        f"work above 0, in at most {MOST_SEGMENTS:,} intervals",
        "9242",
    )
