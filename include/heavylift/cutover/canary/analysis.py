"""The verdict: promote, hold or abort, at any time, from all that has been seen until then."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from heavylift.cutover.canary.claims import Levels
from heavylift.cutover.canary.crowds import CrowdErrors, CrowdLatency, CrowdShift
from heavylift.cutover.canary.ladders import Ladder, single_above
from heavylift.cutover.canary.limits import Limits
from heavylift.cutover.canary.metrics import (
    DROPS,
    RATES,
    RATIOS,
    BusinessDrop,
    Metric,
    Mismatch,
    PairedErrors,
    PairedLatency,
)
from heavylift.cutover.canary.samples import Block, Business, Crowd, Pairs, Sample, blocks_of
from heavylift.cutover.canary.wording import (
    MetricFigure,
    figure_of,
    is_open,
    why_good,
    why_not_good,
    why_open,
)

_UNWELL = math.log(1000)
"""Evidence at which the source counts as unwell: one false alarm in a thousand steps at most."""


class Verdict(StrEnum):
    """What is to be done with the target's share of the traffic."""

    PROMOTE = "promote"
    HOLD = "hold"
    ABORT = "abort"


@dataclass(frozen=True)
class Watched:
    """Which samples will come; fixed beforehand, since the probability of an error is shared among them."""

    pairs: bool = True
    live: bool = False
    business: bool = False


@dataclass(frozen=True)
class Judgement:
    """The verdict with its reasons.

    :param final: more samples won't change it. A hold that is not final means: go on.
    """

    verdict: Verdict
    final: bool
    reasons: tuple[str, ...]
    metrics: tuple[MetricFigure, ...]
    samples: int


class SequentialAnalysis:
    """Takes in samples and says, whenever it is asked, what they show. Touches no system.

    :param watched: which samples will come.
    :param bounds: keep the evidence that bounds are made of; without, only verdicts are exact.
    """

    def __init__(self, limits: Limits, watched: Watched = Watched(), *, bounds: bool = True) -> None:
        self.limits = limits
        self.watched = watched
        self.metrics = _metrics(limits, watched, bounds=bounds)
        self.samples = 0
        self._begin: float | None = None
        self._unwell = Ladder(1)
        self._baseline = [0, 0]

    def feed(self, samples: Sequence[Sample]) -> None:
        """Take in samples of both sides; each second's should come in one call."""
        for block in blocks_of(samples, self.limits.block_seconds, self.limits.tolerance):
            self.feed_block(block)

    def feed_block(self, block: Block) -> None:
        """Take in one block. What follows a final verdict changes nothing of it: don't feed it."""
        self._begin = block.moment if self._begin is None else self._begin
        warm = block.moment - self._begin >= self.limits.warm_up_seconds
        for metric in self.metrics:
            metric.feed(block, warm)
        asked, failed = _of_source(block)
        if asked:
            limit = np.array([self.limits.max_baseline_errors])
            self._unwell.block(single_above(np.array([failed]), np.array([asked - failed]), limit))
            self._baseline = [self._baseline[0] + asked, self._baseline[1] + failed]
        self.samples += _size(block)

    def aborts(self) -> list[Metric]:
        """Return the metrics that show that the target is not good."""
        return [metric for metric in self.metrics if metric.claim.refuted]

    def verdict(self) -> Judgement:
        """Return what the samples show, with all numbers. May be asked as often as one likes."""
        verdict, final = self.decision()
        reasons = self._reasons(verdict)
        figures = tuple(figure_of(each, self.limits.min_samples) for each in self.metrics)
        return Judgement(verdict, final, tuple(reasons), figures, self.samples)

    def decided(self) -> bool:
        """Tell whether the verdict is final."""
        return self.decision()[1]

    def decision(self) -> tuple[Verdict, bool]:
        """Return the verdict and whether it is final; cheaper than with all numbers."""
        if self.aborts():
            return Verdict.ABORT, True
        if self._unwell.peak[0] >= _UNWELL:
            return Verdict.HOLD, True
        if not any(is_open(each, self.limits) for each in self.metrics):
            return Verdict.PROMOTE, True
        return Verdict.HOLD, self.samples >= self.limits.max_samples

    def _reasons(self, verdict: Verdict) -> list[str]:
        if verdict is Verdict.ABORT:
            return [why_not_good(each) for each in self.aborts()]
        if verdict is Verdict.PROMOTE:
            return [why_good(each) for each in self.metrics if each.proves]
        if self._unwell.peak[0] >= _UNWELL:
            asked, failed = self._baseline
            return [f"the source itself fails: {failed:,} of {asked:,} requests; it is no baseline"]
        return [why_open(each, self.limits) for each in self.metrics if is_open(each, self.limits)]

    def state(self) -> dict[str, Any]:
        """Return what is needed to go on after a restart, as plain JSON."""
        return {
            "metrics": {each.name: each.state() for each in self.metrics},
            "samples": self.samples,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state, with the evidence that had been gathered.

        A new warm-up begins, and whether the source is well is found out anew.
        """
        for each in self.metrics:
            each.restore(state["metrics"][each.name])
        self.samples = int(state["samples"])


def _metrics(limits: Limits, watched: Watched, *, bounds: bool) -> tuple[Metric, ...]:
    count = (
        watched.pairs * (2 + len(limits.quantiles))
        + watched.live * (1 + len(limits.quantiles))
        + (watched.live and not watched.pairs)
        + watched.business
    )
    levels = Levels(limits.false_abort / (max(limits.steps, 1) * max(count, 1)), limits.miss)
    none = np.empty(0)
    rates, ratios, drops = (RATES, RATIOS, DROPS) if bounds else (none, none, none)
    made: list[Metric] = []
    if watched.pairs:
        made.append(PairedErrors(limits, levels, rates))
        made += [PairedLatency(limits, levels, ratios, each) for each in limits.quantiles]
        made.append(Mismatch(limits, levels, rates))
    if watched.live:
        alone = not watched.pairs
        made.append(CrowdErrors(limits, levels, rates, proves=alone))
        made += [CrowdLatency(limits, levels, ratios, each, proves=alone) for each in limits.quantiles]
        if alone:
            made.append(CrowdShift(limits, levels))
    if watched.business:
        made.append(BusinessDrop(limits, levels, drops))
    return tuple(made)


def _of_source(block: Block) -> tuple[int, int]:
    if isinstance(block, Pairs):
        return len(block.source_ok), int(np.count_nonzero(~block.source_ok))
    if isinstance(block, Crowd):
        return block.source.requests, block.source.errors
    return 0, 0


def _size(block: Block) -> int:
    if isinstance(block, Pairs):
        return len(block.source_ok)
    return 0 if isinstance(block, Business) else block.target.requests


def judge_all(analysis: SequentialAnalysis, blocks: Iterable[Block]) -> Judgement:
    """Feed blocks until the verdict is final or none is left, and return it."""
    for block in blocks:
        analysis.feed_block(block)
        if analysis.decided():
            break
    return analysis.verdict()
