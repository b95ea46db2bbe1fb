"""The check of envelopes: each was sealed, opened again after that, and holds what went into it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from heavylift.evidence.envelope_evidence import EnvelopeEvidence, read_envelope
from heavylift.evidence.wording import counted
from heavylift.gates.verdict import Verdict
from heavylift.spec.vocabulary import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavylift.evidence.records import CheckOutcome
    from heavylift.evidence.store import EvidenceStore


def verified(evidence: EnvelopeEvidence) -> Verdict:
    """Judge that every object of one envelope was opened after it was sealed, and is what it was."""
    verdict = Verdict()
    kept = [each for each in (evidence.sealed, evidence.verified) if each]
    verdict.uses(*(each.ref for each in kept))
    verdict.demand(not evidence.unproved, evidence.unproved)
    if evidence.verified:
        record = evidence.verified.record
        verdict.found(f"{record.statement}, {counted(record.found, 'object')} below {record.target}")
    return verdict


async def judge_envelopes(
    store: EvidenceStore, migration: str, names: Sequence[str], max_age: timedelta, now: datetime
) -> list[CheckOutcome]:
    """Return the outcomes of all envelopes that a gate answers for; none passes on missing evidence.

    :raises AuditError: a record is damaged.
    """
    outcomes = []
    for name in names:
        evidence = await read_envelope(store, migration, name)
        outcomes.append(verified(evidence).outcome(Check.ENVELOPES_VERIFIED.value, name))
        outcomes.append(_fresh(evidence, max_age, now))
    return outcomes


def _fresh(evidence: EnvelopeEvidence, max_age: timedelta, now: datetime) -> CheckOutcome:
    verdict = Verdict()
    record = verdict.judged_by(evidence.verified)
    if record is not None:
        verdict.demand_younger("verification", record.ended_at, max_age, now)
    return verdict.outcome("freshness", evidence.name)


async def envelope_reasons(store: EvidenceStore, migration: str, names: Sequence[str]) -> list[str]:
    """Return why envelopes are not proved, for the last word on a run; empty where all are.

    :raises AuditError: a record is damaged.
    """
    found = [await read_envelope(store, migration, name) for name in names]
    return [f"envelope {each.name}: {each.unproved}" for each in found if each.unproved]
