"""The deletion certificate: issued once everything of a plan is seen to be gone, and only as far as it is."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

from heavylift.decommission import tables, topics
from heavylift.decommission.certificate_text import certificate_markdown
from heavylift.decommission.life import demand_life, note
from heavylift.decommission.object_deletes import Absence, deletion_of
from heavylift.decommission.requests import LeavingRequest
from heavylift.errors import IncompleteError
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.decommission_evidence import PlanLife, consents, latest_certificate
from heavylift.evidence.decommission_records import (
    CertifiedPart,
    DeletionCertificate,
    PlannedDatabase,
    PlannedObjects,
    PlannedStream,
    certificate_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import utc_now

MARKDOWN = "text/markdown; charset=utf-8"
SANITISATION = (
    "Objects and tables were deleted through the interfaces of their store and database. No level of NIST SP"
    " 800-88 (Clear, Purge, Destroy) is claimed: these are about media, which only the provider can sanitise."
    " No encryption key was destroyed, so this is no cryptographic erase; where the data was encrypted by a"
    " key of its owner's alone, destroying that key afterwards would be one."
)


async def certify(
    request: LeavingRequest,
) -> tuple[DeletionCertificate, EvidenceRef]:
    """Look at the source afresh, and issue the certificate; a second call returns the one there is.

    It is kept as JSON and as Markdown, and noted in the hash-chained audit trail.

    :raises IncompleteError: the deletion has not come to its end, or something of the plan is still there.
    """
    life = await demand_life(request)
    if life.state != "deleted":
        raise _not_deleted(request, life)
    kept = await latest_certificate(request.store, life)
    if kept is not None and kept.record.complete:
        return kept.record, kept.ref
    parts = [await _of_objects(request, life, each) for each in life.plan.record.datasets]
    parts += [await _of_tables(request, each) for each in life.plan.record.databases]
    parts += [await _of_topics(request, each) for each in life.plan.record.streams]
    certificate = await _certificate(request, life, parts)
    if not certificate.complete:
        raise _still_there(request, parts)
    number, ref = await write_next(
        request.store,
        lambda each: certificate_path(life.plan.record.migration, life.number, each),
        certificate,
    )
    path = certificate_path(life.plan.record.migration, life.number, number).removesuffix(".json") + ".md"
    text = certificate_markdown(certificate, ref.sha256)
    written = await request.store.write_bytes(path, text.encode(), MARKDOWN)
    details = {"plan": life.number, "items": sum(each.items for each in parts)}
    await note(request, "decommission.certified", (ref, written, life.plan.ref), details)
    return certificate, ref


async def _certificate(
    request: LeavingRequest, life: PlanLife, parts: list[CertifiedPart]
) -> DeletionCertificate:
    agreed = [each for stage in ("disable", "delete") for each in await consents(request.store, life, stage)]
    plan = life.plan.record
    return DeletionCertificate(
        migration=plan.migration,
        plan=life.number,
        plan_sha256=life.plan.ref.sha256,
        run=request.run,
        issued_by=request.actor,
        owner=plan.owner,
        disabled_at=_moment(life.first("disabled")),
        deletion_began_at=_moment(life.first("deleting")),
        deletion_ended_at=_moment(life.at("deleted")),
        consents=tuple(each.record for each in agreed),
        parts=tuple(parts),
        retained=plan.retained,
        by_people=plan.by_people,
        not_proved=plan.not_proved,
        sanitisation=SANITISATION,
        evidence=(life.plan.ref, *(each.ref for each in agreed), *(each.ref for each in life.events)),
        complete=all(each.proved for each in parts),
    )


async def _of_objects(request: LeavingRequest, life: PlanLife, planned: PlannedObjects) -> CertifiedPart:
    deletion = deletion_of(request, life, planned)
    deleted, absent, size = await deletion.totals()
    after = await deletion.look_after()
    whole = deleted + absent == planned.versions
    ended = life.at("deleted")
    until = ""
    if planned.kept_seconds and ended:
        until = f"{ended + timedelta(seconds=planned.kept_seconds):%Y-%m-%d %H:%M} UTC"
    elif planned.kept_seconds is None:
        until = "not told by the store"
    counted = f"{planned.objects:,} objects"
    if planned.by_version:
        counted += f" in {planned.versions:,} versions, {planned.markers:,} of them delete markers"
    return CertifiedPart(
        component=f"dataset/{planned.dataset}",
        where=planned.url,
        counted=counted,
        items=planned.versions,
        absent_before=absent,
        size_bytes=size,
        method="deleted by version id" if planned.by_version else "deleted on condition of its version",
        digest_before=planned.rows_sha256,
        absence=_absence(after),
        proved=whole and not after.still,
        left=f"{after.beside:,} rows, {after.beside_bytes:,} bytes that the plan does not list",
        recoverable_until=until,
    )


async def _of_tables(request: LeavingRequest, planned: PlannedDatabase) -> CertifiedPart:
    connection = request.connections(planned.connection)
    stand = await asyncio.to_thread(tables.stand_of, connection, request.spec.migration, planned)
    left = len(planned.tables) - len(stand.gone)
    lines = "".join(f"{each.full_name} {each.rows} {each.digest}\n" for each in planned.tables)
    rows = sum(each.rows for each in planned.tables)
    return CertifiedPart(
        component=f"database/{planned.database}",
        where=planned.where,
        counted=f"{len(planned.tables)} tables, {rows:,} rows: "
        + ", ".join(each.full_name for each in planned.tables),
        items=len(planned.tables),
        size_bytes=sum(each.size_bytes for each in planned.tables),
        method="DROP TABLE in one transaction, after their rows were counted and digested under a lock",
        digest_before=hashlib.sha256(lines.encode()).hexdigest(),
        absence=f"the catalog of {planned.where} knew {left} of their oids at"
        f" {utc_now():%Y-%m-%d %H:%M:%S} UTC",
        proved=not left,
        recoverable_until="not told by the server: backups and archives have their own retention",
    )


async def _of_topics(request: LeavingRequest, planned: PlannedStream) -> CertifiedPart:
    left = await topics.still_there(request, planned)
    lines = "".join(f"{each.name} {each.id} {each.ends}\n" for each in planned.topics)
    offsets = sum(each.offsets for each in planned.topics)
    return CertifiedPart(
        component=f"stream/{planned.stream}",
        where=planned.where,
        counted=f"{len(planned.topics)} topics, {offsets:,} offsets: "
        + ", ".join(each.name for each in planned.topics),
        items=len(planned.topics),
        size_bytes=0,
        method="deleted by name, once each was seen to have the planned id and ends",
        digest_before=hashlib.sha256(lines.encode()).hexdigest(),
        absence=f"the brokers of {planned.where} knew {len(left)} of their ids at"
        f" {utc_now():%Y-%m-%d %H:%M:%S} UTC",
        proved=not left,
        recoverable_until="not told by the brokers, which remove files later",
    )


def _absence(after: Absence) -> str:
    when = f"at {utc_now():%Y-%m-%d %H:%M:%S} UTC"
    if after.still:
        return f"a fresh listing {when} still has {after.still:,} of them, such as {after.example}"
    return f"a fresh listing {when} has none of them"


def _moment(moment: datetime | None) -> datetime:
    return moment or datetime.fromtimestamp(0, UTC)


def _not_deleted(request: LeavingRequest, life: PlanLife) -> IncompleteError:
    return IncompleteError(
        f"certifying the deletion of the source of {request.spec.migration}",
        got=f"plan {life.number}, which is {life.state}",
        expected="a deletion that has come to its end",
        state="no certificate was issued",
        remedy="delete first: heavylift decommission delete SPEC",
        code="9328",
    )


def _still_there(request: LeavingRequest, parts: list[CertifiedPart]) -> IncompleteError:
    named = "; ".join(f"{each.component}: {each.absence}" for each in parts if not each.proved)
    return IncompleteError(
        f"certifying the deletion of the source of {request.spec.migration}",
        got=named,
        expected="nothing of the plan on the source",
        state="no certificate was issued",
        remedy="find who has put it back; what came since the plan needs a plan of its own",
        code="9329",
    )
