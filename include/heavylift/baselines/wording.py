"""What a baseline says in words, and what a person should know of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from heavylift.baselines.measuring import Measured
from heavylift.evidence.baseline_records import BaselineComparison, GoldenQuality, StepRecord
from heavylift.evidence.records import Finding, Severity
from heavylift.load.figures import LATE_SECONDS, LATE_SHARE
from heavylift.load.plan import LoadPlan

_STEP_TO_LATENCY = 50
_FEW_ROWS = 100


def statement_of(
    steps: Sequence[StepRecord], comparison: BaselineComparison | None, quality: GoldenQuality | None = None
) -> str:
    """Return the result in one sentence or two."""
    sustained = [step for step in steps if step.sustained]
    failed = next((step for step in steps if not step.sustained), None)
    if not sustained:
        text = f"not even {steps[0].rate:g} requests a second were sustained: {steps[0].reason}"
    else:
        best = sustained[-1]
        median = next((f"{each.ms:.4g} ms" for each in best.quantiles if each.quantile == 0.5), "unknown")
        text = f"{best.rate:g} requests a second were sustained, the median {median}"
        text += f"; {failed.rate:g} were not: {failed.reason}" if failed else "; no higher rate was tried"
    said = (comparison.statement if comparison else "", quality.statement if quality else "")
    return ". ".join([text, *(each for each in said if each)])


def findings_of(
    connection: str,
    plan: LoadPlan,
    measured: Measured,
    comparison: BaselineComparison | None,
    quality: GoldenQuality | None = None,
) -> tuple[Finding, ...]:
    """Return what a person should know; a blocker means that the result is no baseline to rely on."""
    found = [
        *_of_endpoint(connection, measured),
        *_of_client(connection, plan, measured),
        *_of_comparison(connection, comparison),
        *(_of_quality(connection, quality) if quality else ()),
    ]
    return tuple(found)


def _of_endpoint(connection: str, measured: Measured) -> Iterator[Finding]:
    if measured.gone:
        yield Finding(
            rule="endpoint-gone",
            severity=Severity.BLOCKER,
            subject=connection,
            detail=f"it stopped answering at {measured.steps[-1].rate:g} a second, and did not come back",
            remedy="look at the endpoint's own logs, bring it back, and measure again",
        )
    elif not measured.steps[0].sustained:
        yield Finding(
            rule="no-rate-sustained",
            severity=Severity.BLOCKER,
            subject=connection,
            detail=measured.steps[0].reason,
            remedy="begin with a lower rate",
        )
    if measured.floor is None:
        yield Finding(
            rule="no-noise-floor",
            severity=Severity.NOTE,
            subject=connection,
            detail="the endpoint was not measured against itself",
            remedy="leave --no-floor out; where it failed, begin with a lower rate",
        )


def _of_client(connection: str, plan: LoadPlan, measured: Measured) -> Iterator[Finding]:
    for step in measured.steps:
        largest = max((each.ms for each in step.quantiles if each.quantile == 0.99), default=0.0)
        if step.late_p99_ms > max(LATE_SECONDS * 1e3, LATE_SHARE * largest):
            yield Finding(
                rule="client-late",
                severity=Severity.WARNING,
                subject=connection,
                detail=f"at {step.rate:g} a second this client was {step.late_p99_ms:.1f} ms late at P99,"
                " which is in the latencies",
                remedy="measure from a machine that does nothing else, or at lower rates",
            )
        median = next((each.ms for each in step.quantiles if each.quantile == 0.5), 0.0)
        if median * _STEP_TO_LATENCY > plan.step_seconds * 1e3:
            yield Finding(
                rule="short-step",
                severity=Severity.NOTE,
                subject=connection,
                detail=f"at {step.rate:g} a second the median is {median:.0f} ms: in steps of"
                f" {plan.step_seconds:g} s the achieved rate is known roughly",
                remedy=f"let --step-seconds be {_STEP_TO_LATENCY} times the median or more",
            )


def _of_comparison(connection: str, comparison: BaselineComparison | None) -> Iterator[Finding]:
    if comparison is None:
        return
    if not comparison.passed:
        yield Finding(
            rule="slower-than-baseline",
            severity=Severity.BLOCKER,
            subject=connection,
            detail=comparison.statement,
            remedy="measure longer if the interval is wide; else find what is slower",
        )
    if not comparison.same_machine:
        yield Finding(
            rule="other-client",
            severity=Severity.WARNING,
            subject=connection,
            detail="the baseline was measured from another machine: the ratio holds both ways there",
            remedy="measure both from the same machine, or from one like it as near to its endpoint",
        )


def _of_quality(connection: str, quality: GoldenQuality) -> Iterator[Finding]:
    if quality.changed:
        yield Finding(
            rule="answers-differ",
            severity=Severity.WARNING,
            subject=connection,
            detail=f"asked twice, {quality.changed:,} of {quality.rows:,} golden rows were answered"
            f" differently; at 95 % the rate is at most {quality.changed_bound:.2g}",
            remedy="a target can differ from the source by as much and still be as good: see the figures of"
            " both askings; look for random numbers, batches that mix rows, or several versions behind one"
            " endpoint",
        )
    if quality.rows < _FEW_ROWS:
        yield Finding(
            rule="few-golden-rows",
            severity=Severity.WARNING,
            subject=connection,
            detail=f"{quality.rows:,} golden rows: the intervals are wide",
            remedy=f"take {_FEW_ROWS} golden rows or more",
        )
    if quality.unlabelled:
        yield Finding(
            rule="unlabelled-rows",
            severity=Severity.NOTE,
            subject=connection,
            detail=f"{quality.unlabelled:,} golden rows have no label, and were not asked",
            remedy="complete the labels, or take these rows out",
        )
