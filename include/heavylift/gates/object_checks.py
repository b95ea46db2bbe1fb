"""Checks of moved objects: everything is there, everything is equal, nothing needs attention."""

from __future__ import annotations

from heavylift.evidence.records import Finding, PlanRecord, Severity, VerificationRecord
from heavylift.evidence.run_evidence import DatasetEvidence, counts_of
from heavylift.evidence.wording import counted, enumeration, method_in_words, size
from heavylift.gates.verdict import Verdict

_EVERY_OBJECT = "every object was compared"


def counts_equal(evidence: DatasetEvidence) -> Verdict:
    """Judge that the target has every object of the source, by listings and by the mover's books.

    The verification lists both sides afresh; besides, plan and shard results must add up and
    no shard may be unfinished.
    """
    verdict = Verdict()
    verification = _verification(evidence, verdict)
    plan = _plan(evidence, verdict)
    if plan:
        _judge_books(evidence, plan, verdict)
    if verification:
        _judge_listings(verification, verdict)
    return verdict


def _judge_listings(record: VerificationRecord, verdict: Verdict) -> None:
    excused = record.accepted + record.newer_on_source
    expected, there = record.source.objects, record.target.objects - record.extra
    verdict.demand(record.missing == 0, f"{counted(record.missing, 'object')} missing on the target")
    verdict.demand(
        expected - excused <= there <= expected,
        f"the source has {counted(expected, 'object')}, the target {there:,} of them",
    )
    if not expected and not there:
        verdict.found("both sides are empty")
        return
    verdict.found(f"{counted(there, 'object')} on both sides, {size(record.source.size_bytes)} on the source")
    for number, what in (
        (record.accepted, "left behind as the spec allows"),
        (record.newer_on_source, "newer on the source since the plan"),
        (record.extra, "only on the target"),
    ):
        if number:
            verdict.found(f"{number:,} {what}")


def _judge_books(evidence: DatasetEvidence, plan: PlanRecord, verdict: Verdict) -> None:
    verdict.uses(*(kept.ref for kept in evidence.shards.values()))
    if plan.dry_run:
        verdict.against("the plan is a dry run: nothing was moved")
        return
    unfinished = evidence.unfinished_shards
    if unfinished:
        verdict.against(f"{counted(len(unfinished), 'shard')} unfinished: {enumeration(unfinished)}")
        return
    counts = counts_of(evidence)
    verdict.demand(
        plan.found == plan.to_copy + plan.unchanged + plan.refused,
        f"the plan does not add up: {plan.found.objects:,} found, {plan.to_copy.objects:,} to copy,"
        f" {plan.unchanged.objects:,} unchanged, {plan.refused.objects:,} refused",
    )
    verdict.demand(
        counts.left.objects == 0,
        f"the shards do not add up to the plan: they differ by {counted(abs(counts.left.objects), 'object')}",
    )


def checksums_equal(evidence: DatasetEvidence) -> Verdict:
    """Judge that every object of the source has been proved to be on the target byte for byte.

    Where the spec asks for a sample, the sample and what it proves are told.
    """
    verdict = Verdict()
    record = _verification(evidence, verdict)
    if record is None:
        return verdict
    for number, what in (
        (record.missing, "missing on the target"),
        (record.different, "with other content on the target"),
        (record.unverifiable, "that could not be verified"),
    ):
        verdict.demand(number == 0, f"{counted(number, 'object')} {what}")
    proved = sum(record.methods.values())
    verdict.demand(
        proved == record.equal.objects,
        f"{counted(record.equal.objects, 'object')} called equal, but a method is named for {proved:,}",
    )
    _judge_extent(record, verdict)
    return verdict


def _judge_extent(record: VerificationRecord, verdict: Verdict) -> None:
    at_most = record.source.objects
    at_least = at_most - record.accepted - record.newer_on_source
    proved = record.equal.objects
    if at_least <= proved <= at_most:
        ways = [f"{number:,}: {method_in_words(name)}" for name, number in sorted(record.methods.items())]
        equal = f"{counted(proved, 'object')} equal ({'; '.join(ways)})"
        verdict.found(equal if proved else "both sides are empty")
        return
    sampled = 0 < proved < at_least and record.statement and not record.statement.startswith(_EVERY_OBJECT)
    verdict.demand(bool(sampled), f"{proved:,} of {counted(at_least, 'object')} proved equal")
    verdict.found(record.statement)


def no_findings(evidence: DatasetEvidence) -> Verdict:
    """Judge that the plan has no blocker and no warning, and that no attribute was lost.

    Notes do not fail it; they are in the report.
    """
    verdict = Verdict()
    plan = _plan(evidence, verdict)
    record = _verification(evidence, verdict)
    if plan:
        _judge_findings(plan, verdict)
    if record:
        verdict.demand(
            record.attributes_differ == 0,
            f"{counted(record.attributes_differ, 'difference')} in attributes of moved objects",
        )
        verdict.found(f"attributes of {counted(record.attributes_compared, 'object')} compared")
    return verdict


def _judge_findings(plan: PlanRecord, verdict: Verdict) -> None:
    serious = [finding for finding in plan.findings if finding.severity is not Severity.NOTE]
    unlisted = plan.finding_count - len(plan.findings)
    if serious:
        verdict.against(
            f"{counted(len(serious), 'finding')}: {enumeration([_named(each) for each in serious], 3)}"
        )
    verdict.demand(unlisted <= 0, f"{counted(unlisted, 'finding')} more than the plan lists")
    verdict.found(f"no blocker and no warning, {counted(len(plan.findings) - len(serious), 'note')}")


def _named(finding: Finding) -> str:
    return f"{finding.severity.value} {finding.rule} on {finding.subject}"


def _verification(evidence: DatasetEvidence, verdict: Verdict) -> VerificationRecord | None:
    if evidence.verification is None:
        verdict.against("there is no verification")
        return None
    verdict.uses(evidence.verification.ref)
    return evidence.verification.record


def _plan(evidence: DatasetEvidence, verdict: Verdict) -> PlanRecord | None:
    if evidence.plan is None:
        verdict.against("there is no plan")
        return None
    verdict.uses(evidence.plan.ref)
    return evidence.plan.record
