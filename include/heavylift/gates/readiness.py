"""Whether the earlier phases let a workload be switched: by their gates and summaries, and their age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.evidence.infra_evidence import latest_applied, read_provision
from heavylift.evidence.numbered import PathOf
from heavylift.evidence.paths import summary_path
from heavylift.evidence.records import PhaseSummary, RunKey, utc_now
from heavylift.evidence.run_evidence import Kept, read_latest
from heavylift.evidence.runs import list_runs
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.switch_evidence import latest_rehearsal
from heavylift.evidence.switch_records import ReadinessItem
from heavylift.evidence.wording import counted, enumeration
from heavylift.gates.access_ready import access_item
from heavylift.gates.age import age_problem
from heavylift.gates.approval import gate_is_open, gate_standing
from heavylift.gates.drill_ready import drill_item
from heavylift.spec.gates import DAY, Gate
from heavylift.spec.vocabulary import Phase

_SHOWN = 3


@dataclass(frozen=True)
class Demanded:
    """What is asked of the earlier phases.

    :param phases: those that the spec has something for, with their gates as the spec has them now.
    :param moves_on: whether a sync keeps up what transfer has moved: then the transfer may be old.
    :param infrastructure: whether the target was made by the phase provision.
    :param access: whether the target's permissions must be what was translated.
    :param rehearsed_within: seconds; None where no rehearsal is demanded.
    :param drilled: whether a good drill is demanded that is not overdue.
    """

    phases: Sequence[tuple[Phase, Sequence[Gate]]]
    moves_on: bool
    infrastructure: bool
    rehearsed_within: float | None
    access: bool = False
    drilled: bool = False


async def earlier_phases(
    store: EvidenceStore, migration: str, demanded: Demanded, now: datetime | None = None
) -> list[ReadinessItem]:
    """Return how the earlier phases, the infrastructure and the rehearsal stand; changes nothing.

    :raises AuditError: a record, an approval or the trail is damaged.
    """
    now = now or utc_now()
    synced = await _newest(store, migration, Phase.SYNC)
    items = []
    for phase, gates in demanded.phases:
        if phase is Phase.SYNC:
            continue
        kept = synced is not None and phase is Phase.TRANSFER and demanded.moves_on
        items.append(await _phase(store, migration, phase, gates, aged=not kept, now=now))
    if synced is not None and demanded.moves_on:
        items.append(_summary_item(Phase.SYNC, synced, now, timedelta(seconds=DAY)))
    if demanded.infrastructure:
        items.append(await _without_drift(store, migration, now))
    if demanded.access:
        items.append(await access_item(store, migration))
    if demanded.rehearsed_within is not None:
        items.append(await _rehearsed(store, migration, timedelta(seconds=demanded.rehearsed_within), now))
    if demanded.drilled:
        items.append(await drill_item(store, migration, now))
    return items


async def _phase(
    store: EvidenceStore, migration: str, phase: Phase, gates: Sequence[Gate], *, aged: bool, now: datetime
) -> ReadinessItem:
    """Judge one phase by the newest run that has a summary.

    :param aged: whether the age of what its gates saw counts.
    """
    newest = await _newest(store, migration, phase)
    oldest = max((timedelta(seconds=gate.max_age) for gate in gates), default=timedelta(seconds=DAY))
    item = _summary_item(phase, newest, now, oldest if aged else None)
    if newest is None or not item.passed:
        return item
    run = newest.record.run
    for gate in gates:
        is_open, why = await (
            gate_is_open(store, run, gate) if aged else gate_standing(store, run, gate.name)
        )
        if not is_open:
            return item.model_copy(update={"passed": False, "detail": why})
    return item


def _summary_item(
    phase: Phase, newest: Kept[PhaseSummary] | None, now: datetime, max_age: timedelta | None
) -> ReadinessItem:
    if newest is None:
        return ReadinessItem(
            item="phase", subject=phase.value, passed=False, detail="no run of it has come to its end"
        )
    record = newest.record
    reasons = [] if record.passed else [enumeration(list(record.reasons), _SHOWN) or "it did not pass"]
    problem = age_problem(record.finished_at, max_age, now) if max_age is not None else ""
    reasons += [f"its last run {problem}"] if problem else []
    return ReadinessItem(
        item="phase",
        subject=phase.value,
        passed=not reasons,
        detail="; ".join(reasons) or f"passed at {record.finished_at:%Y-%m-%d %H:%M} UTC",
        seen_at=record.finished_at,
        evidence=(newest.ref,),
    )


async def _newest(store: EvidenceStore, migration: str, phase: Phase) -> Kept[PhaseSummary] | None:
    """Return the summary of the newest run that has one, and was no dry run that moved nothing."""
    for seen in reversed(await list_runs(store, migration, phase.value)):
        if seen.summaries:
            return await read_latest(store, _summaries_of(seen.key), PhaseSummary)
    return None


def _summaries_of(run: RunKey) -> PathOf:
    return lambda number: summary_path(run, number)


async def _without_drift(store: EvidenceStore, migration: str, now: datetime) -> ReadinessItem:
    applied = await latest_applied(store, migration)
    found = await read_provision(store, applied) if applied else None
    drift = found.drift if found else None
    if found is None or drift is None:
        return ReadinessItem(
            item="infrastructure",
            passed=False,
            detail=f"nobody has looked for drift: run {migration}.drift",
        )
    problem = age_problem(drift.record.seen_at, timedelta(seconds=DAY), now)
    reasons = [f"the look for drift {problem}"] if problem else []
    reasons += [f"{counted(drift.record.found, 'resource')} differ"] if drift.record.found else []
    return ReadinessItem(
        item="infrastructure",
        passed=not reasons,
        detail="; ".join(reasons) or "as its files say",
        seen_at=drift.record.seen_at,
        evidence=(drift.ref,),
    )


async def _rehearsed(
    store: EvidenceStore, migration: str, max_age: timedelta, now: datetime
) -> ReadinessItem:
    kept = await latest_rehearsal(store, migration)
    if kept is None:
        return ReadinessItem(
            item="rehearsal",
            passed=False,
            detail=f"never rehearsed: run {migration}.cutover with Rehearse",
        )
    record = kept.record
    problem = age_problem(record.rehearsed_at, max_age, now)
    reasons = [f"the last one {problem}"] if problem else []
    reasons += [] if record.passed else [record.reason or "the last one did not pass"]
    pause = f"writes would have paused for {record.expected_pause_seconds:.1f} s"
    return ReadinessItem(
        item="rehearsal",
        passed=not reasons,
        detail="; ".join(reasons) or f"passed; {pause}",
        seen_at=record.rehearsed_at,
        evidence=(kept.ref,),
    )
