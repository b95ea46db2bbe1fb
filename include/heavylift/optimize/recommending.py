"""From one result to a recommendation, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.evidence.optimize_records import (
    Change,
    MixRecord,
    Recommendation,
    SizeRecord,
    Spread,
    StudyRecord,
)
from heavylift.evidence.run_evidence import Kept
from heavylift.optimize.spaces import setting_of, titled

INSTANCE_TYPES = "infrastructure.instance_types."
_YEAR = 365


@dataclass(frozen=True)
class Wish:
    """What of the spec a result may change, and how it is reckoned.

    :param replaces: the source's instance type whose stand-in is changed; empty: nothing in the spec is.
    :param stands: what stands for it in the spec now; empty where the plan decides.
    :param instance_knob: of trials: the knob whose value is an instance type.
    :param max_late: of a job: the share of runs that may be late.
    """

    replaces: str = ""
    stands: str = ""
    instance_knob: str = ""
    predictions_a_month: float | None = None
    max_late: float = 0.05


def trials_recommendation(kept: Kept[StudyRecord], wish: Wish) -> Recommendation | str:
    """Return what trials recommend: the best setting, unless the baseline is surely as cheap."""
    study = kept.record
    best = study.best
    if best is None:
        return study.statement
    ratio = study.comparison.cost_ratio if study.comparison else None
    if ratio is not None and ratio.high >= 1:
        return (
            f"the best setting is not surely cheaper than the baseline ({ratio.low:.3g} to {ratio.high:.3g})"
        )
    changes = []
    settings = dict(best.setting)
    if wish.instance_knob and wish.replaces:
        changes += _instance(wish, str(settings.pop(wish.instance_knob)))
    if settings:
        after = titled(setting_of(settings))
        changes.append(Change(where="by hand", field=f"settings of {study.name}", before="", after=after))
    if not changes:
        return "the instance type stands in the spec already"
    equal = f"; {len(study.equal)} other settings are as good" if study.equal else ""
    client = "; the client was the limit" if any(f.rule == "client-late" for f in study.findings) else ""
    return Recommendation(
        kind="trials",
        subject=study.name,
        statement=study.statement,
        saving=_trials_saving(study, wish),
        risk=f"measured with {study.machine.cores} cores of {study.machine.cpu}, by load made of recorded"
        f" requests: elsewhere another setting may be best{equal}{client}",
        evidence=kept.ref,
        changes=tuple(changes),
    )


def size_recommendation(kept: Kept[SizeRecord], wish: Wish) -> Recommendation | str:
    """Return what a series of use recommends."""
    size = kept.record
    if size.verdict not in {"smaller", "larger"}:
        return size.statement
    changes = _instance(wish, size.recommended) if wish.replaces else []
    if wish.replaces and not changes:
        return f"{size.recommended} stands in the spec already"
    by_hand = Change(
        where="by hand", field=f"type of {size.name}", before=size.current, after=size.recommended
    )
    grows = [
        f"{name} grows into it in {days:.0f} days" for name, days in size.days_left.items() if days < _YEAR
    ]
    risk = f"too small in {size.risk or 0:.1%} of resamples of {size.days:.0f} days"
    return Recommendation(
        kind="rightsizing",
        subject=size.name,
        statement=size.statement,
        saving=size.saving,
        risk="; ".join([risk, *grows]),
        evidence=kept.ref,
        changes=tuple(changes or [by_hand]),
    )


def mix_recommendation(kept: Kept[MixRecord], wish: Wish) -> Recommendation | str:
    """Return what a demand recommends to buy; purchases are always made by hand."""
    mix = kept.record
    changes = [*_purchases(mix), *_job(mix, wish), *_serving(mix)]
    if not changes:
        return mix.statement
    risks = []
    if mix.committed:
        known = f", known for {mix.covered:.0%} of the term" if mix.covered is not None else ""
        risks.append(f"{mix.committed} machines are paid for whatever the demand{known}")
    if mix.held_out is not None:
        risks.append(f"sized on the first half, it saved {mix.held_out:.0%} of the second")
    if mix.job is not None and mix.job.late is not None:
        risks.append(f"the job is late in {mix.job.late:.2%} of runs, at most {mix.job.late_high:.2%}")
    if mix.serving is not None and mix.serving.shortfall is not None:
        risks.append(f"too few machines in {mix.serving.shortfall:.3%} of the time")
    return Recommendation(
        kind="mix",
        subject=mix.name,
        statement=mix.statement,
        saving=mix.saving,
        risk="; ".join(risks) or "the rate of interruptions is as given and may change any day",
        evidence=kept.ref,
        changes=tuple(changes),
    )


def _instance(wish: Wish, after: str) -> list[Change]:
    if wish.stands == after:
        return []
    field = INSTANCE_TYPES + wish.replaces
    return [Change(where="spec", field=field, before=wish.stands or "as the plan decides", after=after)]


def _trials_saving(study: StudyRecord, wish: Wish) -> Spread | None:
    """Return what is saved a month: the interval of the cost taken for its tenth and ninetieth percentile."""
    before = study.comparison.usd_per_thousand if study.comparison else None
    if before is None or wish.predictions_a_month is None or study.best is None:
        return None
    thousands, after = wish.predictions_a_month / 1000, study.best.usd_per_thousand
    saved = [round((before - usd) * thousands, 4) for usd in (after.high, after.value, after.low)]
    return Spread(p10=saved[0], p50=saved[1], p90=saved[2])


def _purchases(mix: MixRecord) -> list[Change]:
    if mix.saving is None or mix.saving.p10 <= 0:
        return []
    made = []
    if mix.committed:
        after = f"{mix.committed} machines"
        made.append(Change(where="by hand", field=f"commitment {mix.commitment}", before="none", after=after))
    if mix.spot_hours:
        after = f"for up to {mix.spot_share:.0%} of the demand of each hour"
        made.append(Change(where="by hand", field="spot machines", before="none", after=after))
    return made


def _job(mix: MixRecord, wish: Wish) -> list[Change]:
    job = mix.job
    if job is None or job.saving.p50 <= 0 or (job.late_high is not None and job.late_high > wish.max_late):
        return []
    after = f"on spot machines, a checkpoint every {job.interval:.3g} hours of work"
    return [Change(where="by hand", field=f"job of {mix.name}", before="on demand", after=after)]


def _serving(mix: MixRecord) -> list[Change]:
    serving = mix.serving
    if serving is None or serving.usd_per_hour is None:
        return []
    if serving.usd_per_hour >= serving.on_demand_usd_per_hour:
        return []
    before, after = f"{serving.need} on demand", f"{serving.machines} spot machines"
    return [Change(where="by hand", field=f"machines of {mix.name}", before=before, after=after)]
