"""Checks of what the phase provision translates: complete, valid, and nobody may do more than before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from heavylift.evidence.access_records import AccessMatrix
from heavylift.evidence.infra_evidence import ProvisionEvidence
from heavylift.evidence.part_records import PartRecord, refusal, taken
from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.wording import counted, enumeration
from heavylift.gates.endpoint_checks import (
    ACTS,
    ENDPOINT_JUDGES,
    endpoint_reasons,
    endpoints_digest,
)
from heavylift.gates.verdict import Verdict
from heavylift.spec.gates import Gate
from heavylift.spec.provision_parts import PART_CHECKS, TRANSLATED, Part, part_of
from heavylift.spec.vocabulary import Check

_SHOWN, _DIGITS = 5, 12
_FRESH = (*TRANSLATED, Part.TARGET_ACCESS)


def _translated(evidence: ProvisionEvidence, part: Part) -> Verdict:
    verdict = Verdict()
    kept = _kept(evidence, part, verdict)
    if kept is None:
        return verdict
    record = kept.record
    named = enumeration([each.subject for each in record.gaps if not each.accepted], _SHOWN)
    open_ = record.open_untranslated
    verdict.demand(not open_, f"{counted(open_, 'thing')} not translated, and nobody accepts: {named}")
    verdict.demand(bool(record.files), "no file came of it")
    counts = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in record.counts.items())
    verdict.found(f"{counts}; {record.accepted:,} accepted to be left out; digest {record.digest[:_DIGITS]}…")
    return verdict


def _valid(evidence: ProvisionEvidence, part: Part) -> Verdict:
    verdict = Verdict()
    kept = _kept(evidence, part, verdict)
    if kept is None:
        return verdict
    record = kept.record
    wrong = enumeration([f"{each.file}: {each.problem}" for each in record.problems], _SHOWN)
    verdict.demand(not record.problems and not record.invalid, f"{refusal(part.value)}: {wrong}")
    verdict.demand(bool(record.valid), f"nothing counts as {taken(part.value)}")
    unchecked = f", {record.unchecked:,} without a schema" if record.unchecked else ""
    verdict.found(f"{record.valid:,} {taken(part.value)} ({record.loader or 'no loader'}){unchecked}")
    return verdict


def _moved(evidence: ProvisionEvidence, part: Part) -> Verdict:
    verdict = _translated(evidence, part)
    kept = evidence.parts.get(part.value)
    if kept:
        record, wanted = kept.record, 2 * kept.record.counts.get("claims", 0)
        wrong = enumeration([f"{each.file}: {each.problem}" for each in record.problems], _SHOWN)
        verdict.demand(not record.problems and not record.invalid, f"{refusal(part.value)}: {wrong}")
        applied = "" if record.loader else "; the Jobs were written, and not applied"
        said = f"{record.valid:,} of {wanted:,} copies are proved{applied}"
        verdict.demand(record.valid == wanted > 0, said)
        verdict.found(said)
    return verdict


def _not_widened(evidence: ProvisionEvidence, _part: Part) -> Verdict:
    verdict = Verdict()
    kept, made = evidence.access, _kept(evidence, Part.ACCESS, verdict)
    if kept is None or made is None:
        return verdict
    verdict.uses(kept.ref)
    record = kept.record
    verdict.demand(made.record.details == kept.ref, "the files are not of the run's newest translation")
    grew = [f"{each.identity}: {each.title}" for each in record.escalations if each.grew]
    verdict.demand(not record.matrix.excess, f"{counted(record.matrix.excess, 'answer')} beyond the source's")
    verdict.demand(not grew, f"new ways to more permissions: {enumeration(grew, _SHOWN)}")
    verdict.demand(record.passed, enumeration(list(record.failures), _SHOWN))
    verdict.demand(record.matrix.questions > 0, "nothing was asked of either side")
    verdict.found(_in_words(record.matrix))
    return verdict


def _matrix_equal(evidence: ProvisionEvidence, _part: Part) -> Verdict:
    verdict = Verdict()
    kept, seen = evidence.access, evidence.access_seen
    if kept is None or seen is None:
        verdict.against("the target's permissions were not compared with a translation of this run")
        return verdict
    verdict.uses(kept.ref, seen.ref)
    differences = [f"{each.kind} {each.permission} for {each.identity}" for each in seen.record.differences]
    verdict.demand(kept.record.passed, "the translation gives somebody more than the source")
    verdict.demand(
        seen.record.digest == kept.record.digest, "what was compared is not the run's newest translation"
    )
    verdict.demand(
        seen.record.passed,
        f"{counted(seen.record.difference_count, 'difference')}: {enumeration(differences, _SHOWN)}",
    )
    matrix = seen.record.matrix
    if matrix is None:
        verdict.against("the target was not asked what the translation's matrix asked")
        return verdict
    verdict.demand(not matrix.excess, f"{counted(matrix.excess, 'answer')} beyond the source's")
    verdict.found(f"{counted(seen.record.compared, 'permission')} the same; {_in_words(matrix)}")
    return verdict


def _in_words(found: AccessMatrix) -> str:
    return (
        f"{found.questions:,} questions to both sides: {found.kept:,} allowed on both, {found.lost:,} on the"
        f" source alone, {found.excess:,} on the target alone, {found.accepted_excess:,} of an"
        " excess that was asked for"
    )


def _kept(evidence: ProvisionEvidence, part: Part, verdict: Verdict) -> Kept[PartRecord] | None:
    kept = evidence.parts.get(part.value)
    if kept is None:
        verdict.against("nothing was translated in this run")
        return None
    verdict.uses(kept.ref, *(each.ref for each in kept.record.files))
    return kept


PART_JUDGES: Mapping[Check, Callable[[ProvisionEvidence, Part], Verdict]] = {
    Check.PIPELINES_TRANSLATED: _translated,
    Check.PIPELINES_VALID: _valid,
    Check.ACCESS_TRANSLATED: _translated,
    Check.ACCESS_NOT_WIDENED: _not_widened,
    Check.ACCESS_MATRIX_EQUAL: _matrix_equal,
    Check.MANIFESTS_TRANSLATED: _translated,
    Check.MANIFESTS_VALID: _valid,
    Check.VOLUMES_MOVED: _moved,
    Check.TRAINING_TRANSLATED: _translated,
    Check.TRAINING_VALID: _valid,
    Check.AUTOSCALING_TRANSLATED: _translated,
    Check.AUTOSCALING_SAFE: _valid,
    Check.ALERTS_TRANSLATED: _translated,
    Check.ALERTS_EQUAL: _valid,
}
"""Check → how it is judged on the evidence of a run."""


def judge_parts(
    gate: Gate, evidence: ProvisionEvidence, max_age: timedelta, now: datetime
) -> list[CheckOutcome]:
    """Return the outcomes of a gate's checks of parts; none passes on missing evidence."""
    checks = [check for check in gate.checks if check in PART_JUDGES]
    found = [
        PART_JUDGES[check](evidence, PART_CHECKS[check]).outcome(check.value, PART_CHECKS[check].value)
        for check in checks
    ]
    found += [
        ENDPOINT_JUDGES[check](evidence).outcome(check.value, PART_CHECKS[check].value)
        for check in gate.checks
        if check in ENDPOINT_JUDGES
    ]
    part = part_of(gate)
    if part in ACTS:
        return [*found, _fresh(part, evidence, max_age, now)]
    return found + ([_fresh(part, evidence, max_age, now)] if checks and part in _FRESH else [])


def _fresh(part: Part, evidence: ProvisionEvidence, max_age: timedelta, now: datetime) -> CheckOutcome:
    verdict = Verdict()
    seen, kept = evidence.access_seen, evidence.parts.get(part.value)
    if part in ACTS and (looked := evidence.endpoints.get(ACTS[part])):
        verdict.uses(looked.ref)
        verdict.demand_younger("record", looked.record.ended_at, max_age, now)
    elif part is Part.TARGET_ACCESS and seen:
        verdict.uses(seen.ref)
        verdict.demand_younger("comparison", seen.record.created_at, max_age, now)
    elif kept:
        verdict.uses(kept.ref)
        verdict.demand_younger("translation", kept.record.made_at, max_age, now)
    return verdict.outcome("freshness", part.value)


def part_digest(part: Part, evidence: ProvisionEvidence) -> str:
    """Return the digest that a person approves at a gate of ``part``; empty where there is nothing."""
    if part is Part.SECRETS:
        return evidence.secrets.record.digest if evidence.secrets else ""
    if part in ACTS:
        return endpoints_digest(part, evidence)
    if part is Part.IMAGES:
        return evidence.images_verified.record.digest if evidence.images_verified else ""
    kept = evidence.parts.get(Part.ACCESS.value if part is Part.TARGET_ACCESS else part.value)
    return kept.record.digest if kept else ""


def part_reasons(evidence: ProvisionEvidence, wanted: Collection[str]) -> list[str]:
    """Return why the parts of a run do not count as made; secrets and images are judged by their gates."""
    reasons = endpoint_reasons(evidence, wanted)
    for part in TRANSLATED:
        kept = evidence.parts.get(part.value)
        by_shell = part is Part.ACCESS and evidence.access is not None
        if part.value in wanted and kept is None and not by_shell:
            reasons.append(f"{part.value}: nothing was translated")
        elif kept and kept.record.invalid:
            reasons.append(f"{part.value}: {kept.record.invalid:,} {refusal(part.value)}")
    access, seen = evidence.access, evidence.access_seen
    if access and not access.record.passed:
        reasons.append("access: somebody could do more on the target than on the source")
    if Part.TARGET_ACCESS.value in wanted and not (access and seen and seen.record.passed):
        reasons.append("access: the target's permissions are not proved to be what was translated")
    elif access and seen and seen.record.digest != access.record.digest:
        reasons.append("access: the target was compared with an older translation")
    return reasons
