"""Acts on envelopes with their evidence: a record, its rows, and an entry in the audit trail."""

from __future__ import annotations

from heavylift.envelopes import api
from heavylift.envelopes.requests import EnvelopeRequest
from heavylift.errors import NotFoundError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act as AuditAct
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.envelope_records import (
    Act,
    EnvelopeRecord,
    EnvelopeRow,
    envelope_path,
    envelope_rows,
    read_envelope_rows,
    rows_path,
)
from heavylift.evidence.numbered import write_next, write_next_bytes
from heavylift.evidence.records import utc_now
from heavylift.evidence.run_evidence import Kept, read_latest
from heavylift.evidence.store import PARQUET, EvidenceStore

SHOWN = 10
_ACTIONS = {
    "seal": "envelope.sealed",
    "open": "envelope.opened",
    "verify": "envelope.verified",
    "rewrap": "envelope.rewrapped",
}


async def act_on(
    store: EvidenceStore, request: EnvelopeRequest, act: Act, actor: str, tell: api.Tell = lambda _: None
) -> tuple[EnvelopeRecord, EvidenceRef | None]:
    """Carry an act out, and keep what it came to; a dry run keeps nothing.

    :raises NotFoundError: to verify, and nothing was sealed under this name.
    :raises CredentialError: a store or a key refuses.
    """
    started = utc_now()
    if act == "seal":
        done = await api.seal(request, await _digests(store, request), tell)
    elif act == "open":
        done = await api.open_sealed(request, tell)
    elif act == "verify":
        done = await api.verify(request, await manifest_of(store, request), tell)
    else:
        done = await api.rewrap(request, tell)
    counts = {each: sum(row.outcome == each for row in done.rows) for each in ("done", "equal", "failed")}
    planned = sum(row.outcome == "would" for row in done.rows)
    rows = None
    if not request.dry_run:
        _, rows = await write_next_bytes(
            store,
            lambda number: rows_path(request.migration, request.name, act, number),
            envelope_rows(done.rows),
            PARQUET,
        )
    failures = [f"{row.name}: {row.reason}" for row in done.rows if row.outcome == "failed"]
    record = EnvelopeRecord(
        migration=request.migration,
        name=request.name,
        act=act,
        source=str(request.plain.location) if request.plain and act == "seal" else "",
        target=str(request.sealed.location),
        key=done.key,
        started_at=started,
        found=len(done.rows),
        **counts,
        planned=planned,
        size_bytes=sum(row.size_bytes for row in done.rows),
        sent_bytes=done.sent_bytes,
        extra=done.extra[:SHOWN],
        failures=tuple(failures[:SHOWN]),
        rows=rows,
        passed=not counts["failed"] and bool(done.rows),
        statement=_statement(act, counts, len(done.rows), dry_run=request.dry_run),
    )
    if request.dry_run:
        return record, None
    _, ref = await write_next(
        store, lambda number: envelope_path(request.migration, request.name, act, number), record
    )
    details = {**counts, "wrapped_by": done.key, "passed": record.passed, "target": record.target}
    if act == "open" and request.plain is not None:
        details["opened_into"] = str(request.plain.location)
    await AuditTrail(store, request.migration).append(
        AuditAct(actor, _ACTIONS[act], "envelopes", "", request.name, (ref,), details)
    )
    return record, ref


async def manifest_of(store: EvidenceStore, request: EnvelopeRequest) -> list[EnvelopeRow]:
    """Return what was sealed: the rows of the newest sealing that have a digest.

    :raises NotFoundError: nothing was sealed under this name.
    """
    kept = await _newest(store, request)
    if kept is None or kept.record.rows is None:
        raise NotFoundError(
            f"verifying envelope {request.name!r} of migration {request.migration!r}",
            got="no record of a sealing",
            expected="one in this evidence store",
            state="nothing was concluded",
            remedy="name the envelope and migration that it was sealed under, and their evidence store",
            code="9367",
        )
    return [row for row in await read_envelope_rows(store, kept.record.rows) if row.sha256]


async def _digests(store: EvidenceStore, request: EnvelopeRequest) -> dict[tuple[str, str], str]:
    kept = await _newest(store, request)
    if kept is None or kept.record.rows is None:
        return {}
    rows = await read_envelope_rows(store, kept.record.rows)
    return {(row.name, row.key_id): row.sha256 for row in rows if row.sha256 and row.digest_from == "source"}


async def _newest(store: EvidenceStore, request: EnvelopeRequest) -> Kept[EnvelopeRecord] | None:
    return await read_latest(
        store, lambda number: envelope_path(request.migration, request.name, "seal", number), EnvelopeRecord
    )


def _statement(act: Act, counts: dict[str, int], found: int, *, dry_run: bool) -> str:
    words = {"seal": "sealed", "open": "opened", "verify": "opened and equal", "rewrap": "wrapped anew"}
    if not found:
        return "nothing was found, which proves nothing"
    if dry_run:
        return f"{found:,} would be {words[act]}"
    equal = f", {counts['equal']:,} were so already" if counts["equal"] else ""
    failed = f", {counts['failed']:,} failed" if counts["failed"] else ""
    return f"{counts['done']:,} of {found:,} {words[act]}{equal}{failed}"
