"""``heavylift tables freeze``, ``unfreeze``, ``unfence`` and ``writes``: who may write to which side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn
from heavylift.cli.tables_options import (
    MIGRATION,
    Database,
    DryRun,
    Exclude,
    Migration,
    MoreTables,
    SourceConn,
    Tables,
    TargetConn,
    patterns,
    request_of,
)
from heavylift.fencing import Side

if TYPE_CHECKING:
    from heavylift.evidence.fence_records import FenceRecord
    from heavylift.evidence.records import EvidenceRef
    from heavylift.tables.requests import TablesRequest

    Act = Callable[[], Awaitable[tuple[FenceRecord, EvidenceRef]]]

OnSide = Annotated[Side, typer.Option("--side", help="the side, as source and target are named here")]
Epoch = Annotated[
    int, typer.Option(min=1, help="of the cutover or rollback; higher than that of every earlier one")
]
Within = Annotated[float, typer.Option(min=0.1, help="seconds that sessions in the way may take to end")]


def freeze(
    source_conn: SourceConn,
    target_conn: TargetConn,
    side: OnSide,
    epoch: Epoch,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    within: Within = 30.0,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let no application write to the moved tables of one side; Heavylift's own streams go on.

    Sessions that are in the way are named, and nothing is frozen then. Safe to run again.
    """
    from heavylift.tables.api import freeze_writes

    request = request_of(
        "cutover", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), dry_run=dry_run,
    )  # fmt: skip
    _act(
        request,
        side,
        "database.writes_frozen",
        lambda: freeze_writes(request, side=side, epoch=epoch, within_seconds=within),
        as_json=as_json,
    )


def unfreeze(
    source_conn: SourceConn,
    target_conn: TargetConn,
    side: OnSide,
    epoch: Epoch,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    within: Within = 30.0,
    whatever_the_other: Annotated[
        bool, typer.Option("--whatever-the-other", help="also while the other side is open, or away")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let applications write to one side again, while the other side is frozen. Safe to run again."""
    from heavylift.tables.api import unfreeze_writes

    request = request_of(
        "cutover", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), dry_run=dry_run,
    )  # fmt: skip
    _act(
        request,
        side,
        "database.writes_opened",
        lambda: unfreeze_writes(
            request, side=side, epoch=epoch, within_seconds=within, whatever_the_other=whatever_the_other
        ),
        as_json=as_json,
    )


def unfence(
    source_conn: SourceConn,
    target_conn: TargetConn,
    side: OnSide,
    epoch: Epoch,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    within: Within = 30.0,
    though_frozen: Annotated[
        bool, typer.Option("--though-frozen", help="also where that opens the side")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a side's fence away for good, its triggers and the note of its epochs. Safe to run again."""
    from heavylift.tables.api import drop_fence

    request = request_of(
        "cutover", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()), dry_run=dry_run,
    )  # fmt: skip
    _act(
        request,
        side,
        "database.fence_dropped",
        lambda: drop_fence(
            request, side=side, epoch=epoch, within_seconds=within, though_frozen=though_frozen
        ),
        as_json=as_json,
    )


def writes(
    source_conn: SourceConn,
    target_conn: TargetConn,
    tables: Tables = None,
    more: MoreTables = None,
    exclude: Exclude = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    migration: Migration = MIGRATION,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Tell which side applications may write to, by looking at both; ends with 1 unless it is exactly one."""
    request = request_of(
        "cutover", source_conn, target_conn, evidence, evidence_conn, migration, database,
        tables=patterns(tables, more), exclude=tuple(exclude or ()),
    )  # fmt: skip
    _tell(request, as_json=as_json)


def _act(request: TablesRequest, side: Side, action: str, act: Act, *, as_json: bool) -> None:
    from heavylift.aio import run
    from heavylift.cli.tables_run import note_act
    from heavylift.tables.api import writes_state
    from heavylift.tables.fences.wording import fence_figures, fence_line

    if request.options.dry_run:
        _tell(request, as_json=as_json)

    # A wrong connection is found before anything is touched.
    run(writes_state(request, side=side))
    mark_touched()

    async def noted() -> tuple[FenceRecord, EvidenceRef]:
        record, ref = await act()
        await note_act(request, action, ref, fence_figures(record))
        return record, ref

    record, ref = run(noted())
    finish(
        {"fence": record.model_dump(mode="json"), "evidence": ref.path},
        text=fence_line(record),
        as_json=as_json,
    )


def _tell(request: TablesRequest, *, as_json: bool) -> NoReturn:
    from heavylift.aio import run
    from heavylift.tables.api import writes_state
    from heavylift.tables.fences.wording import state_line

    found = {side: run(writes_state(request, side=side)) for side in Side}
    one_open = sum(not state.is_frozen for state in found.values()) == 1
    finish(
        {
            "writes": {
                side.value: {
                    "writes": state.writes.value,
                    "epoch": state.epoch,
                    "partly": list(state.partly),
                }
                for side, state in found.items()
            }
        },
        text="\n".join(state_line(side, state) for side, state in found.items()),
        as_json=as_json,
        status=ExitStatus.DONE if one_open else ExitStatus.FAILED,
    )
