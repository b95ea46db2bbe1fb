"""Tables that appeared on the source after the snapshot: brought in while the stream goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding
from heavylift.evidence.table_records import TableCount
from heavylift.tables.model import Table
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.copy_progress import SnapshotProgress
from heavylift.tables.postgres.faults import told_as
from heavylift.tables.postgres.ranges import read_ranges
from heavylift.tables.postgres.schema_copy import reopen_schema
from heavylift.tables.postgres.snapshot_run import SnapshotRun
from heavylift.tables.postgres.state import Lease, TablePhase, read_tables

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session
    from heavylift.tables.requests import TablesRequest


def new_tables(request: TablesRequest, *, source: Session, target: Session) -> tuple[Table, ...]:
    """Return the chosen tables of the source that the stream does not hold, or holds only in part."""
    known = read_tables(target, request.stream)
    chosen = read_catalog(source, request.options.tables, request.options.exclude)
    return tuple(
        table
        for table in chosen
        if table.name not in known or known[table.name].phase is not TablePhase.COPIED
    )


def add_tables(
    request: TablesRequest,
    tables: Sequence[Table],
    *,
    source: Session,
    target: Session,
    lease: Lease,
    stop: threading.Event | None = None,
    tell: Callable[[SnapshotProgress], None] | None = None,
) -> tuple[tuple[TableCount, ...], tuple[Finding, ...]]:
    """Bring tables into a stream that is under way: make, publish and copy them, and build their keys.

    Each is noted with ``copied`` and ``settled`` at the position of a snapshot of its own: the stream
    skips what its log says of them before. Foreign keys and the other indexes are made by
    :func:`~heavylift.tables.postgres.schema_copy.finish_schema` once the stream has passed it.

    Idempotency: a table that is complete is not copied again, one that was cut off is.

    :param tables: as :func:`new_tables` gives them.
    :raises ConflictError: the target has such a table with other columns.
    """
    if not tables:
        return (), ()
    run = _run(request, source, target, lease, stop, tell)
    with told_as("adding tables to the stream", "tables that were finished are noted and stay"):
        reopen_schema(target, request.stream)
        run.add(tables)
        known, ranges = read_tables(target, request.stream), read_ranges(target, request.stream)
    counts = tuple(
        TableCount(
            table=str(table.name),
            rows=known[table.name].rows,
            size_bytes=sum(each.size_bytes for each in ranges[table.name]),
            ranges=len(ranges[table.name]),
        )
        for table in tables
    )
    return counts, tuple(run.findings)


def add_parts(
    request: TablesRequest,
    parts: Sequence[Table],
    *,
    source: Session,
    target: Session,
    lease: Lease,
    stop: threading.Event | None = None,
) -> tuple[Finding, ...]:
    """Bring partitions into a stream that is under way: make, copy and publish them.

    As with tables, each is noted with the position of its own snapshot, until the stream has passed it.

    Idempotency: what was cut off goes on; what is complete is not copied again.

    :param parts: as :func:`~heavylift.tables.postgres.partitions.new_parts` gives them.
    :raises ConflictError: the target has such a partition with other columns or limits.
    """
    run = _run(request, source, target, lease, stop, None)
    with told_as("adding partitions to the stream", "partitions that were finished are noted and stay"):
        known = read_tables(target, request.stream)
        roots = [table for table in read_catalog(source, ("*.*",)) if table.name in known]
        reopen_schema(target, request.stream)
        run.add_parts(parts, roots)
    return tuple(run.findings)


def _run(
    request: TablesRequest,
    source: Session,
    target: Session,
    lease: Lease,
    stop: threading.Event | None,
    tell: Callable[[SnapshotProgress], None] | None,
) -> SnapshotRun:
    return SnapshotRun(
        request,
        source,
        target,
        lease,
        stop=stop or threading.Event(),
        tell=tell or (lambda _: None),
    )
