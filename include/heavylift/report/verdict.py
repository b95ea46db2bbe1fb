"""The headline of a report: one sentence about a run that is true."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from heavylift.evidence.base import RECHECK
from heavylift.evidence.records import PlanRecord, Tally, VerificationRecord
from heavylift.evidence.run_evidence import Counts, counts_of
from heavylift.evidence.wording import counted, enumeration, size
from heavylift.gates.infra_checks import provision_reasons
from heavylift.gates.optimize_checks import optimize_reasons
from heavylift.gates.summary import (
    assess_reasons,
    database_reasons,
    feature_reasons,
    model_reasons,
    registry_reasons,
    stream_reasons,
)
from heavylift.gates.switch_checks import switch_reasons
from heavylift.report.assessment import assess_proof, assess_so_far
from heavylift.report.databases import (
    databases_proof,
    databases_so_far,
    dry_run_in_words,
    is_dry_run_of_databases,
)
from heavylift.report.deletions import deletions_of
from heavylift.report.features import features_proof, features_so_far
from heavylift.report.leaving import (
    PASSED,
    contradictions_of_leaving,
    leaving_proof,
    leaving_so_far,
    tried_leaving,
)
from heavylift.report.models import models_proof, models_so_far
from heavylift.report.optimize import optimize_proof, optimize_so_far
from heavylift.report.provision import provided, provision_proof, provision_so_far, provision_title
from heavylift.report.registries import (
    is_dry_run_of_registries,
    registries_dry,
    registries_proof,
    registries_so_far,
)
from heavylift.report.story import RunStory
from heavylift.report.streams import is_dry_run_of_streams, streams_dry, streams_proof, streams_so_far
from heavylift.report.switch import goal_of_run, switch_proof, switch_so_far, tried_in_words
from heavylift.spec.registry_phase import BACK

APPLIANCE = "appliance"
"""The phase whose objects travel on devices: its evidence is that of devices, not of datasets."""


class Standing(StrEnum):
    """How a run ended; decides colour and symbol."""

    PASSED = "passed"
    FAILED = "failed"
    OPEN = "open"


@dataclass(frozen=True)
class Headline:
    """What the report says first.

    :param reasons: why the run did not pass.
    """

    standing: Standing
    label: str
    title: str
    sentence: str
    reasons: tuple[str, ...] = ()


def headline_of(story: RunStory) -> Headline:
    """Return the headline of ``story``.

    A run is called passed only where its summary says so.
    """
    plans = [each.plan.record for each in story.datasets if each.plan]
    is_dry = any(
        only_looked(story)
        for only_looked in (is_dry_run_of_databases, is_dry_run_of_streams, is_dry_run_of_registries)
    )
    if story.assess is not None and story.was_dry and not assess_reasons(story.assess):
        return Headline(
            Standing.OPEN, "Dry run", "The plan is made, and nobody was asked", assess_proof(story.assess)
        )
    if only := _only_tried(story):
        return only
    if all(plan.dry_run for plan in plans) and (plans or is_dry):
        return _dry_run(story, plans)
    if story.summary is None:
        return Headline(
            Standing.OPEN, "No final word", "This run has not ended with a summary",
            f"It is still running, or it was stopped. So far: {_so_far(story)}.",
        )  # fmt: skip
    if not story.summary.passed:
        return Headline(
            Standing.FAILED, "Not passed", "This run is not complete and proved",
            f"{_capital(_so_far(story))}. What stands in the way:", story.summary.reasons,
        )  # fmt: skip
    since = contradictions(story)
    if since:
        return Headline(
            Standing.FAILED, "Not passed any more", "The summary passed, but the evidence no longer does",
            "What has come since:", since,
        )  # fmt: skip
    if special := _passed_without_moving(story):
        return Headline(Standing.PASSED, "Passed", special, _proof(story))
    if story.run.phase == APPLIANCE:
        return Headline(Standing.PASSED, "Passed", "Every device is reconciled or lost", _brought(story))
    return Headline(Standing.PASSED, "Passed", _title(story), _proof(story))


def _only_tried(story: RunStory) -> Headline | None:
    """Return the headline of a run that was to change nothing; None of any other."""
    if story.provision is not None and story.was_dry:
        looked = f"{_capital(provision_so_far(story.provision))}."
        return Headline(Standing.OPEN, "Dry run", "Nothing was changed, and nobody was asked", looked)
    if story.optimize is not None and story.was_dry:
        looked = f"{_capital(optimize_so_far(story.optimize))}."
        return Headline(Standing.OPEN, "Dry run", "No server was started, and nobody was asked", looked)
    if story.switch is not None and (story.was_dry or story.was_rehearsal):
        word = "Rehearsal" if story.was_rehearsal else "Dry run"
        return Headline(Standing.OPEN, word, "Nobody was moved", tried_in_words(story.switch))
    if story.leaving is not None and story.was_dry:
        return Headline(Standing.OPEN, "Dry run", "Nothing was deleted", tried_leaving(story.leaving))
    return None


def _passed_without_moving(story: RunStory) -> str:
    """Return what a run has shown that moved no objects of its own; empty of one that is for that."""
    if story.assess is not None:
        return "Everything is listed, and the plan is approved"
    if story.provision is not None:
        return provision_title(story.provision)
    if story.optimize is not None:
        return "Everything was judged, and what is proposed is approved; nothing was changed"
    if story.leaving is not None:
        return PASSED
    return f"The workload is on the {goal_of_run(story)}" if story.switch is not None else ""


def _dry_run(story: RunStory, plans: list[PlanRecord]) -> Headline:
    found = sum((plan.to_copy for plan in plans), Tally())
    blocked = sum((plan.refused for plan in plans), Tally())
    # Few of these will differ: to call them moved would promise what an estimate does not count either.
    again = sum((plan.actions.get(RECHECK, Tally()) for plan in plans), Tally())
    moves = Tally(objects=found.objects - again.objects, size_bytes=found.size_bytes - again.size_bytes)
    objects = f"{counted(moves.objects, 'object')}, {size(moves.size_bytes)}, would be moved."
    if again.objects:
        objects += f" The attributes of {counted(again.objects, 'object')} would be compared."
    parts = [
        objects if plans else "",
        dry_run_in_words(story) if story.databases else "",
        streams_dry(story) if story.streams else "",
        registries_dry(story) if story.registries else "",
    ]
    sentence = " ".join(part for part in parts if part)
    if blocked.objects:
        sentence += f" {counted(blocked.objects, 'object')} would not; the findings say why."
    gone = deletions_of(story).planned.objects
    if gone:
        sentence += f" {counted(gone, 'object')} would go from the target."
    return Headline(Standing.OPEN, "Dry run", "Nothing was moved", sentence)


def contradictions(story: RunStory) -> tuple[str, ...]:
    """Return what in the evidence now speaks against a summary that passed."""
    reasons = []
    for each in story.datasets:
        if each.unfinished_shards:
            reasons.append(f"{each.dataset}: {counted(len(each.unfinished_shards), 'shard')} unfinished")
        if not each.deletes_done:
            reasons.append(f"{each.dataset}: what has gone from the source has not been dealt with")
        if each.verification is None:
            reasons.append(f"{each.dataset}: there is no verification")
        elif not each.verification.record.passed:
            reasons.append(f"{each.dataset}: a later verification failed")
        elif each.precedes_last_copy(each.verification.record.verified_at):
            reasons.append(f"{each.dataset}: objects were copied after the verification")
    reasons += [reason for each in story.databases for reason in database_reasons(each)]
    reasons += [reason for each in story.streams for reason in stream_reasons(each)]
    reasons += [reason for each in story.registries for reason in registry_reasons(each)]
    reasons += [reason for each in story.feature_stores for reason in feature_reasons(each)]
    reasons += [reason for each in story.models for reason in model_reasons(each)]
    reasons += assess_reasons(story.assess) if story.assess else []
    reasons += provision_reasons(story.provision, provided(story)) if story.provision else []
    reasons += optimize_reasons(story.optimize, ()) if story.optimize else []
    reasons += switch_reasons(story.switch, goal_of_run(story)) if story.switch else []
    reasons += contradictions_of_leaving(story)
    if story.trail.problem:
        reasons.append("the audit trail is damaged")
    return tuple(reasons)


def total_counts(story: RunStory) -> Counts:
    """Return the counts of all datasets together; of devices only the summary tells them."""
    if story.run.phase == APPLIANCE and story.summary is not None:
        return Counts(**{name: getattr(story.summary, name) for name in Counts.model_fields})
    return sum((counts_of(each) for each in story.datasets), Counts())


def is_fully_proved(record: VerificationRecord) -> bool:
    """Tell whether every object that had to be there was proved equal, not only a sample."""
    return record.equal.objects >= record.source.objects - record.accepted - record.newer_on_source


def _verifications(story: RunStory) -> list[VerificationRecord]:
    return [each.verification.record for each in story.datasets if each.verification]


def _title(story: RunStory) -> str:
    behind = max(total_counts(story).refused.objects, sum(each.accepted for each in _verifications(story)))
    newer = sum(each.newer_on_source for each in _verifications(story))
    if behind:
        return f"Moved and proved, except for {counted(behind, 'object')} that the spec lets stay behind"
    if newer:
        return "Everything that was planned is on the target; the source has changed since"
    if story.models and not (story.datasets or story.databases or story.streams):
        return "Every model answers on the target as on the source"
    back = [each.registry for each in story.registries if each.registry.endswith(BACK)]
    if back and (len(back) < len(story.registries) or story.feature_stores):
        return f"Everything moved; {enumeration(back)}: what was on the target is on the source"
    return f"Everything the {'target' if back else 'source'} had is on the {'source' if back else 'target'}"


def _proof(story: RunStory) -> str:
    proofs = (
        _objects_proof(story), databases_proof(story), streams_proof(story), registries_proof(story),
        features_proof(story),
        models_proof(story), assess_proof(story.assess), provision_proof(story.provision),
        switch_proof(story), optimize_proof(story.optimize), leaving_proof(story),
    )  # fmt: skip
    parts = (*proofs, _gone(story), _gates(story))
    return " ".join(part for part in parts if part)


def _objects_proof(story: RunStory) -> str:
    records = _verifications(story)
    if not records and not story.has_objects:
        return ""
    equal = sum((each.equal for each in records), Tally())
    datasets = counted(len(records), "dataset")
    if all(is_fully_proved(each) for each in records):
        proof = (
            f"{counted(equal.objects, 'object')}, {size(equal.size_bytes)}, in {datasets} were proved equal"
        )
        proof += " by a comparison that is independent of the copy."
    else:
        source = sum((each.source for each in records), Tally())
        proof = (
            f"{counted(source.objects, 'object')} in {datasets} were compared by name and size, and the"
            f" content of {counted(equal.objects, 'object')} was proved equal: the spec asks for a sample."
        )
    return proof


def _gone(story: RunStory) -> str:
    dealt_with = deletions_of(story).dealt_with.objects
    if not dealt_with:
        return ""
    return f"{counted(dealt_with, 'object')} that had gone from the source went from the target, too."


def _brought(story: RunStory) -> str:
    counts = total_counts(story)
    return (
        f"{counted(counts.moved.objects, 'object')}, {size(counts.moved.size_bytes)}, were brought by"
        f" devices and compared by digest; {counted(counts.left.objects, 'object')} are left to the online"
        " transfer, whose verification is the proof of the whole."
    )


def _gates(story: RunStory) -> str:
    if not story.gates:
        return "The run has no gate."
    opened = [each for each in story.gates if each.is_open]
    if len(opened) < len(story.gates):
        return f"{len(opened)} of {counted(len(story.gates), 'gate')} are open."
    words = {1: "Its gate is open.", 2: "Both gates are open."}
    return words.get(len(opened), f"All {len(opened)} gates are open.")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _so_far(story: RunStory) -> str:
    counts = total_counts(story)
    there = counts.moved + counts.unchanged
    found = counted(counts.found.objects, "object")
    parts = [
        f"the copy reports {there.objects:,} of {found} to be on the target" if story.has_objects else "",
        databases_so_far(story) if story.databases else "",
        streams_so_far(story) if story.streams else "",
        registries_so_far(story) if story.registries else "",
        features_so_far(story) if story.feature_stores else "",
        models_so_far(story) if story.models else "",
        assess_so_far(story.assess) if story.assess else "",
        provision_so_far(story.provision) if story.provision else "",
        switch_so_far(story.switch) if story.switch else "",
        optimize_so_far(story.optimize) if story.optimize else "",
        leaving_so_far(story.leaving) if story.leaving else "",
    ]
    return ", and ".join(part for part in parts if part)
