"""Proves that an MLflow server's experiments and runs are in SageMaker: both sides are read afresh.

Nothing of what moved them is used but the reading of SageMaker, and the limits that its model states; what
a component must be is said here once more, from MLflow's own words. Of the marks only the source's id is
believed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from heavylift.registry.catalogues import marks
from heavylift.registry.catalogues.experiments.points import PointReader, by_name
from heavylift.registry.catalogues.experiments.reading import Held, Trials
from heavylift.registry.catalogues.trials.limits import MOST_STEP, trial_limits
from heavylift.registry.catalogues.trials.points import why_no_points
from heavylift.registry.interface.context import gather
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.selection import selected_of

if TYPE_CHECKING:
    from heavylift.registry.catalogues.trials.service import ChangingService
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.settling import Judgement

EXPERIMENT, TRIAL, RUN = "experiment", "trial", "run"
_API = "api/2.0/mlflow"
_MARK, _EARLIER = "heavylift.source.", "heavylift.earlier."
_NOTES = "heavylift.source.noted"
_NAME, _PARENT, _NOTE = "mlflow.runName", "mlflow.parentRunId", "mlflow.note.content"
_LAST = "mlflow.metric."
_OWN = ("mlflow.artifactLocation", "mlflow.creationTime")
_ENDS = {"FINISHED": "Completed", "FAILED": "Failed", "KILLED": "Stopped"}

T = TypeVar("T")
Fields = dict[str, str]
Raw = Mapping[str, Any]


class RunProof:
    """One comparison of a server with a region."""

    def __init__(self, request: RegistryRequest, service: ChangingService, found: Judgement) -> None:
        self._request, self._found = request, found
        self._trials, self._points = Trials(service), PointReader(service)
        self._service, self._no_points = service, ""
        self._server = TrackingServer(request.source.connection, request.options.parallel)
        self._server.selected = selected_of(request.options.selection)

    async def run(self) -> None:
        """Compare all experiments, and then the trials and runs of each."""
        try:
            self._no_points = await why_no_points(self._service)
            ours = await self._experiments()
            theirs = {
                own: held for held in await self._trials.experiments() if (own := self._origin(held.tags))
            }
            keys = {self._mark(number): number for number in ours}
            shown = {keys[own]: held for own, held in theirs.items() if own in keys}
            expected = {number: self._of_experiment(each, shown.get(number)) for number, each in ours.items()}
            self._found.compare(
                EXPERIMENT,
                expected,
                {number: _of_their_experiment(held, expected[number]) for number, held in shown.items()},
            )
            self._found.stays(EXPERIMENT, len(theirs) - len(shown))
            for number in ours:
                held = shown.get(number)
                await self._runs(number, str(held.described["ExperimentName"]) if held else "")
        finally:
            await self._server.close()

    def _mark(self, value: str) -> str:
        return marks.fit_mark(value, trial_limits().pairs)

    def _origin(self, tags: Mapping[str, str]) -> str:
        ours = tags.get(f"{_MARK}registry") == self._mark(self._request.id)
        return tags.get(f"{_MARK}id", "") if ours else ""

    async def _experiments(self) -> dict[str, Raw]:
        found: dict[str, Raw] = {}
        async for page in self._server.pages(
            f"{_API}/experiments/search", "experiments", {"max_results": 1000}, post=True
        ):
            found |= {str(each["experiment_id"]): each for each in page}
        default = found.get("0")
        if default is not None and not default.get("tags"):
            runs = [page async for page in self._their_runs("0")]
            if not any(runs):
                del found["0"]
        return found

    async def _their_runs(self, number: str) -> Any:
        query = {"experiment_ids": [number], "run_view_type": "ALL", "max_results": 500}
        async for page in self._server.pages(f"{_API}/runs/search", "runs", query, post=True):
            yield page

    def _of_experiment(self, told: Raw, there: Held | None) -> Fields:
        limits, tags = trial_limits(), _of_source(told.get("tags"))
        found: Fields = {}
        name = str(told["name"])
        if not limits.name.wrong(name) or not limits.pairs.refused("name", name):
            found["name"] = name
        if tags.get(_NOTE) and not limits.description.wrong(tags[_NOTE]):
            found["description"] = tags.pop(_NOTE)
        place = str(told.get("artifact_location") or "").rstrip("/")
        tags["mlflow.artifactLocation"] = self._request.options.uris.of(place)
        tags["mlflow.creationTime"] = str(told.get("creation_time") or "")
        return found | _expected_tags(
            {key: value for key, value in tags.items() if value or key not in _OWN}, there
        )

    async def _runs(self, number: str, experiment: str) -> None:
        """Compare the trials and runs of one experiment; memory is bounded by what the target has of it."""
        actual, of_trial, strangers = await self._components(experiment) if experiment else ({}, {}, [])
        trials = {own: held for own, held in of_trial.items()}
        parents, names = await self._family(number)
        roots: Fields = {}
        async for page in self._their_runs(number):
            living = [each for each in page if each["info"].get("lifecycle_stage") != "deleted"]
            expected: dict[str, Fields] = {}
            shown: dict[str, Fields] = {}

            async def one(
                run: Raw, expected: dict[str, Fields] = expected, shown: dict[str, Fields] = shown
            ) -> None:
                own = str(run["info"]["run_id"])
                root = _topmost(own, parents)
                roots[root] = names[root]
                there = actual.pop(self._mark(own), None)
                expected[own] = await self._of_run(run, root, there)
                if there is not None:
                    shown[own] = await self._of_component(*there, expected[own])

            await self._some_at_once(one, living)
            self._found.compare(RUN, expected, shown)
        self._found.stays(RUN, len(actual))
        self._compare_trials(roots, trials)
        self._found.compare(RUN, {}, {f"{experiment}/(target's) {each}": {} for each in strangers})

    def _compare_trials(self, roots: Fields, trials: Mapping[str, Held | None]) -> None:
        pairs = trial_limits().pairs
        expected: dict[str, Fields] = {}
        actual: dict[str, Fields] = {}
        left = dict(trials)
        for root, name in roots.items():
            expected[root] = {} if pairs.refused(_NAME, name) else {"name": name}
            there = left.pop(self._mark(root), None)
            if there is not None:
                shown = str(there.described.get("DisplayName") or "")
                actual[root] = {"name": there.tags[_NAME]} if _NAME in there.tags else {}
                if shown and not trial_limits().display.wrong(name):
                    expected[root]["shown"], actual[root]["shown"] = name, shown
        self._found.compare(TRIAL, expected, actual)
        self._found.stays(TRIAL, len(left))

    async def _components(
        self, experiment: str
    ) -> tuple[dict[str, tuple[Held, str]], dict[str, Held], list[str]]:
        """Return components by their mark with the marks of their trials, trials by theirs, and strangers."""
        held_as: dict[str, Held] = {}
        within: dict[str, set[str]] = {}
        trials: dict[str, Held] = {}
        strangers: list[str] = []

        async def one(trial: Held) -> None:
            name, own = str(trial.described["TrialName"]), self._origin(trial.tags)
            if not own:
                strangers.append(name)
                return
            trials[own] = trial
            async for page in self._trials.components(name):
                for held in page:
                    component = self._origin(held.tags)
                    if component:
                        held_as[component] = held
                        within.setdefault(component, set()).add(own)
                    else:
                        strangers.append(f"{name}/{held.described['TrialComponentName']}")

        await self._some_at_once(one, await self._trials.trials(experiment))
        found = {own: (held, ", ".join(sorted(within[own]))) for own, held in held_as.items()}
        return found, trials, sorted(strangers)

    async def _some_at_once(self, act: Callable[[T], Awaitable[None]], items: Sequence[T]) -> None:
        at_once = self._request.options.parallel
        for start in range(0, len(items), at_once):
            await gather(map(act, items[start : start + at_once]))

    async def _family(self, number: str) -> tuple[Fields, Fields]:
        """Return the parents and the names of an experiment's runs, the deleted ones too."""
        parents: Fields = {}
        names: Fields = {}
        async for page in self._their_runs(number):
            for run in page:
                own = str(run["info"]["run_id"])
                names[own] = str(run["info"].get("run_name") or own)
                parents[own] = _pairs((run.get("data") or {}).get("tags")).get(_PARENT, "")
        return {own: parent for own, parent in parents.items() if parent in names}, names

    async def _of_run(self, run: Raw, root: str, there: tuple[Held, str] | None) -> Fields:
        limits, info, data = trial_limits(), run["info"], run.get("data") or {}
        held = there[0] if there else None
        name = str(info.get("run_name") or info["run_id"])
        found = {"trial": self._mark(root), "status": _ENDS.get(str(info.get("status")), "InProgress")}
        plain = not limits.display.wrong(name)
        if plain or not limits.pairs.refused(_NAME, name):
            found["name"] = name
        found |= {
            field: str(int(info[key]))
            for field, key in (("start", "start_time"), ("end", "end_time"))
            if info.get(key)
        }
        place = self._request.options.uris.of(str(info.get("artifact_uri") or "").rstrip("/"))
        if place and not limits.artifact.wrong(place):
            found["artifacts"] = place
        params = {
            f"params/{key}": value
            for key, value in _pairs(data.get("params")).items()
            if not limits.param.wrong(key) and not limits.text.wrong(value)
        }
        if len(params) > limits.params and held is not None:
            kept = {f"params/{key}" for key in held.described.get("Parameters") or {}}
            params = {key: value for key, value in params.items() if key in kept or len(kept) < limits.params}
        tags = _of_source(data.get("tags"))
        tags.pop(_NAME, None)
        if info.get("status") == "SCHEDULED":
            tags["mlflow.status"] = "SCHEDULED"
        metrics = await self._metrics(str(info["run_id"]), data.get("metrics") or ())
        return found | params | metrics | _expected_tags(tags, held)

    async def _metrics(self, run: str, shown: Iterable[Raw]) -> Fields:
        """Return each metric's points by step, as many of them as can be there."""
        found: Fields = {}
        for name in sorted({str(each["key"]) for each in shown}):
            last: dict[int, tuple[int, float]] = {}
            query = {"run_id": run, "metric_key": name, "max_results": 25_000}
            async for page in self._server.pages(f"{_API}/metrics/get-history", "metrics", query):
                for each in page:
                    value, step = float(each.get("value", 0)) + 0.0, int(each.get("step") or 0)
                    point = (int(each.get("timestamp") or 0), value)
                    if math.isfinite(value) and 0 <= step <= MOST_STEP:
                        last[step] = max(last.get(step, point), point)
            if last and not trial_limits().metric.wrong(name):
                self._found.points += len(last)
                found[f"metrics/{name}"] = _listed({step: value for step, (_, value) in last.items()})
        return found

    async def _of_component(self, held: Held, trials: str, expected: Fields) -> Fields:
        told, tags = held.described, dict(held.tags)
        shown = str(told.get("DisplayName") or told["TrialComponentName"])
        status = told.get("Status") or {}
        found = {"trial": trials, "status": str(status.get("PrimaryStatus") or "")}
        name = tags.pop(_NAME, shown)
        if "name" in expected:
            found["name"] = name
        for field, key in (("start", "StartTime"), ("end", "EndTime")):
            # An end cannot be taken away there: a run that was taken up again shows its last one.
            if told.get(key) is not None and (field in expected or field == "start"):
                found[field] = str(round(told[key].timestamp() * 1000))
        outputs = {str(key): str(each["Value"]) for key, each in (told.get("OutputArtifacts") or {}).items()}
        if "mlflow.artifacts" in outputs:
            found["artifacts"] = outputs.pop("mlflow.artifacts")
        found |= {f"outputs/{key}": value for key, value in outputs.items()}
        for key, each in (told.get("Parameters") or {}).items():
            number = each.get("NumberValue")
            found[f"params/{key}"] = str(each.get("StringValue")) if number is None else repr(float(number))
        found |= await self._their_metrics(held, tags, expected)
        return found | {f"tags/{key}": value for key, value in tags.items() if not key.startswith(_MARK)}

    async def _their_metrics(self, held: Held, tags: Fields, expected: Fields) -> Fields:
        """Return points by step; where they cannot be asked for, what summaries and tags tell of the last."""
        if not self._no_points:
            return {
                f"metrics/{name}": _listed({step: value for value, _, step in each.points})
                for name, each in (await self._points.of(held.described)).items()
                if each.points
            }
        summaries, found = by_name(held.described), Fields()
        lasts = {key.removeprefix(_LAST): tags.pop(key) for key in list(tags) if key.startswith(_LAST)}
        for path, listed in expected.items():
            if not path.startswith("metrics/"):
                continue
            name = path.removeprefix("metrics/")
            points: dict[str, str] = json.loads(listed)
            last = points[max(points, key=int)]
            summary = summaries.get(name) or {}
            told = lasts.get(name, "").partition(" ")[0] or repr(float(summary.get("Last", math.nan)))
            enough = name in lasts or int(summary.get("Count") or 0) >= len(points)
            found[path] = listed if told == last and enough else told
        return found


def _of_their_experiment(held: Held, expected: Fields) -> Fields:
    told, tags = held.described, dict(held.tags)
    name = tags.pop("mlflow.experimentName", str(told["ExperimentName"]))
    found = {"name": name} if "name" in expected else {}
    if told.get("Description"):
        found["description"] = str(told["Description"])
    return found | {f"tags/{key}": value for key, value in tags.items() if not key.startswith(_MARK)}


def _expected_tags(tags: Fields, there: Held | None) -> Fields:
    """Return the tags that must be there: those that are taken, and of a full thing those that it has."""
    pairs = trial_limits().pairs
    fit = {
        key: value
        for key, value in tags.items()
        if not pairs.refused(key, value) and not key.startswith("aws:")
    }
    if there is not None and len(fit) > pairs.most - marks.COUNT - 1:
        own = [key for key in there.tags if not key.startswith(_MARK)]
        if len(own) >= pairs.most - marks.COUNT:
            fit = {key: value for key, value in fit.items() if key in there.tags}
    return {f"tags/{key}": value for key, value in fit.items()}


def _of_source(listed: Any) -> Fields:
    """Return tags of the source under the keys that they have there."""
    found = {}
    for key, value in _pairs(listed).items():
        if not key.startswith(_NOTES):
            found[_EARLIER + key[len("heavylift.") :] if key.startswith("heavylift.") else key] = value
    return found


def _topmost(run: str, parents: Fields) -> str:
    way = [run]
    while (parent := parents.get(way[-1])) is not None:
        if parent in way:
            return min(way[way.index(parent) :])
        way.append(parent)
    return way[-1]


def _pairs(listed: Any) -> Fields:
    return {str(each["key"]): str(each.get("value", "")) for each in listed or ()}


def _listed(points: Mapping[int, float]) -> str:
    """Return values by step as one text, the same for equal ones."""
    return json.dumps({str(step): repr(value + 0.0) for step, value in sorted(points.items())})
