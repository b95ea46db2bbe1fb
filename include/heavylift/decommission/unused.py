"""Looking whether anybody still uses the source: by the migration's evidence, and by the source itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from heavylift.decommission import tables, topics
from heavylift.decommission.listings import Listings
from heavylift.decommission.object_deletes import deletion_of
from heavylift.decommission.proofs import database_proof, dataset_proof
from heavylift.decommission.requests import LeavingRequest
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.decommission_evidence import PlanLife
from heavylift.evidence.decommission_records import (
    PlannedDatabase,
    PlannedObjects,
    UnusedItem,
    UnusedRecord,
    unused_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import utc_now
from heavylift.evidence.switch_evidence import latest_final, latest_switch
from heavylift.evidence.wording import duration, enumeration
from heavylift.spec.resolve import ResolvedDataset, resolve_datasets
from heavylift.spec.sections_data import Database, DatabaseEngine

READS = "objects_unread"
_SHOWN = 5


async def look_unused(
    request: LeavingRequest, world: Sequence[UnusedItem], life: PlanLife | None = None
) -> tuple[UnusedRecord, EvidenceRef]:
    """Look at everything, and keep what was found as evidence; refuses nothing and changes nothing.

    :param world: what was seen of routes and fences, by whoever can.
    :param life: of the plan whose time of grace is looked at; None before there is one.
    """
    items = [*await _switch_items(request), *world]
    items += await _before(request) if life is None else await _meanwhile(request, life)
    record = UnusedRecord(
        run=request.run,
        owner=request.section.owner,
        plan_sha256=life.plan.ref.sha256 if life else "",
        items=tuple(items),
    )
    _number, ref = await write_next(request.store, lambda number: unused_path(request.run, number), record)
    return record, ref


async def _switch_items(request: LeavingRequest) -> list[UnusedItem]:
    migration = request.spec.migration
    final = await latest_final(request.store, migration)
    if final is None:
        return [_item("finalised", "", False, "the cutover is not final: its way back is open")]
    record = final.record
    switch = await latest_switch(request.store, migration)
    later = switch is not None and switch.record.ended_at > record.finalised_at
    told = f"final since {record.finalised_at:%Y-%m-%d %H:%M:%S} UTC"
    items = [
        _item("finalised", "", not later, f"{told}, but switched again since" if later else told, final.ref)
    ]
    soak = timedelta(seconds=request.spec.cutover.soak if request.spec.cutover else record.soak_seconds)
    age = utc_now() - record.switched_at
    detail = f"on the target for {duration(age)}; the soak is {duration(soak)}"
    return [*items, _item("soak", "", age >= soak, detail, final.ref)]


async def _before(request: LeavingRequest) -> list[UnusedItem]:
    items = []
    for dataset in resolve_datasets(request.spec):
        items += await _dataset_items(request, dataset)
    for database in request.spec.databases:
        items += await _database_items(request, database)
    return items


async def _dataset_items(request: LeavingRequest, dataset: ResolvedDataset) -> list[UnusedItem]:
    proof = await dataset_proof(request.store, request.spec.migration, dataset.name)
    if proof is None:
        return [_item("verified", dataset.name, False, "no verification of this dataset was found")]
    age = utc_now() - proof.record.verified_at
    within = timedelta(seconds=request.section.verified_within)
    told = (
        f"{'passed' if proof.record.passed else 'did not pass'} {duration(age)} ago: {proof.record.statement}"
    )
    return [
        _item("verified", dataset.name, proof.record.passed and age <= within, told, proof.ref),
        await _quiet(request, dataset, proof.record.verified_at),
        UnusedItem(
            item=READS,
            subject=dataset.name,
            verdict="unknown",
            detail="stores tell nobody through this interface who reads: look at the access logs",
        ),
    ]


async def _quiet(request: LeavingRequest, dataset: ResolvedDataset, since: datetime) -> UnusedItem:
    with TemporaryDirectory(prefix="heavylift-") as folder, Listings(Path(folder) / "now.sqlite") as listings:
        async with request.open(dataset.source) as store:
            await listings.read_source(store)
        count, example = listings.written_after(int(since.timestamp() * 1_000_000))
    told = f"{count:,} objects were written after the verification, such as {example}" if count else (
        "no object was written after the verification"
    )  # fmt: skip
    return _item("objects_unwritten", dataset.name, not count, told)


async def _database_items(request: LeavingRequest, database: Database) -> list[UnusedItem]:
    if database.source.engine is not DatabaseEngine.POSTGRESQL:
        return []
    proof = await database_proof(request.store, request.spec.migration, database.name)
    items = [
        _item("verified", database.name, False, "no comparison of all rows at a switch was found")
        if proof is None
        else _item(
            "verified",
            database.name,
            True,
            f"equal when it was switched: {proof.record.statement}",
            proof.ref,
        )
    ]
    return items + await _sessions(request, database.name, database.source.connection)


async def _sessions(request: LeavingRequest, name: str, connection: str) -> list[UnusedItem]:
    found = request.connections(connection)
    uses = await asyncio.to_thread(tables.read_uses, found, request.section.ignore_roles)
    return [
        _none("sessions", name, uses.sessions, "is connected to it"),
        _none("prepared_transactions", name, uses.prepared, "is prepared in it"),
        _none("replication_slots", name, uses.slots, "reads its log"),
    ]


async def _meanwhile(request: LeavingRequest, life: PlanLife) -> list[UnusedItem]:
    """Look at what a plan has made unusable: whether somebody found a way, whether it is as planned."""
    items = [_item("disabled", "", life.state == "disabled", f"the plan is {life.state}", life.plan.ref)]
    ends = life.grace_ends
    over = ends is not None and utc_now() >= ends
    items.append(_item("grace", "", over, f"until {ends:%Y-%m-%d %H:%M:%S} UTC" if ends else "not begun"))
    for dataset in life.plan.record.datasets:
        items += await _changes(request, life, dataset)
    for database in life.plan.record.databases:
        items += await _sessions(request, database.database, database.connection)
        items += await _counters(request, life, database)
    for stream in life.plan.record.streams:
        unchanged, told = await topics.unwritten(request, stream)
        items.append(_item("topics_unwritten", stream.stream, unchanged, told))
    return items


async def _changes(request: LeavingRequest, life: PlanLife, planned: PlannedObjects) -> list[UnusedItem]:
    changed, added = await deletion_of(request, life, planned).changes()
    told = f"{len(changed):,} objects changed or gone since the plan"
    told += f": {enumeration(changed, _SHOWN)}" if changed else ""
    return [
        _item("objects_unchanged", planned.dataset, not changed, told),
        UnusedItem(
            item="objects_added",
            subject=planned.dataset,
            verdict="failed" if added else "passed",
            detail=f"{added:,} objects were written since; the plan does not know them, and they stay",
        ),
    ]


async def _counters(request: LeavingRequest, life: PlanLife, planned: PlannedDatabase) -> list[UnusedItem]:
    connection = request.connections(planned.connection)
    stand = await asyncio.to_thread(tables.stand_of, connection, request.spec.migration, planned)
    now = await asyncio.to_thread(tables.counters, connection, planned)
    event = next((each.record for each in reversed(life.events) if each.record.kind == "disabled"), None)
    before = event.changes if event else {}
    scans = event.scans if event else {}
    written = read = 0
    for table in planned.tables:
        key = f"{planned.database}/{table.oid}"
        seen, wrote = now.get(table.oid, (0, 0))
        written += max(0, wrote - before.get(key, wrote))
        read += max(0, seen - scans.get(key, seen))
    aside = len(stand.aside) == len(planned.tables)
    told = f"{len(stand.aside)} of {len(planned.tables)} tables are set aside"
    return [
        _item("tables_aside", planned.database, aside, told),
        _item("tables_unwritten", planned.database, not written, f"{written:,} rows written since"),
        UnusedItem(
            item="tables_unread",
            subject=planned.database,
            verdict="unknown" if read else "passed",
            detail=f"read {read:,} times since they were set aside"
            + ("; comparisons by an earlier attempt at the deletion are among these" if read else ""),
        ),
    ]


def _none(item: str, subject: str, found: Sequence[str], does: str) -> UnusedItem:
    return _item(
        item, subject, not found, f"{enumeration(found, _SHOWN)} {does}" if found else f"nothing {does}"
    )


def _item(item: str, subject: str, passed: bool, detail: str, *evidence: EvidenceRef) -> UnusedItem:
    return UnusedItem(
        item=item,
        subject=subject,
        verdict="passed" if passed else "failed",
        detail=detail,
        evidence=evidence,
    )
