"""Rates and latency: the target against the source's baseline, by the intervals that baselines have."""

from __future__ import annotations

from heavylift.baselines.api import measure_baseline
from heavylift.baselines.requests import BaselineRequest, Held
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.workload_records import TriedCase
from heavylift.load.plan import LoadPlan
from heavylift.spec.sections_workload import PerformanceTest
from heavylift.workload.requests import Tell, WorkloadRequest


async def run_performance(
    request: WorkloadRequest, wanted: PerformanceTest, tell: Tell
) -> tuple[list[TriedCase], tuple[EvidenceRef, ...]]:
    """Measure the target at the baseline's rates; its record is evidence of its own.

    :raises SpecError: other requests than the baseline's, or no rate in common.
    :raises NotFoundError: no such baseline.
    """
    spec = request.spec
    evidence = spec.evidence
    measured, ref = await measure_baseline(
        BaselineRequest(
            run=request.run,
            connection=request.target,
            requests=request.place(request.section.requests),
            plan=LoadPlan(
                rates=tuple(wanted.rates),
                step_seconds=float(wanted.step),
                timeout_seconds=float(request.section.timeout),
            ),
            evidence_url=evidence.url,
            evidence_connection=request.connections(evidence.connection) if evidence.connection else None,
            path=request.section.path,
            held=Held(wanted.baseline, max_ratio=wanted.max_ratio),
        ),
        tell,
    )
    compared = measured.comparison
    latency = TriedCase(
        name="latency and throughput against the baseline",
        verdict="not run" if compared is None else "passed" if compared.passed else "failed",
        expected=f"P95 at most {wanted.max_ratio:g} times the source's, and every rate of its sustained",
        got=compared.statement if compared else "nothing was compared",
        seconds=measured.took_seconds,
    )
    sound = TriedCase(
        name="the measurement itself",
        verdict="passed" if measured.passed else "failed",
        expected="a measurement that its own findings do not doubt",
        got=measured.statement,
    )
    return [latency, sound], (ref,)
