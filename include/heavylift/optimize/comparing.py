"""The best setting beside the baseline of the endpoint as it was: cost and latency, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from heavylift.evidence.baseline_records import EndpointBaseline, Machine, RatioFigure, StepRecord
from heavylift.evidence.optimize_records import BestSetting, Compared, Estimate
from heavylift.evidence.store import EvidenceStore
from heavylift.histograms import Histogram
from heavylift.load.intervals import ratio_figures
from heavylift.optimize.checks import demand


async def compared_with(
    store: EvidenceStore,
    path: str,
    best: BestSetting,
    blocks: Sequence[Histogram],
    requests_sha256: str,
    machine: Machine,
) -> Compared:
    """Return how the best setting compares with a baseline in the evidence store.

    Both are held at the highest rate that they were shown to sustain, each at its own: the cost is that of a
    full machine, and the latency that of one.

    :raises SpecError: the baseline sustained no rate.
    :raises NotFoundError: there is no such baseline.
    """
    before = await store.read_record(path, EndpointBaseline)
    ref = await store.ref_of(path)
    step = _sustained(before)
    return compared(before, step, path, ref.sha256, best, blocks, (requests_sha256, machine))


def compared(
    before: EndpointBaseline,
    step: StepRecord,
    path: str,
    sha256: str,
    best: BestSetting,
    blocks: Sequence[Histogram],
    now: tuple[str, Machine],
) -> Compared:
    """Return the comparison of a baseline's step with the blocks of the best setting at its capacity."""
    generator = np.random.default_rng(before.seed)
    earlier = [block.histogram() for block in step.blocks]
    latency = ratio_figures(earlier, blocks, generator, paired=False)
    usd = float(before.cost.per_thousand) if before.cost is not None else None
    ratio = None
    if usd:
        found = best.usd_per_thousand
        ratio = Estimate(value=found.value / usd, low=found.low / usd, high=found.high / usd)
    return Compared(
        baseline=path,
        baseline_sha256=sha256,
        rate_before=step.rate,
        rate_after=best.capacity.value / best.rows,
        usd_per_thousand=usd,
        cost_ratio=ratio,
        latency=latency,
        same_requests=before.requests_sha256 == now[0],
        same_machine=before.machine == now[1],
        statement=_statement(ratio, latency),
    )


def _sustained(before: EndpointBaseline) -> StepRecord:
    sustained = [step for step in before.steps if step.sustained]
    got = f"the baseline of {before.connection}, which sustained no rate"
    demand(bool(sustained), "comparing with a baseline", got, "one that sustained a rate", "9262")
    return sustained[-1]


def _statement(ratio: Estimate | None, latency: Sequence[RatioFigure]) -> str:
    judged = next((each for each in latency if each.quantile == 0.95), None)
    parts = []
    if ratio is not None:
        surely = "surely cheaper" if ratio.high < 1 else "not surely cheaper"
        surely = "surely dearer" if ratio.low > 1 else surely
        parts.append(
            f"1,000 predictions cost {ratio.value:.3g} times as much ({ratio.low:.3g} to {ratio.high:.3g}):"
            f" {surely}"
        )
    if judged is not None:
        high = "no upper bound" if judged.high is None else f"{judged.high:.3g}"
        parts.append(
            f"the latency's P95 is {judged.ratio:.3g} times that before ({judged.low:.3g} to {high})"
        )
    return "; ".join(parts) or "nothing can be compared: the baseline has no cost and no latency"
