"""Moves an MLflow server's experiments and runs to SageMaker's experiments, and keeps them up to date.

What is lost is counted before anything moves. Names come from the source's ids and every thing bears marks,
so a killed run is gone on with, nothing is made twice, what others changed stays and is named, and a run
that finds nothing new writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.registry_records import RegistryKept
from heavylift.registry.catalogues.experiments.moving import Looked
from heavylift.registry.catalogues.trials.components import SORT, Components
from heavylift.registry.catalogues.trials.experiments import Experiment, Experiments
from heavylift.registry.catalogues.trials.families import SORT as TRIALS
from heavylift.registry.catalogues.trials.families import TrialsOf
from heavylift.registry.catalogues.trials.points import why_no_points
from heavylift.registry.catalogues.trials.run import Run
from heavylift.registry.catalogues.trials.service import Changes
from heavylift.registry.catalogues.trials.source import Families, History, run_id
from heavylift.registry.catalogues.trials.verifying import RunProof
from heavylift.registry.interface.context import Tally
from heavylift.registry.interface.moving import findings_of_failures
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.selection import selected_of
from heavylift.spec.sections_data import OnNameConflict

if TYPE_CHECKING:
    from heavylift.registry.catalogues.sagemaker import SageMakerCatalogue
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.settling import Judgement
    from heavylift.registry.work import Work

_KEPT = (
    RegistryKept(what="experiment", fields=("artifact_location", "creation_time", "name")),
    RegistryKept(what="run", fields=("commit", "name", "parent", "repository")),
)


@dataclass
class RunsMove:
    """The experiments of one server on their way to one region.

    :param target: the region.
    """

    request: RegistryRequest
    work: Work
    target: SageMakerCatalogue

    async def look(self) -> Looked:
        """Go through the whole move, write nothing, and tell what is lost."""
        tally, deep = Tally(), list[str]()
        source = self._source()
        try:
            run = await self._run(source, tally, writes=False, full=False)
            copied = await Experiments(run).any_ours()
            await _all(run, deep)
        finally:
            await source.close()
        return Looked(
            tally,
            tuple(each for each in tally.losses() if each.count),
            (*findings_of_failures(tally), *_notes(run, deep)),
            copied,
            _KEPT,
        )

    async def is_copied(self) -> bool:
        """Tell whether the target has an experiment of this move."""
        source = self._source()
        try:
            run = await self._run(source, Tally(), writes=False, full=False)
            return await Experiments(run).any_ours()
        finally:
            await source.close()

    async def run(self, tally: Tally, *, full: bool) -> int:
        """Make what is missing and bring the rest up to date; return how many requests wrote something.

        :param full: read the histories of runs that are settled, too, and in which trials they are.
        """
        source = self._source()
        try:
            run = await self._run(source, tally, writes=True, full=full)
            await _all(run, [])
        finally:
            await source.close()
        return run.changes.sent.total()

    async def prove(self, found: Judgement) -> None:
        """Read both sides afresh and compare them."""
        await RunProof(self.request, self.target, found).run()

    def _source(self) -> TrackingServer:
        server = TrackingServer(self.request.source.connection, self.request.options.parallel)
        server.selected = selected_of(self.request.options.selection)
        return server

    async def _run(self, source: TrackingServer, tally: Tally, *, writes: bool, full: bool) -> Run:
        options = self.request.options
        return Run(
            history=History(source),
            service=self.target,
            changes=Changes(self.target, options.parallel, writes),
            registry=self.request.id,
            address=self.target.address,
            uris=options.uris,
            map_names=options.on_name_conflict is OnNameConflict.MAP,
            overwrite=options.overwrite,
            parallel=options.parallel,
            work=self.work,
            tally=tally,
            no_points=await why_no_points(self.target),
            full=full,
        )


async def _all(run: Run, deep: list[str]) -> None:
    run.tell("experiments")
    experiments = Experiments(run)
    await experiments.move(await run.history.experiments(run.tally))
    for number, each in enumerate(experiments.found):
        run.tell(f"experiment {each.thing['name']}", number, len(experiments.found))
        await _runs(run, each, deep)
        if not run.writes:
            await run.history.count_beside(each.id, run.tally)
    run.tally.kept(SORT, len(run.there - run.met))


async def _runs(run: Run, experiment: Experiment, deep: list[str]) -> None:
    families: Families = await run.history.families(experiment.id)
    trials = TrialsOf(run, experiment, families)
    components = Components(run, trials)
    await trials.read()
    await components.read()
    async for page in run.history.runs(experiment.id, run.tally):
        deep += [own for own in map(run_id, page) if families.is_deep(own)]
        # What began after the families were read comes with the next run.
        await components.move([each for each in page if run_id(each) in families.ids])
    run.tally.kept(TRIALS, len(trials.gone))


def _notes(run: Run, deep: list[str]) -> list[Finding]:
    found = []
    if deep:
        found.append(
            Finding(
                rule="runs-below-child-runs",
                severity=Severity.NOTE,
                subject="experiments",
                detail=f"{len(deep):,} runs are children of child runs: they become components of the trial"
                " of the topmost run, and the tag mlflow.parentRunId tells their own parent",
                remedy="none is needed",
            )
        )
    if run.no_points:
        found.append(
            Finding(
                rule="no-service-of-metrics",
                severity=Severity.WARNING,
                subject="experiments",
                detail=f"no points of metrics can be sent: {run.no_points}; of each metric the last value"
                " becomes a tag",
                remedy="grant sagemaker:BatchGetMetrics and BatchPutMetrics, or move into a region that has"
                " the service",
            )
        )
    return found
