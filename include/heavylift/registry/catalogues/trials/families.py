"""Trials on the target: one for each run that has no parent, made when the first of its runs needs it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from heavylift.registry.catalogues.experiments.reading import Held
from heavylift.registry.catalogues.leaves import digest_of
from heavylift.registry.catalogues.planning import State, state_of
from heavylift.registry.catalogues.trials.experiments import Experiment, tags_in
from heavylift.registry.catalogues.trials.naming import display_name, is_of, run_name
from heavylift.registry.catalogues.trials.run import Run
from heavylift.registry.catalogues.trials.service import taken
from heavylift.registry.catalogues.trials.shapes import leaves_there, name_of, trial_leaves
from heavylift.registry.catalogues.trials.source import Families, Raw, run_id

SORT = "trials"


@dataclass
class TrialsOf:
    """The trials of one experiment.

    :param listed: names of those that are there.
    """

    run: Run
    experiment: Experiment
    families: Families
    listed: set[str] = field(default_factory=set)
    _asked: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    _counted: set[str] = field(default_factory=set)

    async def read(self) -> None:
        """List what is there."""
        if not self.experiment.fresh:
            named = await self.run.service.listed(
                "ListTrials", "TrialSummaries", ExperimentName=self.experiment.name
            )
            self.listed = {str(each["TrialName"]) for each in named}

    def name_of(self, run: Raw) -> str:
        """Return the name of a run's trial, and count the trial when it is met first."""
        root = self.families.root(run_id(run))
        if root not in self._counted:
            self._counted.add(root)
            self.run.tally.found(SORT)
        return run_name(self.run.registry, root)

    @property
    def gone(self) -> set[str]:
        """Names of trials of this move of which no run is left on the source."""
        ours = {name for name in self.listed if is_of(self.run.registry, name)}
        return ours - {run_name(self.run.registry, root) for root in self._counted}

    async def make_sure(self, run: Raw) -> None:
        """See to it that a run's trial is there, and as it must be; whoever asks first does it.

        :raises AlreadyExistsError: somebody else's trial has the name.
        """
        root = self.families.root(run_id(run))
        asked = self._asked.get(root)
        if asked is None:
            asked = self._asked[root] = asyncio.ensure_future(self._one(root, run))
        await asyncio.shield(asked)

    async def _one(self, root: str, run: Raw) -> None:
        top = run if root == run_id(run) else await self.run.history.run(root)
        name = run_name(self.run.registry, root)
        # What of its name is lost is counted with the run that has it.
        wanted = trial_leaves(top, lambda *_: None)
        there = await self.run.held("Trial", name) if name in self.listed else None
        if there is None:
            tags = tags_in(wanted) | self.run.marks(root, digest_of(wanted))
            request = {
                "TrialName": name,
                "ExperimentName": self.experiment.name,
                "DisplayName": display_name(name_of(top)),
                "Tags": self.run.listed(tags),
            }

            async def is_ours() -> bool:
                held = await self.run.held("Trial", name)
                return held is not None and self.run.origin_of(held.tags) is not None

            await self.run.changes.make("CreateTrial", request, is_ours)
            await self.run.tags_stay("Trial", name, tags)
            self.run.tally.created(SORT)
            return
        if self.run.origin_of(there.tags) is None:
            raise taken("CreateTrial", name)
        await self._update(there, top, name)

    async def _update(self, there: Held, top: Raw, name: str) -> None:
        run, root = self.run, run_id(top)
        wanted, held = trial_leaves(top, lambda *_: None), leaves_there(there.described, there.tags)
        state = state_of(wanted, held, run.origin_of(there.tags))
        shown, display = there.described.get("DisplayName"), display_name(name_of(top))
        if state is State.EQUAL:
            return
        if state is State.OTHERS and run.conflicts(SORT, f"trial of run {root}", wanted, held):
            return
        if shown not in (None, display):
            await run.changes.put("UpdateTrial", {"TrialName": name, "DisplayName": display})
        tags, has = tags_in(wanted), tags_in(held)
        changed = {key: value for key, value in tags.items() if has.get(key) != value}
        gone = [key for key in has if key not in tags]
        arn = str(there.described["TrialArn"])
        await run.changes.tag(arn, changed | run.marks(root, digest_of(wanted)), gone)
        run.tally.changed(SORT)
