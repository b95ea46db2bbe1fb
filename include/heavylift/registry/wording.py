"""A registry's records as figures for XComs and the audit trail, and as lines for logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.records import Severity
from heavylift.evidence.wording import counted

if TYPE_CHECKING:
    from heavylift.evidence.registry_records import (
        RegistryMoveRecord,
        RegistryPreflightRecord,
        RegistryVerificationRecord,
    )
    from heavylift.registry.work import RegistryProgress

Figures = dict[str, int | float | bool | str]


def preflight_figures(record: RegistryPreflightRecord) -> Figures:
    """Return a preflight's figures."""
    severities = [finding.severity for finding in record.findings]
    return {
        "passed": record.passed,
        "path": record.path,
        "copied": record.copied,
        "tables": record.tables,
        "rows_estimated": record.row_estimate,
        "size_bytes": record.size_bytes,
        "blockers": severities.count(Severity.BLOCKER),
        "warnings": severities.count(Severity.WARNING),
    }


def preflight_line(record: RegistryPreflightRecord) -> str:
    """Return one line about a preflight."""
    if record.path == "catalogue":
        sorts = ", ".join(f"{each.rows:,} {each.table}" for each in record.sorts) or "nothing"
        lost = sum(each.count for each in record.losses)
        return f"{record.source} -> {record.target}: {sorts}; {lost:,} lost; {record.path_reason}"
    there = "a complete copy is there" if record.copied else "nothing has been copied completely yet"
    return (
        f"{record.source} -> {record.target}: {counted(record.tables, 'table')}, about"
        f" {counted(record.row_estimate, 'row')}; {there}; {record.path_reason}"
    )


def move_figures(record: RegistryMoveRecord) -> Figures:
    """Return a copy's or sync's figures."""
    counts = ("rows", "inserted", "updated", "deleted", "kept", "written")
    return {
        **{name: getattr(record, name) for name in counts},
        "tables": len(record.tables),
        "leftovers": sum(each.rows for each in record.leftovers),
        "source_moment": record.source_moment.isoformat(),
    }


def move_line(record: RegistryMoveRecord) -> str:
    """Return one line about a copy or sync."""
    did = "would look at" if record.dry_run else "holds"
    return (
        f"{record.act}: the target {did} {counted(record.rows, 'row')} in"
        f" {counted(len(record.tables), 'table')}, as of {record.source_moment.isoformat()};"
        f" {record.inserted:,} inserted, {record.updated:,} updated, {record.deleted:,} deleted,"
        f" {record.kept:,} kept that have gone; {record.seconds:.1f} s"
    )


def leftover_lines(record: RegistryMoveRecord) -> list[str]:
    """Return a line for each place in which a prefix of the source is left."""
    return [
        f"{counted(left.rows, 'row')} of {left.table}.{left.column} still name {left.prefix}"
        for left in record.leftovers
    ]


def verification_figures(record: RegistryVerificationRecord) -> Figures:
    """Return a verification's figures."""
    names = ("equal", "different", "missing", "extra", "newer", "kept")
    return {
        "passed": record.passed,
        "differences": record.difference_count,
        **{name: sum(getattr(each, name) for each in record.compared) for name in names},
        "tables": len(record.tables),
        "tables_unequal": sum(not each.equal for each in record.tables),
        "unread": len(record.unread),
    }


def progress_line(progress: RegistryProgress) -> str:
    """Return one line: what is under way, and how far it is."""
    tables = f" {progress.tables_done} of {progress.tables} tables" if progress.tables else ""
    of = f" of {progress.total_bytes:,}" if progress.total_bytes else ""
    size = f", {progress.size_bytes:,}{of} bytes" if progress.size_bytes else ""
    return f"{progress.doing}{tables}{size}"
