"""The record of a test of the moved workload: one form for all four kinds."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.records import RunKey, utc_now
from heavylift.evidence.run_evidence import Kept, read_kept
from heavylift.evidence.store import EvidenceStore

WORKLOAD_FOLDER = "~workload"
"""Beside a migration's runs: a test of the workload belongs to none of its phases."""

WorkloadKind = Literal["functional", "performance", "security", "continuity"]
KINDS: tuple[WorkloadKind, ...] = ("functional", "performance", "security", "continuity")
CaseVerdict = Literal["passed", "failed", "not run"]


class TriedCase(Record):
    """One thing that was tried.

    :param verdict: ``not run`` where it could not be tried: that is never passed.
    """

    name: str
    verdict: CaseVerdict
    expected: str
    got: str
    seconds: float = 0.0


class WorkloadTestRecord(Record):
    """One test of the moved workload.

    :param verdict: passed only where every case passed, and there was one.
    """

    schema_version: Literal["heavylift/workload-test/v1"] = "heavylift/workload-test/v1"
    run: RunKey
    kind: WorkloadKind
    tested_at: datetime = Field(default_factory=utc_now)
    address: str
    cases: tuple[TriedCase, ...]
    statement: str
    evidence: tuple[EvidenceRef, ...] = ()
    seconds: float = 0.0

    @property
    def verdict(self) -> CaseVerdict:
        """What all cases come to."""
        if any(each.verdict == "failed" for each in self.cases):
            return "failed"
        if not self.cases or any(each.verdict == "not run" for each in self.cases):
            return "not run"
        return "passed"


def workload_path(migration: str, kind: WorkloadKind, number: int) -> str:
    """Return the path of a migration's ``number``-th test of a kind, from 1."""
    return f"{migration}/{WORKLOAD_FOLDER}/{kind}-{number}.json"


async def latest_test(
    store: EvidenceStore, migration: str, kind: WorkloadKind
) -> Kept[WorkloadTestRecord] | None:
    """Return the newest test of a kind, whatever came of it, or None.

    :raises AuditError: it is damaged.
    """
    number = await latest_number(store, lambda each: workload_path(migration, kind, each))
    return (
        await read_kept(store, workload_path(migration, kind, number), WorkloadTestRecord) if number else None
    )
