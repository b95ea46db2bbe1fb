"""Measures the baseline of a live endpoint and keeps it as evidence."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

from heavylift.aio import in_thread
from heavylift.baselines.comparing import check_comparable, compared
from heavylift.baselines.cost import cost_of_hours
from heavylift.baselines.measuring import Measured, measure
from heavylift.baselines.quality import Asked, fetch_known, measure_quality
from heavylift.baselines.requests import BaselineRequest, Held
from heavylift.baselines.truth import Known
from heavylift.baselines.wording import findings_of, statement_of
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.baseline_records import (
    BaselineComparison,
    EndpointBaseline,
    GoldenQuality,
    PredictionCost,
    baseline_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import Severity
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.load.client import this_machine
from heavylift.load.endpoint import Endpoint, address
from heavylift.platforms.bodies import Bodies, fetch_bodies

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """What is known before anything is sent."""

    bodies: Bodies
    address: str
    url: str
    before: EndpointBaseline | None = None
    before_sha256: str = ""
    known: Known | None = None


async def prepare(request: BaselineRequest) -> Prepared:
    """Read and check everything that a measurement needs, and send nothing.

    :raises SpecError: the requests can't be used, or share no rate with the baseline to compare with.
    :raises ConnectionConfigError: the connection leads to no HTTP endpoint.
    :raises NotFoundError: no such baseline to compare with.
    """
    bodies = await fetch_bodies(request.requests)
    url = address(request.connection, request.path)
    shown = urlsplit(url)
    told = f"{shown.scheme}://{shown.netloc}{shown.path}"
    known = None if request.golden is None else await fetch_known(request.golden)
    if request.held is None:
        return Prepared(bodies, told, url, known=known)
    async with open_evidence(request.evidence_url, request.evidence_connection, create=False) as store:
        before, ref = await _read(store, request.held)
    plan = request.plan
    check_comparable(before, request.held, bodies.sha256, plan.rates, plan.arrivals)
    return Prepared(bodies, told, url, before, ref.sha256, known)


async def _read(store: EvidenceStore, held: Held) -> tuple[EndpointBaseline, EvidenceRef]:
    before = await store.read_record(held.path, EndpointBaseline)
    return before, await store.ref_of(held.path)


async def measure_baseline(
    request: BaselineRequest, tell: Tell = lambda _: None
) -> tuple[EndpointBaseline, EvidenceRef]:
    """Measure an endpoint and write the record: whole, at the end, or not at all.

    Golden rows are asked first, twice; then the endpoint bears the stepped rates.

    :raises CredentialError: the endpoint refuses the credentials.
    :raises SpecError: its answers cannot be judged by the golden rows' labels.
    :raises ServerUnavailableError: it does not answer at the beginning.
    """
    began = time.monotonic()
    prepared = await prepare(request)
    plan = request.plan
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        endpoint = Endpoint(
            request.connection,
            prepared.bodies.bodies,
            path=request.path,
            headers=request.headers,
            connections=plan.connections,
            timeout_seconds=plan.timeout_seconds,
        )
        try:
            await endpoint.probe(plan.timeout_seconds)
            # Before the load: what cannot be judged is told at once, and nothing else is asked meanwhile.
            quality = await _quality(request, prepared, tell)
            measured = await measure(endpoint, len(prepared.bodies.bodies), plan, tell)
        finally:
            await endpoint.close()
        record = _record(request, prepared, measured, quality, time.monotonic() - began)
        conn_id = request.connection.conn_id
        _, ref = await write_next(store, lambda n: baseline_path(request.run, conn_id, n), record)
    return record, ref


async def _quality(request: BaselineRequest, prepared: Prepared, tell: Tell) -> GoldenQuality | None:
    ask, known = request.golden, prepared.known
    if ask is None or known is None:
        return None
    tell(f"asking {known.golden.rows:,} golden rows, twice")

    def act(stop: threading.Event, _relay: Callable[[str], None]) -> GoldenQuality:
        def check() -> None:
            if stop.is_set():
                raise asyncio.CancelledError

        plan = request.plan
        asked = Asked(request.connection, prepared.url, plan.timeout_seconds, plan.seed, check)
        return measure_quality(ask, known, asked)

    quality = await in_thread(act, tell)
    tell(quality.statement)
    return quality


def _record(
    request: BaselineRequest,
    prepared: Prepared,
    measured: Measured,
    quality: GoldenQuality | None,
    seconds: float,
) -> EndpointBaseline:
    plan, steps = request.plan, measured.steps
    machine = this_machine()
    sustained = [step.rate for step in steps if step.sustained]
    comparison: BaselineComparison | None = None
    if prepared.before is not None and request.held is not None:
        generator = np.random.default_rng(plan.seed)
        comparison = compared(
            prepared.before, prepared.before_sha256, request.held, plan.rates, steps, machine, generator
        )
    best = max(sustained, default=None)
    findings = findings_of(request.connection.conn_id, plan, measured, comparison, quality)
    return EndpointBaseline(
        run=request.run,
        connection=request.connection.conn_id,
        address=prepared.address,
        machine=machine,
        requests_sha256=prepared.bodies.sha256,
        bodies=len(prepared.bodies.bodies),
        arrivals=plan.arrivals,
        seed=plan.seed,
        connections=plan.connections,
        timeout_seconds=plan.timeout_seconds,
        warm_up_requests=measured.warm_up,
        max_error_rate=plan.max_error_rate,
        min_achieved=plan.min_achieved,
        steps=steps,
        not_tried=plan.rates[len(steps) :],
        noise_floor=measured.floor,
        max_sustained=best,
        ceiling_reached=bool(steps) and not steps[-1].sustained and steps[-1].limited_by != "client",
        comparison=comparison,
        cost=_cost(request, best),
        quality=quality,
        findings=findings,
        statement=statement_of(steps, comparison, quality),
        passed=best is not None and not any(each.severity is Severity.BLOCKER for each in findings),
        took_seconds=round(seconds, 3),
    )


def _cost(request: BaselineRequest, sustained: float | None) -> PredictionCost | None:
    if request.cost is not None:
        return request.cost
    if request.usd_per_hour is None or sustained is None:
        return None
    return cost_of_hours(request.usd_per_hour, sustained)
