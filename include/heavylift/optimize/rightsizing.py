"""Which machine would do, by what one was seen to use; kept as evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.numbered import write_next
from heavylift.evidence.optimize_records import RejectedMachine, SizeRecord, Spread, result_path
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.store import open_evidence
from heavylift.optimize.machines import Machines, MachineType, load_machines
from heavylift.optimize.requests import Kept
from heavylift.optimize.series import Series, read_series
from heavylift.optimize.sizing import (
    CPU,
    GPU,
    GPU_MEMORY,
    MEMORY,
    Need,
    SizingRules,
    check_shares,
    columns_of,
    comparable,
    days_left,
    exceeded,
    insufficient,
    need_of,
    price_of,
    shortfalls,
)
from heavylift.platforms.places import Place

HOURS_A_MONTH = 730.0
MOST_REJECTED = 5
_SOON_DAYS = 90.0
_UNUSED = 0.01


@dataclass(frozen=True)
class SizeRequest:
    """One machine and the series of its use.

    :param columns: ``cpu``, ``memory``, and with accelerators ``gpu`` and ``gpu_memory``, each with the name
        that it has in the series. Of several accelerators the mean use and the largest memory.
    :param unit: ``share`` (from 0 to 1) or ``percent``.
    :param machines: a CSV file with machines of one's own, beside the tables of facts.
    """

    kept: Kept
    series: Place | Path
    provider: str
    current: str
    at: str = "at"
    columns: dict[str, str] = field(default_factory=dict)
    unit: str = "share"
    rules: SizingRules = field(default_factory=SizingRules)
    machines: Path | None = None
    hours_a_month: float = HOURS_A_MONTH
    seed: int = 20260101


async def recommend_size(request: SizeRequest) -> tuple[SizeRecord, EvidenceRef]:
    """Judge a series and write what it recommends; each run writes a record of its own.

    :raises SpecError: the series or the file of machines can't be read, or holds what cannot be.
    :raises NotFoundError: the machine is in no table.
    """
    machines = load_machines(request.machines)
    current = machines.find(request.provider, request.current)
    needed = columns_of(current)
    columns = {name: request.columns.get(name, name) for name in needed}
    series = check_shares(await read_series(request.series, request.at, columns), needed, request.unit)
    record = size_of(request, series, current, machines)
    kept = request.kept
    async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
        _, ref = await write_next(store, lambda n: result_path(kept.run, "rightsizing", kept.name, n), record)
    return record, ref


def size_of(request: SizeRequest, series: Series, current: MachineType, machines: Machines) -> SizeRecord:
    """Return what a series recommends; writes nothing."""
    rules = request.rules
    too_little = list(insufficient(series, columns_of(current), rules))
    if too_little:
        return _record(request, series, current, None, None, ("insufficient", too_little, (), 0))
    need = need_of(series, current, rules)
    others = [each for each in machines.of(request.provider) if comparable(current, each)]
    judged = [(each, shortfalls(need, each)) for each in others]
    priced = [each for each, short in judged if not short and each.usd_per_hour is not None]
    best = min(priced, key=lambda each: (price_of(each), each.vcpu or 0, each.name), default=None)
    rejected = _rejected(judged, best)
    here = shortfalls(need, current)
    if best is None:
        reasons = [f"no type of {request.provider} with a known price and the same accelerator fits", *here]
        return _record(request, series, current, None, need, ("none fits", reasons, rejected, len(others)))
    if not here and price_of(best) >= price_of(current):
        reasons = ["it holds what was used with headroom, and nothing cheaper does"]
        return _record(request, series, current, current, need, ("keep", reasons, rejected, len(others)))
    reasons = here or [f"{best.name} holds what was used with headroom: {_in_words(need)}"]
    verdict = "larger" if here else "smaller"
    return _record(request, series, current, best, need, (verdict, reasons, rejected, len(others)))


def _record(
    request: SizeRequest,
    series: Series,
    current: MachineType,
    chosen: MachineType | None,
    need: Need | None,
    told: tuple[str, Sequence[str], tuple[RejectedMachine, ...], int],
) -> SizeRecord:
    verdict, reasons, rejected, count = told
    risk, saving = _risk_and_saving(request, series, current, chosen)
    left = _left(series, current, chosen) if chosen is not None and need is not None else {}
    name = chosen.name if chosen else current.name
    return SizeRecord.model_validate(
        {
            "run": request.kept.run,
            "name": request.kept.name,
            "provider": request.provider,
            "current": current.name,
            "recommended": name,
            "verdict": verdict,
            "reasons": tuple(reasons),
            "days": round(series.days, 3),
            "moments": int(series.at.size),
            "used": _used(series, request.rules) if need else {},
            "need": {} if need is None else {key: round(value, 3) for key, value in vars(need).items()},
            "usd_per_hour": (current.usd_per_hour, chosen.usd_per_hour if chosen else None),
            "prices": tuple(dict.fromkeys(each.note for each in (current, chosen) if each)),
            "compared": count,
            "saving": saving,
            "risk": risk,
            "days_left": left,
            "rejected": rejected,
            "findings": tuple(_findings(request, series, current, need, left)),
            "statement": _statement(request, verdict, name, reasons, saving),
        }
    )


def _risk_and_saving(
    request: SizeRequest, series: Series, current: MachineType, chosen: MachineType | None
) -> tuple[float | None, Spread | None]:
    """Return how often the chosen machine would be too small, and what it saves a month.

    In a resample in which it is too small nothing is saved: somebody goes back.
    """
    if chosen is None or current.usd_per_hour is None or chosen.usd_per_hour is None:
        return None, None
    if chosen.name == current.name:
        return 0.0, None
    risk = exceeded(series, current, chosen, request.rules, np.random.default_rng(request.seed))
    month = (current.usd_per_hour - chosen.usd_per_hour) * request.hours_a_month
    low = 0.0 if risk > 0.1 and month > 0 else month
    middle = 0.0 if risk > 0.5 and month > 0 else month
    high = 0.0 if risk > 0.9 and month > 0 else month
    return risk, Spread(p10=round(low, 4), p50=round(middle, 4), p90=round(high, 4))


def _left(series: Series, current: MachineType, chosen: MachineType) -> dict[str, float]:
    """Return for cores and memory how many days growth leaves, where there is growth."""
    room = {
        CPU: (chosen.vcpu or 0.0) / (current.vcpu or 1.0),
        MEMORY: (chosen.ram_gib or 0.0) / (current.ram_gib or 1.0),
    }
    found = {name: days_left(series, name, share) for name, share in room.items()}
    return {name: round(days, 1) for name, days in found.items() if days is not None}


def _used(series: Series, rules: SizingRules) -> dict[str, float]:
    return {
        name: round(float(np.nanquantile(values, rules.quantile if name in {CPU, GPU} else 1.0)), 4)
        for name, values in series.columns.items()
    }


def _rejected(
    judged: Sequence[tuple[MachineType, list[str]]], best: MachineType | None
) -> tuple[RejectedMachine, ...]:
    """Return the machines that would be cheaper and are too small, the dearest first; then unknown prices."""
    top = price_of(best) if best else float("inf")
    short = [(each, "; ".join(why)) for each, why in judged if why and price_of(each) < top]
    unknown = [
        (each, "its price is not known") for each, why in judged if not why and each.usd_per_hour is None
    ]
    nearest = sorted(short, key=lambda pair: (-price_of(pair[0]), pair[0].name))[:MOST_REJECTED]
    return tuple(
        RejectedMachine(machine=each.name, usd_per_hour=each.usd_per_hour, reason=why)
        for each, why in [*nearest, *unknown[:MOST_REJECTED]]
    )


def _findings(
    request: SizeRequest, series: Series, current: MachineType, need: Need | None, left: dict[str, float]
) -> Iterator[Finding]:
    subject = request.kept.name
    if series.repeated or series.reordered:
        yield Finding(
            rule="series-untidy",
            severity=Severity.NOTE,
            subject=subject,
            detail=f"{series.repeated} moments are there more than once (the largest value counts)"
            + ("; the moments were not in order" if series.reordered else ""),
        )
    for name, days in left.items():
        if days < _SOON_DAYS:
            yield Finding(
                rule="grows-into-it",
                severity=Severity.WARNING,
                subject=subject,
                detail=f"the daily peak of {name} grows; as it did, it meets the machine in {days:.0f} days",
                remedy="look at why it grows before the machine is changed",
            )
    if need is not None and current.gpus and GPU in series.columns:
        idle = float(np.nanmax(series[GPU])) < _UNUSED and float(np.nanmax(series[GPU_MEMORY])) < _UNUSED
        if idle:
            yield Finding(
                rule="accelerator-idle",
                severity=Severity.WARNING,
                subject=subject,
                detail="its accelerators were never used: a machine without them may do",
                remedy="try the workload on one; use of a GPU says nothing of them, so none is recommended",
            )


def _in_words(need: Need) -> str:
    words = f"{need.vcpu:.1f} cores, {need.ram_gib:.1f} GiB"
    return words + (
        f", {need.gpus:.1f} accelerators with {need.gpu_gib:.1f} GiB in all" if need.gpu_gib else ""
    )


def _statement(
    request: SizeRequest, verdict: str, name: str, reasons: Sequence[str], saving: Spread | None
) -> str:
    why = "; ".join(reasons)
    if verdict == "insufficient":
        return f"insufficient data, nothing is recommended: {why}"
    month = f" ({saving.p50:+.2f} USD a month saved)" if saving else ""
    word = {"smaller": "may become", "larger": "should become", "keep": "stays", "none fits": "stays"}[
        verdict
    ]
    return f"{request.current} {word} {name}{month}: {why}"
