"""Whether evidence is recent enough to be relied on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from heavylift.evidence.records import CheckOutcome
from heavylift.evidence.run_evidence import DatasetEvidence
from heavylift.gates.verdict import Verdict
from heavylift.spec.vocabulary import Check

TABLE_CHECKS = frozenset({Check.EXPECTATIONS_PASS, Check.PROFILES_EQUAL})
"""Checks that rest on a table check, not on a verification."""


def judge_freshness(
    evidence: DatasetEvidence, checks: Collection[Check], max_age: timedelta, now: datetime
) -> CheckOutcome:
    """Return whether what ``checks`` rest on is younger than ``max_age``.

    What was made before the last copy does not count either.
    """
    verdict = Verdict()
    if set(checks) - TABLE_CHECKS:
        if evidence.verification:
            verdict.uses(evidence.verification.ref)
            _judge(evidence, "verification", evidence.verification.record.verified_at, max_age, now, verdict)
        else:
            verdict.against("there is no verification")
    if set(checks) & TABLE_CHECKS:
        if evidence.check:
            verdict.uses(evidence.check.ref)
            _judge(evidence, "table check", evidence.check.record.checked_at, max_age, now, verdict)
        else:
            verdict.against("there is no table check")
    return verdict.outcome("freshness", evidence.dataset)


def _judge(
    evidence: DatasetEvidence,
    what: str,
    made_at: datetime,
    max_age: timedelta,
    now: datetime,
    verdict: Verdict,
) -> None:
    verdict.demand_younger(what, made_at, max_age, now)
    verdict.demand(
        not evidence.precedes_last_copy(made_at),
        f"objects were copied after the {what}: it has to be made again",
    )
