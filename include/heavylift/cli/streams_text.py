"""Plans, mirrors, verifications and groups as ``heavylift streams`` prints them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from heavylift.cli.output import note

if TYPE_CHECKING:
    from heavylift.evidence.records import Finding
    from heavylift.evidence.stream_records import (
        PartitionLag,
        StreamGroupsRecord,
        StreamMirrorRecord,
        StreamPlanRecord,
        StreamStatus,
        StreamVerificationRecord,
    )
    from heavylift.streams.ports import StreamProgress

LINE_EVERY_SECONDS = 2.0
_SHOWN = 20


def reporter(clock: Callable[[], float] = time.monotonic) -> Callable[[StreamProgress], None]:
    """Return what takes progress and prints a line every few seconds."""
    from heavylift.streams.progress_text import progress_line

    told_at = clock()

    def report(progress: StreamProgress) -> None:
        nonlocal told_at
        now = clock()
        if now - told_at >= LINE_EVERY_SECONDS:
            told_at = now
            note(progress_line(progress))

    return report


def planned(plan: StreamPlanRecord) -> str:
    """Return a plan: each topic, how much there is to mirror, and what stands in the way."""
    lines = [f"{plan.source} -> {plan.target}: {plan.to_mirror:,} offsets to mirror"]
    lines += [f"  {topic.action:<9} {topic.topic} ({topic.partitions} partitions)" for topic in plan.topics]
    return "\n".join([*lines, *_findings(plan.findings)])


def mirrored(record: StreamMirrorRecord) -> str:
    """Return what a mirror did."""
    end = "complete" if record.complete else "not complete"
    return "\n".join(
        [
            f"mirrored {record.sent:,} records at {record.records_per_second:,.0f}/s, {end};"
            f" {record.found_there:,} were there from an interrupted run",
            f"  lag now: {record.lag_records:,} records, {record.lag_seconds:,.1f} s",
            *_findings(record.findings),
        ]
    )


def verified(record: StreamVerificationRecord) -> str:
    """Return a verification: the verdict, how it was reached, and the first differences."""
    return "\n".join(
        [
            f"{'EQUAL' if record.passed else 'NOT EQUAL'}: {record.statement}",
            *(
                f"  {one.kind}: {one.topic}[{one.partition}] source offset {one.source_offset},"
                f" target offset {one.target_offset}"
                for one in record.differences[:_SHOWN]
            ),
            *_findings(record.findings),
        ]
    )


def grouped(record: StreamGroupsRecord) -> str:
    """Return the groups' positions, one line each."""
    lines = [
        f"  {at.group}  {at.topic}[{at.partition}]  {at.source_position} -> {at.target_position}  {at.action}"
        + (f", reads {at.behind:,} records again" if at.behind else "")
        for at in record.positions
    ]
    return "\n".join([f"{record.groups} consumer groups", *lines, *_findings(record.findings)])


def stands(found: StreamStatus) -> str:
    """Return where a stream stands."""
    at_work = f"runner {found.runner[:8]} at work" if found.runner else "nobody mirrors"
    lines = [
        f"{found.offset_map}: epoch {found.epoch}, {at_work}; lag {found.lag_records:,} records,"
        f" {found.lag_seconds:,.1f} s",
        *(_lag(each) for each in found.partitions),
    ]
    return "\n".join([*lines, *_findings(found.findings)])


def _lag(each: PartitionLag) -> str:
    age = "" if each.lag_seconds is None else f", {each.lag_seconds:,.1f} s"
    return (
        f"  {each.topic}[{each.partition}]  mirrored to {each.mirrored_to} of {each.source_end},"
        f" lag {each.lag_records:,}{age}"
    )


def _findings(findings: Iterable[Finding]) -> list[str]:
    return [f"  {found.severity}: {found.subject}: {found.detail}" for found in findings]
