"""Plans and verifications as ``heavylift objects`` prints them."""

from __future__ import annotations

from heavylift.evidence.records import PlanRecord, VerificationRecord


def planned(plan: PlanRecord) -> str:
    """Return a plan; a dry run's with its estimate and the advice."""
    from heavylift.objects.wording import advice_lines, estimate_lines

    lines = [
        f"{plan.source_url} -> {plan.target_url}",
        *(
            f"  {label:<16}{tally.objects:>12,} objects {tally.size_bytes / 2**20:>14,.1f} MiB"
            for label, tally in (
                ("found", plan.found),
                ("to copy", plan.to_copy),
                ("unchanged", plan.unchanged),
                ("refused", plan.refused),
                ("only on target", plan.only_on_target),
            )
        ),
        *(f"  {f.severity}: {f.subject}: {f.detail}" for f in plan.findings),
    ]
    if plan.dry_run:
        lines += estimate_lines(plan.estimate) if plan.estimate else []
        lines += advice_lines(plan.advice)[:1] if plan.advice else []
    return "\n".join(lines)


def verified(record: VerificationRecord) -> str:
    """Return a verification: the verdict, how it was reached, and the first differences."""
    verdict = "EQUAL" if record.passed else "NOT EQUAL"
    methods = ", ".join(f"{count:,} by {method}" for method, count in sorted(record.methods.items()))
    lines = [
        f"{verdict}: {record.statement}",
        f"  {record.equal.objects:,} of {record.source.objects:,} objects proved equal ({methods or '-'})",
        f"  missing {record.missing:,}, different {record.different:,},"
        f" attributes {record.attributes_differ:,},"
        f" only on target {record.extra:,}, newer on source {record.newer_on_source:,},"
        f" left by the spec {record.accepted:,}",
        *(f"  {d.kind}: {d.key} {d.source} {d.target}".rstrip() for d in record.differences),
    ]
    return "\n".join(lines)
