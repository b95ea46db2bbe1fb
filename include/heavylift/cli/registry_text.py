"""What ``heavylift registry`` prints of a preflight, a move and a verification."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from heavylift.cli.output import note

if TYPE_CHECKING:
    from heavylift.evidence.feature_records import FeatureVerificationRecord
    from heavylift.evidence.records import Finding
    from heavylift.evidence.registry_records import (
        RegistryKept,
        RegistryLoss,
        RegistryMoveRecord,
        RegistryPreflightRecord,
        RegistryTable,
        RegistryVerificationRecord,
    )
    from heavylift.registry.work import RegistryProgress

_LINE_EVERY_SECONDS = 2.0
_SHOWN = 20


def reporter(clock: Callable[[], float] = time.monotonic) -> Callable[[RegistryProgress], None]:
    """Return what takes progress and prints a line every few seconds."""
    told_at = clock()

    def report(progress: RegistryProgress) -> None:
        nonlocal told_at
        now = clock()
        if now - told_at < _LINE_EVERY_SECONDS:
            return
        told_at = now
        from heavylift.registry.wording import progress_line

        note(progress_line(progress))

    return report


def looked(record: RegistryPreflightRecord) -> str:
    """Return a preflight: the way and why, and what stands in it."""
    if record.sorts:
        return "\n".join(
            [
                f"{record.source} -> {record.target}",
                f"  {record.path_reason}",
                *_sorts(record.sorts, "would be "),
                *_not_kept(record.kept_as_tags, record.losses),
                *_findings(record.findings[:_SHOWN]),
            ]
        )
    return "\n".join(
        [
            f"{record.source} -> {record.target}",
            f"  {record.path_reason}",
            f"  {record.tables} tables, about {record.row_estimate:,} rows, {record.size_bytes:,} bytes",
            *(f"  {source} -> {target}" for source, target in record.uris),
            *_findings(record.findings),
        ]
    )


def _sorts(sorts: Iterable[RegistryTable], would: str) -> list[str]:
    return [
        f"  {each.table}: {each.rows:,} on the source, {each.inserted:,} {would}made,"
        f" {each.updated:,} {would}changed, {each.deleted:,} {would}deleted,"
        f" {each.kept:,} kept that have gone"
        for each in sorts
    ]


def _not_kept(kept: Iterable[RegistryKept], losses: Iterable[RegistryLoss]) -> list[str]:
    lines = [f"  as tags only: {each.what}: {', '.join(each.fields)}" for each in kept]
    for loss in losses:
        count = f"{loss.count:,} " if loss.count else ""
        which = f" (such as {', '.join(loss.examples)})" if loss.examples else ""
        lines.append(f"  LOST: {count}{loss.what}: {loss.item}: {loss.reason}{which}")
    return lines


def _moved_by_interface(record: RegistryMoveRecord) -> str:
    lines = [
        f"{record.act}: {record.inserted:,} made, {record.updated:,} changed, {record.deleted:,} deleted,"
        f" {record.kept:,} kept that have gone, {record.failure_count:,} failed; {record.written:,} requests"
        f" that write; {record.seconds:.1f} s",
        *_sorts(record.tables, ""),
        *_not_kept((), record.losses),
        *(f"  FAILED: {each.what} {each.id}: {each.reason}" for each in record.failures[:_SHOWN]),
        *(f"  fallback: {each}" for each in record.fallbacks),
        *_findings(each for each in record.findings if each.severity == "note"),
    ]
    if record.failure_count > _SHOWN:
        lines.append(f"  and {record.failure_count - _SHOWN:,} more, in the evidence")
    if not record.passed:
        lines.append("  NOT WHOLE: what failed or is lost stands above (losses: --accept-losses)")
    return "\n".join(lines)


def moved(record: RegistryMoveRecord) -> str:
    """Return what a copy or sync did."""
    if record.path != "store":
        return _moved_by_interface(record)
    from heavylift.registry.wording import leftover_lines, move_line

    lines = [move_line(record)]
    lines += [
        f"  {table.table}: {table.inserted:,} inserted, {table.updated:,} updated, {table.deleted:,} deleted"
        for table in record.tables
        if table.action == "changed"
    ]
    lines += [f"  warning: {line}" for line in leftover_lines(record)]
    return "\n".join(lines)


def verdict(record: RegistryVerificationRecord | FeatureVerificationRecord) -> list[str]:
    """Return the verdict and the first differences."""
    lines = [f"{'EQUAL' if record.passed else 'NOT EQUAL'}: {record.statement}"]
    lines += [
        f"  {each.kind}: {each.what} {each.id}" + (f" ({', '.join(each.fields)})" if each.fields else "")
        for each in record.differences[:_SHOWN]
    ]
    if record.difference_count > _SHOWN:
        lines.append(f"  and {record.difference_count - _SHOWN:,} more, in the evidence")
    return lines


def verified(record: RegistryVerificationRecord) -> str:
    """Return a verification: the verdict, how it was reached, and the first differences."""
    lines = verdict(record)
    lines += [f"  not readable through the interface: {each}" for each in record.unread]
    return "\n".join(lines)


def _findings(findings: Iterable[Finding]) -> list[str]:
    return [
        f"  {finding.severity.value}: [{finding.rule}] {finding.detail}; {finding.remedy}"
        for finding in findings
    ]
