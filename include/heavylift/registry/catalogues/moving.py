"""Moves registered models from one registry to another of whatever kind, and keeps them up to date.

What is lost is told before anything moves. Everything that is made bears marks, so a run that was killed
leaves nothing that the next one would make twice, and a run that finds nothing new writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from heavylift.errors import (
    ConflictError,
    CredentialError,
    NoRoomError,
    NotFoundError,
    PermanentError,
    TransientError,
)
from heavylift.evidence.records import Severity
from heavylift.evidence.registry_records import (
    RegistryLoss,
    RegistryMoveRecord,
    RegistryPreflightRecord,
)
from heavylift.registry.catalogues.files import copy_files
from heavylift.registry.catalogues.findings import findings_of
from heavylift.registry.catalogues.fitting import is_uri, kept_of, told
from heavylift.registry.catalogues.planning import ALIASES, ModelPlan, Plan, Planner, State, Thing
from heavylift.registry.catalogues.ports import Catalogue, HistoryMove, Write
from heavylift.registry.catalogues.wiring import experiments_between, open_catalogue, open_places
from heavylift.registry.interface.context import Tally
from heavylift.registry.interface.moving import counted_record, sorts
from heavylift.registry.selection import left_out
from heavylift.registry.store.preflight import refuse
from heavylift.registry.work import RegistryProgress, Work
from heavylift.spec.sections_data import OnNameConflict
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from heavylift.registry.catalogues.experiments.moving import Looked
    from heavylift.registry.catalogues.files import Places
    from heavylift.registry.requests import RegistryRequest

Act = Literal["copy", "sync"]
MODELS, VERSIONS, FILES = "registered models", "model versions", "artifacts"
EXPERIMENT = "experiment"


@dataclass
class Move:
    """One look at both sides, and what follows from it.

    :param left: how many of the source's models are not chosen.
    """

    request: RegistryRequest
    work: Work
    source: Catalogue
    target: Catalogue
    places: tuple[Places, Places]
    experiments: HistoryMove | None = None
    looked: Looked | None = None
    plan: Plan = field(default_factory=lambda: Plan(()))
    losses: tuple[RegistryLoss, ...] = ()
    tally: Tally = field(default_factory=Tally)
    written: int = 0
    left: int = 0

    async def look(self, *, experiments: bool = True) -> None:
        """Read both sides and tell what would be done.

        :param experiments: look at experiments, too, where they move.
        """
        options = self.request.options
        self.tell("reading the source")
        held = await self.source.read()
        ours = [each for each in held if options.selection.model(each.model.name)]
        self.left = len(held) - len(ours)
        beside = await self.source.beside()
        self.tell("reading the target")
        planner = Planner(
            self.source.capabilities.platform,
            self.request.id,
            self.target.capabilities,
            options.uris,
            options.on_name_conflict is OnNameConflict.MAP,
        )
        self.plan = planner.plan(ours, await self.target.read())
        lost = told(lost for each in self.plan.models for lost in each.fitted.all_lost)
        self.losses = lost + tuple(
            RegistryLoss(what=what, item="all", reason=reason, count=count)
            for what, reason, count in beside
            if what != EXPERIMENT or (self.experiments is None and options.selection.experiments)
        )
        if experiments and self.experiments is not None:
            self.tell("reading the source's experiments")
            self.looked = await self.experiments.look()
            self.losses += self.looked.losses

    @property
    def copied(self) -> bool:
        """Tell whether something of this move is on the target."""
        return self.plan.copied or (self.looked is not None and self.looked.copied)

    def tell(self, doing: str, done: int = 0, total: int = 0) -> None:
        """Tell how far it is, and stop where that is asked for."""
        self.work.tell(RegistryProgress(doing=doing, tables_done=done, tables=total))
        if self.work.stop.is_set():
            raise TransientError(
                "moving registered models",
                got="a request to stop",
                state="what was written stays; another run goes on from there",
                remedy="run the same command again",
                code="7185",
            )

    def preflight(self) -> RegistryPreflightRecord:
        """Return what stands in the way, and what is lost."""
        request = self.request
        findings = findings_of(request, self.plan, self.losses)
        if not request.options.selection.is_everything:
            every = request.options.selection.takes_all_experiments
            findings += (left_out(0 if every else None, self.left),)
        kept = kept_of(each.fitted for each in self.plan.models)
        if self.looked is not None:
            findings += self.looked.findings
            kept += self.looked.kept_as_tags
        passed = not any(each.severity is Severity.BLOCKER for each in findings)
        counts = Tally()
        self._count(counts)
        return RegistryPreflightRecord(
            run=request.run,
            registry=request.registry,
            source=self.source.address,
            target=self.target.address,
            path="catalogue" if passed else "",
            path_reason=reason_of(self.source, self.target),
            sorts=sorts(counts),
            kept_as_tags=kept,
            losses=self.losses,
            uris=request.options.uris.pairs,
            findings=findings,
            copied=self.copied,
            passed=passed,
        )

    def _count(self, tally: Tally) -> None:
        for model in self.plan.models:
            tally.found(MODELS)
            _count_thing(tally, MODELS, model.itself)
            tally.kept(VERSIONS, len(model.gone))
            for version in model.versions:
                tally.found(VERSIONS)
                _count_thing(tally, VERSIONS, version)
        tally.kept(MODELS, len(self.plan.gone))
        if self.looked is not None:
            tally.take(self.looked.tally)

    async def run(self, act: Act) -> None:
        """Do what the plan says; what the target refuses for one model is noted, and the others go on."""
        if self.experiments is not None:
            self.written += await self.experiments.run(self.tally, full=act == "copy")
        total = len(self.plan.models)
        for number, model in enumerate(self.plan.models):
            self.tell(f"model {model.name}", number, total)
            self.tally.found(MODELS)
            self.tally.found(VERSIONS, len(model.versions))
            self.tally.kept(VERSIONS, len(model.gone))
            try:
                await self._model(model)
            except (CredentialError, NoRoomError):
                raise
            except PermanentError as error:
                # Its later versions wait, too, so that they keep their order.
                self.tally.failed(MODELS, model.fitted.name, f"{error.what}: {error.got}", f"HL-{error.code}")
        self.tally.kept(MODELS, len(self.plan.gone))

    async def _model(self, model: ModelPlan) -> None:
        itself, made = model.itself, None
        empty = not model.versions and not self.target.capabilities.empty_models
        if empty and itself.state is State.MISSING:
            return
        if itself.state is State.MISSING:
            made, more = itself.making()
            await self.target.make_model(model.name, made)
            self.written += 1
            self.tally.created(MODELS)
            made = made if more else None
        # An alias may stand at a version that has gone from the source.
        numbers = dict(model.numbers)
        for version in model.versions:
            self.tell(f"model {model.name}, version {version.origin.version}")
            numbers[version.origin.version] = await self._version(model.name, version)
        if itself.state is State.MISSING and made is None:
            return
        write = _numbered(itself.changing(made), numbers)
        self._tell_stuck(MODELS, itself)
        if not write.is_empty:
            await self.target.change_model(model.name, write)
            self.written += 1
            if made is None:
                self.tally.changed(MODELS)

    async def _version(self, name: str, version: Thing) -> str:
        if version.state is State.EQUAL:
            return version.number
        if version.state is State.MISSING:
            await self._files(version)
            write, more = version.making()
            number = await self.target.make_version(name, version.origin.version, write)
            self.written += 1
            if more:
                await self.target.change_version(name, number, version.changing(write))
            self.tally.created(VERSIONS)
            return number
        self._tell_stuck(VERSIONS, version)
        write = version.changing()
        if not write.is_empty:
            await self._files(version)
            await self.target.change_version(name, version.number, write)
            self.written += 1
            self.tally.changed(VERSIONS)
        return version.number

    def _tell_stuck(self, sort: str, thing: Thing) -> None:
        if thing.stuck:
            self.tally.failed(
                sort,
                thing.fitted.id,
                f"{', '.join(thing.stuck)} changed, and cannot be changed there",
                "",
            )

    async def _files(self, version: Thing) -> None:
        """Copy what a version's URIs lead to, before it is registered or changed."""
        if not self.request.options.artifacts:
            return
        for path, uri in version.leaves.items():
            there = self.request.options.uris.of(uri)
            if not is_uri(path) or there == uri or version.there.get(path) == there:
                continue
            source, target = await self.places[0].at(uri), await self.places[1].at(there)
            overwrite = self.request.options.overwrite
            files, written = await copy_files(source, target, uri, there, overwrite=overwrite)
            if not files:
                raise NotFoundError(
                    f"copying the artifacts of model version {version.fitted.id}",
                    got=f"nothing at {uri}",
                    expected="the file or the folder that the source's registry names",
                    state="this version and the later ones of the model were not registered",
                    remedy="restore it on the source, or leave artifacts out with --no-artifacts",
                    code="7187",
                )
            self.tally.found(FILES, files)
            self.tally.created(FILES, written)
            self.written += written


def _count_thing(tally: Tally, sort: str, thing: Thing) -> None:
    if thing.state is State.MISSING:
        tally.created(sort)
    elif thing.state is not State.EQUAL and not thing.changing().is_empty:
        tally.changed(sort)


def _numbered(write: Write, numbers: dict[str, str]) -> Write:
    """Return a write whose aliases name the target's numbers."""

    def own(leaves: dict[str, str]) -> dict[str, str]:
        return {
            path: numbers.get(value, value) if path.startswith(ALIASES) else value
            for path, value in leaves.items()
        }

    return Write(own(write.leaves), write.pairs, own(write.leaves_now), write.pairs_now)


def reason_of(source: Catalogue, target: Catalogue) -> str:
    """Return why the move goes this way."""
    pair = f"{source.capabilities.platform} to {target.capabilities.platform}"
    return f"{pair}: by the description of registered models; what does not arrive is listed"


@asynccontextmanager
async def opened(request: RegistryRequest, work: Work) -> AsyncIterator[Move]:
    """Open both sides for a move, and close them.

    :raises ConflictError: both are one, or gone things shall be deleted.
    """
    parallel = request.options.parallel
    if request.options.deletes is not Deletes.KEEP:
        raise _no_deletes(request)
    source = open_catalogue(request.source, parallel, work.stop)
    target = open_catalogue(request.target, parallel, work.stop)
    places = (
        open_places(request.source, source, parallel),
        open_places(request.target, target, parallel),
    )
    try:
        if source.address == target.address:
            raise _one_registry(request, source.address)
        experiments = experiments_between(request, source, target, work)
        yield Move(request, work, source, target, places, experiments)
    finally:
        for each in (*places, source, target):
            await each.close()


async def look_ahead(request: RegistryRequest, work: Work) -> RegistryPreflightRecord:
    """Tell what would be done, what is lost and what stands in the way; nothing is written."""
    async with opened(request, work) as move:
        await move.look()
        return move.preflight()


async def is_copied(request: RegistryRequest) -> bool:
    """Tell whether something of this move is on the target; of experiments only the target is asked."""
    async with opened(request, Work()) as move:
        await move.look(experiments=False)
        return move.copied or (move.experiments is not None and await move.experiments.is_copied())


async def move_catalogue(request: RegistryRequest, work: Work, act: Act) -> RegistryMoveRecord:
    """Copy everything, or bring what was copied up to date.

    :raises ConflictError: something stands in the way, or losses were not accepted; nothing was touched.
    :raises NotFoundError: a sync before a copy.
    """
    began, moment = time.monotonic(), datetime.now(UTC)
    async with opened(request, work) as move:
        await move.look()
        preflight = move.preflight()
        refuse(preflight)
        if act == "sync" and not move.copied:
            raise _not_copied(request)
        if request.options.dry_run:
            move._count(move.tally)
        else:
            await move.run(act)
    tally = move.tally
    return counted_record(
        tally,
        run=request.run,
        registry=request.registry,
        act=act,
        path="catalogue",
        source=move.source.address,
        target=move.target.address,
        source_moment=moment,
        written=move.written,
        uris=request.options.uris.pairs,
        findings=preflight.findings,
        kept_as_tags=preflight.kept_as_tags,
        losses=move.losses,
        dry_run=request.options.dry_run,
        seconds=time.monotonic() - began,
    )


def _one_registry(request: RegistryRequest, address: str) -> ConflictError:
    return ConflictError(
        f"moving registry {request.registry!r}",
        got=f"one registry on both sides, {address}",
        expected="two",
        state="nothing was touched",
        remedy="name another target",
        code="7184",
    )


def _no_deletes(request: RegistryRequest) -> ConflictError:
    return ConflictError(
        f"moving registry {request.registry!r}",
        got=f"deletes: {request.options.deletes.value}",
        expected="keep: between registries of two kinds nothing is ever deleted",
        state="nothing was touched",
        remedy="choose keep, and delete on the target by hand",
        code="7188",
    )


def _not_copied(request: RegistryRequest) -> NotFoundError:
    return NotFoundError(
        f"syncing registry {request.registry!r}",
        got="neither a model nor an experiment on the target that this migration made",
        expected="a copy that a sync can go on from",
        state="nothing was touched",
        remedy="run heavylift registry copy first, with the same migration and registry names",
        code="7189",
    )
