"""What ``heavylift optimize`` prints for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.optimize_records import MixRecord, ProposalRecord, SizeRecord, StudyRecord


def results_text(run: str, done: Sequence[tuple[StudyRecord | SizeRecord | MixRecord, EvidenceRef]]) -> str:
    """Return one paragraph for each result."""
    lines = [line for record, ref in done for line in _result(record, ref)]
    return "\n".join([*lines, f"run {run}"])


def proposal_text(record: ProposalRecord, ref: EvidenceRef, patch: str) -> str:
    """Return the recommendations, and the patch."""
    lines = []
    for each in record.recommendations:
        saving = each.saving
        month = f" saves {saving.p50:,.2f} a month ({saving.p10:,.2f} to {saving.p90:,.2f})" if saving else ""
        lines.append(f"{each.kind} {each.subject}:{month} {each.statement}")
        lines += [f"  {c.field}: {c.after} ({c.where}; now {c.before or 'unknown'})" for c in each.changes]
        lines.append(f"  risk: {each.risk}")
    lines += [f"nothing for {why}" for why in record.nothing_for]
    lines += [record.statement, f"digest {record.digest}, evidence {ref.path}"]
    return "\n".join([*lines, *([patch.rstrip("\n")] if patch else [])])


def _result(record: StudyRecord | SizeRecord | MixRecord, ref: EvidenceRef) -> Iterator[str]:
    yield f"{record.name}: {record.statement}"
    front = getattr(record, "front", ())
    for point in front:
        setting = ", ".join(f"{name}={value}" for name, value in point.setting.items())
        yield (
            f"  {point.usd_per_thousand:.3g} for 1,000 at {point.predictions_per_second:.4g} a second,"
            f" P95 {point.p95_ms:.4g} ms, P99 {point.p99_ms:.4g} ms: {setting}"
        )
    comparison = getattr(record, "comparison", None)
    if comparison is not None:
        yield f"  beside the baseline: {comparison.statement}"
    for finding in record.findings:
        yield f"  {finding.severity.value} {finding.rule}: {finding.detail}"
    yield f"  evidence {ref.path}"
