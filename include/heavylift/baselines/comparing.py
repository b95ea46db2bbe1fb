"""Holds a measurement against an earlier one, rate by rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heavylift.baselines.requests import Held
from heavylift.errors import SpecError
from heavylift.evidence.baseline_records import (
    BaselineComparison,
    ComparedStep,
    EndpointBaseline,
    Machine,
    StepRecord,
)
from heavylift.load.intervals import ratio_figures


def check_comparable(
    before: EndpointBaseline, held: Held, requests_sha256: str, rates: Sequence[float], arrivals: str
) -> None:
    """Refuse, before anything is sent, what could not be compared afterwards.

    :raises SpecError: other requests, other arrivals, or no rate that both have.
    """
    if before.requests_sha256 != requests_sha256 or before.arrivals != arrivals:
        raise SpecError(
            f"comparing with the baseline {held.path}",
            got=f"requests {requests_sha256[:16]}…, {arrivals} arrivals",
            expected=f"requests {before.requests_sha256[:16]}…, {before.arrivals} arrivals, as it has",
            state="nothing was sent",
            remedy="measure with the same file and --arrivals, or leave --compare out",
            code="7678",
        )
    common = {step.rate for step in before.steps if step.sustained} & set(rates)
    if not common:
        raise SpecError(
            f"comparing with the baseline {held.path}",
            got=f"the rates {', '.join(f'{rate:g}' for rate in rates)}",
            expected="one of "
            + (", ".join(f"{step.rate:g}" for step in before.steps if step.sustained) or "none"),
            state="nothing was sent",
            remedy="give --rates a rate that the baseline has sustained",
            code="7679",
        )


def compared(
    before: EndpointBaseline,
    sha256: str,
    held: Held,
    rates: Sequence[float],
    steps: Sequence[StepRecord],
    machine: Machine,
    generator: np.random.Generator,
) -> BaselineComparison:
    """Return the comparison: not shown to be as fast counts as failed, and so does a rate that is lost.

    :param rates: that were asked for, whether or not the endpoint came so far.
    """
    now = {step.rate: step for step in steps}
    found = [
        _step(old, now.get(old.rate), held, generator)
        for old in before.steps
        if old.sustained and old.rate in rates
    ]
    passed = bool(found) and all(step.passed for step in found)
    sustained = [step.rate for step in steps if step.sustained]
    return BaselineComparison(
        baseline=held.path,
        baseline_sha256=sha256,
        judged=held.judged,
        max_ratio=held.max_ratio,
        same_machine=before.machine == machine,
        steps=tuple(found),
        max_sustained_before=before.max_sustained,
        max_sustained_now=max(sustained, default=None),
        passed=passed,
        statement=_statement(found, held, passed),
    )


def _step(
    old: StepRecord, new: StepRecord | None, held: Held, generator: np.random.Generator
) -> ComparedStep:
    if new is None or not new.sustained:
        return ComparedStep(rate=old.rate, ratios=(), passed=False)
    blocks = [[each.histogram() for each in step.blocks] for step in (old, new)]
    ratios = ratio_figures(blocks[0], blocks[1], generator, paired=False)
    judged = next((each for each in ratios if each.quantile == held.judged), None)
    passed = judged is not None and judged.high is not None and judged.high <= held.max_ratio
    return ComparedStep(rate=old.rate, ratios=ratios, passed=passed)


def _statement(steps: Sequence[ComparedStep], held: Held, passed: bool) -> str:
    name, times = f"P{held.judged * 100:g}", f"{held.max_ratio:g} times the baseline's"
    if passed:
        return f"{name} is at most {times} at each of {len(steps)} rates, at 97.5 %"
    failed = ", ".join(f"{step.rate:g}" for step in steps if not step.passed)
    return f"{name} is not shown to be within {times} at {failed or 'any rate'}"
