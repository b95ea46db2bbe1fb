"""Compares two tables and keeps what was found; keeps the profile of one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.monitor_evidence import write_watch
from heavylift.evidence.monitor_records import (
    ColumnDrift,
    ColumnProfileRecord,
    DriftRecord,
    DriftThresholds,
    ProfileRecord,
    SketchRecord,
    TableSide,
    Verdict,
)
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.monitor.columns import compare_columns, counts_by_verdict, is_alarm
from heavylift.monitor.profiles import ColumnSketch, Kind, TableProfile
from heavylift.monitor.profiling import chooser, profile_place
from heavylift.monitor.requests import DriftRequest, ProfileRequest
from heavylift.monitor.sketches import Sketch
from heavylift.monitor.tables_read import Wanted
from heavylift.platforms.places import Place

Tell = Callable[[str], None]
MOST_NAMED = 8


async def detect_drift(request: DriftRequest, tell: Tell = lambda _: None) -> tuple[DriftRecord, EvidenceRef]:
    """Compare two tables and write a record with the next number; the tables are only read.

    A second run reads again and writes a record of its own.

    :raises NotFoundError: a table or profile is not there.
    :raises IntegrityError: a file cannot be read by its format.
    """
    began = time.monotonic()
    kept = request.kept
    async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
        reference, current = await asyncio.gather(
            _reference(request, store, tell), profile_place(request.current, _wanted(request), tell)
        )
        record = drift_record(request, reference, current, time.monotonic() - began)
        _, ref = await write_watch(store, record)
    return record, ref


async def keep_profile(
    request: ProfileRequest, tell: Tell = lambda _: None
) -> tuple[ProfileRecord, EvidenceRef]:
    """Read a table and keep its profile as evidence: counts and digests, no value of a row.

    :raises NotFoundError: no such table.
    :raises IntegrityError: a file cannot be read by its format.
    """
    began = time.monotonic()
    kept = request.kept
    async with open_evidence(kept.evidence_url, kept.evidence_connection) as store:
        profile = await profile_place(request.place, _wanted(request), tell)
        record = ProfileRecord(
            migration=kept.migration,
            watch=kept.watch,
            kind="profile",
            side=kept.side,
            run=kept.run,
            verdict="ok",
            figures={"rows": profile.rows, "columns": len(profile.columns)},
            statement=f"{profile.rows:,} rows, {len(profile.columns):,} columns of {profile.url}",
            took_seconds=round(time.monotonic() - began, 3),
            table=_side(profile),
            columns=tuple(_written(column) for column in profile.columns.values()),
        )
        _, ref = await write_watch(store, record)
    return record, ref


async def _reference(request: DriftRequest, store: EvidenceStore, tell: Tell) -> TableProfile:
    if isinstance(request.reference, Place):
        return await profile_place(request.reference, _wanted(request), tell)
    record = await store.read_record(request.reference, ProfileRecord)
    return profile_of(record, chooser(request.columns, request.ignore))


def _wanted(request: DriftRequest | ProfileRequest) -> Wanted:
    chosen = chooser(request.columns, request.ignore)
    # Both sides are read at the same time.
    return Wanted(request.include, request.exclude, chosen, request.memory_bytes // 2)


def drift_record(
    request: DriftRequest, reference: TableProfile, current: TableProfile, seconds: float
) -> DriftRecord:
    """Return the record of a comparison."""
    limits, kept = request.limits, request.kept
    columns = compare_columns(reference, current, limits)
    verdict, reasons = _judge(reference, current, columns)
    return DriftRecord(
        migration=kept.migration,
        watch=kept.watch,
        kind="drift",
        side=kept.side,
        run=kept.run,
        verdict=verdict,
        figures=_figures(columns, current),
        reasons=reasons,
        statement=_statement(columns, reference, current, verdict),
        took_seconds=round(seconds, 3),
        reference=_side(reference),
        current=_side(current),
        thresholds=DriftThresholds(
            effect=limits.effect,
            missing=limits.missing,
            unseen=limits.unseen,
            confidence=limits.confidence,
            by_column=dict(limits.by_column),
        ),
        columns=columns,
    )


def _judge(
    reference: TableProfile, current: TableProfile, columns: tuple[ColumnDrift, ...]
) -> tuple[Verdict, tuple[str, ...]]:
    if reference.rows and not current.rows:
        return "alarm", ("the current table has no rows",)
    alarms = tuple(f"{each.column}: {each.reason}" for each in columns if is_alarm(each))
    if alarms:
        return "alarm", alarms
    unsure = [f"{each.column}: {each.reason}" for each in columns if each.verdict == "unsure"]
    if not any(each.verdict in {"same", "unsure"} for each in columns):
        unsure.append("no column could be compared")
    return ("unsure" if unsure else "ok"), tuple(unsure)


def _figures(columns: tuple[ColumnDrift, ...], current: TableProfile) -> dict[str, float]:
    counts = counts_by_verdict(columns)
    largest = max((each.effect or 0.0 for each in columns), default=0.0)
    return {
        "rows": current.rows,
        "columns": len(columns),
        "alarms": sum(1 for each in columns if is_alarm(each)),
        "unsure": counts.get("unsure", 0),
        "largest_effect": round(largest, 6),
        "largest_low": round(max((each.effect_low or 0.0 for each in columns), default=0.0), 6),
    }


def _statement(
    columns: tuple[ColumnDrift, ...], reference: TableProfile, current: TableProfile, verdict: Verdict
) -> str:
    counts = counts_by_verdict(columns)
    told = ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "none"
    rows = f"{reference.rows:,} rows and {current.rows:,} rows"
    named = [each.column for each in columns if is_alarm(each)]
    if verdict != "alarm" or not named:
        return f"{rows}; columns: {told}"
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return f"{rows}; columns: {told}; {', '.join(named[:MOST_NAMED])}{more}"


def _side(profile: TableProfile) -> TableSide:
    return TableSide(
        url=profile.url,
        files=profile.files,
        rows=profile.rows,
        size_bytes=profile.size_bytes,
        digest=profile.digest,
        left_out=profile.left_out,
    )


def _written(column: ColumnSketch) -> ColumnProfileRecord:
    numbers, texts = column.numbers, column.texts
    return ColumnProfileRecord(
        name=column.name,
        nulls=column.nulls,
        nan=column.nan,
        above=column.above,
        below=column.below,
        others=column.others,
        csv_values=column.csv_values,
        types=tuple(sorted(column.types)),
        kinds=tuple(sorted(column.kinds)),
        numbers=SketchRecord.of(numbers.level, numbers.buckets, numbers.counts),
        texts=SketchRecord.of(texts.level, texts.buckets, texts.counts),
    )


def profile_of(record: ProfileRecord, chosen: Callable[[str], bool] | None = None) -> TableProfile:
    """Return the profile that a record holds, as it was when it was made.

    :raises AuditError: a sketch is damaged.
    """
    table = record.table
    profile = TableProfile(table.url, table.files, table.size_bytes, table.rows, table.digest, table.left_out)
    for each in record.columns:
        if chosen is None or chosen(each.name):
            profile.columns[each.name] = ColumnSketch(
                each.name,
                table.rows,
                each.nulls,
                each.nan,
                each.above,
                each.below,
                each.others,
                each.csv_values,
                set(each.types),
                {Kind(kind) for kind in each.kinds},
                Sketch(each.numbers.level, *each.numbers.arrays()),
                Sketch(each.texts.level, *each.texts.arrays()),
            )
    return profile
