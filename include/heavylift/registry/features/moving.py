"""Moves a feature store: histories first, then definitions, then what is served.

A view bears a mark that it is unfinished until all three are done, so that a run that was killed is gone on
with; where definition and files of the history are as they were, nothing is written.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from heavylift.errors import ConflictError, CredentialError, NoRoomError, PermanentError, TransientError
from heavylift.evidence.records import Severity
from heavylift.evidence.registry_records import RegistryLoss, RegistryMoveRecord, RegistryPreflightRecord
from heavylift.registry.catalogues.files import File
from heavylift.registry.catalogues.planning import State
from heavylift.registry.features.bigquery import is_table, loaded_labels, served_table
from heavylift.registry.features.feast_process import FeastProcesses
from heavylift.registry.features.fitting import told
from heavylift.registry.features.histories import SOURCE, Histories, opened_histories
from heavylift.registry.features.places import HistoryPlaces, manifest_of, move_files
from heavylift.registry.features.planning import (
    FeaturePlan,
    FeaturePlanner,
    PlannedView,
    findings_of,
    with_manifest,
)
from heavylift.registry.features.ports import FeatureStore
from heavylift.registry.features.requests import FeatureRequest
from heavylift.registry.features.wiring import open_feature_store, tables_of
from heavylift.registry.interface.context import Tally
from heavylift.registry.interface.moving import counted_record, sorts
from heavylift.registry.store.preflight import refuse
from heavylift.registry.work import RegistryProgress, Work

VIEWS, FILES, SERVED, TABLES = "feature views", "history files", "online rows", "history tables"
REWRITTEN = "history.parquet"
"""The one file of a history whose files had to be made anew."""


@dataclass
class FeatureMove:
    """One look at both sides, and what follows from it."""

    request: FeatureRequest
    work: Work
    source: FeatureStore
    target: FeatureStore
    places: tuple[HistoryPlaces, HistoryPlaces]
    plan: FeaturePlan = field(default_factory=FeaturePlan)
    losses: tuple[RegistryLoss, ...] = ()
    tally: Tally = field(default_factory=Tally)
    written: int = 0

    @property
    def planner(self) -> FeaturePlanner:
        """What compares both sides."""
        return FeaturePlanner(self.request, self.source.capabilities, self.target.capabilities)

    def look(self) -> None:
        """Read both sides and tell what would be done."""
        self.tell("reading the source")
        ours = self.source.read()
        self.tell("reading the target")
        self.plan = self.planner.plan(ours, self.target.read())
        self.losses = told([each.fitted for each in self.plan.views]) + tuple(
            RegistryLoss(what=what, item="all", reason=reason, count=count)
            for what, reason, count in self.source.beside()
        )

    def tell(self, doing: str, done: int = 0, total: int = 0) -> None:
        """Tell how far it is, and stop where that is asked for."""
        self.work.tell(RegistryProgress(doing=doing, tables_done=done, tables=total))
        if self.work.stop.is_set():
            raise TransientError(
                "moving a feature store",
                got="a request to stop",
                state="what was written stays; another run goes on from there",
                remedy="run the same command again",
                code="7711",
            )

    def preflight(self) -> RegistryPreflightRecord:
        """Return what stands in the way, and what is lost."""
        findings = findings_of(self.request, self.plan, self.losses, self.target.capabilities)
        passed = not any(each.severity is Severity.BLOCKER for each in findings)
        pair = f"{self.source.capabilities.platform} to {self.target.capabilities.platform}"
        return RegistryPreflightRecord(
            run=self.request.run,
            registry=self.request.store,
            source=self.source.address,
            target=self.target.address,
            path="features" if passed else "",
            path_reason=f"{pair}: definitions, histories, and the newest rows of what is served",
            sorts=sorts(self._ahead()),
            losses=self.losses,
            uris=self.request.options.uris.pairs,
            findings=findings,
            copied=self.plan.copied,
            passed=passed,
        )

    def _ahead(self) -> Tally:
        tally = Tally()
        for each in self.plan.views:
            tally.found(VIEWS)
            if each.state is State.MISSING:
                tally.created(VIEWS)
            elif each.state is not State.EQUAL:
                tally.changed(VIEWS)
        tally.kept(VIEWS, len(self.plan.gone))
        return tally

    async def run(self) -> None:
        """Do what the plan says; what the target refuses for one view is noted, and the others go on."""
        self.tally.kept(VIEWS, len(self.plan.gone))
        for number, view in enumerate(self.plan.views):
            self.tell(f"feature view {view.name}", number, len(self.plan.views))
            self.tally.found(VIEWS)
            try:
                await self._view(view)
            except (CredentialError, NoRoomError):
                raise
            except PermanentError as error:
                self.tally.failed(VIEWS, view.name, f"{error.what}: {error.got}", f"HL-{error.code}")

    async def _view(self, view: PlannedView) -> None:
        files = await self.places[0].files(view.held.view.offline)
        self.tally.found(FILES, len(files))
        view = with_manifest(view, manifest_of(files))
        if view.is_done:
            return
        with tempfile.TemporaryDirectory(prefix="heavylift-features-") as scratch:
            if view.there is None and not self.request.options.overwrite:
                await self._demand_free(view)
            # From here on a run that is killed is known to have begun.
            place = self._define(view, finished=False)
            await self._history(view, Path(scratch), place)
            if view.fitted.view.online:
                self.tell(f"online rows of {view.name}")
                rows = await self._serve(view, await self._rows(view, Path(scratch)), place)
                self.tally.found(SERVED, rows)
                self.tally.created(SERVED, rows)
        self._define(view, finished=True)
        (self.tally.created if view.state is State.MISSING else self.tally.changed)(VIEWS)

    def _define(self, view: PlannedView, *, finished: bool) -> str:
        marks = self.planner.marks(view, finished=finished)
        place = self.target.apply(view.fitted.view, view.form, marks)
        self.written += 1
        return place

    async def _history(self, view: PlannedView, scratch: Path, target_uri: str) -> None:
        """Make the target's history what the source's is: file by file, or made anew."""
        self.tell(f"history of {view.name}")
        source, source_uri = self.places[0], view.held.view.offline
        if is_table(target_uri):
            self.written += await self._fill(view, scratch, target_uri)
            return
        if not view.rewrites:
            if source_uri == target_uri:
                return  # mapped to itself on purpose: both sides read one history
            _files, written = await move_files(source, self.places[1], source_uri, target_uri)
        else:
            made = scratch / "made"
            made.mkdir()
            paths = await source.local(source_uri, scratch / "fetched")
            with self._opened(view, scratch) as histories:
                histories.read(SOURCE, paths, view.held.history)
                histories.write(made if view.form.by_hour else made / REWRITTEN, SOURCE, view.form)
            here = HistoryPlaces(None)
            try:
                _files, written = await move_files(here, self.places[1], f"file://{made}", target_uri)
            finally:
                await here.close()
        self.tally.created(FILES, written)
        self.written += written

    async def _fill(self, view: PlannedView, scratch: Path, target_uri: str) -> int:
        """Make the target's table what the source's history is, unless an earlier try has; tell if it did."""
        self.tally.found(TABLES)
        target, labels = self.places[1], loaded_labels(view.manifest, view.fitted.leaves)
        if await target.filled(target_uri, labels):
            return 0
        made = scratch / "made"
        made.mkdir()
        paths = await self.places[0].local(view.held.view.offline, scratch / "fetched")
        with self._opened(view, scratch) as histories:
            histories.read(SOURCE, paths, view.held.history)
            histories.write(made / REWRITTEN, SOURCE, view.form)
        await target.fill(target_uri, made, view.fitted.view, labels)
        self.tally.created(TABLES)
        return 1

    def _opened(self, view: PlannedView, scratch: Path) -> AbstractContextManager[Histories]:
        return opened_histories(view.fitted.view, scratch, whole_lists=view.whole_lists)

    async def _demand_free(self, view: PlannedView) -> None:
        """Refuse to write where others have files, other than the source's own that lie there already."""
        source_uri, target_uri = view.held.view.offline, view.fitted.view.offline
        if view.chosen or (source_uri == target_uri and not view.rewrites):
            return
        if is_table(target_uri):
            # A table is made before what names it, and bears the same marks.
            if not await self.places[1].is_marked(target_uri, self.planner.table_marks):
                raise _taken(view, target_uri)
            return
        own = {} if view.rewrites else {each.path: each for each in await self.places[0].listed(source_uri)}
        for each in await self.places[1].listed(target_uri):
            same = own.get(each.path)
            if same is None or not await self._equal_files(source_uri, same, target_uri, each):
                raise _taken(view, each.path or target_uri)

    async def _equal_files(self, source_uri: str, ours: File, target_uri: str, theirs: File) -> bool:
        source, _ = await self.places[0].at(source_uri)
        target, _ = await self.places[1].at(target_uri)
        same_size = ours.size_bytes == theirs.size_bytes
        return same_size and await source.digest(ours) == await target.digest(theirs)

    async def _rows(self, view: PlannedView, scratch: Path) -> Path:
        """Write the newest row of each key that is not too old to be served."""
        path = scratch / "newest/newest.parquet"
        path.parent.mkdir()
        ttl = view.held.view.ttl
        paths = await self.places[0].local(view.held.view.offline, scratch / "fetched")
        with self._opened(view, scratch) as histories:
            histories.read(SOURCE, paths, view.held.history)
            not_before = self.request.options.now - ttl if ttl else 0.0
            # Which rows are served the source tells; how they lie, the target.
            form = replace(view.form, sparse=view.held.history.sparse)
            histories.write_newest(path, SOURCE, form, not_before)
        return path

    async def _serve(self, view: PlannedView, rows: Path, place: str) -> int:
        if view.form.apart:
            await self.places[1].fill(served_table(place), rows.parent, view.fitted.view, {})
        sent = self.target.serve(view.fitted.view, view.form, rows)
        self.written += sent
        return sent


@asynccontextmanager
async def opened(
    request: FeatureRequest, work: Work, processes: FeastProcesses | None = None
) -> AsyncIterator[FeatureMove]:
    """Open both sides for a move, and close them.

    :param processes: of Feast, where they outlive the move.
    :raises ConflictError: both are one.
    """
    own = processes or FeastProcesses(work.stop)
    parallel = request.options.parallel
    places = (
        HistoryPlaces(request.source.history, parallel, tables_of(request.source.connection, parallel)),
        HistoryPlaces(request.target.history, parallel, tables_of(request.target.connection, parallel)),
    )
    stores: list[FeatureStore] = []
    try:
        for side in (request.source, request.target):
            # One after the other, so that the first is closed where the second cannot be opened.
            stores.append(open_feature_store(side.connection, own, parallel, work.stop, side.history))  # noqa: PERF401
        if stores[0].address == stores[1].address:
            raise _one_store(request, stores[0].address)
        yield FeatureMove(request, work, stores[0], stores[1], places)
    finally:
        for each in stores:
            each.close()
        for place in places:
            await place.close()
        if processes is None:
            own.close()


async def look_ahead(
    request: FeatureRequest, work: Work, processes: FeastProcesses | None = None
) -> RegistryPreflightRecord:
    """Read both sides and return what would be done, what stands in the way, and what is lost."""
    async with opened(request, work, processes) as move:
        move.look()
        return move.preflight()


async def move_features(
    request: FeatureRequest, work: Work, processes: FeastProcesses | None = None
) -> RegistryMoveRecord:
    """Copy a feature store, or bring a copy up to date.

    :raises ConflictError: something stands in the way; nothing was touched.
    """
    began, moment = time.monotonic(), datetime.now(UTC)
    async with opened(request, work, processes) as move:
        move.look()
        preflight = move.preflight()
        refuse(preflight)
        if not request.options.dry_run:
            await move.run()
        tally = move.tally if not request.options.dry_run else move._ahead()
        return counted_record(
            tally,
            run=request.run,
            registry=request.store,
            act="copy",
            path="features",
            source=move.source.address,
            target=move.target.address,
            source_moment=moment,
            written=move.written,
            uris=request.options.uris.pairs,
            findings=preflight.findings,
            losses=move.losses,
            dry_run=request.options.dry_run,
            seconds=time.monotonic() - began,
        )


def _taken(view: PlannedView, path: str) -> ConflictError:
    return ConflictError(
        f"moving the history of feature view {view.name!r} to {view.fitted.view.offline}",
        got=f"another Parquet file or table there, {path}",
        expected="none, or the source's own",
        state="it was not touched; this view was not made",
        remedy="map the prefix to a free place with --history, or let the source win with --overwrite",
        code="7713",
    )


def _one_store(request: FeatureRequest, address: str) -> ConflictError:
    return ConflictError(
        f"moving feature store {request.store!r}",
        got=f"one store on both sides, {address}",
        expected="two",
        state="nothing was touched",
        remedy="name another target",
        code="7712",
    )
