"""From what became of a step's requests to its record."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from heavylift.evidence.baseline_records import HistogramRecord, Limit, NoiseFloor, StepRecord
from heavylift.histograms import Histogram
from heavylift.load.driving import Drive, Outcome
from heavylift.load.intervals import quantile_figures, ratio_figures
from heavylift.load.plan import LoadPlan

BLOCKS = 20
"""Parts of a step that the bootstrap draws from."""
LATE_SECONDS = 0.01
LATE_SHARE = 0.1
"""A client that is later than both at P99 (the share is of the latency's P99) measures itself."""
_TRIMMED = 0.99


def step_record(
    rate: float, plan: LoadPlan, driven: Drive, reconnected: int, generator: np.random.Generator
) -> StepRecord:
    """Return the record of a step that was driven at ``rate``."""
    begun = [each for each in driven.outcomes if each.began is not None]
    errors = Counter(each.error for each in begun if each.error)
    answered = len(begun) - errors.total()
    error_rate = errors.total() / len(begun) if begun else 0.0
    achieved = _achieved(rate, begun)
    blocks = blocks_of(begun)
    latencies = [each.latency for each in begun if each.latency is not None]
    late = _p99([each.began - each.due for each in begun if each.began is not None])
    waited = _p99(
        [each.sent - each.began for each in begun if each.sent is not None and each.began is not None]
    )
    sustained = (
        not driven.stopped and achieved >= plan.min_achieved * rate and error_rate <= plan.max_error_rate
    )
    limited_by: Limit = ""
    reason = ""
    if not sustained:
        limited_by = _limit(driven, error_rate, plan, late, _p99(latencies))
        reason = _reason(limited_by, plan, achieved, rate, errors)
    return StepRecord(
        rate=rate,
        seconds=plan.step_seconds,
        planned=len(driven.outcomes),
        answered=answered,
        errors=dict(sorted(errors.items())),
        not_sent=len(driven.outcomes) - len(begun),
        reconnected=reconnected,
        achieved=round(achieved, 4),
        error_rate=round(error_rate, 6),
        quantiles=quantile_figures(blocks, generator),
        largest_ms=round(max(latencies) * 1e3, 4) if latencies else None,
        late_p99_ms=round(late * 1e3, 4),
        waited_p99_ms=round(waited * 1e3, 4),
        most_waiting=driven.most_waiting,
        sustained=sustained,
        limited_by=limited_by,
        reason=reason,
        blocks=tuple(HistogramRecord.of(block) for block in blocks),
    )


def noise_floor(
    rate: float, outcomes: Sequence[Outcome], generator: np.random.Generator
) -> NoiseFloor | None:
    """Return how far two series of one endpoint are apart that were measured in turn.

    The requests are cut into pairs of blocks; chance decides which of a pair belongs to which series.

    :return: None where too little was answered.
    """
    parts = blocks_of(outcomes, 2 * BLOCKS)
    series: tuple[list[Histogram], list[Histogram]] = ([], [])
    for one, other in zip(parts[::2], parts[1::2], strict=False):
        first = int(generator.integers(2))
        series[first].append(one)
        series[1 - first].append(other)
    ratios = ratio_figures(series[0], series[1], generator, paired=True) if series[0] else ()
    answered = sum(part.total for part in parts)
    return NoiseFloor(rate=rate, requests=answered, ratios=ratios) if ratios else None


def blocks_of(outcomes: Sequence[Outcome], most: int = BLOCKS) -> list[Histogram]:
    """Return the latencies in at most so many blocks of as many requests, in the order of being due."""
    size = max(1, -(-len(outcomes) // most))
    cut = [outcomes[at : at + size] for at in range(0, len(outcomes), size)]
    return [Histogram.of(each.latency for each in part if each.latency is not None) for part in cut]


def _achieved(rate: float, begun: Sequence[Outcome]) -> float:
    """Return the rate at which good answers came.

    The pace at which answers came is held against that at which requests were due: what every request takes
    moves the span and does not stretch it. The last hundredth is left out, lest one straggler decides.
    """
    if not begun:
        return 0.0
    good = sum(not each.error for each in begun) / len(begun)
    done = sorted(each.done for each in begun if each.done is not None)
    last = max(0, math.ceil(_TRIMMED * len(done)) - 1)
    due_span, done_span = begun[last].due - begun[0].due, done[last] - done[0]
    pace = min(1.0, due_span / done_span) if done_span > 0 else 1.0
    return rate * pace * good


def _limit(driven: Drive, error_rate: float, plan: LoadPlan, late: float, latency: float) -> Limit:
    if late > max(LATE_SECONDS, LATE_SHARE * latency):
        return "client"
    if error_rate > plan.max_error_rate:
        return "errors"
    return "connections" if driven.stopped == "connections" or driven.most_waiting else "endpoint"


def _reason(limit: Limit, plan: LoadPlan, achieved: float, rate: float, errors: Counter[str]) -> str:
    if limit == "client":
        return "this client could not send so fast: nothing is said of the endpoint"
    if limit == "errors":
        told = ", ".join(f"{count:,} x {kind}" for kind, count in errors.most_common(3))
        return f"errors above {plan.max_error_rate:.2%} ({told})"
    if limit == "connections":
        return (
            f"all {plan.connections} connections were busy: the endpoint answers too slowly for this rate,"
            " or would need more of them (--connections)"
        )
    return f"answers came at {achieved:.4g} of {rate:g} a second"


def _p99(values: Sequence[float]) -> float:
    return Histogram.of(values).quantile(0.99) or 0.0
