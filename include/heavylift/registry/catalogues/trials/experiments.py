"""Experiments on the target: found again by their marks, made where missing, kept as the source's are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from heavylift.registry.catalogues.experiments.reading import Held, Trials
from heavylift.registry.catalogues.leaves import Leaves, digest_of
from heavylift.registry.catalogues.planning import State, state_of
from heavylift.registry.catalogues.trials.naming import display_name, experiment_name, unique_name
from heavylift.registry.catalogues.trials.run import Run
from heavylift.registry.catalogues.trials.shapes import TAGS, experiment_leaves, leaves_there
from heavylift.registry.interface.context import guarded
from heavylift.registry.interface.experiments import name_taken

SORT = "experiments"
Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Experiment:
    """One experiment on both sides.

    :param fresh: it was made in this run, so that it is empty.
    """

    thing: Raw
    name: str
    fresh: bool = False

    @property
    def id(self) -> str:
        """The source's id."""
        return str(self.thing["experiment_id"])


@dataclass
class Experiments:
    """All experiments of a move."""

    run: Run
    found: list[Experiment] = field(default_factory=list)

    async def move(self, sources: list[Raw]) -> None:
        """Make what is missing, and bring the rest up to date; what has gone from the source stays."""
        run = self.run
        ours, taken = await self._on_target()
        run.tally.found(SORT, len(sources))
        for thing in sources:
            there = ours.pop(run.mark(str(thing["experiment_id"])), None)
            await guarded(run.tally, SORT, str(thing["name"]), partial(self._one, thing, there, taken))
        run.tally.kept(SORT, len(ours))

    async def any_ours(self) -> bool:
        """Tell whether the target has an experiment of this move."""
        return bool((await self._on_target())[0])

    async def _on_target(self) -> tuple[dict[str, Held], set[str]]:
        """Return the target's experiments that are ours by the source's id, and all names that are taken."""
        ours: dict[str, Held] = {}
        taken: set[str] = set()
        for held in await Trials(self.run.service).experiments():
            # SageMaker takes no two names that differ in capitals alone.
            taken.add(str(held.described["ExperimentName"]).casefold())
            origin = self.run.origin_of(held.tags)
            if origin is not None:
                ours[origin.id] = held
        return ours, taken

    async def _one(self, thing: Raw, there: Held | None, taken: set[str]) -> None:
        run, number = self.run, str(thing["experiment_id"])
        name = str(there.described["ExperimentName"]) if there else self._free_name(thing, taken)
        wanted = experiment_leaves(thing, name, run.uri, run.losing(f"experiment {number}"))
        self.found.append(Experiment(thing, name, fresh=there is None))
        if there is None:
            taken.add(name.casefold())
            await self._make(name, number, str(thing["name"]), wanted)
            run.tally.created(SORT)
        else:
            await self._update(there, number, str(thing["name"]), wanted)

    def _free_name(self, thing: Raw, taken: set[str]) -> str:
        """Return under which name an experiment is made.

        :raises AlreadyExistsError: somebody else's has it.
        """
        own, number = str(thing["name"]), str(thing["experiment_id"])
        name = experiment_name(own, number, self.run.registry)
        if name.casefold() not in taken:
            return name
        ours = {each.name.casefold() for each in self.found}
        other = unique_name(own, number, self.run.registry)
        if not (self.run.map_names or name.casefold() in ours) or other.casefold() in taken:
            raise name_taken("experiment", name, self.run.address)
        return other

    async def _make(self, name: str, number: str, shown: str, wanted: Leaves) -> None:
        run = self.run
        tags = tags_in(wanted) | run.marks(number, digest_of(wanted))
        request = {
            "ExperimentName": name,
            "DisplayName": display_name(shown),
            "Tags": run.listed(tags),
            **_description(wanted),
        }

        async def is_ours() -> bool:
            held = await run.held("Experiment", name)
            origin = run.origin_of(held.tags) if held else None
            return origin is not None and origin.id == run.mark(number)

        await run.changes.make("CreateExperiment", request, is_ours)
        await run.tags_stay("Experiment", name, tags)

    async def _update(self, there: Held, number: str, shown: str, wanted: Leaves) -> None:
        run, origin = self.run, self.run.origin_of(there.tags)
        held = leaves_there(there.described, there.tags)
        state = state_of(wanted, held, origin)
        if state is State.EQUAL:
            return
        name, arn = str(there.described["ExperimentName"]), str(there.described["ExperimentArn"])
        if state is State.OTHERS and run.conflicts(SORT, shown, wanted, held):
            return
        tags, has = tags_in(wanted), tags_in(held)
        gone = [key for key in has if key not in tags]
        display = display_name(shown)
        if wanted.get("description", "") != held.get("description", "") or (
            there.described.get("DisplayName") not in (None, display)
        ):
            body = {"ExperimentName": name, "DisplayName": display, "Description": ""} | _description(wanted)
            await run.changes.put("UpdateExperiment", body)
        await run.changes.tag(
            arn,
            {k: v for k, v in tags.items() if has.get(k) != v} | run.marks(number, digest_of(wanted)),
            gone,
        )
        run.tally.changed(SORT)


def tags_in(leaves: Leaves) -> dict[str, str]:
    """Return the tags among leaves."""
    return {path.removeprefix(TAGS): value for path, value in leaves.items() if path.startswith(TAGS)}


def _description(leaves: Leaves) -> dict[str, str]:
    return {"Description": leaves["description"]} if "description" in leaves else {}
