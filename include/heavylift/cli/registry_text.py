"""What ``heavylift registry`` prints of a preflight, a move and a verification."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from heavylift.cli.output import note

if TYPE_CHECKING:
    from heavylift.evidence.records import Finding
    from heavylift.evidence.registry_records import (
        RegistryMoveRecord,
        RegistryPreflightRecord,
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
    return "\n".join(
        [
            f"{record.source} -> {record.target}",
            f"  {record.path_reason}",
            f"  {record.tables} tables, about {record.row_estimate:,} rows, {record.size_bytes:,} bytes",
            *(f"  {source} -> {target}" for source, target in record.uris),
            *_findings(record.findings),
        ]
    )


def moved(record: RegistryMoveRecord) -> str:
    """Return what a copy or sync did."""
    from heavylift.registry.wording import leftover_lines, move_line

    lines = [move_line(record)]
    lines += [
        f"  {table.table}: {table.inserted:,} inserted, {table.updated:,} updated, {table.deleted:,} deleted"
        for table in record.tables
        if table.action == "changed"
    ]
    lines += [f"  warning: {line}" for line in leftover_lines(record)]
    return "\n".join(lines)


def verified(record: RegistryVerificationRecord) -> str:
    """Return a verification: the verdict, how it was reached, and the first differences."""
    lines = [f"{'EQUAL' if record.passed else 'NOT EQUAL'}: {record.statement}"]
    lines += [
        f"  {each.kind}: {each.what} {each.id}" + (f" ({', '.join(each.fields)})" if each.fields else "")
        for each in record.differences[:_SHOWN]
    ]
    if record.difference_count > _SHOWN:
        lines.append(f"  and {record.difference_count - _SHOWN:,} more, in the evidence")
    lines += [f"  not readable through the interface: {each}" for each in record.unread]
    return "\n".join(lines)


def _findings(findings: Iterable[Finding]) -> list[str]:
    return [
        f"  {finding.severity.value}: [{finding.rule}] {finding.detail}; {finding.remedy}"
        for finding in findings
    ]
