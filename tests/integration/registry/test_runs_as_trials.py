"""Experiments and runs of a real MLflow server move to SageMaker's experiments, which moto plays.

What moto lacks of SageMaker stands before it (``tests/support/sagemaker_front.py``), and the service of
metrics beside it; both hold each request to botocore's model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from heavylift.registry.catalogues.trials.naming import run_name
from sandbox.stack import Stack
from tests.integration.conftest import new_state_dir
from tests.support.catalogue_moves import CatalogueMoves
from tests.support.model_packages import Account
from tests.support.sagemaker_front import SageMakerFront
from tests.support.sagemaker_metrics import MetricsService
from tests.support.tracked_runs import BEGAN, ENDED, Team, recent
from tests.support.tracking_server import Server, servers

PAIRS = (("mlflow-artifacts:", "s3://runs-target/moved"),)


@dataclass(frozen=True)
class World:
    """A server with runs, and a region of its own for each test."""

    mlflow: Server
    front: SageMakerFront
    metrics: MetricsService

    @property
    def moves(self) -> CatalogueMoves:
        options = {"artifacts": False}
        return CatalogueMoves(self.mlflow.connection, self.front.connection, PAIRS, options=options)

    @property
    def team(self) -> Team:
        return Team(self.mlflow)

    @property
    def client(self) -> Any:
        """SageMaker as any client sees it."""
        return self.front.as_account.client("sagemaker")

    def component(self, run: str) -> dict[str, Any]:
        """Return a run's component."""
        found: dict[str, Any] = self.client.describe_trial_component(
            TrialComponentName=run_name("m/models", run)
        )
        return found

    def tags(self, run: str) -> dict[str, str]:
        """Return the tags of a run's component, without marks."""
        listed = self.client.list_tags(ResourceArn=self.component(run)["TrialComponentArn"])["Tags"]
        pairs = {each["Key"]: each["Value"] for each in listed}
        return {key: value for key, value in pairs.items() if not key.startswith("heavylift.")}

    def points(self, run: str, metric: str) -> dict[int, float]:
        """Return the last value of each step that the service of metrics has."""
        arn = self.component(run)["TrialComponentArn"]
        return {
            step: value for step, _, value in self.metrics.points.get((arn, metric), []) if step is not None
        }


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Server]]:
    folder = new_state_dir()
    stack = Stack.start(folder, ("aws_control",))
    try:
        given = json.loads(stack.env["AIRFLOW_CONN_AWS_CONTROL"])["extra"]
        endpoint = (given if isinstance(given, dict) else json.loads(given))["endpoint_url"]
        with servers(tmp_path_factory.mktemp("tracking"), "runs") as (server,):
            yield endpoint, server
    finally:
        stack.stop()
        shutil.rmtree(folder)


_REGIONS = iter(f"eu-{side}-{number}" for number in range(1, 50) for side in ("north", "south", "central"))


@pytest.fixture
def world(moto: tuple[str, Server]) -> Iterator[World]:
    endpoint, server = moto
    server.clear()
    account = Account(endpoint, next(_REGIONS))
    with ExitStack() as stack:
        metrics = stack.enter_context(MetricsService(account))
        front = stack.enter_context(SageMakerFront(account, metrics=metrics.config))
        yield World(server, front, metrics)


def test_runs_arrive_as_trials_and_components_and_a_second_time_nothing_is_written(world: World) -> None:
    team, now = world.team, recent()
    number = team.experiment("pricing", team="risk")
    top = team.run(number, "nightly tuning", params={"rate": "0.1", "epochs": "10", "note": ""})
    child = team.run(
        number,
        "bold-fish-12",
        top,
        tags={"owner": "ann", "mlflow.source.git.commit": "abc123"},
        metrics={"loss": [(1 / (step + 1), now + step * 1000, step) for step in range(25)]},
        status="FAILED",
    )
    below = team.run(number, "deep", child, metrics={"auc": [(0.75, now, 0)]}, status="RUNNING")

    looked = world.moves.look(accept_losses=False)
    assert looked.losses == ()
    assert [each.rule for each in looked.findings] == ["runs-below-child-runs"]
    assert world.front.writes() == []
    record = world.moves.copy(accept_losses=False)
    assert record.passed, record.failures
    assert {each.table: each.inserted for each in record.tables if each.rows} == {
        "experiments": 1,
        "trials": 1,
        "trial components": 3,
        "metric points": 26,
    }
    trial = run_name("m/models", top)
    assert world.client.describe_experiment(ExperimentName="pricing")["DisplayName"] == "pricing"
    assert world.client.describe_trial(TrialName=trial)["DisplayName"] == "nightly-tuning"
    assert {run_name("m/models", each) for each in (top, child, below)} == {
        each["TrialComponentName"]
        for each in world.client.list_trial_components(TrialName=trial)["TrialComponentSummaries"]
    }
    parent, inner = world.component(top), world.component(child)
    assert parent["Parameters"] == {
        "rate": {"NumberValue": 0.1},
        "epochs": {"StringValue": "10"},
        "note": {"StringValue": ""},
    }
    assert (inner["StartTime"].timestamp(), inner["EndTime"].timestamp()) == (BEGAN / 1000, ENDED / 1000)
    assert [world.component(each)["Status"]["PrimaryStatus"] for each in (top, child, below)] == [
        "Completed",
        "Failed",
        "InProgress",
    ]
    assert inner["OutputArtifacts"]["mlflow.artifacts"]["Value"].startswith("s3://runs-target/moved/")
    assert (
        world.tags(child).items()
        >= {
            "owner": "ann",
            "mlflow.parentRunId": top,
            "mlflow.source.git.commit": "abc123",
        }.items()
    )
    assert world.tags(top)["mlflow.runName"] == "nightly tuning"
    assert world.points(child, "loss") == {step: 1 / (step + 1) for step in range(25)}
    proof = world.moves.verify()
    assert proof.passed, proof.differences
    assert {each.what: each.equal for each in proof.compared if each.source} == {
        "experiment": 1,
        "trial": 1,
        "run": 3,
    }
    assert proof.statement.count("26 points of metrics")

    world.front.writes()
    world.metrics.put.clear()
    assert (world.moves.copy().written, world.moves.sync().written) == (0, 0)
    assert (world.front.writes(), world.metrics.put) == ([], [])
