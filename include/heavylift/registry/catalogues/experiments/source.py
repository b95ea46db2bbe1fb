"""SageMaker's experiments told as an MLflow server tells its own, so that what moves those moves these.

A trial is a run, a component a child of it; one that is in several trials is a run in each of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.registry.catalogues.experiments.points import PointReader, Series
from heavylift.registry.catalogues.experiments.reading import Held, Trials
from heavylift.registry.catalogues.experiments.shapes import (
    Lose,
    component_id,
    component_of,
    experiment_of,
    fitted,
    trial_of,
)
from heavylift.registry.rest.client import Query, TrackingServer
from heavylift.registry.uris import UriMap

Key = tuple[str, str, str]


@dataclass
class Seen:
    """What was met on the way: told once, however often a thing is read.

    :param lost: by what is lost, how many of it each thing had.
    :param components: in how many trials each component is.
    :param artifacts: how many components name artifacts.
    """

    lost: dict[Key, Counter[str]] = field(default_factory=dict)
    components: dict[str, set[str]] = field(default_factory=dict)
    artifacts: set[str] = field(default_factory=set)

    def of(self, thing: str) -> Lose:
        """Return what takes the losses of one thing."""

        def lose(what: str, item: str, reason: str, count: int) -> None:
            self.lost.setdefault((what, item, reason), Counter())[thing] = count

        return lose

    @property
    def shared(self) -> list[str]:
        """Components of several trials."""
        return sorted(name for name, trials in self.components.items() if len(trials) > 1)


class SageMakerHistory(TrackingServer):
    """Answers the questions that the mover of experiments and runs asks a tracking server; no others."""

    def __init__(self, trials: Trials, points: PointReader, uris: UriMap, name: str) -> None:
        # There is no server behind it, so nothing of its base is set up.
        self.name = name
        self.trials, self.points = trials, points
        self._uris = uris
        self.seen = Seen()

    async def close(self) -> None:
        """Nothing is held open."""

    async def get(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """Return the points of one metric of some runs."""
        if not path.endswith("metrics/get-history-bulk") or query is None:
            raise _no_such(path)
        runs = query["run_id"]
        named = [runs] if isinstance(runs, str) else list(runs if not isinstance(runs, int) else ())
        key = str(query["metric_key"])
        return {"metrics": [each for run in named for each in await self._points(run, key)]}

    async def pages(
        self, path: str, field: str, query: Mapping[str, Any], *, post: bool = False
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield experiments, an experiment's runs, or the points of one metric."""
        del field, post
        if path.endswith("experiments/search"):
            found = await self.trials.experiments()
            yield [experiment_of(each, self._losing(each, "ExperimentName")) for each in found]
        elif path.endswith("runs/search"):
            for experiment in query["experiment_ids"]:
                async for page in self._runs(str(experiment).partition("/")[2]):
                    yield page
        elif path.endswith("metrics/get-history"):
            yield await self._points(str(query["run_id"]), str(query["metric_key"]))
        else:
            raise _no_such(path)

    async def _runs(self, experiment: str) -> AsyncIterator[list[dict[str, Any]]]:
        for trial in await self.trials.trials(experiment):
            name = str(trial.described["TrialName"])
            yield [trial_of(trial, self._losing(trial, "TrialName"))]
            async for page in self.trials.components(name):
                yield [await self._component(each, name) for each in page]

    async def _component(self, held: Held, trial: str) -> dict[str, Any]:
        told = held.described
        name = str(told["TrialComponentName"])
        self.seen.components.setdefault(name, set()).add(trial)
        if told.get("InputArtifacts") or told.get("OutputArtifacts"):
            self.seen.artifacts.add(name)
        lose = self._losing(held, "TrialComponentName")
        series = await self.points.of(told)
        self._lose_points(series, lose)
        return component_of(held, trial, series, self._uris.of, lose)

    def _lose_points(self, series: Mapping[str, Series], lose: Lose) -> None:
        untold = sum(each.untold for each in series.values())
        if untold:
            why = self.points.refused or "the service does not tell them one by one"
            lose("metric", "points that only its summary counts", why, untold)
        untimed = sum(each.untimed for each in series.values())
        if untimed:
            lose("metric", "times of points", "the service tells points by their step or their time", untimed)

    def _losing(self, held: Held, by: str) -> Lose:
        return self.seen.of(f"{by.removesuffix('Name')} {held.described[by]}")

    async def _points(self, run: str, metric: str) -> list[dict[str, Any]]:
        trial, _, name = run.removeprefix("trial/").partition("/component/")
        held = await self.trials.component(name) if name else None
        if held is None:
            return []
        known = await self.points.of(held.described)
        series = next((each for own, each in known.items() if fitted(own) == metric), Series(()))
        return [
            {
                "run_id": component_id(trial, name),
                "key": metric,
                "value": value,
                "timestamp": time,
                "step": step,
            }
            for value, time, step in series.points
        ]


def _no_such(path: str) -> NotFoundError:
    return NotFoundError(
        f"asking SageMaker's experiments for {path}",
        got="a question that only a tracking server answers",
        expected="experiments, runs or points of metrics",
        state="nothing was concluded",
        remedy="report it as a defect of Heavylift",
        code="9613",
    )
