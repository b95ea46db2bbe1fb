"""Reads MLflow's experiments and runs, with which trial each run belongs to, and counts what stays behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavylift.errors import NotFoundError
from heavylift.registry.interface.context import Tally
from heavylift.registry.interface.experiments import DEFAULT, all_experiments, runs_of
from heavylift.registry.interface.names import PARENT_RUN, tags_of
from heavylift.registry.rest.client import TrackingServer
from heavylift.registry.rest.older import trace_pages

_LOGGED = "api/2.0/mlflow/logged-models/search"
_STAYS = "SageMaker's experiments have no place for it"
Raw = Mapping[str, Any]


@dataclass
class Families:
    """The runs of one experiment: which there are, and each one's parent.

    Ids alone are held, whatever else the runs have.
    """

    ids: set[str] = field(default_factory=set)
    parents: dict[str, str] = field(default_factory=dict)

    def root(self, run: str) -> str:
        """Return the topmost run above one; itself where it has no parent in the experiment."""
        seen = {run}
        while (parent := self.parents.get(run)) is not None and parent in self.ids and parent not in seen:
            seen.add(parent)
            run = parent
        # Parents in a circle have no topmost one: the least of them stands for it, whoever asks.
        return run if self.parents.get(run) not in seen else min(self._circle(run))

    def _circle(self, run: str) -> set[str]:
        found = set[str]()
        while run not in found:
            found.add(run)
            run = self.parents[run]
        return found

    def is_deep(self, run: str) -> bool:
        """Tell whether a run's parent is no trial's own run."""
        parent = self.parents.get(run)
        return parent is not None and self.root(run) not in {run, parent}


@dataclass
class History:
    """What one tracking server holds."""

    server: TrackingServer

    async def experiments(self, tally: Tally) -> list[Raw]:
        """Return the active experiments; the default one only if it has something."""
        found: list[Raw] = []
        async for each in all_experiments(self.server):
            if each.get("lifecycle_stage") == "deleted":
                tally.lose("experiment", "deleted ones", "SageMaker keeps none", str(each["name"]))
            elif str(each["experiment_id"]) != DEFAULT or await self._is_used(each):
                found.append(each)
        return found

    async def _is_used(self, experiment: Raw) -> bool:
        if experiment.get("tags"):
            return True
        query = {"experiment_ids": [DEFAULT], "run_view_type": "ALL", "max_results": 1}
        async for page in self.server.pages("api/2.0/mlflow/runs/search", "runs", query, post=True):
            return bool(page)
        return False

    async def families(self, experiment: str) -> Families:
        """Return which runs an experiment has, deleted ones too, and whose children they are."""
        found = Families()
        async for page in runs_of(self.server, experiment):
            for run in page:
                own = run_id(run)
                found.ids.add(own)
                parent = tags_of((run.get("data") or {}).get("tags")).get(PARENT_RUN)
                if parent:
                    found.parents[own] = parent
        return found

    async def runs(self, experiment: str, tally: Tally) -> AsyncIterator[list[Raw]]:
        """Yield an experiment's active runs page by page; what of them cannot move is counted."""
        async for page in runs_of(self.server, experiment):
            living: list[Raw] = []
            for run in page:
                if run["info"].get("lifecycle_stage") == "deleted":
                    tally.lose("run", "deleted ones", "SageMaker keeps none", run_id(run))
                    continue
                living.append(run)
                _lose_inputs(run, tally)
            yield living

    async def run(self, own: str) -> Raw:
        """Return one run, deleted or not."""
        answer = await self.server.get("api/2.0/mlflow/runs/get", {"run_id": own})
        found: Raw = answer["run"]
        return found

    async def count_beside(self, experiment: str, tally: Tally) -> None:
        """Count an experiment's traces and logged models, which have no place there."""
        logged: dict[str, Any] = {"experiment_ids": [experiment], "max_results": 100}
        pages = {
            "trace": trace_pages(self.server, experiment),
            "logged model": self.server.pages(_LOGGED, "models", logged, post=True),
        }
        for what, reading in pages.items():
            count = 0
            try:
                async for page in reading:
                    count += len(page)
            except NotFoundError:
                # A server without the route has none of them.
                tally.fallbacks.add(f"{what}s: the server has no such route")
            if count:
                tally.lose(what, "all", _STAYS, f"experiment {experiment}", count)


def run_id(run: Raw) -> str:
    """Return a run's id."""
    return str(run["info"]["run_id"])


def _lose_inputs(run: Raw, tally: Tally) -> None:
    inputs, outputs = run.get("inputs") or {}, run.get("outputs") or {}
    for item, things in (
        ("datasets that went in", inputs.get("dataset_inputs")),
        ("logged models that went in", inputs.get("model_inputs")),
        ("logged models that came out", outputs.get("model_outputs")),
    ):
        if things:
            tally.lose("run", item, _STAYS, run_id(run), len(things))
