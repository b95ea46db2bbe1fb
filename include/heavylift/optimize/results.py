"""What all trials of a study come to: the best setting with its interval, the front, what is as good."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.optimize_records import (
    BestSetting,
    Estimate,
    FrontPoint,
    SettingRecord,
    StudyRecord,
    TrialRecord,
    TrialStep,
)
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.store import EvidenceStore
from heavylift.histograms import Histogram
from heavylift.load.client import this_machine
from heavylift.load.intervals import quantile_figures
from heavylift.optimize.comparing import compared_with
from heavylift.optimize.ranking import (
    Candidate,
    candidates_of,
    capacity_of,
    deviation_of,
    equal_to,
    leader_of,
)
from heavylift.optimize.requests import StudyRequest
from heavylift.optimize.spaces import setting_of, titled
from heavylift.optimize.trying import cost

_P95, _P99 = 0.95, 0.99


async def result_of(
    store: EvidenceStore,
    request: StudyRequest,
    trials: Sequence[TrialRecord],
    refs: Sequence[EvidenceRef],
    seconds: float,
) -> StudyRecord:
    """Return the record of a study; writes nothing.

    :raises SpecError: the baseline to compare with can't be.
    """
    candidates = candidates_of(trials)
    leader = leader_of(candidates)
    best = None if leader is None else best_of(leader, request.plan.seed)
    machine = this_machine()
    comparison = None
    if request.baseline and leader is not None and best is not None:
        comparison = await compared_with(
            store, request.baseline, best, blocks_at_capacity(leader), request.requests_sha256, machine
        )
    equal = tuple(_record_of(each) for each in equal_to(candidates, leader)) if leader else ()
    return StudyRecord(
        run=request.kept.run,
        name=request.kept.name,
        study=request.digest,
        machine=machine,
        requests_sha256=request.requests_sha256,
        quantile=request.objective.quantile,
        limit_ms=request.objective.limit_ms,
        seed=request.plan.seed,
        settings=request.space.size,
        tried=len(candidates),
        trials=tuple(refs),
        best=best,
        equal=equal,
        front=front_of(trials, request),
        comparison=comparison,
        findings=tuple(_findings(request, trials, best)),
        statement=_statement(request, trials, best, equal),
        passed=best is not None,
        measuring_seconds=round(sum(each.took_seconds for each in trials), 3),
        took_seconds=round(seconds, 3),
    )


def best_of(leader: Candidate, seed: int) -> BestSetting:
    """Return the chosen setting, its capacity with an interval, and its latency there."""
    capacity = capacity_of(leader)
    price = leader.trials[0].usd_per_hour
    quantiles = quantile_figures(blocks_at_capacity(leader), np.random.default_rng(seed))
    return BestSetting(
        setting=_record_of(leader),
        trials=tuple(each.number for each in leader.trials),
        usd_per_hour=price,
        rows=leader.trials[0].rows,
        capacity=capacity,
        usd_per_thousand=Estimate(
            value=cost(price, capacity.value), low=cost(price, capacity.high), high=cost(price, capacity.low)
        ),
        deviation=round(deviation_of(leader), 6),
        quantiles=quantiles,
    )


def blocks_at_capacity(leader: Candidate) -> list[Histogram]:
    """Return the blocks of latencies of the highest rate that held, of all trials of a setting."""
    steps = [_highest(trial) for trial in leader.trials]
    return [block.histogram() for each in steps if each is not None for block in each.step.blocks]


def front_of(trials: Sequence[TrialRecord], request: StudyRequest) -> tuple[FrontPoint, ...]:
    """Return the rates of settings that no other beats in cost and in the objective's quantile both."""
    judged = request.objective.quantile
    points = [
        (cost(trial.usd_per_hour, each.step.rate * trial.rows), _ms(each, judged), trial, each)
        for trial in trials
        for each in trial.steps
        if each.holds
    ]
    front = []
    least = math.inf
    for usd, latency, trial, each in sorted(points, key=lambda point: point[:2]):
        if latency < least:
            least = latency
            front.append(
                FrontPoint(
                    trial=trial.number,
                    setting=trial.setting,
                    predictions_per_second=each.step.rate * trial.rows,
                    usd_per_thousand=usd,
                    p95_ms=_ms(each, _P95),
                    p99_ms=_ms(each, _P99),
                )
            )
    return tuple(front)


def _ms(each: TrialStep, quantile: float) -> float:
    return next((q.ms for q in each.step.quantiles if q.quantile == quantile), math.inf)


def _highest(trial: TrialRecord) -> TrialStep | None:
    holding = [each for each in trial.steps if each.holds]
    return max(holding, key=lambda each: each.step.rate, default=None)


def _record_of(candidate: Candidate) -> SettingRecord:
    return dict(candidate.setting)


def _findings(
    request: StudyRequest, trials: Sequence[TrialRecord], best: BestSetting | None
) -> Iterator[Finding]:
    name = request.kept.name
    unserved = [each for each in trials if each.failed]
    if unserved:
        yield Finding(
            rule="setting-not-served",
            severity=Severity.WARNING,
            subject=name,
            detail=f"{len(unserved)} settings brought no server up: {unserved[0].failed}",
            remedy="look at the server's own output in the trial, or take the value out of the knob",
        )
    if best is None:
        return
    if any(each.limited_by_client for each in trials if each.number in best.trials):
        yield Finding(
            rule="client-late",
            severity=Severity.WARNING,
            subject=name,
            detail="this client could not send as fast as the best setting might have served",
            remedy="measure from another machine than the servers'; the capacity is a lower bound",
        )
    if all(each.above is None for each in trials if each.number in best.trials):
        yield Finding(
            rule="no-ceiling",
            severity=Severity.NOTE,
            subject=name,
            detail=f"the highest rate that may be asked, {request.plan.most_rate:g} a second, still held",
            remedy="raise most_rate: the capacity is a lower bound",
        )
    if len(trials) >= request.plan.most_trials and len(best.trials) <= request.plan.repeats:
        yield Finding(
            rule="repeats-missing",
            severity=Severity.WARNING,
            subject=name,
            detail=f"the best setting was measured {len(best.trials)} times only: the trials were used up",
            remedy="allow more trials",
        )


def _statement(
    request: StudyRequest,
    trials: Sequence[TrialRecord],
    best: BestSetting | None,
    equal: Sequence[SettingRecord],
) -> str:
    goal = f"{request.objective.quantile * 100:g} % of requests within {request.objective.limit_ms:g} ms"
    if best is None:
        return f"none of {len(trials)} trials held the objective ({goal})"
    usd, capacity = best.usd_per_thousand, best.capacity
    alike = f"; {len(equal)} other settings can't be told from it" if equal else ""
    return (
        f"{titled(setting_of(best.setting))} serves 1,000 predictions for {usd.value:.3g}"
        f" ({usd.low:.3g} to {usd.high:.3g}) at {capacity.value:.4g} a second, {goal}:"
        f" the best of {len(candidates_of(trials))} settings tried of {request.space.size},"
        f" in {len(trials)} trials{alike}"
    )
