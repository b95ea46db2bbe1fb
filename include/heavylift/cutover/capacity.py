"""Whether the target sustains the source's load, asked before traffic moves to it.

The target's endpoint is asked the golden requests at the rate that awaits it, in an open loop. The source is
asked a few of them at the same time, from the same machine: what it takes then is what the target's latency
is held against. Nothing of it goes over a route, and no traffic is moved.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import numpy as np

from heavylift.connections import Connection
from heavylift.cutover.canary.endpoint import scoring_address, shown
from heavylift.cutover.ports import TrafficPort
from heavylift.cutover.traffic.observing import ObservedTraffic
from heavylift.evidence.baseline_evidence import newest_baseline
from heavylift.evidence.baseline_records import RatioFigure, StepRecord
from heavylift.evidence.capacity_records import CapacityRecord
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import EvidenceStore
from heavylift.load.client import this_machine
from heavylift.load.driving import Limits, drive
from heavylift.load.endpoint import Endpoint
from heavylift.load.figures import LATE_SECONDS, LATE_SHARE, step_record
from heavylift.load.intervals import ratio_figures
from heavylift.load.plan import LoadPlan
from heavylift.load.schedule import schedule
from heavylift.platforms.bodies import fetch_bodies
from heavylift.platforms.places import Place

RateFrom = Literal["spec", "route", "baseline"]
_JUDGED = 0.95
"""The quantile that ``max_latency_ratio`` speaks of."""
_CHANCE = 0.02
_FAR = 0.99


@dataclass(frozen=True)
class Asked:
    """At which rate the target will be asked, and who says so."""

    rate: float
    by: RateFrom


@dataclass(frozen=True)
class CapacityRequest:
    """What is measured.

    :param source: the scoring endpoint, as ``target``.
    :param rate: a second, to the target; ``source_rate`` to the source meanwhile.
    """

    run: RunKey
    source: Connection
    target: Connection
    requests: Path | Place
    asked: Asked
    rate: float
    source_rate: float
    seconds: float
    warm_up: float
    timeout_seconds: float
    connections: int
    max_error_rate: float
    max_latency_ratio: float
    seed: int = 20260101


async def count_requests(
    port: TrafficPort | None, seconds: float, clock: Callable[[], float] = time.monotonic
) -> float | None:
    """Return how many live requests a second come through a route; None where it does not count them.

    :raises TransientError: it can't be asked now.
    """
    if not isinstance(port, ObservedTraffic):
        return None
    began, first = clock(), await port.observe()
    await asyncio.sleep(seconds)
    counted = (await port.observe()).since(first)
    if counted is None:
        return None
    return (counted.source.requests + counted.target.requests) / max(clock() - began, 1e-3)


async def sustained_before(store: EvidenceStore, migration: str, connection: str) -> float | None:
    """Return the highest rate that an endpoint sustained when it was measured last; None where none is known.

    :raises AuditError: a record is damaged.
    """
    kept = await newest_baseline(store, migration, connection)
    return kept.record.max_sustained if kept else None


async def measure_capacity(
    request: CapacityRequest, tell: Callable[[str], None] = lambda _: None
) -> CapacityRecord:
    """Put the load on the target, and return what came of it; writes nothing.

    :raises SpecError: the requests can't be used.
    :raises CredentialError: an endpoint refuses the credentials.
    :raises ServerUnavailableError: an endpoint does not answer at the beginning.
    """
    bodies = await fetch_bodies(request.requests)
    async with AsyncExitStack() as stack:
        source = await _opened(stack, request, request.source, bodies.bodies)
        target = await _opened(stack, request, request.target, bodies.bodies)
        found = await _Load(request, len(bodies.bodies)).measured(source, target, tell)
    return _record(request, bodies.sha256, *found)


async def _opened(
    stack: AsyncExitStack, request: CapacityRequest, connection: Connection, bodies: tuple[bytes, ...]
) -> Endpoint:
    endpoint = Endpoint(
        replace(connection, conn_type="http"),
        bodies,
        path=urlsplit(scoring_address(connection)).path,
        connections=request.connections,
        timeout_seconds=request.timeout_seconds,
    )
    stack.push_async_callback(endpoint.close)
    await endpoint.probe(request.timeout_seconds)
    return endpoint


class _Load:
    def __init__(self, request: CapacityRequest, bodies: int) -> None:
        self._request = request
        self._bodies = bodies
        self._generator = np.random.default_rng(request.seed)

    async def measured(
        self, source: Endpoint, target: Endpoint, tell: Callable[[str], None]
    ) -> tuple[StepRecord, StepRecord, RatioFigure | None]:
        request = self._request
        if request.warm_up:
            await self._driven(target, request.rate, request.warm_up, 1.0)
        tell(f"capacity: {request.rate:g} requests a second to the target for {request.seconds:g} s")
        at_source, at_target = await asyncio.gather(
            self._driven(source, request.source_rate, request.seconds, 1.0),
            self._driven(target, request.rate, request.seconds, request.max_error_rate),
        )
        return at_source, at_target, self._ratio(at_source, at_target)

    async def _driven(
        self, endpoint: Endpoint, rate: float, seconds: float, max_error_rate: float
    ) -> StepRecord:
        request = self._request
        due = schedule(rate, seconds, self._bodies, "poisson", self._generator)
        tolerated = tolerated_errors(len(due), max_error_rate)
        plan = LoadPlan(
            rates=(rate,),
            step_seconds=seconds,
            connections=request.connections,
            timeout_seconds=request.timeout_seconds,
            max_error_rate=tolerated / len(due),
        )
        limits = Limits(
            connections=plan.connections,
            timeout_seconds=plan.timeout_seconds,
            waiting_seconds=plan.waiting_seconds,
            most_errors=tolerated,
        )
        before = endpoint.reconnected
        driven = await drive(endpoint, due, limits)
        return step_record(rate, plan, driven, endpoint.reconnected - before, self._generator)

    def _ratio(self, source: StepRecord, target: StepRecord) -> RatioFigure | None:
        before, now = ([each.histogram() for each in step.blocks] for step in (source, target))
        figures = ratio_figures(before, now, self._generator, paired=False, quantiles=(_JUDGED,))
        return figures[0] if figures else None


def tolerated_errors(requests: int, rate: float) -> int:
    """Return how many of so many requests may fail: more happens once in fifty at this rate."""
    if not 0.0 < rate < 1.0:
        return round(rate) * requests
    log_term, left, most = requests * math.log1p(-rate), 1.0, 0
    while most < requests:
        left -= math.exp(log_term)
        if left <= _CHANCE:
            break
        log_term += math.log((requests - most) / (most + 1)) + math.log(rate) - math.log1p(-rate)
        most += 1
    return most


def _record(
    request: CapacityRequest, sha256: str, source: StepRecord, target: StepRecord, ratio: RatioFigure | None
) -> CapacityRecord:
    return CapacityRecord(
        run=request.run,
        machine=this_machine(),
        connection=request.target.conn_id,
        address=shown(request.target),
        requests_sha256=sha256,
        asked_rate=round(request.asked.rate, 4),
        rate=round(request.rate, 4),
        rate_from=request.asked.by,
        target=target,
        source=source,
        ratio=ratio,
        max_error_rate=request.max_error_rate,
        max_latency_ratio=request.max_latency_ratio,
        reasons=tuple(_reasons(request, source, target, ratio)),
    )


def _reasons(
    request: CapacityRequest, source: StepRecord, target: StepRecord, ratio: RatioFigure | None
) -> list[str]:
    """Return why the target does not count as able to bear it."""
    reasons = [] if target.sustained else [target.reason]
    if target.sustained and ratio is None:
        reasons.append(f"the source answered none of {source.planned} requests: latency can't be judged")
    if target.sustained and ratio is not None and ratio.low > request.max_latency_ratio:
        reasons.append(
            f"its P95 is {ratio.ratio:.3g} times the source's, at least {ratio.low:.3g}; at most"
            f" {request.max_latency_ratio:g} is accepted"
            + (f"; this client was late by {target.late_p99_ms:.0f} ms itself" if _late(target) else "")
        )
    return reasons


def _late(step: StepRecord) -> bool:
    slowest = max((each.ms for each in step.quantiles if each.quantile <= _FAR), default=0.0)
    return step.late_p99_ms > max(LATE_SECONDS * 1e3, LATE_SHARE * slowest)
