"""Deleting on the target what has gone from the source, or putting it aside.

The plan has named each object with both versions. Here each is looked at once more: it must
still be missing on the source, and still be that version on the target. Nothing else is touched.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from heavylift.errors import (
    ConflictError,
    CredentialError,
    HeavyliftError,
    IncompleteError,
    NotFoundError,
    PreconditionError,
    ServerUnavailableError,
    TransientError,
    UnsupportedError,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import deletes_path, plan_path
from heavylift.evidence.records import (
    MAX_LISTED,
    DeletesRecord,
    Failure,
    Finding,
    PlanRecord,
    Severity,
    Tally,
    utc_now,
)
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.gone import BRAKE_REMEDY
from heavylift.objects.gone_rows import DoneRow, DoneRows, GoneRow, read_gone
from heavylift.objects.pool import for_each
from heavylift.objects.quarantine import copier_within, move_within, quarantine_prefix
from heavylift.objects.requests import SYNC, TransferRequest
from heavylift.objects.sessions import evidence_of, open_both
from heavylift.platforms.deleting import delete_version
from heavylift.platforms.ports import ObjectStore
from heavylift.spec.vocabulary import Deletes

DELETED, QUARANTINED, ALREADY_GONE, KEPT, FAILED = "deleted", "quarantined", "already_gone", "kept", "failed"
OUTCOMES = (DELETED, QUARANTINED, ALREADY_GONE, KEPT, FAILED)


async def delete_gone(request: TransferRequest) -> DeletesRecord:
    """Carry out the plan's deletions on the target, and write what became of each as evidence.

    Only in a sync, never in a dry run, and only by the plan of this run. An object goes only
    while it is missing on the source, which is asked right before, and while it is on the target
    in the version that Heavylift wrote, which the store itself checks where it can. With
    ``quarantine`` it is copied into the quarantine and proved there first.

    Idempotent: after a kill at any point a second call does the rest. Each call adds a numbered
    record and one Parquet row for each object.

    :raises ConflictError: so much would go that the brake holds; nothing was deleted.
    :raises IncompleteError: some objects could not be dealt with; the record names them.
    :raises TransientError: the same, but it may go away.
    """
    _demand_sync(request)
    async with evidence_of(request) as evidence:
        plan = await evidence.read_record(plan_path(request.run, request.dataset), PlanRecord)
        _demand_released(request, plan)
        with tempfile.TemporaryDirectory(prefix="heavylift-deletes-") as folder:
            rows = await read_gone(evidence, plan.gone_rows, Path(folder))
            async with open_both(request) as (source, target):
                return await Deletion(request, evidence, source, target, plan).run(rows, Path(folder))


@dataclass
class Deletion:
    """The deletion of what a plan lets go, or of a part of it.

    :param aside_before: so many of those put aside lay there already, by an earlier attempt.
    """

    request: TransferRequest
    evidence: EvidenceStore
    source: ObjectStore
    target: ObjectStore
    plan: PlanRecord
    tallies: dict[str, Tally] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, Tally()))
    findings: list[Finding] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    errors: list[HeavyliftError] = field(default_factory=list)
    aside_before: int = 0

    async def run(self, rows: list[GoneRow], work: Path) -> DeletesRecord:
        """Deal with each row, then write the record; raise where something failed."""
        began, started_at = time.monotonic(), utc_now()
        done = await self.deal_with(rows, work)
        record = self._record(done, started_at, time.monotonic() - began)
        run, dataset = self.request.run, self.request.dataset
        number, _ref = await write_next(self.evidence, lambda n: deletes_path(run, dataset, n), record)
        self._raise_for(record, deletes_path(run, dataset, number))
        return record

    async def deal_with(self, rows: list[GoneRow], work: Path) -> DoneRows:
        """Deal with each row and keep what became of it; what fails is in ``errors`` and ``failures``."""
        if rows:
            # A mount that has gone, or a lost permission, must not look like deleted objects.
            await self.source.check()
            await self.target.check()
        act = self._act()
        done = DoneRows(self.evidence, self.request.run, self.request.dataset, work)
        left = deque(rows)
        try:
            # Whether the identity may delete shows only when it does: until then no more than one copy is
            # put aside that might have to be left there.
            while self.plan.deletes == Deletes.QUARANTINE and left and not self.tallies[QUARANTINED].objects:
                await self._deal(left.popleft(), act, done)
            await for_each(
                left, lambda row: self._deal(row, act, done), self.request.options.limits.max_concurrency
            )
        finally:
            await done.flush()
        return done

    def _act(self) -> Callable[[GoneRow], Awaitable[str]]:
        prefix = self.request.target.location.prefix
        if self.plan.deletes == Deletes.PROPAGATE:
            return self._delete
        goal = quarantine_prefix(prefix, self.request.run.run)
        copier = copier_within(self.request, self.evidence, self.target, prefix, goal)

        async def put_aside(row: GoneRow) -> str:
            if not await move_within(copier, row.rel, row.size_bytes, row.target_version, or_nothing=True):
                self.aside_before += 1
            return QUARANTINED

        return put_aside

    async def _delete(self, row: GoneRow) -> str:
        await delete_version(self.target, self.request.target.location.prefix + row.rel, row.target_version)
        return DELETED

    async def _deal(self, row: GoneRow, act: Callable[[GoneRow], Awaitable[str]], done: DoneRows) -> None:
        outcome, detail = await self._outcome(row, act)
        self.tallies[outcome] += Tally(objects=1, size_bytes=row.size_bytes)
        await done.add(DoneRow(row, outcome, detail, int(utc_now().timestamp() * 1e6)))

    async def _outcome(self, row: GoneRow, act: Callable[[GoneRow], Awaitable[str]]) -> tuple[str, str]:
        try:
            if await self._is_back(row):
                return KEPT, "it is on the source again"
            return await act(row), ""
        except NotFoundError:
            return ALREADY_GONE, ""
        except PreconditionError as error:
            self._found_changed(row)
            return KEPT, error.got
        except CredentialError:
            # The next object would meet the same refusal.
            raise
        except HeavyliftError as error:
            self.errors.append(error)
            if len(self.failures) < MAX_LISTED:
                self.failures.append(Failure(key=row.rel, error=error.attrs()))
            return FAILED, str(error)

    async def _is_back(self, row: GoneRow) -> bool:
        try:
            await self.source.head(self.request.source.location.prefix + row.rel)
        except NotFoundError:
            return False
        return True

    def _found_changed(self, row: GoneRow) -> None:
        if len(self.findings) < MAX_LISTED:
            location = self.request.target.location
            self.findings.append(
                Finding(
                    rule="target-changed",
                    severity=Severity.WARNING,
                    subject=location.url_of(location.prefix + row.rel),
                    detail="has gone from the source, but changed on the target after the plan: it was kept",
                    remedy="find out who writes to the target; delete the object there, or leave it",
                )
            )

    def _record(self, done: DoneRows, started_at: datetime, seconds: float) -> DeletesRecord:
        location = self.request.target.location
        goal = quarantine_prefix(location.prefix, self.request.run.run)
        return DeletesRecord(
            run=self.request.run,
            dataset=self.request.dataset,
            policy=self.plan.deletes,
            started_at=started_at,
            planned=self.plan.to_delete,
            **self.tallies,
            allowed_beyond_brake=self.plan.brake,
            quarantine_url=location.url_of(goal) if self.plan.deletes == Deletes.QUARANTINE else "",
            findings=tuple(self.findings),
            failures=tuple(self.failures),
            rows=tuple(done.refs),
            seconds=round(seconds, 3),
        )

    def _raise_for(self, record: DeletesRecord, path: str) -> None:
        if not record.failed.objects:
            return
        only_transient = all(isinstance(error, TransientError) for error in self.errors)
        kind = ServerUnavailableError if only_transient else IncompleteError
        settled = record.planned.objects - record.failed.objects
        raise kind(
            f"deletion of what has gone from dataset {self.request.dataset!r}",
            got=f"{record.failed.objects} objects that could not be dealt with; first: {self.errors[0]}",
            expected=f"all {record.planned.objects} objects {self._wanted()}",
            state=f"{settled} objects are dealt with, the others are as they were; evidence {path} has all",
            remedy="mend the cause, then clear this task: only the rest is done",
            code="5041" if only_transient else "5042",
        )

    def _wanted(self) -> str:
        return "put aside" if self.plan.deletes == Deletes.QUARANTINE else "deleted"


def _demand_sync(request: TransferRequest) -> None:
    if request.run.phase == SYNC and not request.options.dry_run:
        return
    raise UnsupportedError(
        f"deletion in dataset {request.dataset!r}",
        got="a dry run" if request.options.dry_run else f"the phase {request.run.phase!r}",
        expected="a sync that is no dry run",
        state="nothing was deleted",
        remedy="let the sync delete",
        code="5043",
    )


def _demand_released(request: TransferRequest, plan: PlanRecord) -> None:
    """Hold the brake, unless the plan is within it or somebody allowed more."""
    if not plan.brake or request.options.allow_many_deletes:
        return
    raise ConflictError(
        f"deletion of what has gone from dataset {request.dataset!r}",
        got=plan.brake,
        expected="fewer deletions, or leave to make so many",
        state="nothing was deleted; what had to be copied is on the target",
        remedy=BRAKE_REMEDY,
        code="5044",
    )
