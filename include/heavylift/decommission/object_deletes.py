"""Deleting the objects of a plan, batch by batch, so that whoever is killed goes on where it was."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from heavylift.decommission.kept import KeepRule, rule_of
from heavylift.decommission.listings import Listings
from heavylift.decommission.requests import LeavingRequest, Tell
from heavylift.decommission.rows import PlannedRow, demand_digest, read_batches
from heavylift.decommission.shutting import note_of
from heavylift.errors import ConflictError, NotFoundError, PreconditionError, UnsupportedError
from heavylift.evidence.decommission_evidence import PlanLife
from heavylift.evidence.decommission_records import BatchRecord, PlannedObjects, batch_path, plan_folder
from heavylift.evidence.wording import enumeration
from heavylift.platforms.deleting import DeletesVersions, delete_version
from heavylift.platforms.ports import ObjectStore
from heavylift.platforms.shutting import ShutsPrefixes
from heavylift.platforms.versions import KeepsVersions
from heavylift.spec.resolve import ResolvedDataset, find_dataset

BATCH = 500
_AT_ONCE = 16
_SHOWN = 5
_BATCH_FILE = re.compile(r"(\d{8})-(begun|done)\.json")


@dataclass(frozen=True)
class Absence:
    """What a listing after the deletion shows.

    :param still: how many planned rows are there by name; ``example`` is one of them.
    :param beside: rows that no plan names, and their bytes.
    """

    still: int
    example: str
    beside: int
    beside_bytes: int


@dataclass(frozen=True)
class DatasetDeletion:
    """One dataset of a plan, on its way to be deleted."""

    request: LeavingRequest
    plan: int
    planned: PlannedObjects
    made_at: datetime

    @property
    def dataset(self) -> ResolvedDataset:
        """The dataset, as the spec has it now, at the place that the plan names.

        :raises ConflictError: the spec names another place than the plan.
        """
        found = find_dataset(self.request.spec, self.planned.dataset)
        if found.source.url == self.planned.url:
            return found
        raise ConflictError(
            f"deleting dataset {self.planned.dataset}",
            got=f"the source {found.source.url} in the spec",
            expected=f"{self.planned.url}, as the plan says",
            state="nothing of it was deleted by this attempt",
            remedy="make a new plan for the spec as it is",
            code="9308",
        )

    async def changes(self) -> tuple[list[str], int]:
        """List the source; return planned keys that changed or went, and how many objects came since."""
        async with self._listed() as listings:
            begun, _done = await self._batches()
            return listings.changed(begun), listings.added(int(self.made_at.timestamp() * 1_000_000))

    async def demand_unchanged(self) -> None:
        """Demand that every planned object is as planned, but for those of batches that have begun.

        :raises ConflictError: one has changed, or has gone.
        """
        changed, _added = await self.changes()
        if not changed:
            return
        raise not_as_planned(
            f"dataset {self.planned.dataset}", "objects that have changed or gone since the plan", changed
        )

    async def demand_free(self, rules: Sequence[KeepRule]) -> None:
        """Demand that none of the planned objects is kept by one of these rules.

        :raises ConflictError: one is.
        """
        if not rules:
            return
        prefix = self.dataset.source.location.prefix
        with TemporaryDirectory(prefix="heavylift-") as folder:
            rows = await self._rows(Path(folder))
            held = [
                row.key
                for batch in read_batches(rows, BATCH)
                for row in batch
                if rule_of(rules, row.key.removeprefix(prefix))
            ]
        if held:
            raise not_as_planned(f"dataset {self.planned.dataset}", "objects that a rule keeps by now", held)

    async def delete(self, tell: Tell) -> tuple[int, int]:
        """Delete what is left, and return how many rows this attempt deleted and found absent.

        :raises ConflictError: an object changed meanwhile; those before it are deleted, and noted.
        """
        deleted = absent = 0
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="heavylift-")))
            rows = await self._rows(folder)
            store = await stack.enter_async_context(self.request.open(self.dataset.source))
            begun, done = await self._batches()
            looks = not await self._is_shut(store)
            for number, batch in enumerate(read_batches(rows, BATCH)):
                if number in done:
                    continue
                record = await self._delete_batch(store, number, batch, resumed=number in begun, looks=looks)
                deleted, absent = deleted + record.deleted, absent + record.absent
                tell(f"{self.planned.dataset}: {number * BATCH + len(batch):,} of {self.planned.versions:,}")
        return deleted, absent

    async def look_after(self) -> Absence:
        """List the source afresh, and tell what of the plan is still there."""
        async with self._listed() as listings:
            still, example = listings.still_there()
            return Absence(still, example, *listings.beside_plan())

    async def totals(self) -> tuple[int, int, int]:
        """Return what the records of all batches say: rows deleted, rows absent, bytes."""
        _begun, done = await self._batches()
        deleted = absent = size = 0
        for number in sorted(done):
            record = await self.request.store.read_record(self._path(number, "done"), BatchRecord)
            deleted, absent, size = deleted + record.deleted, absent + record.absent, size + record.size_bytes
        return deleted, absent, size

    async def _delete_batch(
        self, store: ObjectStore, number: int, batch: Sequence[PlannedRow], *, resumed: bool, looks: bool
    ) -> BatchRecord:
        begun = BatchRecord(
            dataset=self.planned.dataset, first=number * BATCH, count=len(batch), state="begun"
        )
        if not resumed:
            await self.request.store.write_json(self._path(number, "begun"), begun)
        limit = asyncio.Semaphore(_AT_ONCE)

        async def delete(row: PlannedRow) -> bool:
            async with limit:
                return await self._delete_row(store, row, looks=looks)

        # Every request has come to its end before an error is told: none is under way behind our back.
        ended = await asyncio.gather(*(delete(row) for row in batch), return_exceptions=True)
        for each in ended:
            if isinstance(each, BaseException):
                raise each
        gone = [row for row, did in zip(batch, ended, strict=True) if did is True]
        record = begun.model_copy(
            update={
                "state": "done",
                "deleted": len(gone),
                "absent": len(batch) - len(gone),
                "size_bytes": sum(row.size_bytes for row in gone),
            }
        )
        await self.request.store.write_json(self._path(number, "done"), record)
        return record

    async def _is_shut(self, store: ObjectStore) -> bool:
        note = note_of(self.request, self.planned)
        return isinstance(store, ShutsPrefixes) and await store.is_shut(store.location.prefix, note)

    async def _delete_row(self, store: ObjectStore, row: PlannedRow, *, looks: bool) -> bool:
        """Delete one row, and tell whether it was there.

        :param looks: at the object right before; nobody may where it is shut, and nobody can have changed it.
        """
        if self.planned.by_version:
            if not isinstance(store, KeepsVersions):
                raise _no_versions(store.location.url_of(row.key))
            await store.delete_exactly(row.key, row.version_id)
            return True
        try:
            if looks or not isinstance(store, DeletesVersions):
                await delete_version(store, row.key, row.version)
            else:
                await store.delete_version(row.key, row.version)
        except NotFoundError:
            return False
        except PreconditionError as error:
            raise ConflictError(
                f"deletion of {store.location.url_of(row.key)}",
                got=error.got,
                expected=f"version {row.version}, as the plan lists it",
                state="it was not deleted, nor is anything after its batch; the batches before it are",
                remedy="find who still writes to the source; then make a new plan for what is left",
                code="9311",
            ) from error
        return True

    async def _batches(self) -> tuple[set[int], set[int]]:
        """Return the numbers of batches that have begun, and of those that are done."""
        root = f"{plan_folder(self.request.spec.migration, self.plan)}/deleted/{self.planned.dataset}"
        begun: set[int] = set()
        done: set[int] = set()
        for path in await self.request.store.names(root):
            if found := _BATCH_FILE.fullmatch(path.rpartition("/")[2]):
                (begun if found[2] == "begun" else done).add(int(found[1]))
        return begun, done

    @asynccontextmanager
    async def _listed(self) -> AsyncIterator[Listings]:
        """List the source as it is now, beside what was planned."""
        with TemporaryDirectory(prefix="heavylift-") as folder:
            rows = await self._rows(Path(folder))
            with Listings(Path(folder) / "now.sqlite") as listings:
                async with self.request.open(self.dataset.source) as store:
                    await listings.read_source(store)
                listings.read_plan(read_batches(rows, BATCH))
                yield listings

    async def _rows(self, folder: Path) -> Path:
        path = folder / "rows.jsonl.gz"
        await self.request.store.fetch_verified(self.planned.rows, path)
        demand_digest(path, self.planned.rows_sha256, self.planned.dataset)
        return path

    def _path(self, number: int, state: str) -> str:
        return batch_path(self.request.spec.migration, self.plan, self.planned.dataset, number, state)


def not_as_planned(what: str, why: str, names: Sequence[str]) -> ConflictError:
    """Return the error of a deletion that meets something else than the plan lists."""
    return ConflictError(
        f"deleting {what}",
        got=f"{len(names):,} {why}: {enumeration(names, _SHOWN)}",
        expected="everything as the plan lists it, and free to be deleted",
        state="nothing was deleted by this attempt",
        remedy="find who writes to the source, or who keeps it; then make a new plan and have it approved",
        code="9309",
    )


def deletion_of(request: LeavingRequest, life: PlanLife, planned: PlannedObjects) -> DatasetDeletion:
    """Return the deletion of one dataset of a plan."""
    return DatasetDeletion(request, life.number, planned, life.plan.record.made_at)


def _no_versions(url: str) -> UnsupportedError:
    return UnsupportedError(
        f"deletion of a version of {url}",
        got="a store that can name no versions",
        expected="the store that the plan was made of",
        state="it was not deleted",
        remedy="make a new plan",
        code="9312",
    )
