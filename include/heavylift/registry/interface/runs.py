"""Runs of an experiment: found again by their tag, made where missing, and filled where they differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from heavylift.registry.interface import names
from heavylift.registry.interface.artifacts import Place
from heavylift.registry.interface.context import Context
from heavylift.registry.interface.experiments import Experiment, runs_of, wake
from heavylift.registry.interface.merging import noted
from heavylift.registry.interface.names import tags_of, to_target
from heavylift.registry.rest.artifacts import Owner

API = "api/2.0/mlflow/runs"
SORT = "runs"
STATUS, NAME, END = "\0status", "\0name", "\0end_time"
ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})


@dataclass
class RunState:
    """A run as it is on the target.

    :param digest: of what can be seen of it without its histories.
    :param settled: it was once written to its end.
    :param fresh: it was made in this run, and is empty.
    :param place: where its artifacts lie.
    :param wanted_deleted: as it is on the source.
    """

    target_id: str
    place: str = ""
    wanted_deleted: bool = False
    digest: bytes = b""
    settled: bool = False
    deleted: bool = False
    fresh: bool = False


@dataclass(frozen=True)
class Shown:
    """What a search shows of a run, in the target's terms.

    :param inputs: datasets and models that went in, models that came out, each as a line of JSON.
    """

    fields: Mapping[str, str]
    params: Mapping[str, str]
    metrics: frozenset[tuple[str, str, int, int]]
    inputs: frozenset[str]

    def digest(self) -> bytes:
        """Return a digest of it all."""
        parts = [
            sorted(self.fields.items()),
            sorted(self.params.items()),
            sorted(self.metrics),
            sorted(self.inputs),
        ]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).digest()


def source_run(run: Mapping[str, Any], context: Context) -> Shown:
    """Return a run of the source as it must be on the target."""
    maps = context.maps
    tags = {to_target(key): value for key, value in tags_of(run.get("data", {}).get("tags")).items()}
    parent = tags.get(names.PARENT_RUN)
    if parent is not None:
        tags[names.PARENT_RUN] = maps.runs.get(parent, parent)
    return _shown(run, tags, lambda model: maps.models.get(model, model), context)


def target_run(run: Mapping[str, Any]) -> Shown:
    """Return a run of the target as it is."""
    tags = tags_of(run.get("data", {}).get("tags"))
    shown = _shown(run, {k: v for k, v in tags.items() if not names.is_ours(k)}, str, None)
    if names.NAME_GIVEN not in tags:
        return shown
    return replace(shown, fields={k: v for k, v in shown.fields.items() if k != NAME})


def _shown(run: Mapping[str, Any], tags: dict[str, str], model: Any, context: Context | None) -> Shown:
    info, data = run["info"], run.get("data", {})
    # The server keeps it the same as the name, and makes it where it is not.
    tags.pop(names.RUN_NAME, None)
    tags[STATUS] = str(info.get("status", ""))
    if info.get("run_name"):
        tags[NAME] = str(info["run_name"])
    if info.get("end_time"):
        tags[END] = str(info["end_time"])
    metrics = frozenset(
        (
            str(each["key"]),
            repr(float(each.get("value") or 0.0)),
            int(each.get("timestamp") or 0),
            int(each.get("step") or 0),
        )
        for each in data.get("metrics", ())
    )
    lines: list[str] = [
        dataset_line(each, context) for each in run.get("inputs", {}).get("dataset_inputs", ())
    ]
    lines += [
        _line({"model_input": model(str(each["model_id"]))})
        for each in run.get("inputs", {}).get("model_inputs", ())
    ]
    lines += [
        _line({"model_output": model(str(each["model_id"])), "step": int(each.get("step") or 0)})
        for each in run.get("outputs", {}).get("model_outputs", ())
    ]
    return Shown(tags, tags_of(data.get("params")), metrics, frozenset(lines))


def dataset_line(each: Mapping[str, Any], context: Context | None) -> str:
    """Return a dataset that went into a run as one line."""
    dataset = dict(each["dataset"])
    if context is not None:
        dataset["source"] = context.uris.within(str(dataset.get("source", "")))
    tags = sorted(tags_of(each.get("tags")).items())
    return _line({"dataset": {k: v for k, v in dataset.items() if v}, "tags": tags})


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@dataclass
class Runs:
    """The runs of one experiment."""

    context: Context
    experiment: Experiment
    states: dict[str, RunState] = field(default_factory=dict)
    _read: list[list[dict[str, Any]]] | None = field(default_factory=list)

    async def pages(self) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the source's runs, once: those that were read when runs were made, if they were few."""
        read, self._read = self._read, None
        if read is None:
            async for page in runs_of(self.context.source, self.experiment.id):
                yield page
        for page in read or ():
            yield page

    def _keep(self, page: list[dict[str, Any]]) -> None:
        """Keep a page for :meth:`pages`; of all experiments together no more than a few are kept."""
        self.context.room -= len(page)
        if self._read is not None and self.context.room >= 0:
            self._read.append(page)
            return
        self.context.room += len(page) + sum(len(each) for each in self._read or ())
        self._read = None

    async def make(self) -> None:
        """Find the target's runs, and make those that are missing; empty ones, for now."""
        left = set(await self._index())
        async for page in runs_of(self.context.source, self.experiment.id):
            self._keep(page)
            left -= {str(run["info"]["run_id"]) for run in page}
            missing = [run for run in page if str(run["info"]["run_id"]) not in self.states]
            self.context.tally.found(SORT, len(page))
            await self.context.each(SORT, missing, self._make, _run_id)
            self._note_page(page)
        self.context.maps.runs.update({source: state.target_id for source, state in self.states.items()})
        await self._gone(left)

    async def _index(self) -> list[str]:
        if self.experiment.fresh:
            return []
        twice: list[str] = []
        async for page in runs_of(self.context.target, self.experiment.target_id):
            for run in page:
                self._take(run, twice)
        await self._retire(twice)
        return list(self.states)

    def _take(self, run: Mapping[str, Any], twice: list[str]) -> None:
        tags = tags_of(run.get("data", {}).get("tags"))
        source = self.context.provenance.source_id(tags)
        if source is None:
            return
        state = RunState(
            target_id=_run_id(run),
            place=_place(run),
            digest=target_run(run).digest(),
            settled=noted(tags) is not None,
            deleted=run["info"].get("lifecycle_stage") == "deleted",
        )
        there = self.states.get(source)
        if there is None:
            self.states[source] = state
            return
        # An answer was lost while its request was still being carried out.
        better, worse = (state, there) if state.settled and not there.settled else (there, state)
        self.states[source] = better
        twice.append(worse.target_id)

    async def _retire(self, twice: Iterable[str]) -> None:
        for run in twice:
            tag = {"run_id": run, "key": names.DUPLICATE, "value": "true"}
            await self.context.target.write("POST", f"{API}/restore", {"run_id": run})
            await self.context.target.write("POST", f"{API}/set-tag", tag)
            await self.context.target.write("POST", f"{API}/delete", {"run_id": run})

    async def _make(self, run: Mapping[str, Any]) -> None:
        info = run["info"]
        source = _run_id(run)
        await self.awake()
        unnamed = None if info.get("run_name") else names.NO_NAME
        facts = {"artifact_uri": info.get("artifact_uri"), "run_name": unnamed}
        body = {
            "experiment_id": self.experiment.target_id,
            "start_time": int(info.get("start_time") or 0),
            "run_name": info.get("run_name", ""),
            "tags": names.pairs_of(self.context.provenance.tags(source, facts)),
        }
        if info.get("user_id"):
            body["user_id"] = info["user_id"]
        if not info.get("run_name"):
            self.context.tally.lose("run", "its empty name", "the server gives it a name", source)
        made = await self.context.target.create(
            f"{API}/create", body, pick=_made, find=lambda: self._find(source), planned=lambda x: (x, "")
        )
        self.states[source] = RunState(target_id=made[0], place=made[1], fresh=True)
        self.context.tally.created(SORT)

    async def _find(self, source: str) -> tuple[str, str] | None:
        query = {
            "experiment_ids": [self.experiment.target_id],
            "filter": f"tags.`{names.ID}` = '{source}'",
            "run_view_type": "ALL",
        }
        async for page in self.context.target.pages(f"{API}/search", "runs", query, post=True):
            for run in page:
                tags = tags_of(run.get("data", {}).get("tags"))
                if self.context.provenance.source_id(tags) == source:
                    return _run_id(run), _place(run)
        return None

    def _note_page(self, page: Iterable[Mapping[str, Any]]) -> None:
        for run in page:
            state = self.states.get(_run_id(run))
            if state is None:
                continue
            state.wanted_deleted = run["info"].get("lifecycle_stage") == "deleted"
            if not _place(run):
                continue
            if state.place:
                self.context.maps.places[_place(run)] = state.place
            if self.context.artifacts is not None:
                self.context.artifacts.add(self.place_of(run))

    def place_of(self, run: Mapping[str, Any]) -> Place:
        """Return where a run's artifacts lie on both sides."""
        state = self.states[_run_id(run)]
        ours, theirs = Owner("run", _run_id(run)), Owner("run", state.target_id)
        return Place(ours, theirs, _place(run), state.place, state.fresh)

    async def _gone(self, left: Iterable[str]) -> None:
        """Deal with runs that have been purged from the source."""
        for source in left:
            state = self.states.pop(source)
            if state.deleted:
                continue
            if not self.context.policy.propagate:
                self.context.tally.kept(SORT)
                continue
            await self.context.target.write("POST", f"{API}/delete", {"run_id": state.target_id})
            self.context.tally.deleted(SORT)

    async def settle(self) -> None:
        """Delete and restore runs until each is as on the source; the experiment's own end comes first."""
        for state in self.states.values():
            if state.deleted == state.wanted_deleted:
                continue
            act = "delete" if state.wanted_deleted else "restore"
            await self.context.target.write("POST", f"{API}/{act}", {"run_id": state.target_id})
            state.deleted = state.wanted_deleted
            if not state.fresh and not self.experiment.woken:
                self.context.tally.changed(SORT)

    async def awake(self, state: RunState | None = None) -> None:
        """Make the experiment, and one of its runs, active, so that they can be written to."""
        if self.experiment.deleted:
            await wake(self.context, self.experiment)
            for each in self.states.values():
                each.deleted = False
        if state is not None and state.deleted:
            await self.context.target.write("POST", f"{API}/restore", {"run_id": state.target_id})
            state.deleted = False


def _run_id(run: Mapping[str, Any]) -> str:
    return str(run["info"]["run_id"])


def _made(answer: Mapping[str, Any]) -> tuple[str, str]:
    info = answer["run"]["info"]
    return str(info["run_id"]), str(info.get("artifact_uri", "")).rstrip("/")


def _place(run: Mapping[str, Any]) -> str:
    return str(run["info"].get("artifact_uri", "")).rstrip("/")
