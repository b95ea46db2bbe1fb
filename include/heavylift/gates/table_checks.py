"""Checks of tabular data: expectations on both sides, row counts and column profiles."""

from __future__ import annotations

from heavylift.evidence.records import DatasetCheckRecord
from heavylift.evidence.run_evidence import DatasetEvidence
from heavylift.evidence.wording import counted, differ, enumeration
from heavylift.gates.verdict import Verdict


def expectations_pass(evidence: DatasetEvidence) -> Verdict:
    """Judge that every expectation was met on both sides, and that there were some on each."""
    verdict = Verdict()
    record = _checked(evidence, verdict)
    if record is None:
        return verdict
    failed = [each for each in record.expectations if not each.passed]
    named = enumeration([f"{each.expectation} on the {each.side}" for each in failed], 3)
    verdict.demand(not failed, f"{counted(len(failed), 'expectation')} not met: {named}")
    for side in ("source", "target"):
        verdict.demand(
            any(each.side == side for each in record.expectations), f"no expectation was tried on the {side}"
        )
    verdict.demand(record.expectations_passed or bool(failed), "the record says that expectations failed")
    on_source = sum(each.side == "source" for each in record.expectations)
    verdict.found(f"{counted(on_source, 'expectation')} met on both sides{_extent(record)}")
    return verdict


def profiles_equal(evidence: DatasetEvidence) -> Verdict:
    """Judge that both sides have the same rows and the same profile of each column."""
    verdict = Verdict()
    record = _checked(evidence, verdict)
    if record is None:
        return verdict
    unequal = [each for each in record.columns if not each.equal]
    named = enumeration([f"{each.figure} of {each.column}" for each in unequal], 3)
    verdict.demand(not unequal, f"{differ(len(unequal), 'figure')}: {named}")
    verdict.demand(record.profiles_equal or bool(unequal), "the record says that profiles differ")
    verdict.demand(
        record.source_rows == record.target_rows,
        f"the source has {counted(record.source_rows, 'row')}, the target {record.target_rows:,}",
    )
    figures = counted(len(record.columns), "column figure")
    verdict.found(f"{counted(record.source_rows, 'row')} on both sides, {figures} equal{_extent(record)}")
    return verdict


def _checked(evidence: DatasetEvidence, verdict: Verdict) -> DatasetCheckRecord | None:
    if evidence.check is None:
        verdict.against("there is no table check")
        return None
    verdict.uses(evidence.check.ref)
    verdict.demand(evidence.check.record.files > 0, "the table check has read no file")
    return evidence.check.record


def _extent(record: DatasetCheckRecord) -> str:
    return f" (a sample of {counted(record.sampled_rows, 'row')})" if record.sampled_rows is not None else ""
