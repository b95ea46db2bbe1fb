"""Logged models: made with their parameters and tags; their metrics travel with those of their runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.registry.interface import names
from heavylift.registry.interface.artifacts import Place
from heavylift.registry.interface.context import Context, optional
from heavylift.registry.interface.filling import ModelPoints
from heavylift.registry.interface.merging import note, noted, pairs
from heavylift.registry.interface.names import pairs_of, tags_of, to_target
from heavylift.registry.interface.runs import Runs
from heavylift.registry.interface.server import WritingServer, segment
from heavylift.registry.rest.artifacts import Owner
from heavylift.registry.rest.client import TrackingServer

_API = "api/2.0/mlflow/logged-models"
SORT = "logged models"
_STATUS = "\0status"
_NUMBERS = {"LOGGED_MODEL_PENDING": 1, "LOGGED_MODEL_READY": 2, "LOGGED_MODEL_UPLOAD_FAILED": 3}
_PENDING = "LOGGED_MODEL_PENDING"
ROUTE = "logged-models/search"


@dataclass
class LoggedModels:
    """The logged models of one experiment.

    :param points: takes in which points of which runs belong to them and are not there yet.
    """

    context: Context
    runs: Runs
    points: ModelPoints
    there: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def move(self) -> None:
        """Make what is missing, and bring the rest up to date."""
        context, experiment = self.context, self.runs.experiment
        models = await optional(
            logged_models(context.source, experiment.id), context.tally, f"source {ROUTE}"
        )
        context.tally.found(SORT, len(models))
        if not models and experiment.fresh:
            return
        if not experiment.fresh:
            await self._index()
        await context.each(SORT, models, self._one, lambda model: str(model["info"]["model_id"]))
        await self._gone({str(model["info"]["model_id"]) for model in models})

    async def _index(self) -> None:
        context = self.context
        route = f"target {ROUTE}"
        experiment = self.runs.experiment.target_id
        for each in await optional(logged_models(context.target, experiment), context.tally, route):
            source = context.provenance.source_id(tags_of(each["info"].get("tags")))
            if source is None:
                continue
            if source in self.there:
                await self._delete(each)
            else:
                self.there[source] = each

    async def _one(self, model: Mapping[str, Any]) -> None:
        info = model["info"]
        source = str(info["model_id"])
        wanted = {to_target(k): v for k, v in tags_of(info.get("tags")).items() if k != names.MODEL_VERSIONS}
        wanted[_STATUS] = str(info.get("status", _PENDING))
        there = self.there.get(source)
        found = await self._make(model, wanted) if there is None else _id_and_place(there)
        if found is None:
            return
        made, place = found
        await self._move_artifacts(info, made, place, there)
        if there is None:
            # Last of all: what has no note was not finished.
            await self._put_tags(made, note(wanted))
        else:
            await self._update(source, info, there, wanted)
        self.context.maps.models[source] = made
        if info.get("artifact_uri") and place:
            place_there = str(info["artifact_uri"]).rstrip("/")
            self.context.maps.places[place_there] = place.rstrip("/")
            self.context.maps.model_places[place_there] = made
        self._note_points(model, made, there)

    async def _make(self, model: Mapping[str, Any], wanted: Mapping[str, str]) -> tuple[str, str] | None:
        info, context = model["info"], self.context
        await self.runs.awake()
        tags = {key: value for key, value in wanted.items() if key != _STATUS}
        tags |= self._own_tags(info)
        body: dict[str, Any] = {
            "experiment_id": self.runs.experiment.target_id,
            "name": info.get("name", ""),
            "tags": pairs_of(tags),
            "params": model.get("data", {}).get("params", []),
        }
        if info.get("model_type"):
            body["model_type"] = info["model_type"]
        run = str(info.get("source_run_id", ""))
        if run in context.maps.runs:
            body["source_run_id"] = context.maps.runs[run]
        elif run:
            context.tally.lose(
                "logged model", "its run", "the run is no longer on the source", str(info["model_id"])
            )
        try:
            made = await context.target.create(
                _API,
                body,
                pick=lambda answer: _id_and_place(answer["model"]),
                find=lambda: self._find(str(info["model_id"])),
                planned=lambda name: (name, ""),
            )
        except NotFoundError:
            context.tally.fallbacks.add("target logged-models: logged models are left out")
            context.tally.lose("logged model", "all", "the target has none", str(info["model_id"]))
            return None
        context.tally.created(SORT)
        await self._put_status(made[0], wanted[_STATUS], _PENDING)
        return made

    def _own_tags(self, info: Mapping[str, Any]) -> dict[str, str]:
        facts = {
            name: info.get(name)
            for name in ("creation_timestamp_ms", "last_updated_timestamp_ms", "artifact_uri", "creator_id")
        }
        return self.context.provenance.tags(str(info["model_id"]), facts)

    async def _find(self, source: str) -> tuple[str, str] | None:
        async for each in logged_models(self.context.target, self.runs.experiment.target_id):
            if self.context.provenance.source_id(tags_of(each["info"].get("tags"))) == source:
                return _id_and_place(each)
        return None

    async def _update(
        self, source: str, info: Mapping[str, Any], there: Mapping[str, Any], wanted: Mapping[str, str]
    ) -> None:
        tags = tags_of(there["info"].get("tags"))
        status = str(there["info"].get("status", _PENDING))
        actual = {k: v for k, v in tags.items() if not names.is_ours(k) and k != names.MODEL_VERSIONS}
        earlier = noted(tags)
        merge = self.context.policy.merge(wanted, {**actual, _STATUS: status}, earlier)
        facts = {key: value for key, value in self._own_tags(info).items() if tags.get(key) != value}
        made = str(there["info"]["model_id"])
        facts |= {key: value for key, value in merge.put.items() if key != _STATUS}
        if merge or earlier is None:
            facts |= note({**wanted, **{key: actual[key] for key in merge.kept}}, pairs({_STATUS: status}))
        # Before the note, which no longer knows of them: what it does not know is somebody else's, and stays.
        for key in merge.delete:
            await self.runs.awake()
            await self.context.target.gone("DELETE", f"{_API}/{segment(made)}/tags/{segment(key)}", {})
        if facts:
            await self._put_tags(made, facts)
        if _STATUS in merge.put:
            await self._put_status(made, wanted[_STATUS], status)
        self.context.tally.merged(SORT, source, merge)

    async def _put_tags(self, model: str, tags: Mapping[str, str]) -> None:
        await self.runs.awake()
        body = {"model_id": model, "tags": pairs_of(tags)}
        await self.context.target.write("PATCH", f"{_API}/{segment(model)}/tags", body)

    async def _move_artifacts(
        self, info: Mapping[str, Any], made: str, target: str, there: Mapping[str, Any] | None
    ) -> None:
        artifacts, source = self.context.artifacts, str(info.get("artifact_uri", "")).rstrip("/")
        if artifacts is None or not source:
            return
        ours, theirs = Owner("logged model", str(info["model_id"])), Owner("logged model", made)
        place = Place(ours, theirs, source, target.rstrip("/"), there is None)
        artifacts.add(place)
        finished = there is not None and noted(tags_of(there["info"].get("tags"))) is not None
        if self.context.full or not finished or info.get("status") == _PENDING:
            await artifacts.through_servers(place)

    async def _put_status(self, model: str, wanted: str, now: str) -> None:
        if wanted != now and wanted in _NUMBERS:
            await _put_status(self.context.target, model, wanted)

    def _note_points(self, model: Mapping[str, Any], made: str, there: Mapping[str, Any] | None) -> None:
        """Note which of a model's metrics are not there yet; they are written with those of their run."""
        maps = self.context.maps
        have = {
            _point(each, str(each.get("run_id", "")))
            for each in (there or {}).get("data", {}).get("metrics", ())
        }
        for each in model.get("data", {}).get("metrics", ()):
            run = str(each.get("run_id", ""))
            if run not in maps.runs:
                self.context.tally.lose(
                    "logged model",
                    "metrics of a run that is gone",
                    "the interface writes them with their run",
                    made,
                )
                continue
            point = _point(each, maps.runs[run])
            if point in have:
                continue
            link = {"model_id": made}
            for name in ("dataset_name", "dataset_digest"):
                if each.get(name):
                    link[name] = str(each[name])
            self.points.setdefault(run, {}).setdefault(point[:4], []).append(link)

    async def _gone(self, left: set[str]) -> None:
        for source, each in self.there.items():
            if source in left:
                continue
            if not self.context.policy.propagate:
                self.context.tally.kept(SORT)
                continue
            await self._delete(each)
            self.context.tally.deleted(SORT)

    async def _delete(self, model: Mapping[str, Any]) -> None:
        name = segment(str(model["info"]["model_id"]))
        await self.context.target.gone("DELETE", f"{_API}/{name}", {})


async def _put_status(server: WritingServer, model: str, status: str) -> None:
    body = {"model_id": model, "status": _NUMBERS[status]}
    await server.write("PATCH", f"{_API}/{segment(model)}", body)


async def ready_at(server: WritingServer, model: str) -> None:
    """Say of a logged model that all its files are there."""
    await _put_status(server, model, "LOGGED_MODEL_READY")


async def logged_models(server: TrackingServer, experiment: str) -> AsyncIterator[dict[str, Any]]:
    """Yield an experiment's logged models; deleted ones the interface does not show."""
    query = {"experiment_ids": [experiment], "max_results": 50}
    async for page in server.pages(f"{_API}/search", "models", query, post=True):
        for each in page:
            yield each


def _point(each: Mapping[str, Any], run: str) -> tuple[str, str, int, int, str, str, str]:
    return (
        str(each["key"]),
        repr(float(each.get("value") or 0.0)),
        int(each.get("timestamp") or 0),
        int(each.get("step") or 0),
        run,
        str(each.get("dataset_name", "")),
        str(each.get("dataset_digest", "")),
    )


def _id_and_place(model: Mapping[str, Any]) -> tuple[str, str]:
    return str(model["info"]["model_id"]), str(model["info"].get("artifact_uri", ""))
