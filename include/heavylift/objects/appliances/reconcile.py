"""Reconciling: what a device was to bring, compared by digest with what is on the target."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from heavylift.checksums import Algorithm
from heavylift.errors import HeavyliftError, IntegrityError, TransientError
from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.records import EvidenceRef, Tally, utc_now
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.objects.appliances import load_manifest
from heavylift.objects.appliances.badness import BadObjects
from heavylift.objects.appliances.checking import demand_load, fetch_manifest
from heavylift.objects.appliances.custody import Step, demand_state, read_custody, record_step
from heavylift.objects.appliances.database import count, database
from heavylift.objects.appliances.judging import Found, judge, listed_object
from heavylift.objects.appliances.load_manifest import LoadRow
from heavylift.objects.appliances.mending import Mender
from heavylift.objects.appliances.places import device_path
from heavylift.objects.appliances.planning import demand_device
from heavylift.objects.appliances.records import (
    BadObject,
    Custody,
    LoadRecord,
    Reconciliation,
    ShipmentPlan,
)
from heavylift.objects.appliances.requests import ApplianceRequest
from heavylift.objects.listing import LISTED, Listing, list_to_file
from heavylift.objects.pool import for_each
from heavylift.objects.progress import Meter, Progress
from heavylift.objects.sessions import evidence_of
from heavylift.patterns import everything
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.ports import ListedObject
from heavylift.platforms.wiring import open_store

_BATCH = 5_000
_COLUMNS = ("size_bytes", "version", *(algorithm.value for algorithm in LISTED))
_SIDES = ", ".join(f"{side}.{name} AS {side}_{name}" for side in "ts" for name in _COLUMNS)

# The manifest's rows beside what the target's listing has under the key, and under the escaped name.
_JOIN = f"""
SELECT m.*, {_SIDES} FROM read_parquet($manifest) m
LEFT JOIN read_parquet($target) t ON t.rel = m.rel
LEFT JOIN read_parquet($target) s ON s.rel = m.stored_path AND m.stored_path <> m.rel
ORDER BY m.rel
"""  # noqa: S608  (the names of our own columns)


async def reconcile_device(
    request: ApplianceRequest,
    device: str,
    actor: str,
    *,
    hand_over: str = "",
    report: Callable[[Progress], None] | None = None,
) -> Reconciliation:
    """Compare what a device brought with what is on the target, and mend what the ingest lost.

    Lists the target afresh and compares each object of the load manifest by the target's own
    checksum; where it has none the object is read. Objects under an escaped name are moved to
    their key, and objects whose headers, metadata or tags the ingest lost are written again with
    them, where the spec lets it. Nothing that this device did not bring is touched.

    Idempotent; each call adds a record. Where all is right the custody says ``reconciled``. The
    objects are Heavylift's own from then on: a sync may replace them.

    :param hand_over: a reason. The device then counts as reconciled although objects are missing or
        different: the next transfer copies the missing ones and replaces the different ones.
    :raises ConflictError: the device was not ingested.
    """
    async with evidence_of(request.transfer) as evidence:
        plan, _ = await demand_device(evidence, request, device)
        custody = await read_custody(evidence, request, device)
        demand_state(custody, Custody.INGESTED, Custody.RECONCILED, what="reconciliation")
        load = (await demand_load(evidence, request, device)).record
        with tempfile.TemporaryDirectory(prefix="heavylift-reconcile-") as work:
            manifest = await fetch_manifest(evidence, load, Path(work))
            job = _Reconciling(request, evidence, plan, load, manifest, bool(hand_over))
            record, ref = await job.run(report)
        if custody.state is Custody.INGESTED and (record.passed or hand_over):
            facts = {"reason": hand_over} if hand_over and not record.passed else {}
            step = Step(Custody.RECONCILED, actor, facts, evidence=(ref,))
            await record_step(evidence, request, device, step)
        return record


def demand_reconciled(record: Reconciliation) -> None:
    """Make sure that a reconciliation found nothing wrong.

    :raises IntegrityError: it did; the first objects are named.
    """
    if record.passed:
        return
    named = ", ".join(f"{item.kind} {item.key!r}" for item in record.bad[:5])
    raise IntegrityError(
        f"reconciliation of device {record.device}",
        got=f"{record.missing} missing, {record.different} different and {record.unreadable} unreadable"
        f" objects, {record.attributes_differ} with other attributes ({named})",
        expected=f"all {record.expected.objects} objects of its load manifest at {record.target_url}",
        state=f"{record.equal.objects} objects are equal and count as Heavylift's own",
        remedy="ask the provider about the ingest and reconcile again; or hand the rest over to the online"
        " transfer: 'heavylift appliance reconcile --hand-over REASON'",
        code="5743",
    )


@dataclass
class _Reconciling:
    request: ApplianceRequest
    evidence: EvidenceStore
    plan: ShipmentPlan
    load: LoadRecord
    manifest: Path
    hand_over: bool
    began: float = field(default_factory=time.monotonic)
    at: datetime = field(default_factory=utc_now)
    equal: Tally = field(default_factory=Tally)
    methods: Counter[str] = field(default_factory=Counter)

    async def run(self, report: Callable[[Progress], None] | None) -> tuple[Reconciliation, EvidenceRef]:
        limits, place = self.request.transfer.options.limits, self.request.transfer.target
        self.bad = BadObjects(self.manifest.with_name("bad.parquet"))
        self.known = _Known(self.manifest.with_name("known.parquet"))
        self.meter = Meter(self.load.on_device)
        settings = HttpSettings(connections=limits.max_concurrency + 8)
        async with (
            open_store(place.location, place.connection, settings=settings) as target,
            self.meter.reporting(report),
        ):
            self.target, self.prefix = target, place.location.prefix
            self.mender = Mender(self.request, self.evidence, target, self.load.device)
            path = self.manifest.with_name("target.parquet")
            listing = await list_to_file(target, self.prefix, everything, path)
            for rows in self._joined(listing):
                await for_each(rows, self._one, limits.max_concurrency)
        return await self._store(await self._count_extra(listing))

    def _joined(self, listing: Listing) -> Iterator[list[dict[str, Any]]]:
        budget = self.request.transfer.options.limits.memory_budget
        with database(self.manifest.parent, budget) as db:
            cursor = db.execute(_JOIN, {"manifest": str(self.manifest), "target": str(listing.path)})
            names = [column[0] for column in cursor.description or ()]
            while rows := cursor.fetchmany(_BATCH):
                yield [dict(zip(names, row, strict=True)) for row in rows]

    async def _one(self, cells: dict[str, Any]) -> None:
        row = load_manifest.row_of(cells)
        at_key = _listed(self.prefix + row.rel, cells, "t")
        stored = _listed(self.prefix + row.stored_path, cells, "s")
        try:
            await self._settle(row, at_key, stored)
        except TransientError:
            raise
        except HeavyliftError as error:
            self._bad(row, "unreadable", str(error)[:300])
        self.meter.add_object()
        self.meter.add_bytes(row.size_bytes)

    async def _settle(self, row: LoadRow, at_key: ListedObject | None, stored: ListedObject | None) -> None:
        place = row.rel if at_key is not None or stored is None else row.stored_path
        found = await judge(self.target, self.prefix + place, row, at_key or stored)
        if found.kind != "equal":
            self._not_equal(row, found, place)
            return
        version, problems = await self.mender.mend(row, found.version, place)
        if at_key is not None and stored is not None:
            await self._drop_duplicate(row, stored)
        self.equal += Tally(objects=1, size_bytes=row.size_bytes)
        self.methods[found.method] += 1
        self.known.add(row, row.source_version, version)
        if problems:
            self._bad(row, "attributes", "; ".join(problems)[:300])

    def _not_equal(self, row: LoadRow, found: Found, place: str) -> None:
        self._bad(row, found.kind, found.got)
        if self.hand_over and found.kind == "different" and place == row.rel:
            # Its source version is left open, so the next transfer replaces it.
            self.known.add(row, "", found.version)

    async def _drop_duplicate(self, row: LoadRow, stored: ListedObject) -> None:
        """Delete what still lies under the escaped name, from a reconciliation that was killed."""
        again = await judge(self.target, self.prefix + row.stored_path, row, stored)
        if again.kind == "equal":
            await self.target.delete(self.prefix + row.stored_path)

    def _bad(self, row: LoadRow, kind: str, got: str) -> None:
        expected = f"{row.size_bytes} bytes, SHA-256 {row.checksums[Algorithm.SHA256]}"
        self.bad.add(
            BadObject(key=row.rel, stored_path=row.stored_path, kind=kind, got=got, expected=expected)
        )

    async def _count_extra(self, listing: Listing) -> int:
        """Count what the target has below the dataset's place and no device of the plan brings."""
        paths = []
        for number, device in enumerate(self.plan.devices):
            paths.append(str(self.manifest.with_name(f"rows-{number}.parquet")))
            await self.evidence.fetch(device.rows.path, Path(paths[-1]))
        with database(self.manifest.parent, self.request.transfer.options.limits.memory_budget) as db:
            return count(
                db,
                "SELECT count(*) FROM read_parquet(?) WHERE rel NOT IN (SELECT rel FROM read_parquet(?))"
                " AND rel NOT IN (SELECT stored_path FROM read_parquet(?))",
                str(listing.path),
                paths,
                paths,
            )

    async def _store(self, extra: int) -> tuple[Reconciliation, EvidenceRef]:
        kinds = self.bad.kinds
        known, rows = await self._keep_files()
        record = Reconciliation(
            run=self.request.run,
            dataset=self.request.dataset,
            device=self.load.device,
            load_id=self.load.load_id,
            root_digest=self.load.root_digest,
            reconciled_at=self.at,
            target_url=str(self.request.transfer.target.location),
            expected=self.load.on_device,
            equal=self.equal,
            missing=kinds["missing"],
            different=kinds["different"],
            unreadable=kinds["unreadable"],
            renamed=self.mender.renamed,
            restored=self.mender.restored,
            attributes_differ=kinds["attributes"],
            extra=extra,
            methods=dict(self.methods),
            bad=tuple(self.bad.first),
            rows=rows,
            known=known,
            seconds=round(time.monotonic() - self.began, 3),
            passed=self._passed(),
        )
        _, ref = await write_next(self.evidence, self._path_of, record)
        return record, ref

    def _passed(self) -> bool:
        kinds = self.bad.kinds
        content = kinds["missing"] + kinds["different"] + kinds["unreadable"]
        # What the spec does not want mended, or the target cannot keep, is named and no failure.
        attributes = kinds["attributes"] - self.mender.accepted
        return not content and not attributes

    async def _keep_files(self) -> tuple[EvidenceRef | None, EvidenceRef | None]:
        number = await latest_number(self.evidence, self._path_of) + 1
        stem = self._path_of(number).removesuffix(".json")
        stamp = f"{utc_now():%Y%m%dT%H%M%S%f}"
        known = rows = None
        if self.known.written():
            name = f"{stem.rpartition('/')[0]}/known-{stamp}.parquet"
            known = await self.evidence.write_file(name, self.known.path, PARQUET)
        if self.bad.written():
            rows = await self.evidence.write_file(f"{stem}-{stamp}.parquet", self.bad.path, PARQUET)
        return known, rows

    def _path_of(self, number: int) -> str:
        return device_path(self.request.run, self.request.dataset, self.load.device, "reconciliation", number)


class _Known:
    """Writes which versions on the target are Heavylift's own; read by ``heavylift.objects.state``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: list[dict[str, Any]] = []
        self._writer: Any = None

    def add(self, row: LoadRow, source_version: str, target_version: str) -> None:
        self._rows.append(
            {
                "rel": row.rel,
                "source_version": source_version,
                "target_version": target_version,
                "size_bytes": row.size_bytes,
                "crc32c": row.checksums[Algorithm.CRC32C],
            }
        )
        if len(self._rows) >= _BATCH:
            self._flush()

    def written(self) -> bool:
        """End the file; False where there is nothing to tell."""
        if self._rows:
            self._flush()
        if self._writer is None:
            return False
        self._writer.close()
        return True

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pylist(self._rows)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self.path, table.schema, compression="zstd")
        self._writer.write_table(table)
        self._rows = []


def _listed(key: str, cells: dict[str, Any], side: str) -> ListedObject | None:
    return listed_object(key, {name: cells[f"{side}_{name}"] for name in _COLUMNS})
