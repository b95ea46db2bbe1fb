"""Proves, or refutes, that a model behaves on the target as on the source."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np

from heavylift.evidence.model_records import (
    ComparedLatency,
    ComparedMetric,
    ComparedOutput,
    ModelBaseline,
    ModelComparisonRecord,
)
from heavylift.evidence.records import Finding
from heavylift.evidence.wording import counted
from heavylift.models.comparing import Parity, Policy, compare
from heavylift.models.latency import Latency, measure
from heavylift.models.quality import against_baseline, compare_metrics
from heavylift.models.repeating import Runs, needs_repeat, settle
from heavylift.models.requests import ModelRequest
from heavylift.models.rules import accepting, finding
from heavylift.models.sessions import ModelProcess
from heavylift.models.sides import Prepared, Sides, distance, machine, opened, side_record
from heavylift.models.work import Work
from heavylift.scoring.golden import Golden
from heavylift.scoring.outputs import Predicted, ordered


@dataclass(frozen=True)
class Measured:
    """Everything that was measured with both sides open."""

    answers: tuple[Predicted, Predicted, Predicted]
    latency: Latency | None
    sides: Sides


def revalidate(
    request: ModelRequest,
    pair: tuple[Prepared, Prepared],
    golden: Golden,
    golden_sha256: str,
    work: Work,
    baseline: ModelBaseline | None = None,
) -> ModelComparisonRecord:
    """Run both sides on the golden inputs and compare them.

    :param baseline: what the source did when it was measured earlier: its metrics must hold as well.
    """
    began = time.monotonic()
    generator = np.random.default_rng(request.compare.seed)
    far = distance(*pair)
    with opened(request, pair, golden, work) as sides:
        measured = _measure(request, sides, golden, generator, work)
        record_sides = [
            side_record(prepared, session, golden.rows / max(answer.seconds, 1e-9))
            for prepared, session, answer in zip(
                pair, (sides.source, sides.target), (measured.answers[0], measured.answers[2]), strict=True
            )
        ]
        parity = _compared(measured, far, request, golden, work)
    source, _again, target = (each.outputs for each in measured.answers)
    options = request.compare
    metrics = () if parity.problem else tuple(compare_metrics(golden, source, target, options, generator))
    if baseline is not None:
        metrics += tuple(against_baseline(baseline, golden, golden_sha256, target, options, generator))
    latency = _latency(measured.latency, request)
    reasons = tuple(_reasons(request, parity, metrics, latency, measured.latency))
    findings = [*_findings(request, measured, parity, golden), *_elsewhere(baseline)]
    return ModelComparisonRecord(
        run=request.run,
        model=request.model,
        version=request.version,
        source=record_sides[0],
        target=record_sides[1],
        golden=golden.origin,
        golden_sha256=golden_sha256,
        rows=golden.rows,
        distance=cast("Literal['same', 'framework', 'runtime']", far),
        outputs=tuple(_output(parity)),
        mismatched=parity.mismatched,
        mismatch_bound=parity.bound,
        max_mismatch_rate=options.max_mismatch_rate,
        metrics=metrics,
        latency=latency,
        points=parity.points,
        baseline=_baseline(request, metrics, latency, golden_sha256),
        findings=tuple(accepting(findings, request.check.accept)),
        reasons=reasons,
        statement=_statement(parity, latency, reasons),
        passed=not reasons,
        seed=options.seed,
        seconds=round(time.monotonic() - began, 3),
    )


def _measure(
    request: ModelRequest, sides: Sides, golden: Golden, generator: np.random.Generator, work: Work
) -> Measured:
    answers: list[Predicted] = []
    for name, session in (("source", sides.source), ("source, again", sides.again), ("target", sides.target)):
        work.check()
        work.tell(f"asking the {name} about {golden.rows:,} rows")
        answers.append(_ordered(session.predict(), answers))
    latency = None
    plan = request.compare.latency
    if plan is not None:
        work.tell(f"asking both sides {plan.requests:,} times in turn")
        rows = min(golden.rows, 500)
        latency = measure(sides.source.time, sides.target.time, rows, plan, generator, work.check)
    return Measured((answers[0], answers[1], answers[2]), latency, sides)


def _ordered(answer: Predicted, before: list[Predicted]) -> Predicted:
    """Return an answer with its columns in the order of the source's first."""
    return replace(answer, outputs=ordered(answer.outputs, before[0].outputs)) if before else answer


def _compared(measured: Measured, far: str, request: ModelRequest, golden: Golden, work: Work) -> Parity:
    """Compare the answers; where one run of the target cannot tell chance from another model, by two."""
    options = request.compare
    source, again, target = (each.outputs for each in measured.answers)
    policy = Policy(far, options.absolute, options.relative, options.max_mismatch_rate)
    work.tell("comparing the answers")
    first = compare(source, again, target, policy)
    if not needs_repeat(first, policy):
        return first
    work.check()
    work.tell(f"asking the target, again, about {golden.rows:,} rows")
    repeated = ordered(measured.sides.repeat().predict().outputs, source)
    return settle(Runs(source, again, target, repeated), first, policy)


def _output(parity: Parity) -> Iterator[ComparedOutput]:
    for column in parity.columns:
        yield ComparedOutput(
            name=column.name,
            kind=column.kind,
            compared=column.compared,
            mismatched=len(column.wrong),
            excused=column.excused,
            largest_absolute=_finite(column.largest),
            largest_relative=_finite(column.largest_relative),
            tolerance_absolute=column.tolerance.absolute,
            tolerance_relative=column.tolerance.relative,
            tolerance_why=column.tolerance.why,
            noise=_finite(column.noise),
        )


def _finite(value: float) -> float:
    # JSON has no infinity; the largest number says the same to people.
    return min(value, float(np.finfo(np.float64).max))


def _latency(found: Latency | None, request: ModelRequest) -> ComparedLatency | None:
    plan = request.compare.latency
    if found is None or plan is None:
        return None
    return ComparedLatency(
        requests=found.requests,
        judged=_quantile(plan.quantile),
        max_ratio=plan.max_ratio,
        quantiles={
            _quantile(q): (found.source[q], found.target[q], ratio.estimate, ratio.high)
            for q, ratio in found.ratios.items()
        },
        curve=found.curves,
        passed=found.passed,
    )


def _quantile(value: float) -> str:
    return f"p{value * 100:g}"


def _reasons(
    request: ModelRequest,
    parity: Parity,
    metrics: tuple[ComparedMetric, ...],
    latency: ComparedLatency | None,
    measured: Latency | None,
) -> Iterator[str]:
    """Yield why the target does not pass."""
    options = request.compare
    if parity.problem:
        yield parity.problem
    elif parity.unproved:
        yield parity.unproved
    if not parity.problem and parity.mismatched > options.max_mismatch_rate * parity.rows:
        worst = max(parity.columns, key=lambda each: len(each.wrong))
        yield (
            f"{counted(parity.mismatched, 'row')} of {parity.rows:,} answered differently,"
            f" most in {worst.name} ({len(worst.wrong):,}; largest difference {worst.largest:.3g});"
            f" {_rows(parity)}"
        )
    for each in metrics:
        if not each.passed:
            part = f" where {each.slice}" if each.slice else ""
            yield (
                f"{each.metric}{part}: {each.source:.6g} on the source, {each.target:.6g} on the target;"
                f" it may be worse by {max(0.0, -each.low):.3g}, allowed are {each.allowed_drop:g}"
            )
    if latency is not None and measured is not None:
        yield from _too_slow(request, latency, measured)


_NAMED = 5
"""Rows that are told by their number."""


def _rows(parity: Parity) -> str:
    """Name the first rows that differ, counted from 0 as in the golden inputs."""
    rows = sorted({int(row) for column in parity.columns for row in column.wrong})
    more = f" and {len(rows) - _NAMED:,} more" if len(rows) > _NAMED else ""
    word = "row" if len(rows) == 1 else "rows"
    return f"{word} {', '.join(map(str, rows[:_NAMED]))}{more}, counted from 0"


def _too_slow(request: ModelRequest, latency: ComparedLatency, measured: Latency) -> Iterator[str]:
    source, target, ratio, bound = latency.quantiles[latency.judged]
    if not latency.passed:
        plan = request.compare.latency
        few = plan is not None and measured.undecided(plan) and ratio <= latency.max_ratio
        more = f"; {latency.requests:,} requests are too few to tell: ask more of them" if few else ""
        yield (
            f"{latency.judged} latency: {source:.3g} ms on the source, {target:.3g} ms on the target, a"
            f" ratio of {ratio:.3f} that may be {bound:.3f} at 99 %; allowed are {latency.max_ratio:g}{more}"
        )
    longest = request.compare.max_p95_ms
    if longest is not None and measured.target[0.95] > longest:
        yield f"p95 latency: {measured.target[0.95]:.3g} ms on the target; allowed are {longest:g} ms"


def _findings(request: ModelRequest, measured: Measured, parity: Parity, golden: Golden) -> Iterator[Finding]:
    allowed = request.compare.max_mismatch_rate
    if not parity.problem and parity.mismatched == 0 and parity.bound > allowed:
        yield finding(
            "few-golden-inputs",
            golden.origin,
            f"{counted(parity.rows, 'row')}: at 95 % up to {parity.bound:.2%} may still differ, and"
            f" {allowed:.2%} are allowed",
        )
    noisy = [each for each in parity.columns if each.noise > 0]
    if noisy:
        named = ", ".join(f"{each.name} ({each.noise:.3g})" for each in noisy[:5])
        yield finding(
            "source-not-repeatable", request.name, f"asked twice, the source differs from itself: {named}"
        )
    if parity.unsteady:
        yield finding(
            "target-not-repeatable",
            request.name,
            f"asked twice, the target differs from itself in {counted(parity.unsteady, 'row')} of"
            f" {parity.rows:,}",
        )
    for session in (measured.sides.source, measured.sides.target):
        if isinstance(session, ModelProcess) and session.isolation != "network":
            yield finding(
                "not-isolated", session.name, f"it ran without a shut network ({session.isolation})"
            )
    for note in dict.fromkeys(note for answer in measured.answers for note in answer.notes):
        yield finding("scores-untold", request.name, note)


def _elsewhere(baseline: ModelBaseline | None) -> Iterator[Finding]:
    if baseline is not None and baseline.machine and baseline.machine != machine():
        yield finding(
            "baseline-elsewhere", baseline.model, f"the baseline was measured on {baseline.machine!r}"
        )


def _baseline(
    request: ModelRequest,
    metrics: tuple[ComparedMetric, ...],
    latency: ComparedLatency | None,
    golden_sha256: str,
) -> ModelBaseline:
    quantiles: Mapping[str, tuple[float, float, float, float]] = latency.quantiles if latency else {}
    return ModelBaseline(
        model=request.model,
        version=request.version,
        machine=machine(),
        golden_sha256=golden_sha256,
        metrics={each.metric: each.source for each in metrics if not each.slice},
        latency_ms={name: round(values[0], 6) for name, values in quantiles.items()},
    )


def _statement(parity: Parity, latency: ComparedLatency | None, reasons: tuple[str, ...]) -> str:
    if reasons:
        return reasons[0] + (f"; and {counted(len(reasons) - 1, 'more reason')}" if len(reasons) > 1 else "")
    said = (
        f"{counted(parity.mismatched, 'row')} of {parity.rows:,} answered differently; at 95 % the rate is at"
        f" most {parity.bound:.2g}"
    )
    if latency is not None:
        _source, _target, ratio, bound = latency.quantiles[latency.judged]
        said += f"; {latency.judged} latency is {ratio:.3f} times the source's, at 99 % at most {bound:.3f}"
    return said
