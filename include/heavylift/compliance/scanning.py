"""Scans a dataset or tables for personal data, and keeps what was found as evidence."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import NormalDist

from heavylift.aio import in_thread
from heavylift.compliance.columns import ColumnSeen
from heavylift.compliance.entities import JUDGED_FROM, KINDS, Entity
from heavylift.compliance.files import Drawn, scan_files
from heavylift.compliance.gathering import Gathered
from heavylift.compliance.opinions import REQUIREMENT, ask, sees
from heavylift.compliance.requests import ScanRequest
from heavylift.environments import Solver
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.compliance_records import (
    ColumnScanned,
    EntityFound,
    NotScanned,
    Opinion,
    ScanRecord,
    scan_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.store import open_evidence

Tell = Callable[[tuple[int, int]], None]
MOST_TOLD = 500
"""Columns without a finding that a record names."""
LACKS = (
    "names and addresses in free text: found by a column's heading only",
    "images, sound, archives and documents of office programs: not looked into",
)
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class _Whole:
    """What was read, and of what."""

    drawn: Drawn
    unit: str
    url: str


async def scan(request: ScanRequest, tell: Tell = lambda _: None) -> tuple[ScanRecord, EvidenceRef]:
    """Scan what is asked for, and write the record: whole, at the end, or not at all.

    :raises NotFoundError: no such container or table.
    :raises CredentialError: the store or database refuses.
    """
    began = time.monotonic()
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        gathered = Gathered(sampled=request.second_opinion)
        whole = await _read(request, gathered, tell)
        opinions = await in_thread(lambda _stop, _tell: _opinions(gathered), lambda _none: None)
        record = _record(request, gathered, whole, opinions, time.monotonic() - began)
        _, ref = await write_next(store, lambda n: scan_path(request.migration, request.subject, n), record)
    return record, ref


async def _read(request: ScanRequest, gathered: Gathered, tell: Tell) -> _Whole:
    if request.place is not None:
        drawn = await scan_files(request, request.place, gathered, tell)
        unit = "row group of Parquet, MiB of text, or file compressed with gzip"
        return _Whole(drawn, unit, str(request.place.location))
    if request.database is None:
        raise ValueError(request.subject)
    from heavylift.compliance.tables import scan_tables

    drawn, url = await scan_tables(request, request.database, gathered, tell)
    return _Whole(drawn, "row", url)


def _opinions(gathered: Gathered) -> tuple[Opinion, ...]:
    """Return what Presidio makes of the candidates; none where nobody has asked for it."""
    samples = {name: column.samples for name, column in gathered.columns.items() if column.samples}
    if not samples:
        return ()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return tuple(ask(samples, Solver().tool(REQUIREMENT, python)))


def _record(
    request: ScanRequest,
    gathered: Gathered,
    whole: _Whole,
    opinions: tuple[Opinion, ...],
    seconds: float,
) -> ScanRecord:
    drawn = whole.drawn
    found = sorted(_found(gathered.columns.values()), key=lambda each: (each.column, each.entity))
    judged = tuple(each for each in found if each.confidence >= JUDGED_FROM)
    everything = drawn.units >= drawn.units_total
    bound = 0.0 if everything else missed_bound(drawn.units)
    left = tuple(
        NotScanned(what=what, reason=why, count=count, size_bytes=gathered.not_scanned_bytes[what, why])
        for (what, why), count in sorted(gathered.not_scanned.items())
    )
    entities = [one.entity for one in judged] + [one.entity for one in opinions if sees(one)]
    classes = sorted({each.value for entity in entities for each in KINDS[Entity(entity)].classes})
    complete = drawn.units > 0 and not any(each.what in {"object", "table"} for each in left)
    told = [each for each in gathered.columns.values() if each.values]
    return ScanRecord(
        migration=request.migration,
        subject=request.subject,
        url=whole.url,
        seed=request.seed,
        unit=whole.unit,
        units=drawn.units,
        units_total=drawn.units_total,
        everything=everything,
        missed_bound=bound,
        objects=drawn.objects,
        objects_total=drawn.objects_total,
        bytes_read=gathered.bytes_read,
        values=sum(each.values for each in told),
        found=judged,
        unsure=tuple(each for each in found if each.confidence < JUDGED_FROM),
        columns=tuple(
            ColumnScanned(
                column=each.name,
                values=each.values,
                missed_bound=0.0 if everything else missed_bound(each.values),
            )
            for each in told[:MOST_TOLD]
        ),
        columns_left_out=max(0, len(told) - MOST_TOLD) + len(gathered.columns_left_out),
        not_scanned=left,
        unparsed_rows=gathered.unparsed,
        opinions=opinions,
        asked_for_opinion=request.second_opinion,
        classes=tuple(classes),
        lacks=LACKS,
        complete=complete,
        statement=_statement(request, drawn, (judged, opinions), classes, bound, complete=complete),
        took_seconds=round(seconds, 3),
    )


def _found(columns: Iterable[ColumnSeen]) -> Iterable[EntityFound]:
    for column in columns:
        for entity, seen in column.entities.items():
            confidence = column.confidence(entity) if seen.hits else 0.0
            if not confidence:
                continue
            low, high = share_interval(seen.rows, column.values)
            yield EntityFound(
                column=column.name,
                entity=entity.value,
                confidence=round(confidence, 2),
                hits=seen.hits,
                candidates=seen.candidates + seen.by_heading,
                by_heading=seen.by_heading,
                values=column.values,
                share_low=round(low, 6),
                share_high=round(high, 6),
                mask=seen.mask,
                places=tuple(seen.places),
            )


def missed_bound(drawn: int) -> float:
    """Return the share that may hold what none of ``drawn`` held, at 95 %: 3/n, the rule of three."""
    return min(1.0, 3 / drawn) if drawn else 1.0


def share_interval(hits: int, values: int) -> tuple[float, float]:
    """Return Wilson's interval of a share, at 95 %."""
    if not values:
        return 0.0, 1.0
    share, square = min(1.0, hits / values), _Z * _Z
    middle = (share + square / (2 * values)) / (1 + square / values)
    half = _Z * ((share * (1 - share) + square / (4 * values)) / values) ** 0.5 / (1 + square / values)
    return max(0.0, middle - half), min(1.0, middle + half)


def _statement(
    request: ScanRequest,
    drawn: Drawn,
    found: tuple[tuple[EntityFound, ...], tuple[Opinion, ...]],
    classes: list[str],
    bound: float,
    *,
    complete: bool,
) -> str:
    of = f"{drawn.units:,} of {drawn.units_total:,} units"
    if not drawn.units:
        return f"{request.subject}: nothing that can be looked into"
    judged, opinions = found
    columns = {each.column for each in judged} | {each.column for each in opinions if sees(each)}
    what = f"{', '.join(classes)} data in {len(columns):,} columns" if columns else "no personal data seen"
    rest = "" if not bound else f"; what none of them held is in at most {bound:.2%} of the units, at 95 %"
    return f"{request.subject}: {what} in {of}{rest}" + ("" if complete else "; not everything could be read")
