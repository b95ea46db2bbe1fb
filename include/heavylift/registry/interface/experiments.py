"""Experiments: made once, found again by their tag, and kept as the source's are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from heavylift.errors import AlreadyExistsError
from heavylift.registry.interface import names
from heavylift.registry.interface.aside import NAME, aside_name, make_way
from heavylift.registry.interface.context import Context
from heavylift.registry.interface.merging import note, noted
from heavylift.registry.interface.names import pairs_of, tags_of, to_target
from heavylift.registry.rest.client import TrackingServer

_API = "api/2.0/mlflow/experiments"
SORT = "experiments"
DEFAULT = "0"


@dataclass
class Experiment:
    """One experiment on both sides.

    :param thing: the source's.
    :param deleted: as it is on the target now.
    :param fresh: it was made in this run, so that it is empty.
    """

    thing: Mapping[str, Any]
    target_id: str
    deleted: bool
    fresh: bool = False
    woken: bool = False

    @property
    def id(self) -> str:
        """The source's id."""
        return str(self.thing["experiment_id"])

    @property
    def gone(self) -> bool:
        """Whether it is deleted on the source."""
        return self.thing.get("lifecycle_stage") == "deleted"


@dataclass
class Experiments:
    """All experiments of a move."""

    context: Context
    found: list[Experiment] = field(default_factory=list)

    async def move(self) -> None:
        """Make what is missing, and bring the rest up to date; deleted ones stay open for now."""
        context = self.context
        context.tell("experiments")
        ours, taken = await self._on_target()
        sources = [each async for each in all_experiments(context.source)]
        context.tally.found(SORT, len(sources))
        await make_way(context, sources, taken)
        for thing in sources:
            there = ours.pop(str(thing["experiment_id"]), None)
            await context.guarded(SORT, str(thing["name"]), partial(self._one, thing, there, taken))
        await self._gone(ours)

    async def _on_target(self) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """Return the target's experiments that are ours by the source's id, and all by name."""
        ours: dict[str, dict[str, Any]] = {}
        taken: dict[str, dict[str, Any]] = {}
        async for each in all_experiments(self.context.target):
            taken[str(each["name"])] = each
            found = self.context.provenance.source_id(tags_of(each.get("tags")))
            if found is not None:
                ours[found] = each
        return ours, taken

    async def _one(
        self, thing: Mapping[str, Any], there: Mapping[str, Any] | None, taken: dict[str, dict[str, Any]]
    ) -> None:
        wanted = {to_target(key): value for key, value in tags_of(thing.get("tags")).items()}
        name = str(thing["name"])
        if there is None:
            there = await self._adopted(thing, taken)
        if there is None:
            made = await self._make(thing, self._free_name(name, taken), wanted)
            self.found.append(made)
        else:
            found = Experiment(thing, str(there["experiment_id"]), there.get("lifecycle_stage") == "deleted")
            self.found.append(found)
            await self._update(found, there, wanted, taken)
        self.context.maps.experiments[str(thing["experiment_id"])] = self.found[-1].target_id

    async def _adopted(
        self, thing: Mapping[str, Any], taken: Mapping[str, dict[str, Any]]
    ) -> Mapping[str, Any] | None:
        """Return the experiment that every server makes by itself, if it may become the source's."""
        there = taken.get(str(thing["name"]))
        if str(thing["experiment_id"]) != DEFAULT or there is None:
            return None
        if str(there["experiment_id"]) != DEFAULT or there.get("tags"):
            return None
        async for page in runs_of(self.context.target, DEFAULT):
            if page:
                return None
        await self._put_tags(DEFAULT, self._own_tags(thing))
        return there | {"tags": pairs_of(self._own_tags(thing))}

    def _free_name(self, name: str, taken: Mapping[str, Any]) -> str:
        """Return under which name an experiment is made.

        :raises AlreadyExistsError: somebody else's has it.
        """
        if name not in taken:
            return name
        mapped = f"{name} ({self.context.provenance.registry})"
        if not self.context.map_names or mapped in taken:
            raise name_taken("experiment", name, self.context.target.name)
        return mapped

    def _own_tags(self, thing: Mapping[str, Any]) -> dict[str, str]:
        facts = {name: thing.get(name) for name in ("creation_time", "last_update_time", "artifact_location")}
        return self.context.provenance.tags(str(thing["experiment_id"]), facts)

    async def _make(self, thing: Mapping[str, Any], name: str, wanted: Mapping[str, str]) -> Experiment:
        context = self.context
        fields = {**wanted, NAME: str(thing["name"])}
        tags = {**wanted, **self._own_tags(thing), **note(fields)}
        body: dict[str, Any] = {"name": name, "tags": pairs_of(tags)}
        location = str(thing.get("artifact_location", ""))
        if context.uris.covers(location):
            body["artifact_location"] = context.uris.of(location)
        made = await context.target.create(
            f"{_API}/create",
            body,
            pick=lambda answer: str(answer["experiment_id"]),
            find=lambda: self._find(str(thing["experiment_id"])),
            planned=str,
        )
        context.tally.created(SORT)
        return Experiment(thing, made, deleted=False, fresh=True)

    async def _find(self, source_id: str) -> str | None:
        async for each in all_experiments(self.context.target):
            if self.context.provenance.source_id(tags_of(each.get("tags"))) == source_id:
                return str(each["experiment_id"])
        return None

    async def _update(
        self,
        found: Experiment,
        there: Mapping[str, Any],
        wanted: Mapping[str, str],
        taken: dict[str, dict[str, Any]],
    ) -> None:
        context = self.context
        tags = tags_of(there.get("tags"))
        actual = {key: value for key, value in tags.items() if not names.is_ours(key)}
        earlier = noted(tags)
        own_name = str(there["name"])
        if own_name != str(found.thing["name"]):
            own_name = own_name.removesuffix(f" ({context.provenance.registry})")
        fields = {**wanted, NAME: str(found.thing["name"])}
        merge = context.policy.merge(fields, {**actual, NAME: own_name}, earlier)
        if own_name == aside_name(context.provenance.registry, found.id):
            # It made way in this run, or in one that was killed.
            merge.put[NAME] = fields[NAME]
            merge.conflicts = [key for key in merge.conflicts if key != NAME]
        facts = {k: v for k, v in self._own_tags(found.thing).items() if tags.get(k) != v}
        if found.deleted and not found.gone:
            await wake(self.context, found)
            context.tally.changed(SORT)
        if not merge and not facts and earlier is not None:
            context.tally.merged(SORT, str(found.thing["name"]), merge)
            return
        await wake(self.context, found)
        await self._put_tags(found.target_id, {**note(fields, earlier), **facts})
        await self._put_tags(found.target_id, {k: v for k, v in merge.put.items() if k != NAME})
        for key in merge.delete:
            body = {"experiment_id": found.target_id, "key": key}
            await context.target.gone("POST", f"{_API}/delete-experiment-tag", body)
        if NAME in merge.put:
            name = self._free_name(merge.put[NAME], taken)
            body = {"experiment_id": found.target_id, "new_name": name}
            await context.target.write("POST", f"{_API}/update", body)
            taken[name] = taken.pop(str(there["name"]), dict(there))
        context.tally.merged(SORT, str(found.thing["name"]), merge)

    async def _put_tags(self, experiment: str, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            body = {"experiment_id": experiment, "key": key, "value": value}
            await self.context.target.write("POST", f"{_API}/set-experiment-tag", body)

    async def _gone(self, left: Mapping[str, Mapping[str, Any]]) -> None:
        for each in left.values():
            if each.get("lifecycle_stage") == "deleted":
                continue
            if not self.context.policy.propagate:
                self.context.tally.kept(SORT)
                continue
            body = {"experiment_id": each["experiment_id"]}
            await self.context.target.turn(f"{_API}/delete", body)
            self.context.tally.deleted(SORT)


async def wake(context: Context, experiment: Experiment) -> None:
    """Make a deleted experiment of the target active, so that it can be written to; its runs follow."""
    if experiment.deleted:
        await context.target.turn(f"{_API}/restore", {"experiment_id": experiment.target_id})
        experiment.deleted, experiment.woken = False, True


async def put_to_rest(context: Context, experiment: Experiment) -> None:
    """Delete an experiment that is deleted on the source; all of its runs are deleted with it."""
    await context.target.turn(f"{_API}/delete", {"experiment_id": experiment.target_id})
    experiment.deleted = True


async def all_experiments(server: TrackingServer) -> AsyncIterator[dict[str, Any]]:
    """Yield all experiments of a server, the deleted ones too."""
    query = {"view_type": "ALL", "max_results": 1000}
    async for page in server.pages(f"{_API}/search", "experiments", query, post=True):
        for each in page:
            yield each


async def any_ours(context: Context) -> bool:
    """Tell whether the target has an experiment that this migration made."""
    async for each in all_experiments(context.target):
        if context.provenance.source_id(tags_of(each.get("tags"))) is not None:
            return True
    return False


async def runs_of(server: TrackingServer, experiment: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield an experiment's runs page by page, the deleted ones too."""
    query: dict[str, Any] = {"experiment_ids": [experiment], "run_view_type": "ALL", "max_results": 500}
    # Runs that begin meanwhile come last, and push nothing onto another page.
    query["order_by"] = ["attributes.start_time ASC"]
    async for page in server.pages("api/2.0/mlflow/runs/search", "runs", query, post=True):
        yield page


def name_taken(kind: str, name: str, server: str) -> AlreadyExistsError:
    """Return the error of a name that somebody else's thing has on the target."""
    return AlreadyExistsError(
        f"making {kind} {name!r} on {server}",
        got=f"another {kind} of that name, which this migration did not make",
        expected="a free name",
        state="the other one was not touched; this one was not moved",
        remedy="rename or remove the other one, or say on_name_conflict: map (--on-name-conflict map)",
        code="7161",
    )
