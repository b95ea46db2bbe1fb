"""One run of a two-way sync: compare three ways, decide, carry over, prove."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from heavylift.errors import (
    AlreadyExistsError,
    ConflictError,
    CredentialError,
    HeavyliftError,
    IncompleteError,
    NotFoundError,
    PreconditionError,
    ServerUnavailableError,
    TransientError,
    WindowClosedError,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.paths import manifest_path, two_way_path, two_way_rows_path
from heavylift.evidence.records import MAX_LISTED, EvidenceRef, Failure, Tally, VerificationRecord, utc_now
from heavylift.evidence.state import StateLog
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.evidence.two_way_records import ConflictCase, TwoWayRecord
from heavylift.objects.apart import refuse_evidence_inside, refuse_inside
from heavylift.objects.claims import claim_attempt
from heavylift.objects.compare import compare_object
from heavylift.objects.hours import Hours
from heavylift.objects.listing import Listing, list_to_file
from heavylift.objects.manifest_writer import ManifestWriter
from heavylift.objects.manners import Manners
from heavylift.objects.pool import for_each
from heavylift.objects.progress import Meter, Progress
from heavylift.objects.requests import TransferRequest
from heavylift.objects.row_files import TEXT, Columns, write_rows
from heavylift.objects.sessions import evidence_of, open_both
from heavylift.objects.state import fetch_known
from heavylift.objects.two_way.books import keep_books, plan_of
from heavylift.objects.two_way.brakes import demand_released, is_of_places, refuse_stopped, refuse_unholdable
from heavylift.objects.two_way.carrying import Carried, Carrier
from heavylift.objects.two_way.proving import After, after_deletion, after_pair, prove
from heavylift.objects.two_way.ways import (
    DELETE_SOURCE,
    DELETE_TARGET,
    KEEP_BOTH,
    STOP,
    TO_SOURCE,
    TO_TARGET,
    Way,
    Ways,
)
from heavylift.objects.windows import Windows
from heavylift.patterns import selector
from heavylift.platforms.ports import ObjectStore
from heavylift.spec.vocabulary import Conflicts

DONE, OVERTAKEN, FAILED = "done", "overtaken", "failed"
_FLUSH_ROWS, _FLUSH_SECONDS = 500, 2.0
"""What was carried over is noted often: what a kill loses may look like a change on both sides."""
_SHARD = 0
_CARRIED = {
    TO_TARGET: "carried_to_target",
    TO_SOURCE: "carried_to_source",
    DELETE_TARGET: "deleted_on_target",
    DELETE_SOURCE: "deleted_on_source",
    KEEP_BOTH: "both_kept",
}


@dataclass(frozen=True)
class TwoWay:
    """What a two-way sync has done, and the proof; a dry run has none."""

    record: TwoWayRecord
    verification: VerificationRecord | None


async def sync_two_way(
    request: TransferRequest,
    policy: Conflicts,
    attempt: int = 1,
    report: Callable[[Progress], None] | None = None,
) -> TwoWay:
    """Carry what changed on either side over to the other, and prove both equal.

    Changes are told from the last common state: the pairs of versions that were proved equal, by a
    transfer, a sync or an earlier run of this. Where both sides changed an object, ``policy`` decides.
    On neither side is anything overwritten or deleted before its version lies in that side's quarantine,
    or, with ``keep-both``, under a second name. In a dry run nothing is written but evidence.

    Idempotent: what is equal is left, so that after a kill at any point a second call does the rest, and
    a call with nothing to do writes nothing on either side.

    :raises SpecError: one side lies inside the other, or evidence inside one.
    :raises ConflictError: the policy is ``stop`` and something changed on both sides, or so much has
        gone from one side that the brake holds, or a side cannot hold a key. Nothing was touched.
    :raises IncompleteError: some objects could not be dealt with; the record names them.
    :raises TransientError: the same, but it may go away.
    :raises WindowClosedError: the time window is closed.
    """
    refuse_inside(request)
    refuse_evidence_inside(request, both_ways=True)
    hours = Hours(Windows(request.options.limits.windows))
    if hours.closed():
        raise hours.refusal(f"two-way sync of dataset {request.dataset!r}", "nothing was begun")
    manners = Manners(request.options.limits)
    async with evidence_of(request) as evidence, open_both(request, manners, both_ways=True) as sides:
        with tempfile.TemporaryDirectory(prefix="heavylift-two-way-") as folder:
            number = await claim_attempt(evidence, request.run, request.dataset, _SHARD, attempt)
            run = _Run(request, policy, evidence, sides, Path(folder), number, hours, manners)
            return await run.run(report)


@dataclass
class _Run:
    request: TransferRequest
    policy: Conflicts
    evidence: EvidenceStore
    sides: tuple[ObjectStore, ObjectStore]
    work: Path
    number: int
    hours: Hours
    manners: Manners
    began: float = field(default_factory=time.monotonic)
    started_at: datetime = field(default_factory=utc_now)
    tallies: dict[str, Tally] = field(default_factory=dict)
    outcomes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of conflicts only: key → outcome and where the other version is kept."""
    rows: list[tuple[str, ...]] = field(default_factory=list)
    after: list[After] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    errors: list[HeavyliftError] = field(default_factory=list)
    kept: int = 0
    moved: Tally = field(default_factory=Tally)

    async def run(self, report: Callable[[Progress], None] | None) -> TwoWay:
        for side in self.sides:
            await side.check()
        state = await StateLog(self.evidence, self.request.run.migration, self.request.dataset).latest()
        ways = Ways(self.work, self.request.options.limits.memory_budget)
        try:
            return await self._carry_out(ways, state, report)
        finally:
            ways.close()

    async def _carry_out(
        self, ways: Ways, state: Mapping[str, Any] | None, report: Callable[[Progress], None] | None
    ) -> TwoWay:
        base = await self._base(ways, state)
        listings = await self._list()
        ways.compare(*listings)
        await self._look(ways)
        ways.decide(self.policy)
        planned = ways.tallies()
        found = self._found(ways, base, listings, planned)
        brakes = demand_released(self.request, planned, listings)
        refuse_unholdable(self.request, self.sides, ways)
        found |= {"planned_rows": await self._keep_plan(ways), "allowed_beyond_brake": brakes}
        if self.request.options.dry_run or STOP in planned:
            record = await self._write(ways, found, None)
            await plan_of(self.request, self.evidence, record)
            if STOP in planned and not self.request.options.dry_run:
                refuse_stopped(self.request, record)
            return TwoWay(record, None)
        carrier = await self._carry(ways, planned, report)
        found |= self._urls(carrier)
        verification = await prove(
            self.request, self.evidence, self.sides, ways, self.after, state, self.work
        )
        record = await self._write(ways, found, await self._keep_done())
        self._raise_for(record)
        await keep_books(self.request, self.evidence, record, verification, self.number, self.moved)
        return TwoWay(record, verification)

    async def _base(self, ways: Ways, state: Mapping[str, Any] | None) -> int:
        if state is not None and not is_of_places(self.request, state):
            # Without a common state nothing counts as deleted: what is on one side only is new there.
            return ways.take_base([], None)
        run, dataset = self.request.run, self.request.dataset
        known = await fetch_known(self.evidence, run.migration, dataset, self.work)
        listed_at = (state or {}).get("listed_at")
        return ways.take_base(known, datetime.fromisoformat(listed_at) if listed_at else None)

    async def _list(self) -> tuple[Listing, Listing]:
        selected = selector(self.request.options.include, self.request.options.exclude)
        found = [
            await list_to_file(store, place.location.prefix, selected, self.work / f"{name}.parquet")
            for name, store, place in (
                ("source", self.sides[0], self.request.source),
                ("target", self.sides[1], self.request.target),
            )
        ]
        return found[0], found[1]

    async def _look(self, ways: Ways) -> None:
        """Compare contents that both sides have changed, where their listings do not tell."""
        alike: list[tuple[str, str, str | None]] = []
        unlike: list[str] = []
        unsure: list[str] = []
        prefixes = self.request.source.location.prefix, self.request.target.location.prefix

        async def look(rel: str) -> None:
            keys = prefixes[0] + rel, prefixes[1] + rel
            verdict = await compare_object(self.sides[0], keys[0], self.sides[1], keys[1], always_read=False)
            if verdict.equal:
                alike.append((rel, verdict.method, verdict.crc32c))
            elif verdict.method == "head":
                unsure.append(rel)
            else:
                unlike.append(rel)

        await for_each(ways.undecided(), look, self.request.options.limits.max_concurrency)
        ways.settle(alike, unlike, unsure)

    async def _carry(
        self, ways: Ways, planned: Mapping[str, Tally], report: Callable[[Progress], None] | None
    ) -> Carrier:
        run, dataset = self.request.run, self.request.dataset
        meter = Meter(sum(planned.values(), Tally()), pressure=self.manners.pressure)
        carrier = Carrier(
            self.request,
            self.evidence,
            *self.sides,
            meter,
            self.hours,
            f"{run.run}.{self.number}",
        )
        manifest = ManifestWriter(
            self.evidence,
            lambda n: manifest_path(run, dataset, _SHARD, self.number, n),
            rows=_FLUSH_ROWS,
            seconds=_FLUSH_SECONDS,
        )

        async def deal(way: Way) -> None:
            await self._deal(way, carrier, manifest)
            meter.add_object()

        try:
            async with meter.reporting(report):
                await for_each(ways.todo(), deal, self.request.options.limits.max_concurrency)
        finally:
            await manifest.flush()
        return carrier

    async def _deal(self, way: Way, carrier: Carrier, manifest: ManifestWriter) -> None:
        if self.hours.closed():
            raise self._interrupted()
        try:
            done = await carrier.carry(way)
        except (NotFoundError, PreconditionError, ConflictError, AlreadyExistsError) as error:
            self._note(way, OVERTAKEN, "", error.got)
        except (CredentialError, WindowClosedError):
            # The next object would meet the same.
            raise
        except HeavyliftError as error:
            self.errors.append(error)
            if len(self.failures) < MAX_LISTED:
                self.failures.append(Failure(key=way.rel, error=error.attrs()))
            self._note(way, FAILED, "", str(error))
        else:
            await self._settled(way, done, manifest)

    async def _settled(self, way: Way, done: Carried, manifest: ManifestWriter) -> None:
        self.kept += bool(done.kept)
        if way.act in {DELETE_TARGET, DELETE_SOURCE}:
            self.after.append(after_deletion(way))
        for row in done.pairs:
            self.after.append(after_pair(row))
            if row.outcome == "moved":
                self.moved += Tally(objects=1, size_bytes=row.size_bytes)
            if manifest.add(row):
                await manifest.flush()
        self._note(way, DONE, done.kept, "")

    def _note(self, way: Way, outcome: str, kept: str, detail: str) -> None:
        name = _CARRIED[way.act] if outcome == DONE else outcome
        self.tallies[name] = self.tallies.get(name, Tally()) + Tally(objects=1, size_bytes=way.size_bytes)
        versions = way.source_version or "", way.target_version or ""
        self.rows.append((way.rel, way.act, way.conflict or "", *versions, outcome, kept, detail))
        if way.conflict and len(self.outcomes) < MAX_LISTED:
            self.outcomes[way.rel] = outcome, kept

    def _interrupted(self) -> WindowClosedError:
        done = sum(tally.objects for tally in self.tallies.values())
        return self.hours.refusal(
            f"two-way sync of dataset {self.request.dataset!r}",
            f"{done} objects are dealt with; running again when it opens does the rest",
        )

    def _found(
        self, ways: Ways, base: int, listings: tuple[Listing, Listing], planned: Mapping[str, Tally]
    ) -> dict[str, Any]:
        return {
            "base_objects": base,
            "source": listings[0].total,
            "target": listings[1].total,
            "changes": ways.changes(),
            "planned": sum(planned.values(), Tally()),
        }

    def _urls(self, carrier: Carrier) -> dict[str, str]:
        if not self.kept:
            return {}
        source, target = self.request.source.location, self.request.target.location
        return {
            "source_quarantine_url": source.url_of(carrier.source_aside),
            "target_quarantine_url": target.url_of(carrier.target_aside),
        }

    async def _keep_plan(self, ways: Ways) -> EvidenceRef | None:
        """Write what is going to be done, before anything is."""
        path = self.work / "planned.parquet"
        if not ways.write(path):
            return None
        name = two_way_rows_path(self.request.run, self.request.dataset, self.number, "planned")
        return await self.evidence.write_file(name, path, PARQUET)

    async def _keep_done(self) -> EvidenceRef | None:
        if not self.rows:
            return None
        path = self.work / "done.parquet"
        write_rows(path, _DONE_COLUMNS, list(zip(*self.rows, strict=True)))
        name = two_way_rows_path(self.request.run, self.request.dataset, self.number, "done")
        return await self.evidence.write_file(name, path, PARQUET)

    async def _write(self, ways: Ways, found: Mapping[str, Any], done: EvidenceRef | None) -> TwoWayRecord:
        first, count = ways.conflicts()
        settled = sum(self.tallies.values(), Tally())
        planned: Tally = found["planned"]
        left = Tally(
            objects=planned.objects - settled.objects, size_bytes=planned.size_bytes - settled.size_bytes
        )
        record = TwoWayRecord(
            run=self.request.run,
            dataset=self.request.dataset,
            source_url=str(self.request.source.location),
            target_url=str(self.request.target.location),
            policy=self.policy.value,
            dry_run=self.request.options.dry_run,
            attempt=self.number,
            started_at=self.started_at,
            **found,
            **self.tallies,
            left=left,
            conflict_count=count,
            conflicts=tuple(self._case(way) for way in first),
            kept=self.kept,
            failures=tuple(self.failures),
            done_rows=done,
            seconds=round(time.monotonic() - self.began, 3),
        )
        run, dataset = self.request.run, self.request.dataset
        await write_next(self.evidence, lambda n: two_way_path(run, dataset, n), record)
        return record

    def _case(self, way: Way) -> ConflictCase:
        outcome, kept = self.outcomes.get(way.rel, ("not-tried", ""))
        return ConflictCase.model_validate(
            {
                "key": way.rel,
                "kind": way.conflict,
                "resolution": way.act,
                "outcome": outcome,
                "source_version": way.source_version or "",
                "target_version": way.target_version or "",
                "kept": kept,
            }
        )

    def _raise_for(self, record: TwoWayRecord) -> None:
        if not record.failed.objects:
            return
        only_transient = all(isinstance(error, TransientError) for error in self.errors)
        kind = ServerUnavailableError if only_transient else IncompleteError
        raise kind(
            f"two-way sync of dataset {self.request.dataset!r}",
            got=f"{record.failed.objects} objects that could not be dealt with; first: {self.errors[0]}",
            expected=f"all {record.planned.objects} changes carried over",
            state=f"{record.settled} are carried over and proved, the others are as they were on both sides",
            remedy="mend the cause, then run it again: only the rest is done",
            code="9700" if only_transient else "9701",
        )


_DONE_COLUMNS: Columns = dict.fromkeys(
    ("rel", "act", "conflict", "source_version", "target_version", "outcome", "kept", "detail"), TEXT
)
