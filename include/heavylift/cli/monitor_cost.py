"""``heavylift monitor cost``: what both sides cost a day, beside what was planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.monitor_options import (
    Memory,
    MigrationName,
    Strict,
    Watch,
    conclude,
    kept_of,
    place_of,
    wrong,
)
from heavylift.cli.monitor_text import plain_text
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.monitor_records import CostRecord

Patterns = list[str] | None
SHOWN_DAYS = 14


def cost_command(
    source: Annotated[str | None, typer.Option(metavar="URL", help="bill of the source, FOCUS")] = None,
    target: Annotated[str | None, typer.Option(metavar="URL", help="bill of the target, FOCUS")] = None,
    source_conn: Annotated[str | None, typer.Option(metavar="ID", help="none for file://")] = None,
    target_conn: Annotated[str | None, typer.Option(metavar="ID", help="none for file://")] = None,
    source_resource: Annotated[Patterns, typer.Option(metavar="PATTERN", help="ResourceId")] = None,
    target_resource: Annotated[Patterns, typer.Option(metavar="PATTERN", help="ResourceId")] = None,
    source_service: Annotated[Patterns, typer.Option(metavar="PATTERN", help="ServiceName")] = None,
    target_service: Annotated[Patterns, typer.Option(metavar="PATTERN", help="ServiceName")] = None,
    predictions: Annotated[
        str | None, typer.Option(metavar="URL", help="table with the columns day and predictions")
    ] = None,
    expected_day: Annotated[
        float | None, typer.Option(min=0.0, help="of the target; default: the plan's estimate")
    ] = None,
    band: Annotated[float, typer.Option(min=0.0, help="share above it that is no alarm")] = 0.2,
    max_double: Annotated[
        float | None, typer.Option(min=0.0, help="of double running; default: the plan's estimate")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="newest days of which the mean is judged")] = 7,
    settle: Annotated[int, typer.Option(min=0, help="days until a bill is whole")] = 2,
    effective: Annotated[bool, typer.Option("--effective", help="sum EffectiveCost")] = False,
    memory_mib: Memory = 512,
    watch: Watch = "shell",
    strict: Strict = False,
    migration: MigrationName = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Tell what both sides cost a day, for 1,000 predictions, and while both ran; bills are only read.

    Ends with 1 where the target costs more than was expected, or double running more than was planned.
    """
    from heavylift.aio import run
    from heavylift.monitor.cost import Bill, CostRequest, Counts, judge_cost

    if source is None and target is None:
        raise wrong("--source and --target", "neither", "the bill of at least one side", "9772")
    bills = []
    if source is not None:
        found = tuple(source_resource or ()), tuple(source_service or ())
        bills.append(Bill("source", place_of(source, source_conn), *found))
    if target is not None:
        found = tuple(target_resource or ()), tuple(target_service or ())
        bills.append(Bill("target", place_of(target, target_conn), *found))
    request = CostRequest(
        kept_of(migration, watch, "", evidence, evidence_conn),
        tuple(bills),
        Counts(place_of(predictions, target_conn)) if predictions else None,
        expected_day,
        band,
        max_double,
        days,
        settle,
        effective,
        memory_bytes=memory_mib * 1024 * 1024,
    )
    record, ref = run(judge_cost(request))
    conclude(request.kept, record, ref, _text(record, ref), strict=strict, as_json=as_json)


def _text(record: CostRecord, ref: EvidenceRef) -> str:
    lines = [f"  {'day':<10}  {'source':>14}  {'target':>14}  for 1,000 predictions"]
    lines += [
        f"  {each.day}  {each.source:>14}  {each.target:>14}  {each.per_thousand or '-'}"
        + ("" if each.settled else "  (not settled)")
        for each in record.days[-SHOWN_DAYS:]
    ]
    return "\n".join([plain_text(record, ref), *lines])
