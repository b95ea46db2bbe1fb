"""An MLflow server with runs and a region of SageMaker, as the tests of moves between them see both."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from heavylift.registry.catalogues.trials.naming import run_name
from tests.support.catalogue_moves import CatalogueMoves
from tests.support.model_packages import REGION, Account
from tests.support.sagemaker_front import SageMakerFront
from tests.support.sagemaker_metrics import MetricsService
from tests.support.tracked_runs import Team
from tests.support.tracking_server import Server

PAIRS = (("mlflow-artifacts:", "s3://runs-target/moved"),)
_SORTS = {"experiments": "Experiment", "trials": "Trial", "trial_components": "TrialComponent"}
_CHANGES = {"CreationTime", "LastModifiedTime", "ResponseMetadata"}
NAME = "m/models"
"""Under which name the moves are known."""


@dataclass(frozen=True)
class TrialWorld:
    """A server with runs, and a region of its own."""

    mlflow: Server
    front: SageMakerFront
    metrics: MetricsService

    @property
    def moves(self) -> CatalogueMoves:
        """What can be done."""
        options = {"artifacts": False}
        return CatalogueMoves(self.mlflow.connection, self.front.connection, PAIRS, options=options)

    @property
    def team(self) -> Team:
        """Whoever writes to the source."""
        return Team(self.mlflow)

    @property
    def client(self) -> Any:
        """SageMaker as any client sees it."""
        return self.front.as_account.client("sagemaker")

    def component(self, run: str) -> dict[str, Any]:
        """Return a run's component."""
        found: dict[str, Any] = self.client.describe_trial_component(TrialComponentName=run_name(NAME, run))
        return found

    def components(self, trial: str) -> set[str]:
        """Return the names of a trial's components, by the id of its topmost run."""
        listed = self.client.list_trial_components(TrialName=run_name(NAME, trial))
        return {each["TrialComponentName"] for each in listed["TrialComponentSummaries"]}

    def tags(self, run: str) -> dict[str, str]:
        """Return the tags of a run's component, without marks."""
        listed = self.client.list_tags(ResourceArn=self.component(run)["TrialComponentArn"])["Tags"]
        pairs = {each["Key"]: each["Value"] for each in listed}
        return {key: value for key, value in pairs.items() if not key.startswith("heavylift.")}

    def points(self, run: str, metric: str) -> dict[int, float]:
        """Return the last value of each step that the service of metrics has."""
        arn = self.component(run)["TrialComponentArn"]
        found = self.metrics.points.get((arn, metric), [])
        return {step: value for step, _, value in found if step is not None}

    def written(self) -> list[str]:
        """Return which operations changed something since the last time that this was asked."""
        operations = [operation for operation, _ in self.front.writes()]
        points, self.metrics.put[:] = len(self.metrics.put), []
        return operations + ["point"] * points

    def state(self) -> dict[str, Any]:
        """Return all that the region holds of experiments, but for the times of changes."""
        client, found = self.client, dict[str, Any]()
        for sort, name in _SORTS.items():
            for page in client.get_paginator(f"list_{sort}").paginate():
                for each in page[f"{name}Summaries"]:
                    own = each[f"{name}Name"]
                    told = getattr(client, f"describe_{sort[:-1]}")(**{f"{name}Name": own})
                    told = {key: value for key, value in told.items() if key not in _CHANGES}
                    tags = client.list_tags(ResourceArn=told[f"{name}Arn"])["Tags"]
                    found[f"{name}/{own}"] = told, sorted((t["Key"], t["Value"]) for t in tags)
        found["in"] = {name: sorted(of) for name, of in self.front.trials_of.items()}
        found["points"] = {key: sorted({(s, v) for s, _, v in of}) for key, of in self.metrics.points.items()}
        return found


@contextmanager
def trial_world(endpoint: str, server: Server, region: str = REGION) -> Iterator[TrialWorld]:
    """Put a region's front and its service of metrics up for the block; all is emptied before."""
    server.clear()
    forget = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
    urllib.request.urlopen(forget, timeout=60).close()
    account = Account(endpoint, region)
    with ExitStack() as stack:
        metrics = stack.enter_context(MetricsService(account))
        front = stack.enter_context(SageMakerFront(account, metrics=metrics.config))
        yield TrialWorld(server, front, metrics)
