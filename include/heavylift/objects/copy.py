"""Copying one shard of a plan: many objects at once, resumable, with a manifest of what is there."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from heavylift.errors import (
    CredentialError,
    HeavyliftError,
    IncompleteError,
    IntegrityError,
    NoRoomError,
    NotFoundError,
    ServerUnavailableError,
    TransientError,
    WindowClosedError,
)
from heavylift.evidence.paths import manifest_path, plan_path, shard_folder, shard_result_path
from heavylift.evidence.records import (
    MAX_LISTED,
    Failure,
    Finding,
    PlanRecord,
    Severity,
    ShardResult,
    Tally,
    utc_now,
)
from heavylift.evidence.store import EvidenceStore
from heavylift.objects.attributes import ATTRIBUTE
from heavylift.objects.budget import MemoryBudget
from heavylift.objects.claims import claim_attempt
from heavylift.objects.copier import LEFT_BEHIND, Copier, with_attributes_named
from heavylift.objects.copy_object import copy_object
from heavylift.objects.hours import Hours
from heavylift.objects.journal import UploadJournal
from heavylift.objects.making_way import make_way
from heavylift.objects.manifest import (
    SKIPPED,
    ManifestRow,
    PlanRow,
    read_plan_shard,
    read_settled,
    wrong_row,
)
from heavylift.objects.manifest_writer import ManifestWriter
from heavylift.objects.manners import Manners
from heavylift.objects.overlap import Overlap
from heavylift.objects.progress import Meter, Progress
from heavylift.objects.requests import TransferRequest
from heavylift.objects.sessions import evidence_of, open_both
from heavylift.objects.undecided import Sides
from heavylift.objects.windows import Windows
from heavylift.platforms.ports import ObjectStore
from heavylift.platforms.tags import KEPT_OTHERWISE

MOST_TRANSIENT_IN_A_ROW = 20
"""After so many objects failed by themselves one after the other, the other side is taken for down."""
MOST_REFUSED_IN_A_ROW = 20
"""After so many objects were refused one after the other, the rest is taken to be refused as well."""


@dataclass(slots=True)
class _Count:
    """A tally that grows; a Tally for each object would cost more than its signature."""

    objects: int = 0
    size_bytes: int = 0

    def add(self, row: PlanRow) -> None:
        self.objects += 1
        self.size_bytes += row.size_bytes

    @property
    def tally(self) -> Tally:
        return Tally(objects=self.objects, size_bytes=self.size_bytes)


@dataclass
class _Outcome:
    """What an attempt has settled so far."""

    moved: _Count = field(default_factory=_Count)
    unchanged: _Count = field(default_factory=_Count)
    failed: _Count = field(default_factory=_Count)
    vanished: _Count = field(default_factory=_Count)
    skipped: _Count = field(default_factory=_Count)
    failures: list[Failure] = field(default_factory=list)
    errors: list[HeavyliftError] = field(default_factory=list)
    transient_in_a_row: int = 0
    refused_in_a_row: int = 0
    stopped_by: HeavyliftError | None = None

    def settled(self, row: PlanRow, done: ManifestRow) -> None:
        self.transient_in_a_row = self.refused_in_a_row = 0
        counts = {"moved": self.moved, SKIPPED: self.skipped}
        counts.get(done.outcome, self.unchanged).add(row)

    def gone(self, row: PlanRow) -> None:
        self.vanished.add(row)

    def error(self, row: PlanRow, error: HeavyliftError) -> None:
        self.failed.add(row)
        if len(self.failures) < MAX_LISTED:
            self.failures.append(Failure(key=row.rel, error=error.attrs()))
            self.errors.append(error)
        self.transient_in_a_row = self.transient_in_a_row + 1 if isinstance(error, TransientError) else 0
        self.refused_in_a_row = self.refused_in_a_row + 1 if isinstance(error, CredentialError) else 0
        # Where there is no room for this object, there is none for the next.
        if (
            isinstance(error, NoRoomError)
            or self.refused_in_a_row >= MOST_REFUSED_IN_A_ROW
            or self.transient_in_a_row >= MOST_TRANSIENT_IN_A_ROW
        ):
            self.stopped_by = error


async def copy_shard(
    request: TransferRequest,
    shard: int,
    attempt: int = 1,
    report: Callable[[Progress], None] | None = None,
) -> ShardResult:
    """Copy what is left of one shard to the target and write manifest and result as evidence.

    Idempotent: objects in manifests of earlier attempts, and equal objects on the target, are
    left; parts of large objects that were sent are not sent again. Stopping it at any point
    leaves nothing half-written under a key.

    :param attempt: the caller's try number; where that attempt has left evidence already, the
        next free number is taken.
    :param report: called with the progress when copying begins, about every second, and at the end.
    :raises IncompleteError: some objects failed for good; the result and message name them.
    :raises WindowClosedError: the time window is closed, or closed meanwhile: what was in flight
        has been finished, nothing has failed, and running again when it opens does the rest.
    :raises TransientError: what failed may go away; running again does only the rest.
    """
    limits = request.options.limits
    hours = Hours(Windows(limits.windows))
    if hours.closed():
        raise hours.refusal(f"copy of shard {shard} of dataset {request.dataset!r}", "nothing was begun")
    async with evidence_of(request) as evidence:
        plan = PlanRecord.model_validate(await evidence.read_json(plan_path(request.run, request.dataset)))
        rows = await _rows_of(evidence, plan, shard)
        number = await claim_attempt(evidence, request.run, request.dataset, shard, attempt)
        overlap = await Overlap.since_now(evidence, request.run, request.dataset, shard, number)
        earlier, wrong = await _settled_before(evidence, request, shard)
        rows = [_to_replace(row, wrong) for row in rows]
        manners = Manners(limits, min(request.options.tasks_at_once, len(plan.shards)))
        async with open_both(request, manners) as (source, target):
            work = _Attempt(request, evidence, source, target, shard, number, manners, hours, overlap)
            work.told = await make_way(request, evidence, source, target, plan, rows)
            return await work.run(rows, earlier, report)


async def _rows_of(evidence: EvidenceStore, plan: PlanRecord, shard: int) -> list[PlanRow]:
    if plan.rows is None:
        return []
    with tempfile.TemporaryDirectory(prefix="heavylift-shard-") as folder:
        path = Path(folder) / "plan.parquet"
        await evidence.fetch(plan.rows.path, path)
        return read_plan_shard(path, shard)


def _to_replace(row: PlanRow, wrong: Mapping[str, str]) -> PlanRow:
    """Return a row that replaces what an earlier attempt has left wrong under its key."""
    if row.rel not in wrong:
        return row
    return replace(row, action="replace", target_version=wrong[row.rel])


async def _settled_before(
    evidence: EvidenceStore, request: TransferRequest, shard: int
) -> tuple[set[str], dict[str, str]]:
    """Return what earlier attempts have settled, and what they have left wrong on the target, by key."""
    settled: set[str] = set()
    wrong: dict[str, str] = {}
    names = await evidence.names(shard_folder(request.run, request.dataset, shard))
    with tempfile.TemporaryDirectory(prefix="heavylift-shard-") as folder:
        path = Path(folder) / "manifest.parquet"
        for name in names:
            if name.endswith(".parquet"):
                await evidence.fetch(name, path)
                done, left = read_settled(path)
                settled |= done
                wrong |= left
    return settled, wrong


class _Attempt:
    """One attempt at one shard."""

    def __init__(
        self,
        request: TransferRequest,
        evidence: EvidenceStore,
        source: ObjectStore,
        target: ObjectStore,
        shard: int,
        number: int,
        manners: Manners,
        hours: Hours,
        overlap: Overlap,
    ) -> None:
        self._manners, self._hours, self._overlap = manners, hours, overlap
        self._request, self._evidence = request, evidence
        self._source, self._target = source, target
        self._sides = Sides(source, target)
        self._shard, self._number = shard, number
        self._outcome = _Outcome()
        self._began: datetime = utc_now()
        self.told: tuple[Finding, ...] = ()
        run, dataset = request.run, request.dataset
        self._manifest = ManifestWriter(evidence, lambda n: manifest_path(run, dataset, shard, number, n))

    async def run(
        self, rows: list[PlanRow], earlier: set[str], report: Callable[[Progress], None] | None
    ) -> ShardResult:
        """Work through the rows with bounded concurrency and memory."""
        meter = Meter(_tally(rows), pressure=self._manners.pressure)
        copier = self._copier(meter)
        todo = [row for row in rows if row.rel not in earlier]
        before = _tally([row for row in rows if row.rel in earlier])
        self._outcome.unchanged = _Count(before.objects, before.size_bytes)
        meter.start_with(before)
        queue = iter(todo)
        workers = min(self._request.options.limits.max_concurrency, len(todo))
        if report:
            report(meter.look())
        try:
            async with meter.reporting(report), asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(queue, copier, meter))
        finally:
            # Also when cancelled: what is on the target by now must be known to the next attempt.
            await asyncio.shield(self._manifest.flush())
        result = self._result(rows, copier, meter, await self._overlap.attempts())
        path = shard_result_path(self._request.run, self._request.dataset, self._shard, self._number)
        await self._evidence.write_json(path, result)
        self._raise_for(result, path)
        return result

    def _copier(self, meter: Meter) -> Copier:
        limits = self._request.options.limits
        return Copier(
            source=self._source,
            target=self._target,
            source_prefix=self._request.source.location.prefix,
            target_prefix=self._request.target.location.prefix,
            budget=MemoryBudget(limits.memory_budget),
            journal=UploadJournal(self._evidence, self._request.run.migration, self._request.dataset),
            keep=self._request.options.metadata,
            storage_class=self._request.options.storage_class,
            part_bytes=limits.part_size,
            arrived=meter.add_bytes,
            hours=self._hours,
            look_first=self._number > 1,
            on_conflict=self._request.options.on_conflict,
        )

    async def _work(self, queue: object, copier: Copier, meter: Meter) -> None:
        outcome = self._outcome
        for row in queue:  # type: ignore[attr-defined]
            if outcome.stopped_by is not None or self._hours.closed():
                return
            before = meter.size_bytes
            try:
                done = await copy_object(copier, row)
            except NotFoundError as error:
                await self._not_found(copier, row, error)
            except WindowClosedError:
                return
            except HeavyliftError as error:
                await self._failed(copier, row, error)
                continue  # what failed is not told as copied
            else:
                outcome.settled(row, done)
                if self._manifest.add(done):
                    await self._manifest.flush()
                if done.outcome != "moved" and meter.size_bytes == before:
                    meter.add_bytes(row.size_bytes)
            meter.add_object()

    async def _failed(self, copier: Copier, row: PlanRow, error: HeavyliftError) -> None:
        self._outcome.error(row, with_attributes_named(copier, row.rel, error))
        if isinstance(error, IntegrityError) and error.left_version:
            self._manifest.add(wrong_row(row, error.left_version))
        if isinstance(error, CredentialError):
            await self._refused()

    async def _refused(self) -> None:
        """Tell one object that may not be read or written from an identity that may do nothing any more."""
        try:
            await self._sides.demand_answers()
        except TransientError:
            return  # It says nothing of permissions, and meets the next object just as well.
        except HeavyliftError as error:
            self._outcome.stopped_by = error

    async def _not_found(self, copier: Copier, row: PlanRow, error: NotFoundError) -> None:
        """Tell an object that has gone from its source from a container that has."""
        try:
            await copier.source.check()
            await copier.target.check()
            await copier.source.head(copier.source_prefix + row.rel)
        except NotFoundError as again:
            if "bucket" in again.got.lower() or "container" in again.got.lower():
                self._outcome.error(row, again)
                self._outcome.stopped_by = again
            else:
                self._outcome.gone(row)
        except HeavyliftError as other:
            self._outcome.error(row, other)
        else:
            self._outcome.error(row, error)

    def _result(
        self, rows: list[PlanRow], copier: Copier, meter: Meter, overlapped: tuple[int, ...]
    ) -> ShardResult:
        outcome, found = self._outcome, _tally(rows)
        counts = (outcome.moved, outcome.unchanged, outcome.failed, outcome.vanished, outcome.skipped)
        settled = sum((count.tally for count in counts), Tally())
        return ShardResult(
            run=self._request.run,
            dataset=self._request.dataset,
            shard=self._shard,
            attempt=self._number,
            started_at=self._began,
            ended_at=utc_now(),
            found=found,
            moved=outcome.moved.tally,
            unchanged=outcome.unchanged.tally,
            failed=outcome.failed.tally,
            vanished=outcome.vanished.tally,
            skipped=outcome.skipped.tally,
            left=Tally(
                objects=found.objects - settled.objects, size_bytes=found.size_bytes - settled.size_bytes
            ),
            failures=tuple(outcome.failures),
            notes=(*self.told, *_notes(self._request.dataset, copier.notes)),
            manifests=tuple(self._manifest.refs),
            samples=tuple(meter.samples),
            rejected_reads=copier.rejected_reads,
            resent_bytes=copier.resent_bytes,
            renewed=copier.renewed,
            throttled=self._manners.pressure().throttled,
            overlapped=overlapped,
            stopped_by="window" if self._stopped_by_window(found.objects - settled.objects) else "",
        )

    def _stopped_by_window(self, left: int) -> bool:
        return left > 0 and self._outcome.stopped_by is None and self._hours.closed()

    def _raise_for(self, result: ShardResult, path: str) -> None:
        undone = result.failed.objects + result.left.objects
        if not undone:
            return
        done = result.moved.objects + result.unchanged.objects
        if result.stopped_by and not result.failed.objects:
            raise self._hours.refusal(
                f"copy of shard {self._shard} of dataset {self._request.dataset!r}",
                f"{done} of {result.found.objects} objects are on the target and proved,"
                f" {result.left.objects} are left; see evidence {path}",
            )
        first = self._outcome.stopped_by or self._outcome.errors[0]
        only_transient = all(isinstance(e, TransientError) for e in self._outcome.errors)
        kind = ServerUnavailableError if only_transient else IncompleteError
        raise kind(
            f"copy of shard {self._shard} of dataset {self._request.dataset!r}",
            got=f"{result.failed.objects} objects failed, {result.left.objects} not tried; first: {first}",
            expected=f"all {result.found.objects} objects on the target",
            state=f"{done} objects are on the target and proved; all cases are in evidence {path}",
            remedy="mend the cause, then clear this task: only the rest is done",
            code="5021" if only_transient else "5020",
        )


def _notes(dataset: str, notes: list[tuple[str, str]]) -> tuple[Finding, ...]:
    """Return notes as findings, those about what is not merely kept in another form first."""
    worst_first = sorted(notes, key=lambda note: KEPT_OTHERWISE in note[1])[:MAX_LISTED]
    return tuple(
        Finding(
            rule="target-differs" if text == LEFT_BEHIND else ATTRIBUTE,
            severity=Severity.NOTE,
            subject=f"{dataset}: {rel}",
            detail=text,
        )
        for rel, text in worst_first
    )


def _tally(rows: list[PlanRow]) -> Tally:
    return Tally(objects=len(rows), size_bytes=sum(row.size_bytes for row in rows))
