"""``heavylift tables``: move databases while they are written to, prove it, and come back."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from heavylift.cli import tables_fences
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn
from heavylift.cli.tables_options import (
    MIGRATION,
    Database,
    DryRun,
    Exclude,
    MaxLag,
    MaxRetained,
    Method,
    Migration,
    MoreTables,
    Ranges,
    SchemaChange,
    SourceConn,
    Tables,
    TargetConn,
    patterns,
    request_of,
)
from heavylift.spec.sections_data import CaptureMethod, OnSchemaChange

app = typer.Typer(no_args_is_help=True, help="Move tables while they are written to.")

MaxSeconds = Annotated[
    float | None, typer.Option(min=0.1, help="stop between two transactions after so long, with status 3")
]
Within = Annotated[float, typer.Option(min=0.1, help="seconds in which the position must be reached")]
Follow = Annotated[bool, typer.Option("--follow", help="go on until interrupted")]
Pause = Annotated[float, typer.Option(min=0.0, help="with --follow: seconds to wait when nothing came")]
Frozen = Annotated[
    bool, typer.Option("--frozen", help="nobody writes to the source; compare as it is, sequences too")
]


@app.command()
def preflight(
    source_conn: SourceConn,
    target_conn: TargetConn,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    method: Method = CaptureMethod.AUTO,
    max_retained_wal: MaxRetained = "10GiB",
    as_json: AsJson = False,
) -> None:
    """Say what stands in the way, with remedies; changes nothing. Ends with 1 where something does."""
    from heavylift.cli import tables_run

    request = request_of(
        "transfer", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), method=method,
        max_retained_wal=max_retained_wal, dry_run=True,
    )  # fmt: skip
    tables_run.preflight(request, as_json=as_json)


@app.command()
def snapshot(
    source_conn: SourceConn,
    target_conn: TargetConn,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    method: Method = CaptureMethod.AUTO,
    parallel_ranges: Ranges = 4,
    max_retained_wal: MaxRetained = "10GiB",
    anew: Annotated[
        bool, typer.Option("--anew", help="give up an earlier stream and what it brought, and begin again")
    ] = False,
    verify: Annotated[bool, typer.Option(help="compare every row afterwards")] = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Copy all tables as of one position, begin the stream of changes there, and prove both sides equal.

    Safe to run again after any end: ranges that have arrived are not copied again, unless --anew says
    so. The source keeps
    its log from here on until 'sync' has applied it, or 'end' gives it back.
    """
    from heavylift.cli import tables_run

    request = request_of(
        "transfer", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), method=method,
        parallel_ranges=parallel_ranges, max_retained_wal=max_retained_wal, anew=anew, dry_run=dry_run,
    )  # fmt: skip
    if dry_run:
        tables_run.preflight(request, as_json=as_json)
    tables_run.snapshot(request, verify=verify, as_json=as_json)


@app.command()
def sync(
    source_conn: SourceConn,
    target_conn: TargetConn,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    method: Method = CaptureMethod.AUTO,
    on_schema_change: SchemaChange = OnSchemaChange.APPLY_SAFE,
    max_lag: MaxLag = "60s",
    max_retained_wal: MaxRetained = "10GiB",
    max_seconds: MaxSeconds = None,
    verify: Annotated[bool, typer.Option("--verify", help="compare every row afterwards")] = False,
    follow: Follow = False,
    pause: Pause = 2.0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Apply what the source has committed until now; with --follow go on until interrupted.

    Nothing is applied twice or left out, however often it is interrupted. With --dry-run it tells how
    much there would be to apply.
    """
    from heavylift.cli import tables_run

    request = request_of(
        "sync", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), method=method,
        on_schema_change=on_schema_change, max_lag=max_lag, max_retained_wal=max_retained_wal,
        max_seconds=max_seconds, dry_run=dry_run,
    )  # fmt: skip
    if dry_run:
        tables_run.dry_run_of_stream(request, as_json=as_json)
    elif follow:
        tables_run.follow(request, pause_seconds=pause, as_json=as_json)
    else:
        tables_run.sync(request, verify=verify, as_json=as_json)


@app.command()
def drain(
    source_conn: SourceConn,
    target_conn: TargetConn,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    method: Method = CaptureMethod.AUTO,
    within: Within = 60.0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Apply everything up to the source's position now, and advance the sequences; for a cutover.

    To be run when nobody writes to the source any more. Ends with 1 where the position was not
    reached --within so many seconds; what is applied stays.
    """
    from heavylift.cli import tables_run

    request = request_of(
        "cutover", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), method=method, dry_run=dry_run,
    )  # fmt: skip
    if dry_run:
        tables_run.dry_run_of_stream(request, as_json=as_json)
    tables_run.drain(request, within_seconds=within, as_json=as_json)


@app.command()
def verify(
    source_conn: SourceConn,
    target_conn: TargetConn,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    method: Method = CaptureMethod.AUTO,
    frozen: Frozen = False,
    as_json: AsJson = False,
) -> None:
    """Compare both databases row by row, inside of both. Ends with 1 where they differ.

    Without --frozen the source may be written to: it is read at one position, and the target is
    first applied exactly to it, by the stream that the snapshot began.
    """
    from heavylift.cli import tables_run

    request = request_of(
        "verify", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), method=method,
    )  # fmt: skip
    tables_run.verify(request, frozen=frozen, as_json=as_json)


@app.command()
def status(
    source_conn: SourceConn,
    target_conn: TargetConn,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    method: Method = CaptureMethod.AUTO,
    as_json: AsJson = False,
) -> None:
    """Tell how the stream stands, in both directions: position, lag, slot. Ends with 1 if it is invalid."""
    from heavylift.cli import tables_run

    request = request_of(
        "sync", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), method=method,
    )  # fmt: skip
    tables_run.status(request, as_json=as_json)


@app.command()
def end(
    source_conn: SourceConn,
    target_conn: TargetConn,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    method: Method = CaptureMethod.AUTO,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give back what the stream holds on the source, slot and publication. A new snapshot is needed after."""
    from heavylift.cli import tables_run

    request = request_of(
        "sync", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), method=method, dry_run=dry_run,
    )  # fmt: skip
    if dry_run:
        tables_run.dry_run_of_stream(request, as_json=as_json)
    tables_run.end(request, as_json=as_json)


class ReverseAct(StrEnum):
    """What to do with the way back."""

    PREPARE = "prepare"
    SYNC = "sync"
    DRAIN = "drain"
    VERIFY = "verify"
    STATUS = "status"
    END = "end"


@app.command()
def reverse(
    source_conn: SourceConn,
    target_conn: TargetConn,
    act: Annotated[ReverseAct, typer.Argument(help="what to do with the way back")] = ReverseAct.PREPARE,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    method: Method = CaptureMethod.AUTO,
    within: Within = 60.0,
    frozen: Frozen = False,
    follow: Follow = False,
    pause: Pause = 2.0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let changes flow back after a cutover, so that a rollback loses no row.

    Source and target are named as for the way there. 'prepare' must be done before anybody may write
    to the target; 'sync', 'drain', 'verify', 'status' and 'end' then do for the way back what the
    commands of these names do for the way there.
    """
    from heavylift.cli import tables_reverse

    request = request_of(
        "rollback", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), method=method, dry_run=dry_run,
    )  # fmt: skip
    tables_reverse.reverse(
        request, act.value, within_seconds=within, frozen=frozen,
        pause_seconds=pause if follow else None, as_json=as_json,
    )  # fmt: skip


for _command in (tables_fences.freeze, tables_fences.unfreeze, tables_fences.unfence, tables_fences.writes):
    app.command()(_command)
