"""What to buy for a demand, and whether a job or a service may stand on machines that can be taken away."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.numbered import write_next
from heavylift.evidence.optimize_records import (
    JobRecord,
    MixRecord,
    ServingRecord,
    Spread,
    result_path,
)
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.store import open_evidence
from heavylift.optimize.checkpoints import (
    Interruptions,
    chosen_interval,
    daly_interval,
    expected,
    simulate,
    young_interval,
)
from heavylift.optimize.checks import demand
from heavylift.optimize.purchases import Floats, Mix, Prices, best_mix, hourly_cost, priced, whole_machines
from heavylift.optimize.requests import Kept
from heavylift.optimize.resilience import Replaced, machines_for
from heavylift.optimize.series import Series, read_series
from heavylift.platforms.places import Place

HOUR, DAY_HOURS, MONTH_HOURS = 3600, 24, 730.0
RESAMPLES = 2000
LEAST_DAYS = 14
LEAST_COVERAGE = 0.95


@dataclass(frozen=True)
class Job:
    """A job that saves its state now and then.

    :param hours: of work, without interruptions.
    :param deadline: hours in which it must be done; None where nobody waits.
    :param machines: of the price that it runs on at once.
    """

    hours: float
    met: Interruptions
    deadline: float | None = None
    interval: float | None = None
    machines: int = 1
    runs: int = 10_000


@dataclass(frozen=True)
class Serving:
    """A service that needs so many machines at a time.

    :param allowed: share of time in which fewer may be there.
    """

    need: int
    allowed: float
    met: Replaced


@dataclass(frozen=True)
class MixRequest:
    """A demand for machines, and what they cost.

    :param demand: series with one value an hour; None where only a job or a service is judged.
    :param prices_of: where the prices and the rate of interruptions are from, and of when.
    :param spot_share: of each hour's demand that may be interrupted.
    """

    kept: Kept
    prices: Prices
    prices_of: str
    demand: Place | Path | None = None
    at: str = "at"
    column: str = "machines"
    spot_share: float = 0.0
    serving: Serving | None = None
    job: Job | None = None
    seed: int = 20260101
    currency: str = field(default="USD")


async def recommend_mix(request: MixRequest) -> tuple[MixRecord, EvidenceRef]:
    """Reckon what to buy and write it; each run writes a record of its own. Nothing is bought.

    :raises SpecError: the series can't be read, or a price, rate or time cannot be.
    """
    series = None
    if request.demand is not None:
        series = await read_series(request.demand, request.at, {"machines": request.column})
    record = mix_of(request, series)
    kept = request.kept
    async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
        _, ref = await write_next(store, lambda n: result_path(kept.run, "mix", kept.name, n), record)
    return record, ref


def mix_of(request: MixRequest, series: Series | None) -> MixRecord:
    """Return what to buy; writes nothing."""
    too_little: list[str] = []
    hours: Floats = np.zeros(0)
    if series is not None:
        too_little = list(_insufficient(series))
        known = series["machines"][~np.isnan(series["machines"])]
        hours = whole_machines(known)
    mix = best_mix(hours, request.prices, request.spot_share) if hours.size and not too_little else None
    serving = None if request.serving is None else serving_of(request.serving, request.prices)
    job = None if request.job is None else job_of(request.job, request.prices, request.seed)
    saving = None if mix is None else _saving(hours, request, mix.committed)
    named = {"on_demand": request.prices.on_demand}
    named |= {} if request.prices.spot is None else {"spot": request.prices.spot}
    named |= {each.name: each.usd_per_hour for each in request.prices.commitments}
    return MixRecord(
        run=request.kept.run,
        name=request.kept.name,
        hours=int(hours.size),
        peak=int(hours.max()) if hours.size else 0,
        prices=named,
        prices_of=request.prices_of,
        spot_share=request.spot_share,
        spot_factor=request.prices.spot_factor,
        committed=mix.committed if mix else 0,
        commitment=mix.commitment if mix else "",
        break_even=mix.break_even if mix else None,
        committed_hours=mix.committed_hours if mix else 0.0,
        spot_hours=mix.spot_hours if mix else 0.0,
        on_demand_hours=mix.on_demand_hours if mix else 0.0,
        cost=mix.cost if mix else 0.0,
        all_on_demand=mix.all_on_demand if mix else 0.0,
        saving=saving,
        held_out=None if mix is None else held_out(hours, request),
        covered=_covered(hours, request, mix),
        serving=serving,
        job=job,
        insufficient=tuple(too_little),
        findings=tuple(_findings(request, hours, mix)),
        statement=_statement(request, mix, saving, serving, job, too_little),
    )


def job_of(job: Job, prices: Prices, seed: int) -> JobRecord:
    """Return what a job takes and costs on machines that may be taken away, by formula and played through.

    :raises SpecError: there is no price for such machines, or the job is none.
    """
    spot = prices.spot
    fine = spot is not None and job.runs >= 100 and job.machines > 0
    fine = fine and (job.deadline is None or job.deadline > 0)
    demand(fine, "reckoning a job on spot machines", "no spot price, run or machine", "one of each", "9265")
    met, price = job.met, float(spot or 0) * job.machines
    interval = job.interval or chosen_interval(job.hours, met)
    mean = expected(job.hours, interval, met)
    billed, elapsed = simulate(job.hours, interval, met, job.runs, np.random.default_rng(seed))
    costs = billed * price
    on_demand = job.hours * prices.on_demand * job.machines
    late = None if job.deadline is None else float((elapsed > job.deadline).mean())
    return JobRecord(
        work=job.hours,
        rate=met.rate,
        interval=interval,
        young=_finite(young_interval(met.rate, met.checkpoint)),
        daly=_finite(daly_interval(met.rate, met.checkpoint)),
        billed=_finite(mean.billed),
        elapsed=_finite(mean.elapsed),
        cost=_finite(mean.billed * price),
        on_demand_cost=on_demand,
        runs=job.runs,
        simulated_cost=_finite(float(costs.mean())),
        simulated_error=_finite(float(costs.std(ddof=1)) / math.sqrt(job.runs)),
        costs=_spread(costs),
        elapsed_hours=_spread(elapsed),
        saving=_spread(on_demand - costs),
        deadline=job.deadline,
        late=late,
        late_high=None if late is None else _upper(late, job.runs),
    )


def serving_of(serving: Serving, prices: Prices) -> ServingRecord:
    """Return how many machines that may be taken away a service needs, and what they cost."""
    found = machines_for(serving.need, serving.allowed, serving.met)
    priced_at = None if found is None or prices.spot is None else found.machines * prices.spot
    return ServingRecord(
        need=serving.need,
        allowed=serving.allowed,
        machines=found.machines if found else None,
        shortfall=found.shortfall if found else None,
        usd_per_hour=priced_at,
        on_demand_usd_per_hour=serving.need * prices.on_demand,
    )


def held_out(hours: Floats, request: MixRequest) -> float:
    """Return what share is saved on the second half by what the first half recommends."""
    half = hours.size // 2
    chosen = best_mix(hours[:half], request.prices, request.spot_share)
    return priced(hours[half:], request.prices, request.spot_share, chosen.committed).saving_share


def _saving(hours: Floats, request: MixRequest, committed: int) -> Spread:
    """Return the saving of a month over resamples of whole days."""
    each = hours * request.prices.on_demand - hourly_cost(
        hours, request.prices, request.spot_share, committed
    )
    days = each[: each.size // DAY_HOURS * DAY_HOURS].reshape(-1, DAY_HOURS).sum(axis=1)
    drawn = np.random.default_rng(request.seed).integers(days.size, size=(RESAMPLES, days.size))
    return _spread(days[drawn].mean(axis=1) / DAY_HOURS * MONTH_HOURS)


def _covered(hours: Floats, request: MixRequest, mix: Mix | None) -> float | None:
    """Return which share of the commitment's term the series covers."""
    if mix is None or not mix.commitment:
        return None
    term = next(each.term_hours for each in request.prices.commitments if each.name == mix.commitment)
    return round(hours.size / term, 4)


def _insufficient(series: Series) -> Iterator[str]:
    known = series.at[~np.isnan(series["machines"])]
    if series.days + 1 / DAY_HOURS < LEAST_DAYS:
        yield f"{series.days:.1f} days of values; {LEAST_DAYS} are needed"
        return
    steps = np.diff(series.at)
    if abs(float(np.median(steps)) - HOUR) > 1:
        yield f"one value every {float(np.median(steps)):g} seconds; one an hour is needed"
        return
    share = known.size / (series.days * DAY_HOURS + 1)
    if share < LEAST_COVERAGE:
        yield f"values for {share:.0%} of the hours; {LEAST_COVERAGE:.0%} are needed"


def _findings(request: MixRequest, hours: Floats, mix: Mix | None) -> Iterator[Finding]:
    name = request.kept.name
    covered = _covered(hours, request, mix)
    if covered is not None and covered < 1:
        yield Finding(
            rule="shorter-than-term",
            severity=Severity.WARNING,
            subject=name,
            detail=f"the demand is known for {covered:.0%} of the term that is paid for",
            remedy="commit to less, or for a shorter term, where the demand may fall",
        )
    if request.prices.spot is not None and request.prices.spot_work is None:
        yield Finding(
            rule="spot-is-dearer",
            severity=Severity.NOTE,
            subject=name,
            detail="with what interruptions take, spot machines cost no less than on demand",
        )


def _statement(
    request: MixRequest,
    mix: Mix | None,
    saving: Spread | None,
    serving: ServingRecord | None,
    job: JobRecord | None,
    too_little: list[str],
) -> str:
    parts = [f"insufficient data, no mix is recommended: {'; '.join(too_little)}"] if too_little else []
    if mix is not None and saving is not None:
        kind = f"commit to {mix.committed} ({mix.commitment})" if mix.committed else "commit to none"
        spot = f", spot for {mix.spot_hours:,.0f} machine hours" if mix.spot_hours else ""
        parts.append(
            f"{kind}{spot}, on demand for {mix.on_demand_hours:,.0f}: saves {saving.p50:,.2f} a month"
            f" ({saving.p10:,.2f} to {saving.p90:,.2f}), {mix.saving_share:.0%} of all on demand"
        )
    if serving is not None:
        many = "no number of spot machines is enough" if serving.machines is None else ""
        parts.append(many or f"{serving.machines} spot machines for {serving.need} that must be there")
    if job is not None:
        late = "" if job.late is None else f", late in {job.late:.2%} of runs (at most {job.late_high:.2%})"
        parts.append(
            f"the job saves every {job.interval:.3g} h, takes {job.elapsed:.4g} h and costs {job.cost:.4g}"
            f" for {job.on_demand_cost:.4g}{late}"
        )
    return "; ".join(parts) or "nothing was asked for"


def _spread(values: Floats) -> Spread:
    low, middle, high = (
        _finite(float(each)) for each in np.quantile(values, (0.1, 0.5, 0.9), method="lower")
    )
    return Spread(p10=low, p50=middle, p90=high)


_LARGEST = 1e300


def _finite(value: float) -> float:
    """Return a number that JSON can hold: what has no end is written as the largest one."""
    return max(-_LARGEST, min(_LARGEST, value))


def _upper(share: float, runs: int) -> float:
    """Return Wilson's upper bound of a share, at 97.5 %."""
    z2 = 1.96**2
    centre, half = share + z2 / (2 * runs), 1.96 * math.sqrt(share * (1 - share) / runs + z2 / (4 * runs**2))
    return min(1.0, (centre + half) / (1 + z2 / runs))
