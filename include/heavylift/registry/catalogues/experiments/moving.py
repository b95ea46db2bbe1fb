"""Moves SageMaker's experiments to an MLflow server, by the same code that moves those of another one.

So a killed run is gone on with, nothing is made twice, what others changed there stays and is named, and a
run that finds nothing new writes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.registry_records import RegistryKept, RegistryLoss
from heavylift.evidence.wording import enumeration
from heavylift.registry.catalogues.experiments.points import PointReader
from heavylift.registry.catalogues.experiments.source import SageMakerHistory, Seen
from heavylift.registry.catalogues.experiments.verifying import ExperimentProof
from heavylift.registry.interface.context import Context, Tally
from heavylift.registry.interface.experiments import Experiments, any_ours
from heavylift.registry.interface.filling import GROUPS_AT_ONCE, Filling
from heavylift.registry.interface.merging import Merge, Noted, Policy
from heavylift.registry.interface.moving import findings_of_failures
from heavylift.registry.interface.names import Provenance
from heavylift.registry.interface.runs import Runs
from heavylift.registry.interface.server import WritingServer
from heavylift.spec.sections_data import OnNameConflict

if TYPE_CHECKING:
    from heavylift.registry.catalogues.experiments.reading import Service, Trials
    from heavylift.registry.catalogues.mlflow import MLflowCatalogue
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.settling import Judgement
    from heavylift.registry.work import Work

_EXAMPLES = 5
_KEPT = (
    RegistryKept(what="experiment", fields=("arn", "creator", "source", "times")),
    RegistryKept(what="trial", fields=("arn", "source", "times")),
    RegistryKept(
        what="trial component",
        fields=("arn", "artifacts", "message", "sources", "start", "summaries of metrics", "times"),
    ),
)


@dataclass(frozen=True)
class FieldsFollow(Policy):
    """Things that have gone stay; of one that is there a field that has gone goes, if it was written by us.

    A status message that is there no more would else be a difference for ever.
    """

    def merge(self, source: Mapping[str, str], target: Mapping[str, str], noted: Noted | None) -> Merge:
        """Return what makes the target's fields what the source's are."""
        return Policy(propagate=True, overwrite=self.overwrite).merge(source, target, noted)


@dataclass(frozen=True)
class Looked:
    """What a look ahead found.

    :param copied: something of this move is on the target.
    """

    tally: Tally
    losses: tuple[RegistryLoss, ...]
    findings: tuple[Finding, ...]
    copied: bool
    kept_as_tags: tuple[RegistryKept, ...] = _KEPT


@dataclass
class ExperimentMove:
    """The experiments of one region on their way to one server.

    :param target: the server's registered models.
    """

    request: RegistryRequest
    work: Work
    service: Service
    trials: Trials
    target: MLflowCatalogue

    def __post_init__(self) -> None:
        points = PointReader(self.service)
        name = self.request.source.connection.conn_id
        self.source = SageMakerHistory(self.trials, points, self.request.options.uris, name)

    async def look(self) -> Looked:
        """Go through the whole move and write nothing."""
        target = self._target(writes=False)
        try:
            context = self._context(target, Tally(), full=False, histories=False)
            copied = await any_ours(context)
            await _run(context)
        finally:
            await target.close()
        seen = self.source.seen
        # Of a choice nobody can say whether a component belongs to what is not chosen.
        every = self.request.options.selection.takes_all_experiments
        names = await self.trials.names_of_components() if every else []
        loose = [each for each in names if each not in seen.components]
        return Looked(
            context.tally,
            _losses(seen, loose),
            (*findings_of_failures(context.tally), *_notes(seen)),
            copied,
        )

    async def is_copied(self) -> bool:
        """Tell whether the target has an experiment of this move."""
        target = self._target(writes=False)
        try:
            return await any_ours(self._context(target, Tally(), full=False, histories=False))
        finally:
            await target.close()

    async def run(self, tally: Tally, *, full: bool) -> int:
        """Make what is missing and bring the rest up to date; return how many requests wrote something.

        :param full: read the histories of components that have ended, too.
        """
        target = self._target(writes=True)
        try:
            context = self._context(target, tally, full=full, histories=True)
            await _run(context)
        finally:
            await target.close()
        # A version that is made later names the run that it came from.
        self.target.moved_runs = context.maps.runs
        return target.sent.total()

    async def prove(self, found: Judgement) -> None:
        """Read both sides afresh and compare them."""
        await ExperimentProof(self.request, self.service, found).run()

    def _target(self, *, writes: bool) -> WritingServer:
        place = self.request.target.connection
        return WritingServer(place, self.request.options.parallel, writes=writes)

    def _context(self, target: WritingServer, tally: Tally, *, full: bool, histories: bool) -> Context:
        options = self.request.options
        return Context(
            source=self.source,
            target=target,
            provenance=Provenance(self.request.id),
            policy=FieldsFollow(overwrite=options.overwrite),
            uris=options.uris,
            map_names=options.on_name_conflict is OnNameConflict.MAP,
            parallel=options.parallel,
            work=self.work,
            full=full,
            histories=histories,
            tally=tally,
        )


async def _run(context: Context) -> None:
    experiments = Experiments(context)
    await experiments.move()
    turns = asyncio.Semaphore(GROUPS_AT_ONCE)
    for number, each in enumerate(experiments.found):
        context.tell(f"experiment {each.thing['name']}", number, len(experiments.found))
        runs = Runs(context, each)
        await runs.make()
        await Filling(context, runs, {}, turns).run()


def _losses(seen: Seen, loose: list[str]) -> tuple[RegistryLoss, ...]:
    found = [
        RegistryLoss(
            what=what,
            item=item,
            reason=reason,
            count=sum(things.values()),
            examples=tuple(things)[:_EXAMPLES],
        )
        for (what, item, reason), things in sorted(seen.lost.items())
    ]
    if loose:
        found.append(
            RegistryLoss(
                what="trial component",
                item="those of no trial",
                reason="no experiment has them, and a run is one of an experiment",
                count=len(loose),
                examples=tuple(loose[:_EXAMPLES]),
            )
        )
    return tuple(found)


def _notes(seen: Seen) -> list[Finding]:
    found = []
    if seen.shared:
        found.append(
            Finding(
                rule="component-of-several-trials",
                severity=Severity.NOTE,
                subject="experiments",
                detail=f"{len(seen.shared):,} trial components are in several trials, and become a run in"
                f" each of them: {enumeration(seen.shared)}",
                remedy="none is needed",
            )
        )
    if seen.artifacts:
        found.append(
            Finding(
                rule="artifacts-of-experiments",
                severity=Severity.NOTE,
                subject="experiments",
                detail=f"{len(seen.artifacts):,} trial components name artifacts: their URIs are kept as"
                " tags, written anew by the map of prefixes; the objects themselves do not move with them",
                remedy="move the objects as a dataset (heavylift objects copy)",
            )
        )
    return found
