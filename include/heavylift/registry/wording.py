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
        "losses": _lost(record),
        "blockers": severities.count(Severity.BLOCKER),
        "warnings": severities.count(Severity.WARNING),
    }


def preflight_line(record: RegistryPreflightRecord) -> str:
    """Return one line about a preflight."""
    if record.sorts or record.losses:
        sorts = ", ".join(f"{each.rows:,} {each.table}" for each in record.sorts) or "nothing"
        return f"{record.source} -> {record.target}: {sorts}; {_lost(record):,} lost; {record.path_reason}"
    there = "a complete copy is there" if record.copied else "nothing has been copied completely yet"
    return (
        f"{record.source} -> {record.target}: {counted(record.tables, 'table')}, about"
        f" {counted(record.row_estimate, 'row')}; {there}; {record.path_reason}"
    )


def move_figures(record: RegistryMoveRecord) -> Figures:
    """Return a copy's or sync's figures."""
    counts = ("rows", "inserted", "updated", "deleted", "kept", "written")
    return {
        "path": record.path,
        **{name: getattr(record, name) for name in counts},
        "tables": len(record.tables),
        "leftovers": sum(each.rows for each in record.leftovers),
        "losses": _lost(record),
        "source_moment": record.source_moment.isoformat(),
    }


def move_line(record: RegistryMoveRecord) -> str:
    """Return one line about a copy or sync."""
    did = "would look at" if record.dry_run else "holds"
    of = counted(record.rows, "thing"), counted(len(record.tables), "sort")
    if record.path == "store":
        of = counted(record.rows, "row"), counted(len(record.tables), "table")
    return (
        f"{record.act}: the target {did} {of[0]} in {of[1]}, as of {record.source_moment.isoformat()};"
        f" {record.inserted:,} inserted, {record.updated:,} updated, {record.deleted:,} deleted,"
        f" {record.kept:,} kept that have gone; {record.seconds:.1f} s"
    )


def move_remarks(record: RegistryMoveRecord) -> list[str]:
    """Return a line for each thing to know about a copy or sync that went well."""
    lost = [
        f"{each.item} of {each.what} does not arrive"
        + (f" ({each.count:,})" if each.count else "")
        + f": {each.reason}"
        for each in record.losses
    ]
    # Of the others these are the preflight's, which has told them.
    findings = record.findings if record.path == "api" else ()
    notes = [f"{each.subject}: {each.detail}" for each in findings]
    return [*leftover_lines(record), *lost, *notes, *record.fallbacks]


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


def _lost(record: RegistryPreflightRecord | RegistryMoveRecord) -> int:
    return sum(each.count for each in record.losses)


def progress_line(progress: RegistryProgress) -> str:
    """Return one line: what is under way, and how far it is."""
    tables = f" {progress.tables_done} of {progress.tables} tables" if progress.tables else ""
    of = f" of {progress.total_bytes:,}" if progress.total_bytes else ""
    size = f", {progress.size_bytes:,}{of} bytes" if progress.size_bytes else ""
    return f"{progress.doing}{tables}{size}"
