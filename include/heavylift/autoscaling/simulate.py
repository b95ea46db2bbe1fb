"""Runs an autoscaler against a load, in steps of 15 seconds, with a simple queue. No clock, no chance.

Each replica works off a fixed number of requests a minute. What cannot be worked off waits; what finds the
queue full is dropped. A new replica works after its time to start; one that is taken away stops at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.autoscaling.documents import bad
from heavylift.autoscaling.engines.aws import StepEngine, TrackingEngine
from heavylift.autoscaling.engines.hpa import HpaEngine, KedaEngine
from heavylift.autoscaling.engines.others import AzureEngine, VertexEngine
from heavylift.autoscaling.model import Kind, Metric, Policy, System
from heavylift.autoscaling.view import TICK_S, Engine, View

_TICKS = 60 // TICK_S


@dataclass(frozen=True)
class World:
    """What both sides have in common.

    :param capacity: requests a minute that one replica works off.
    :param start_s: until a new replica works.
    :param queue: requests that may wait for each replica that is ready.
    :param custom_per_request: what one request a minute adds to a metric of one's own.
    :param replicas: at the beginning; None for what the load of the first minute needs.
    """

    capacity: float
    start_s: int = 180
    queue: float = 100.0
    custom_per_request: float = 1.0
    replicas: int | None = None


@dataclass(frozen=True)
class Run:
    """What came of it.

    :param ready: replicas that worked, at the end of each minute; ``desired`` those that were paid for.
    :param minutes_above: with fewer replicas than keep the yardstick's target.
    :param lag_s: the longest time of that.
    :param waited: request minutes in the queue.
    """

    desired: tuple[int, ...]
    ready: tuple[int, ...]
    instance_minutes: float
    minutes_above: float
    lag_s: int
    waited: float
    longest_queue: float
    dropped: float
    requests: float
    steps: int


def engine_of(policy: Policy) -> Engine:
    """Return the autoscaler of a policy's system."""
    if policy.system is System.AWS:
        return StepEngine(policy) if policy.rules else TrackingEngine(policy)
    if policy.system is System.AZURE:
        return AzureEngine(policy)
    if policy.system is System.VERTEX:
        return VertexEngine(policy)
    return KedaEngine(policy) if policy.system is System.KEDA else HpaEngine(policy)


def per_replica(metric: Metric, world: World) -> float:
    """Return how many requests a minute bring one replica to a metric's target."""
    if metric.kind is Kind.REQUESTS:
        return metric.target
    if metric.kind in {Kind.CPU, Kind.GPU}:
        return world.capacity * min(metric.target, 100.0) / 100
    if metric.kind is Kind.CUSTOM and world.custom_per_request > 0:
        return metric.target / world.custom_per_request
    return world.capacity


class Simulation:
    """One run of one policy; see :func:`simulate`."""

    def __init__(self, policy: Policy, load: Sequence[float], world: World, yardstick: Metric) -> None:
        self._policy, self._load, self._world = policy, load, world
        self._keeps = per_replica(yardstick, world)
        first = math.ceil(load[0] / self._keeps) if world.replicas is None else world.replicas
        self.desired = self.ready = min(policy.maximum, max(policy.minimum, first))
        self._starting: list[int] = []
        self._backlog = self._waited = self._longest = self._dropped = self._paid = 0.0
        self._above = self._lag = self._longest_lag = self._steps = 0
        self._minutes: dict[Kind, list[float]] = {kind: [] for kind in Kind}
        self._part: dict[Kind, list[float]] = {kind: [] for kind in Kind}
        self._shown: list[tuple[int, int]] = []

    def run(self) -> Run:
        """Go through the load and return what came of it."""
        engine = engine_of(self._policy)
        for tick in range(len(self._load) * _TICKS):
            now, rate = tick * TICK_S, self._load[tick // _TICKS]
            self.ready += sum(at <= now for at in self._starting)
            self._starting = [at for at in self._starting if at > now]
            values = self._serve(rate)
            for kind, value in values.items():
                self._part[kind].append(value)
            if (tick + 1) % _TICKS == 0:
                self._close_minute()
            end = now + TICK_S
            self._set(engine.decide(View(end, self.ready, self.desired, values, self._minutes)), end)
            self._count(rate)
        return Run(
            desired=tuple(desired for desired, _ in self._shown),
            ready=tuple(ready for _, ready in self._shown),
            instance_minutes=self._paid / _TICKS,
            minutes_above=self._above / _TICKS,
            lag_s=self._longest_lag * TICK_S,
            waited=self._waited / _TICKS,
            longest_queue=self._longest,
            dropped=self._dropped,
            requests=sum(self._load),
            steps=self._steps,
        )

    def _serve(self, rate: float) -> dict[Kind, float]:
        arriving, room = rate / _TICKS, self._world.capacity * self.ready / _TICKS
        work = self._backlog + arriving
        left = max(0.0, work - room)
        # With no replica at all, as many may wait as for one: something must hold the first request.
        kept = min(left, self._world.queue * max(1, self.ready))
        self._dropped += left - kept
        self._backlog = kept
        self._waited += kept
        self._longest = max(self._longest, kept)
        each = max(1, self.ready)
        busy = 100.0 * min(1.0, work / room) if room else (100.0 if work else 0.0)
        in_hand = (kept + min(work, room) * TICK_S / 60) / each
        custom = rate * self._world.custom_per_request / each
        return {
            Kind.REQUESTS: rate / each,
            Kind.CPU: busy,
            Kind.GPU: busy,
            Kind.WAITING: in_hand,
            Kind.CUSTOM: custom,
        }

    def _close_minute(self) -> None:
        for kind, values in self._part.items():
            self._minutes[kind].append(sum(values) / len(values))
            values.clear()
        self._shown.append((self.desired, self.ready))

    def _set(self, wanted: int, now: int) -> None:
        if not self._policy.minimum <= wanted <= self._policy.maximum:
            wanted = min(self._policy.maximum, max(self._policy.minimum, wanted))
        if wanted > self.desired:
            self._starting += [now + self._world.start_s] * (wanted - self.desired)
        for _ in range(self.desired - wanted):
            # The latest to start goes first: it has done nothing yet.
            if self._starting:
                self._starting.pop()
            else:
                self.ready -= 1
        self._steps += wanted != self.desired
        self.desired = wanted

    def _count(self, rate: float) -> None:
        self._paid += self.desired
        short = self.ready < math.ceil(rate / self._keeps - 1e-9)
        self._above += short
        self._lag = self._lag + 1 if short else 0
        self._longest_lag = max(self._longest_lag, self._lag)


def simulate(policy: Policy, load: Sequence[float], world: World, yardstick: Metric | None = None) -> Run:
    """Return what a policy makes of a load; the same every time.

    :param yardstick: the metric whose target both sides are measured by; the policy's own by default.
    :raises SpecError: the world's numbers make no sense.
    """
    if not (world.capacity > 0 and world.start_s >= 0 and world.queue >= 0 and load):
        raise bad(
            "the world", "capacity", f"{world.capacity:g}", "a capacity above 0, no time or queue below 0"
        )
    return Simulation(policy, load, world, yardstick or policy.yardstick).run()
