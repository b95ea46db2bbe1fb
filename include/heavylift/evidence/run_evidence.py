"""What a run has left behind about a dataset: plan, shard results, verification, checks.

Read by gates, summaries and reports, so that all three judge the same files.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic

from heavylift.evidence import paths
from heavylift.evidence.canonical import sha256_hex
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.parsing import RecordT, parse_record
from heavylift.evidence.records import (
    DatasetCheckRecord,
    DeletesRecord,
    EvidenceRef,
    PlanRecord,
    Record,
    RunKey,
    ShardResult,
    Tally,
    VerificationRecord,
)
from heavylift.evidence.store import EvidenceStore

CLOCK_SKEW = timedelta(seconds=30)
"""How far the clocks of two workers may be apart."""

_READS_AT_ONCE = 16
_RESULT = re.compile(r"(\d+)/(\d+)/result\.json")


@dataclass(frozen=True)
class Kept(Generic[RecordT]):
    """A record and the reference to the file it was read from."""

    ref: EvidenceRef
    record: RecordT


@dataclass(frozen=True)
class DatasetEvidence:
    """All of one dataset in one run.

    :param attempts: shard → its attempts' results, in the order of the attempts.
    :param verification: the latest one.
    :param check: the latest one.
    :param deletes_attempts: what each attempt did with objects gone from the source, in their order.
    """

    dataset: str
    plan: Kept[PlanRecord] | None = None
    attempts: dict[int, tuple[Kept[ShardResult], ...]] = field(default_factory=dict)
    verification: Kept[VerificationRecord] | None = None
    check: Kept[DatasetCheckRecord] | None = None
    deletes_attempts: tuple[Kept[DeletesRecord], ...] = ()

    @property
    def deletes(self) -> Kept[DeletesRecord] | None:
        """The latest attempt at the deletions, which decides."""
        return self.deletes_attempts[-1] if self.deletes_attempts else None

    @property
    def deletes_done(self) -> bool:
        """Tell whether everything that the plan lets go has been dealt with."""
        if self.plan is None or not self.plan.record.to_delete.objects:
            return True
        return self.deletes is not None and not self.deletes.record.failed.objects

    @property
    def shards(self) -> dict[int, Kept[ShardResult]]:
        """Shard → the attempt that decides: the last complete one, else the last one."""
        return {shard: _deciding(attempts) for shard, attempts in sorted(self.attempts.items())}

    def precedes_last_copy(self, made_at: datetime) -> bool:
        """Tell whether something was copied after ``made_at``, so that a proof of then proves little."""
        copied_at = max((kept.record.ended_at for kept in self.shards.values()), default=made_at)
        return copied_at > made_at + CLOCK_SKEW

    @property
    def unfinished_shards(self) -> tuple[int, ...]:
        """Shards of the plan that no attempt has completed."""
        planned = {shard.index for shard in self.plan.record.shards} if self.plan else set()
        done = {shard for shard, kept in self.shards.items() if is_complete(kept.record)}
        return tuple(sorted((planned | set(self.attempts)) - done))


def is_complete(result: ShardResult) -> bool:
    """Tell whether an attempt left nothing of its shard undone."""
    return result.failed.objects == 0 and result.left.objects == 0


def _deciding(attempts: tuple[Kept[ShardResult], ...]) -> Kept[ShardResult]:
    complete = [kept for kept in attempts if is_complete(kept.record)]
    return (complete or attempts)[-1]


class Counts(Record):
    """Where the objects of a dataset or run have gone.

    Adds up: ``found = moved + unchanged + refused + failed + vanished + left``.

    :param left: planned, but no attempt has come to them.
    """

    found: Tally = Tally()
    moved: Tally = Tally()
    unchanged: Tally = Tally()
    refused: Tally = Tally()
    failed: Tally = Tally()
    vanished: Tally = Tally()
    left: Tally = Tally()

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in Counts.model_fields})


def counts_of(evidence: DatasetEvidence) -> Counts:
    """Return the counts of one dataset; all zero where there is no plan."""
    if evidence.plan is None:
        return Counts()
    plan = evidence.plan.record
    results = [kept.record for kept in evidence.shards.values()]

    def total(name: str) -> Tally:
        return sum((getattr(result, name) for result in results), Tally())

    tried = total("found")
    untried = Tally(
        objects=plan.to_copy.objects - tried.objects,
        size_bytes=plan.to_copy.size_bytes - tried.size_bytes,
    )
    return Counts(
        found=plan.found,
        moved=total("moved"),
        unchanged=plan.unchanged + total("unchanged"),
        refused=plan.refused + total("skipped"),
        failed=total("failed"),
        vanished=total("vanished"),
        left=total("left") + untried,
    )


async def read_dataset(store: EvidenceStore, run: RunKey, dataset: str) -> DatasetEvidence:
    """Read all records of ``dataset`` in ``run``; what does not exist is None or empty.

    :raises AuditError: a record is damaged.
    """
    return DatasetEvidence(
        dataset=dataset,
        plan=await read_kept(store, paths.plan_path(run, dataset), PlanRecord),
        attempts=await _attempts(store, paths.shards_folder(run, dataset)),
        verification=await read_latest(
            store, lambda n: paths.verification_path(run, dataset, n), VerificationRecord
        ),
        check=await read_latest(
            store, lambda n: paths.check_record_path(run, dataset, n), DatasetCheckRecord
        ),
        deletes_attempts=tuple(
            await read_all(store, lambda n: paths.deletes_path(run, dataset, n), DeletesRecord)
        ),
    )


async def read_latest(
    store: EvidenceStore, path_of: Callable[[int], str], model: type[RecordT]
) -> Kept[RecordT] | None:
    """Return the numbered record with the highest number, or None."""
    number = await latest_number(store, path_of)
    return await read_kept(store, path_of(number), model) if number else None


async def read_all(
    store: EvidenceStore, path_of: Callable[[int], str], model: type[RecordT]
) -> list[Kept[RecordT]]:
    """Return all numbered records in their order."""
    count = await latest_number(store, path_of)
    return [await _read(store, path_of(number), model) for number in range(1, count + 1)]


async def read_kept(store: EvidenceStore, path: str, model: type[RecordT]) -> Kept[RecordT] | None:
    """Return the record at ``path`` with its reference, or None where there is none."""
    return await _read(store, path, model) if await store.exists(path) else None


async def _read(store: EvidenceStore, path: str, model: type[RecordT]) -> Kept[RecordT]:
    data = await store.read_bytes(path)
    ref = EvidenceRef(path=path, sha256=sha256_hex(data), size_bytes=len(data))
    return Kept(ref, parse_record(path, data, model))


async def _attempts(store: EvidenceStore, folder: str) -> dict[int, tuple[Kept[ShardResult], ...]]:
    names = await store.names(folder)
    found = [(name, _RESULT.fullmatch(name.removeprefix(f"{folder}/"))) for name in names]
    places = sorted((int(match[1]), int(match[2]), name) for name, match in found if match)
    limit = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(path: str) -> Kept[ShardResult]:
        async with limit:
            return await _read(store, path, ShardResult)

    results = await asyncio.gather(*(read(path) for _shard, _attempt, path in places))
    attempts: dict[int, tuple[Kept[ShardResult], ...]] = {}
    for (shard, _attempt, _path), kept in zip(places, results, strict=True):
        attempts[shard] = (*attempts.get(shard, ()), kept)
    return attempts
