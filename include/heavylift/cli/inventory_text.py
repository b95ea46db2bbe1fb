"""What ``heavylift inventory`` and ``heavylift graph`` print."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from heavylift.cli.output import note

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import (
        GraphRecord,
        InventoryDiff,
        InventoryFinding,
        InventoryRecord,
        OutsideReference,
    )
    from heavylift.inventory.collect import Progress

_LINE_EVERY_SECONDS = 2.0
SHOWN = 20


def reporter(clock: Callable[[], float] = time.monotonic) -> Callable[[Progress], None]:
    """Return what takes progress and prints a line every few seconds."""
    told_at = began_at = clock()

    def report(progress: Progress) -> None:
        nonlocal told_at
        now = clock()
        if now - told_at < _LINE_EVERY_SECONDS:
            return
        told_at = now
        left = (now - began_at) / progress.units_done * (progress.units - progress.units_done)
        note(
            f"{progress.units_done} of {progress.units} types and regions read,"
            f" {progress.components:,} components, about {left:.0f} s left"
        )

    return report


def inventory_text(record: InventoryRecord) -> str:
    """Return an inventory: what was found, what changed, what could not be read."""
    state = "complete" if record.complete else "NOT COMPLETE"
    lines = [
        f"{record.component_count:,} components of {record.platform} account {record.account} in"
        f" {len(record.regions)} regions, {state}; {record.requests:,} requests, {record.seconds:.1f} s"
    ]
    lines += [f"  {count:>8,} {kind}" for kind, count in record.counts.items()]
    lines += diff_lines(record.diff)
    lines += finding_lines(record.findings)
    lines.append(f"components: {record.components.path}")
    return "\n".join(lines)


def diff_lines(diff: InventoryDiff | None) -> list[str]:
    """Return what differs from the previous inventory."""
    if diff is None:
        return []
    lines = [
        f"since {diff.previous}: {diff.appeared:,} appeared, {diff.gone:,} gone, {diff.changed:,} changed,"
        f" {diff.unchanged:,} unchanged"
    ]
    lines += _some([f"  appeared {id}" for id in diff.appeared_ids], diff.appeared)
    lines += _some([f"  gone {id}" for id in diff.gone_ids], diff.gone)
    changes = [f"  changed {change.id}: {', '.join(change.fields)}" for change in diff.changes]
    return lines + _some(changes, diff.changed)


def finding_lines(findings: Iterable[InventoryFinding]) -> list[str]:
    """Return findings, each with its remedy."""
    return [
        f"  {finding.severity.value}: [{finding.rule}] {finding.native_type}: {finding.detail};"
        f" {finding.remedy}"
        for finding in findings
    ]


def graph_text(record: GraphRecord, outside: Iterable[OutsideReference]) -> str:
    """Return a graph: its size, its cycles, and what nobody has explained."""
    verdict = (
        "every reference is answered or explained" if record.passed else "NOT everything is accounted for"
    )
    lines = [
        f"{record.components:,} components, {record.edges:,} edges ({record.explicit_edges:,} explicit,"
        f" {record.inferred_edges:,} inferred), {record.cycle_count} cycles; {verdict}"
    ]
    lines += _some([f"  cycle: {' - '.join(cycle)}" for cycle in record.cycles], record.cycle_count)
    lines.append(
        f"{record.outside:,} references point outside: {record.explained:,} explained,"
        f" {record.unexplained:,} not"
    )
    rows = [
        f"  {each.why.value}: {each.reference.target}"
        f" from {each.reference.component} ({each.reference.field})"
        for each in outside
        if not each.explained
    ]
    lines += _some(rows, len(rows))
    lines += [
        f"  warning: no reference meets the acceptance {target!r}" for target in record.unused_acceptances
    ]
    if record.unexplained:
        lines.append("accept what is meant: --accept 'TARGET=REASON', or --accept-file FILE")
    lines.append(f"picture: {record.picture.path}")
    return "\n".join(lines)


def _some(lines: list[str], count: int) -> list[str]:
    shown = lines[:SHOWN]
    return [*shown, f"  and {count - len(shown):,} more, in the evidence"] if count > len(shown) else shown
