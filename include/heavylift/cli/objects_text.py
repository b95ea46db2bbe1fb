"""Plans and verifications as ``heavylift objects`` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.wording import shortened
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from heavylift.evidence.records import (
        DeletesRecord,
        Failure,
        Finding,
        PlanRecord,
        ShardResult,
        VerificationRecord,
    )

_ACTIONS = {
    "copy": "  new",
    "replace": "  replaced",
    "compare": "  compared first",
    "attributes": "  attributes",
    "unchanged": "unchanged",
    "refused": "refused",
    "filtered": "filtered out",
    "extra": "only on target",
}


_SOMETIMES = {"recheck": "  asked again"}
"""Actions that are told of only where there are such."""
_WARNED = 10


def planned(plan: PlanRecord) -> str:
    """Return a plan; a dry run's with its estimate and the advice."""
    from heavylift.evidence.records import Tally
    from heavylift.objects.wording import advice_lines, estimate_lines

    tallies = {"found": plan.found, "to copy": plan.to_copy} | {
        (_ACTIONS | _SOMETIMES).get(action, action): plan.actions.get(action, Tally())
        for action in dict.fromkeys((*_ACTIONS, *plan.actions))
    }
    if plan.deletes != Deletes.KEEP:
        tallies["  to delete"] = plan.to_delete
    lines = [
        f"{plan.source_url} -> {plan.target_url}",
        *(
            f"  {label:<16}{tally.objects:>12,} objects {tally.size_bytes:>20,} bytes"
            for label, tally in tallies.items()
        ),
        *(_finding(each, plan.dataset) for each in plan.findings),
    ]
    if plan.same_as:
        lines.append(f"  both listings are page by page those of {plan.same_as.path}")
    if plan.dry_run:
        lines += estimate_lines(plan.estimate) if plan.estimate else []
        lines += advice_lines(plan.advice)[:1] if plan.advice else []
    return "\n".join(lines)


def warnings(plan: PlanRecord) -> list[str]:
    """Return the plan's warnings, the first few of them, and how many more there are."""
    found = [_finding(each, plan.dataset) for each in plan.findings if each.severity == "warning"]
    more = len(found) - _WARNED
    return found[:_WARNED] + ([f"  and {more} more warnings, all in the plan"] if more > 0 else [])


def _finding(finding: Finding, dataset: str) -> str:
    # A command has one dataset, and has made up its name.
    subject = finding.subject.removeprefix(dataset).removeprefix(": ")
    remedy = "" if finding.severity == "note" else finding.remedy
    told = ": ".join(filter(None, (str(finding.severity), subject, finding.detail)))
    return f"  {told}" + (f"; {remedy}" if remedy else "")


def failed(results: list[ShardResult]) -> list[str]:
    """Return which objects were not copied and why, the first few of them, and how many more there are."""
    found = [each for result in results for each in result.failures]
    lines = [_failure(each) for each in found[:_WARNED]]
    more = sum(result.failed.objects for result in results) - len(lines)
    return lines + ([f"  and {more:,} more failed, named in the shards' results"] if more > 0 else [])


def renewed(results: list[ShardResult]) -> list[str]:
    """Return how many objects were copied again for their attributes alone; none where none was."""
    objects = sum(result.renewed for result in results)
    return [f"  new attributes  {objects:>12,} objects, copied again whole"] if objects else []


def _failure(failure: Failure) -> str:
    error = failure.error
    got, remedy = shortened(str(error.get("got", ""))), error.get("remedy", "")
    return f"  failed: {failure.key}: {got}; {remedy} [{error.get('code', '')}]"


def gone(record: DeletesRecord | None) -> list[str]:
    """Return the lines about what had gone; none where nothing was to be done."""
    if record is None:
        return []
    counts = (
        ("deleted", record.deleted),
        ("put aside", record.quarantined),
        ("gone already", record.already_gone),
        ("kept", record.kept),
    )
    lines = [f"  {label:<16}{tally.objects:>12,} objects" for label, tally in counts if tally.objects]
    lines += [f"  quarantine      {record.quarantine_url}"] if record.quarantined.objects else []
    return lines + [_finding(each, record.dataset) for each in record.findings]


def verified(record: VerificationRecord) -> str:
    """Return a verification: the verdict, how it was reached, and the first differences."""
    verdict = "EQUAL" if record.passed else "NOT EQUAL"
    methods = ", ".join(f"{count:,} by {method}" for method, count in sorted(record.methods.items()))
    methods = f" ({methods})" if methods else ""
    lines = [
        f"{verdict}: {record.statement}",
        f"  {record.equal.objects:,} of {record.source.objects:,} objects proved equal{methods}",
        f"  missing {record.missing:,}, different {record.different:,},"
        f"{f' not comparable {record.unverifiable:,},' if record.unverifiable else ''}"
        f" attributes {record.attributes_differ:,},"
        f" only on target {record.extra:,}, newer on source {record.newer_on_source:,},"
        f" left by the spec {record.accepted:,}",
        *(f"  {d.kind}: {d.key} {d.source} {d.target}".rstrip() for d in record.differences),
    ]
    return "\n".join(lines)
