"""What ``heavylift assess`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from heavylift.evidence.pricing_words import money
from heavylift.evidence.wording import counted, days_in_words, enumeration, size

if TYPE_CHECKING:
    from heavylift.evidence.assessment_records import AssessmentRecord
    from heavylift.evidence.records import GateResult

_SHOWN = 10


def assess_text(record: AssessmentRecord, gates: Sequence[GateResult], report: str) -> str:
    """Return what was found, what stands in the way, and what the gate says."""
    days = record.duration.p90
    end = "never ends" if days is None else f"{days_in_words(days)} nine times in ten"
    lines = [
        f"{record.source} to {record.target}: {counted(record.components, 'component')},"
        f" {counted(record.dependencies, 'dependency', 'dependencies')}, {size(record.size_bytes)} known",
        f"plan {record.plan_digest}",
        f"  {counted(record.wave_count, 'wave')}, {end}, {money(record.costs.total)}",
    ]
    lines += [
        f"  {rule.severity:<8} {rule.rule} {counted(rule.count, 'time')}"
        f"{f', {rule.accepted:,} accepted' if rule.accepted else ''}: {rule.first.component}:"
        f" {rule.first.evidence}\n           to fix: {rule.first.remedy}"
        for rule in record.rules
        if rule.severity != "note"
    ]
    lines += [
        f"  outside  {each.target} ({each.why}), named {counted(each.references, 'time')},"
        f" the first by {each.component}"
        for each in record.outside_told[:_SHOWN]
    ]
    if record.unused:
        lines.append(
            f"  unused   of the spec's entries, meeting nothing: {enumeration(record.unused, _SHOWN)}"
        )
    for gate in gates:
        lines.append(f"gate {gate.gate}: {'would open when approved' if gate.passed else 'SHUT'}")
        lines += [
            f"  {'ok ' if check.passed else 'NOT'} {check.name}: {check.detail}" for check in gate.checks
        ]
    lines.append(f"report: {report}")
    return "\n".join(lines)
