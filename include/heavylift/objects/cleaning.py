"""Cleaning up after uploads that no run will finish.

A killed mover leaves an upload with the parts that it has sent, for the next run to go on with. Where
none will, because the source has changed or the part size has, those parts lie on the target, unseen
and paid for. Only uploads that the journal of the migration names are ever aborted: what a store
holds besides may be somebody else's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Literal

from heavylift.connections import Connection
from heavylift.errors import HeavyliftError, NotFoundError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.records import MAX_LISTED, Record, VerificationRecord, utc_now
from heavylift.evidence.store import EvidenceStore, open_evidence
from heavylift.objects.journal import JournalEntry, UploadJournal, journal_entries
from heavylift.objects.part_layout import layout_of
from heavylift.objects.requests import TransferRequest
from heavylift.objects.sessions import evidence_of, open_both
from heavylift.objects.verify import verify_transfer
from heavylift.platforms.open_uploads import ListsUploads, OpenUpload
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ObjectStore
from heavylift.platforms.wiring import open_store
from heavylift.spec.quantities import format_duration

Fate = Literal["aborted", "kept", "failed"]
Judge = Callable[[JournalEntry], Awaitable[tuple[bool, str]]]
"""Tells whether an upload is to be aborted, and why."""


class UploadFate(Record):
    """What became of one upload that the journal names.

    :param why: in words, or the error where it could not be aborted.
    """

    key: str
    upload_id: str
    fate: Fate
    why: str


class Cleaning(Record):
    """What a cleaning found on the target and did.

    :param lists: the store tells which uploads are in progress; one where they end by themselves does not.
    :param found: uploads in progress for keys under the target's prefix (on Cloud Storage: in the bucket).
    :param ours: those of them that the journal names; ``aborted + kept + failed``.
    :param others: the rest, left alone: somebody else's, or of a mover that was killed before it could
        note the id.
    """

    lists: bool = True
    dry_run: bool = False
    found: int = 0
    ours: int = 0
    aborted: int = 0
    kept: int = 0
    failed: int = 0
    others: int = 0
    uploads: tuple[UploadFate, ...] = ()
    left_alone: tuple[str, ...] = ()
    problem: str = ""

    @property
    def complete(self) -> bool:
        """Whether everything was looked at, and all that was to be aborted is."""
        return not self.failed and not self.problem


async def verify_and_clean(request: TransferRequest) -> tuple[VerificationRecord, Cleaning]:
    """Verify a dataset, then abort its uploads that no run will finish; see the two."""
    record = await verify_transfer(request)
    return record, await clean_after_verification(request, record)


async def clean_after_verification(request: TransferRequest, record: VerificationRecord) -> Cleaning:
    """Abort this dataset's uploads that no run will finish.

    An upload is kept only if the next run would go on with it: its source object is there in the
    version that the upload was begun for, the part size of ``request`` is that of the upload, and
    ``record`` does not prove all objects equal without it. Idempotent. What is wrong with the
    cleaning is told in the result, because the data are no less proved for it.
    """
    try:
        async with evidence_of(request) as evidence, open_both(request) as (source, target):
            return await _clean_dataset(request, evidence, source, target, record)
    except HeavyliftError as error:
        return Cleaning(problem=str(error))


async def clean_uploads(
    target: Place,
    migration: str,
    evidence_url: str | None,
    evidence_connection: Connection | None,
    *,
    older_than: timedelta,
    actor: str,
    dry_run: bool = False,
) -> Cleaning:
    """Abort the uploads below ``target`` that the migration's journal names and began long enough ago.

    For uploads whose dataset will not be moved again. A run that is still at work on one of them sends
    that object again. Idempotent; with ``dry_run`` nothing is changed.

    :param actor: who asks for it, for the audit trail.
    :raises HeavyliftError: the evidence or the target cannot be read; nothing was aborted then.
    """
    began_before = utc_now() - older_than

    async def judge(entry: JournalEntry) -> tuple[bool, str]:
        if entry.noted_at <= began_before:
            return True, f"begun {_ago(entry.noted_at)} ago"
        return False, f"begun only {_ago(entry.noted_at)} ago"

    async with (
        open_evidence(evidence_url, evidence_connection) as evidence,
        open_store(target.location, target.connection) as store,
    ):
        done = await _clean(evidence, migration, "", store, target.location.prefix, judge, dry_run=dry_run)
        if done.ours and not dry_run:
            await _note(evidence, migration, actor, str(target.location), done)
        return done


async def _note(evidence: EvidenceStore, migration: str, actor: str, subject: str, done: Cleaning) -> None:
    details = {"aborted": done.aborted, "kept": done.kept, "failed": done.failed, "others": done.others}
    act = Act(actor=actor, action="uploads.cleaned", subject=subject, details=details)
    await AuditTrail(evidence, migration).append(act)


async def _clean_dataset(
    request: TransferRequest,
    evidence: EvidenceStore,
    source: ObjectStore,
    target: ObjectStore,
    record: VerificationRecord,
) -> Cleaning:
    source_prefix, target_prefix = request.source.location.prefix, request.target.location.prefix
    journal = UploadJournal(evidence, request.run.migration, request.dataset)
    # With newer objects on the source, another run may be at work on one of them.
    all_equal = record.passed and not record.newer_on_source

    async def judge(entry: JournalEntry) -> tuple[bool, str]:
        if all_equal:
            return True, "both sides are proved equal without it"
        if not entry.key.startswith(target_prefix):
            return True, "the dataset goes elsewhere now"
        try:
            head = await source.head(source_prefix + entry.key.removeprefix(target_prefix))
        except NotFoundError:
            return True, "its object has gone from the source"
        layout = layout_of(head, request.options.limits.part_size, target.traits)
        if not await journal.would_resume(entry, head.object.version, layout.part_bytes):
            return True, "its object has changed on the source, or the part size has"
        return False, "the next run goes on with it"

    return await _clean(evidence, request.run.migration, request.dataset, target, target_prefix, judge)


async def _clean(
    evidence: EvidenceStore,
    migration: str,
    dataset: str,
    store: ObjectStore,
    prefix: str,
    judge: Judge,
    *,
    dry_run: bool = False,
) -> Cleaning:
    if not isinstance(store, ListsUploads):
        return Cleaning(lists=False, dry_run=dry_run)
    open_ones = {found.upload_id: found async for page in store.open_uploads(prefix) for found in page}
    fates: list[UploadFate] = []
    # Most of the time nothing is open, and then the journal, which only grows, need not be read.
    if open_ones:
        async for entry in journal_entries(evidence, migration, dataset):
            if entry.upload_id in open_ones and entry.key.startswith(prefix):
                del open_ones[entry.upload_id]
                fates.append(await _settle(store, entry, judge, dry_run=dry_run))
    return _told(fates, list(open_ones.values()), dry_run=dry_run)


async def _settle(store: ObjectStore, entry: JournalEntry, judge: Judge, *, dry_run: bool) -> UploadFate:
    fate: Fate = "kept"
    try:
        abandoned, why = await judge(entry)
        if abandoned:
            fate = "aborted"
            if not dry_run:
                await store.abort_upload(entry.upload)
    except HeavyliftError as error:
        fate, why = "failed", str(error)
    return UploadFate(key=entry.key, upload_id=entry.upload_id, fate=fate, why=why)


def _told(fates: list[UploadFate], others: list[OpenUpload], *, dry_run: bool) -> Cleaning:
    counts = {name: sum(fate.fate == name for fate in fates) for name in ("aborted", "kept", "failed")}
    return Cleaning(
        dry_run=dry_run,
        found=len(fates) + len(others),
        ours=len(fates),
        others=len(others),
        uploads=tuple(fates[:MAX_LISTED]),
        left_alone=tuple(f"{other.place} {other.upload_id}" for other in others[:MAX_LISTED]),
        **counts,
    )


def _ago(then: datetime) -> str:
    return format_duration(int((utc_now() - then).total_seconds()))
