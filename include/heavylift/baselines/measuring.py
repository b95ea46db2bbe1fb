"""The course of a measurement: warm-up, the endpoint against itself, then one rate after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from heavylift.evidence.baseline_records import NoiseFloor, StepRecord
from heavylift.load.driving import Drive, Limits, Sender, drive
from heavylift.load.figures import noise_floor, step_record
from heavylift.load.plan import LoadPlan
from heavylift.load.schedule import schedule

Tell = Callable[[str], None]


class Measurable(Sender, Protocol):
    """An endpoint, as a measurement needs it."""

    reconnected: int

    async def answers(self, seconds: float) -> bool:
        """Tell whether it answers at all."""
        ...


@dataclass(frozen=True)
class Measured:
    """What was measured.

    :param gone: after the last step the endpoint did not answer any more.
    """

    steps: tuple[StepRecord, ...]
    floor: NoiseFloor | None
    warm_up: int
    gone: bool


async def measure(
    endpoint: Measurable,
    bodies: int,
    plan: LoadPlan,
    tell: Tell,
    clock: Callable[[], float] = time.monotonic,
) -> Measured:
    """Measure at each rate until one is not sustained."""
    course = _Course(endpoint, bodies, plan, clock)
    warm_up = await course.driven(plan.rates[0], plan.warm_up_seconds) if plan.warm_up_seconds else None
    floor = await course.floor(tell) if plan.floor else None
    steps: list[StepRecord] = []
    gone = False
    for rate in plan.rates:
        steps.append(await course.step(rate))
        tell(_told(steps[-1]))
        if not steps[-1].sustained:
            gone = bool(steps[-1].errors) and not await endpoint.answers(plan.timeout_seconds)
            break
    return Measured(tuple(steps), floor, len(warm_up.outcomes) if warm_up else 0, gone)


class _Course:
    def __init__(self, endpoint: Measurable, bodies: int, plan: LoadPlan, clock: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._bodies = bodies
        self._plan = plan
        self._clock = clock
        self._generator = np.random.default_rng(plan.seed)

    async def driven(self, rate: float, seconds: float) -> Drive:
        plan = self._plan
        due = schedule(rate, seconds, self._bodies, plan.arrivals, self._generator)
        limits = Limits(
            connections=plan.connections,
            timeout_seconds=plan.timeout_seconds,
            waiting_seconds=plan.waiting_seconds,
            most_errors=int(plan.max_error_rate * len(due)),
        )
        return await drive(self._endpoint, due, limits, self._clock)

    async def step(self, rate: float) -> StepRecord:
        before = self._endpoint.reconnected
        driven = await self.driven(rate, self._plan.step_seconds)
        return step_record(rate, self._plan, driven, self._endpoint.reconnected - before, self._generator)

    async def floor(self, tell: Tell) -> NoiseFloor | None:
        rate = self._plan.rates[0]
        driven = await self.driven(rate, 2 * self._plan.step_seconds)
        found = None if driven.stopped else noise_floor(rate, driven.outcomes, self._generator)
        tell("the endpoint was measured against itself" if found else "too few answers for a noise floor")
        return found


def _told(step: StepRecord) -> str:
    figures = ", ".join(f"P{each.quantile * 100:g} {each.ms:.4g} ms" for each in step.quantiles[:4:3])
    word = "sustained" if step.sustained else f"not sustained: {step.reason}"
    return f"{step.rate:g} a second, {step.answered:,} answered, {figures or 'no latency'}: {word}"
