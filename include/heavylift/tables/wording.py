"""What the movers of tables did, in a few numbers and in a line; for logs, terminals and the audit trail.

Nothing of a row's content is in any of it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from heavylift.evidence.wording import counted, duration, size

if TYPE_CHECKING:
    from heavylift.evidence.table_records import (
        DrainRecord,
        PreflightRecord,
        ReverseRecord,
        SnapshotRecord,
        StreamStatus,
        SyncRecord,
        TableVerificationRecord,
    )
    from heavylift.tables.engine import TablesProgress

Figures = dict[str, int | float | bool | str | None]


def progress_line(progress: TablesProgress) -> str:
    """Return one line: the engine's own words where it has some, else rows, rate, time left and lag."""
    if progress.detail:
        return f"{progress.step}: {progress.detail.removeprefix(f'{progress.step}: ')}"
    parts = [f"{progress.step}: {_done(progress)}"]
    if progress.bytes_done:
        parts.append(size(progress.bytes_done))
    if progress.rows_per_second >= 1:
        parts.append(f"{progress.rows_per_second:,.0f} rows/s")
    if progress.seconds_left is not None:
        parts.append(f"{_span(progress.seconds_left)} left")
    if progress.lag_bytes is not None:
        parts.append(f"{size(progress.lag_bytes)} behind")
    if progress.lag_seconds is not None:
        parts.append(f"{_span(progress.lag_seconds)} behind")
    return ", ".join(parts)


def _done(progress: TablesProgress) -> str:
    done = counted(progress.rows_done, "row")
    return done if progress.rows_total is None else f"{progress.rows_done:,} of {progress.rows_total:,} rows"


def _span(seconds: float) -> str:
    return duration(timedelta(seconds=max(0.0, seconds)))


def preflight_figures(record: PreflightRecord) -> Figures:
    """Return a preflight in a few numbers."""
    severities = [finding.severity.value for finding in record.findings]
    return {
        "passed": record.passed,
        "engine": record.engine,
        "tables": record.tables,
        "rows_estimated": record.row_estimate,
        "size_bytes": record.size_bytes,
        "blockers": severities.count("blocker"),
        "warnings": severities.count("warning"),
    }


def preflight_line(record: PreflightRecord) -> str:
    """Return a preflight in one line."""
    return (
        f"{record.source} {record.source_version} -> {record.target} {record.target_version}:"
        f" {counted(record.tables, 'table')}, about {counted(record.row_estimate, 'row')},"
        f" {size(record.size_bytes)}, by {record.engine}"
        + (f" ({record.engine_reason})" if record.engine_reason else "")
    )


def snapshot_figures(record: SnapshotRecord) -> Figures:
    """Return a snapshot in a few numbers."""
    return {
        "tables": len(record.tables),
        "rows": record.rows,
        "size_bytes": record.size_bytes,
        "ranges": sum(table.ranges for table in record.tables),
        "ranges_reused": sum(table.ranges_reused for table in record.tables),
        "consistent_position": record.consistent_position,
        "already_complete": record.already_complete,
    }


def snapshot_line(record: SnapshotRecord) -> str:
    """Return a snapshot in one line."""
    there = "was complete already" if record.already_complete else "is complete"
    return (
        f"the snapshot {there}: {counted(record.rows, 'row')} in {counted(len(record.tables), 'table')},"
        f" {size(record.size_bytes)}, as of {record.consistent_position};"
        f" {counted(record.sequences, 'sequence')}"
    )


def sync_figures(record: SyncRecord) -> Figures:
    """Return a sync in a few numbers."""
    return {
        "changes": record.changes,
        "inserts": record.inserts,
        "updates": record.updates,
        "deletes": record.deletes,
        "truncates": record.truncates,
        "skipped": record.skipped,
        "transactions": record.transactions,
        "applied_position": record.applied_position,
        "caught_up": record.caught_up,
        "lag_bytes": record.lag_bytes,
        "lag_seconds": record.lag_seconds,
        "retained_bytes": record.retained_bytes,
        "schema_changes": len(record.schema_changes),
    }


def sync_line(record: SyncRecord) -> str:
    """Return a sync in one line."""
    return (
        f"applied {counted(record.changes, 'change')} of {counted(record.transactions, 'transaction')}"
        f" up to {record.applied_position}; {size(record.lag_bytes)} and {_span(record.lag_seconds)} behind"
        + ("" if record.caught_up else f", before {record.upto_position}: more is left")
    )


def drain_figures(record: DrainRecord) -> Figures:
    """Return a drain in a few numbers."""
    return {
        "reached": record.reached,
        "upto_position": record.upto_position,
        "applied_position": record.applied_position,
        "sequences": len(record.sequences),
        "seconds": record.seconds,
    }


def drain_line(record: DrainRecord) -> str:
    """Return a drain in one line."""
    if not record.reached:
        return f"stopped at {record.applied_position}, before {record.upto_position}: more is left"
    return (
        f"drained to {record.upto_position} in {_span(record.seconds)};"
        f" {counted(len(record.sequences), 'sequence')} advanced"
    )


def verification_figures(record: TableVerificationRecord) -> Figures:
    """Return a verification in a few numbers."""
    return {
        "passed": record.passed,
        "tables": len(record.tables),
        "rows_equal": record.total("equal"),
        "missing": record.total("missing"),
        "extra": record.total("extra"),
        "different": record.total("different"),
        "unsettled": record.total("unsettled"),
        "sequences_behind": len(record.sequences_behind),
        "position": record.position,
    }


def verification_line(record: TableVerificationRecord) -> str:
    """Return a verification in one line."""
    equal = f"{counted(record.total('equal'), 'row')} in {counted(len(record.tables), 'table')} equal"
    if record.passed:
        return f"{equal}: {record.statement}"
    return f"NOT EQUAL: {wrong_in_words(record)}; {equal}"


def wrong_in_words(record: TableVerificationRecord) -> str:
    """Return what speaks against a verification: counts and tables, no keys."""
    kinds = ("missing", "extra", "different", "unsettled")
    parts = [f"{record.total(kind):,} {kind}" for kind in kinds if record.total(kind)]
    wrong = [each.table for each in record.tables if any(getattr(each, kind) for kind in kinds)]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        parts.append(f"in {', '.join(wrong[:5])}{more}")
    if record.sequences_behind:
        parts.append(f"{counted(len(record.sequences_behind), 'sequence')} behind")
    return ", ".join(parts) or "nothing was compared, or the counts do not add up"


def reverse_figures(record: ReverseRecord) -> Figures:
    """Return the preparation of the way back in a few numbers."""
    return {
        "act": record.act,
        "tables": len(record.tables),
        "consistent_position": record.consistent_position,
        "slot": record.slot,
    }


def lag_figures(status: StreamStatus) -> Figures:
    """Return how far a stream is behind."""
    return {
        "state": status.state,
        "lag_bytes": status.lag_bytes,
        "lag_rows": status.lag_rows,
        "lag_seconds": status.lag_seconds,
        "retained_bytes": status.retained_bytes,
        "applied_position": status.applied_position,
        "source_position": status.source_position,
    }


def status_lines(status: StreamStatus) -> list[str]:
    """Return how a stream stands, for people."""
    lines = [f"{status.stream}: {status.state}" + (f" ({status.reason})" if status.reason else "")]
    if status.ranges:
        lines.append(
            f"  copied    {status.tables_copied:,} of {counted(status.tables, 'table')},"
            f" {status.ranges_done:,} of {counted(status.ranges, 'range')}"
        )
    behind = [size(status.lag_bytes)] if status.lag_bytes is not None else []
    behind += [counted(status.lag_rows, "row")] if status.lag_rows is not None else []
    behind += [_span(status.lag_seconds)] if status.lag_seconds is not None else []
    lines.append(f"  behind    {', '.join(behind) or 'unknown'}")
    lines.append(
        f"  position  applied {status.applied_position or '-'}, source {status.source_position or '-'}"
    )
    if status.retained_bytes is not None:
        slot = f" ({status.slot_state})" if status.slot_state else ""
        lines.append(f"  slot      keeps {size(status.retained_bytes)} of log on the source{slot}")
    lines.append(f"  changes   {status.changes:,} applied so far")
    return lines
