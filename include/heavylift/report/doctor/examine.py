"""Looks at everything that a migration has left behind; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from heavylift.errors import AuditError
from heavylift.evidence.records import utc_now
from heavylift.evidence.runs import SeenRun, list_runs
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.wording import duration
from heavylift.report.advice import advice_on
from heavylift.report.doctor.ailments import NO_RUN, Ailment, Examination, Urgency
from heavylift.report.doctor.gates import examine_gates, is_waiting
from heavylift.report.doctor.lag import examine_lag
from heavylift.report.doctor.switches import examine_soak, examine_switch
from heavylift.report.doctor.trail import EndOfTrail, clock_skew, damage_in, failed_tasks, read_end
from heavylift.report.story import RunStory, read_story
from heavylift.report.verdict import Standing, headline_of
from heavylift.spec.model import MigrationSpec

_STALLED = timedelta(hours=1)
"""For how long a run may write no evidence before it is told as one that may have stopped."""


async def examine(
    store: EvidenceStore, migration: str, spec: MigrationSpec | None = None, *, now: datetime | None = None
) -> Examination:
    """Return what is wrong with ``migration``, by its evidence, most urgent first.

    :param spec: tells how old gates may be and what lag is accepted; without it ages are not judged.
    :raises TransientError: the evidence store does not answer.
    """
    at = now or utc_now()
    trail = await read_end(store, migration)
    runs = await list_runs(store, migration)
    latest = {seen.key.phase: seen for seen in runs}
    found = Examination(migration).with_more(ailments=[*damage_in(trail, migration), *clock_skew(trail, at)])
    if not runs:
        return found.with_more(facts=[NO_RUN])
    for seen in latest.values():
        facts, ailments = await _of_phase(store, seen, runs, trail, spec, at)
        found = found.with_more(facts=facts, ailments=ailments)
    syncs = [seen for seen in runs if seen.key.phase == "sync"]
    looks = [examine_lag(store, syncs, spec, migration, at), examine_switch(store, migration, at)]
    if spec is not None and spec.cutover is not None:
        looks.append(examine_soak(store, migration, timedelta(seconds=spec.cutover.soak), at))
    for look in looks:
        try:
            facts, ailments = await look
        except AuditError as error:
            facts, ailments = [], [_damaged(migration, error)]
        found = found.with_more(facts=facts, ailments=ailments)
    return found


async def _of_phase(
    store: EvidenceStore,
    seen: SeenRun,
    runs: Sequence[SeenRun],
    trail: EndOfTrail,
    spec: MigrationSpec | None,
    now: datetime,
) -> tuple[list[str], list[Ailment]]:
    try:
        story = await read_story(store, seen.key, runs=runs, others=0)
        headline = headline_of(story)
        gate_facts, ailments = examine_gates(story, spec, now)
    except AuditError as error:
        return [f"{seen.key.phase}: its evidence can't be read"], [_damaged(seen.key.migration, error)]
    facts = [f"{seen.key.phase}: {headline.label}: {headline.title} (run {story.title})"]
    facts += [f"  {each}" for each in gate_facts]
    if headline.standing is not Standing.PASSED and not story.was_dry:
        ailments += _of_failed_run(story, seen, trail, now)
    return facts, ailments


def _of_failed_run(story: RunStory, seen: SeenRun, trail: EndOfTrail, now: datetime) -> list[Ailment]:
    """Return what keeps a run from passing: tasks' own errors first, then what the evidence lacks."""
    where = f"{story.run.migration}.{story.run.phase}"
    found = failed_tasks(trail, [story.run])
    told = {gate.standing for gate in story.gates if is_waiting(gate)}
    for advice in advice_on(story):
        # A waiting gate and a damaged trail are told by those who know more of them.
        if advice.problem not in told and advice.problem != "the audit trail is damaged":
            found.append(_of_advice(where, advice.problem, advice.remedy, story, seen, now))
    return found


def _of_advice(
    where: str, problem: str, remedy: str, story: RunStory, seen: SeenRun, now: datetime
) -> Ailment:
    quiet = now - seen.last_at
    if story.summary is None and quiet <= _STALLED:
        # It may still be at work: not there yet is no failure.
        return Ailment(
            Urgency.SOON, where, f"{problem} (wrote evidence {duration(max(quiet, timedelta()))} ago)", remedy
        )
    stalled = (
        f"; the run has no summary, and wrote nothing for {duration(quiet)}" if story.summary is None else ""
    )
    return Ailment(Urgency.BROKEN, where, f"{problem}{stalled}", remedy)


def _damaged(migration: str, error: AuditError) -> Ailment:
    remedy = f"heavylift audit verify {migration}; {error.remedy}"
    return Ailment(
        Urgency.NOW, "evidence", f"{error.what} failed: got {error.got}", remedy, f"HL-{error.code}"
    )
