"""The check of the moved workload's tests: the newest of each kind passed, and is fresh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.evidence.records import CheckOutcome, utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.switch_records import ReadinessItem
from heavylift.evidence.workload_records import WorkloadKind, latest_test
from heavylift.gates.age import age_problem
from heavylift.spec.vocabulary import Check


@dataclass(frozen=True)
class WorkloadDemand:
    """Which kinds of tests a spec wants, and how old they may be.

    :param within: seconds.
    """

    kinds: Sequence[WorkloadKind]
    within: float


async def judge_workload(
    store: EvidenceStore, migration: str, demand: WorkloadDemand, now: datetime
) -> list[CheckOutcome]:
    """Return one outcome for each kind: by its newest test, whatever earlier ones were."""
    name = Check.WORKLOAD_TESTS_PASSED.value
    outcomes = []
    for kind in demand.kinds:
        kept = await latest_test(store, migration, kind)
        if kept is None:
            outcomes.append(CheckOutcome(name=name, subject=kind, passed=False, detail="it was never run"))
            continue
        record = kept.record
        old = age_problem(record.tested_at, timedelta(seconds=demand.within), now)
        wrong = [
            f"{each.name}: {each.verdict}, {each.got}" for each in record.cases if each.verdict != "passed"
        ]
        told = "; ".join([record.statement, *wrong, *([f"it {old}"] if old else [])])
        passed = record.verdict == "passed" and not old
        outcomes.append(
            CheckOutcome(name=name, subject=kind, passed=passed, detail=told, evidence=(kept.ref,))
        )
    return outcomes


async def workload_items(store: EvidenceStore, migration: str, demand: WorkloadDemand) -> list[ReadinessItem]:
    """Return the same as things that must be so before a workload is switched."""
    outcomes = await judge_workload(store, migration, demand, utc_now())
    return [
        ReadinessItem(
            item="workload_test",
            subject=each.subject,
            passed=each.passed,
            detail=each.detail,
            evidence=each.evidence,
        )
        for each in outcomes
    ]
