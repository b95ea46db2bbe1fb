"""SageMaker's experiments, played by moto's server, move to a real MLflow server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.aio import run
from heavylift.errors import ConflictError, NotFoundError
from heavylift.registry.api import verify_registry
from heavylift.registry.selection import Selection
from heavylift.spec.sections_data import OnNameConflict
from sandbox.stack import Stack
from tests.integration.conftest import new_state_dir
from tests.support.catalogue_moves import CatalogueMoves, started
from tests.support.losing_proxy import losing
from tests.support.model_packages import Account
from tests.support.sagemaker_metrics import MetricsService
from tests.support.sagemaker_trials import BEGAN, ENDED, component, fill_trials
from tests.support.tracking_server import Server, servers

PAIRS = (("s3://models-source", "s3://models-target/moved"),)


@dataclass(frozen=True)
class World:
    """One region with experiments, and an MLflow server."""

    aws: Account
    mlflow: Server

    @property
    def moves(self) -> CatalogueMoves:
        options = {"artifacts": False}
        return CatalogueMoves(self.aws.connection, self.mlflow.connection, PAIRS, options=options)

    def runs(self) -> dict[str, Any]:
        """Return all runs by name."""
        return runs_of(self.mlflow)


def runs_of(server: Server) -> dict[str, Any]:
    experiments = server.ask("POST", "api/2.0/mlflow/experiments/search", {"max_results": 100})["experiments"]
    query = {"experiment_ids": [each["experiment_id"] for each in experiments], "max_results": 1000}
    found = server.ask("POST", "api/2.0/mlflow/runs/search", query).get("runs", ())
    return {each["info"]["run_name"]: each for each in found}


def pairs(listed: Any) -> dict[str, str]:
    return {each["key"]: each.get("value", "") for each in listed}


@pytest.fixture(scope="module")
def running_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = new_state_dir()
    stack = Stack.start(folder, ("aws_control",))
    try:
        given = json.loads(stack.env["AIRFLOW_CONN_AWS_CONTROL"])["extra"]
        aws = Account((given if isinstance(given, dict) else json.loads(given))["endpoint_url"])
        fill_trials(aws)
        with servers(tmp_path_factory.mktemp("tracking"), "catalogue") as (server,):
            yield World(aws, server)
    finally:
        stack.stop()
        shutil.rmtree(folder)


@pytest.fixture
def world(running_world: World) -> World:
    running_world.mlflow.clear()
    return running_world


def test_trials_arrive_as_runs_a_second_time_nothing_is_written_and_a_difference_is_found(
    world: World,
) -> None:
    looked = world.moves.look(accept_losses=False)
    assert {(each.what, each.item, each.count) for each in looked.losses} == {
        ("trial component", "those of no trial", 1)
    }
    record = world.moves.copy()
    assert record.passed, record.failures
    assert {each.table: each.inserted for each in record.tables if each.rows} == {
        "experiments": 2,
        "runs": 3,
    }
    runs = world.runs()
    parent, child = runs["pricing-1"], runs["train step"]
    assert (child["info"]["status"], parent["info"]["status"]) == ("FAILED", "FINISHED")
    assert (child["info"]["start_time"], child["info"]["end_time"]) == (BEGAN * 1000, ENDED * 1000)
    tags = pairs(child["data"]["tags"])
    assert tags["mlflow.parentRunId"] == parent["info"]["run_id"]
    assert tags["sagemaker.input.data"] == "s3://models-target/moved/train.csv"
    assert tags["sagemaker.status_message"] == "it is Failed"
    assert pairs(child["data"]["params"]) == {
        "rate": "0.30000000000000004",
        "epochs": "10.0",
        "optimizer": "adam",
    }
    proof = world.moves.verify()
    assert proof.passed, proof.differences
    assert {each.what: each.equal for each in proof.compared if each.source} == {"experiment": 2, "run": 3}

    before = world.mlflow.dump()
    assert (world.moves.copy().written, world.moves.sync().written, world.mlflow.dump()) == (0, 0, before)

    run = child["info"]["run_id"]
    world.mlflow.sql("DELETE FROM params WHERE run_uuid = ? AND key = 'rate'", run)
    world.mlflow.sql("UPDATE runs SET end_time = end_time + 1 WHERE run_uuid = ?", run)
    world.mlflow.sql("UPDATE runs SET start_time = start_time + 1 WHERE run_uuid = ?", run)
    (difference,) = world.moves.verify().differences
    assert (difference.what, difference.fields) == ("run", ("end", "params/rate", "start"))


@pytest.mark.long
def test_some_experiments_move_without_the_others(world: World) -> None:
    moves = replace(world.moves, options={**world.moves.options, "selection": Selection(("pri*",))})
    looked = moves.look(accept_losses=False)
    assert (looked.losses, [each.rule for each in looked.findings][:1]) == ((), ["not-chosen"])
    record = moves.copy(accept_losses=False)
    assert record.passed, record.failures
    assert "pricing-1" in world.runs()
    names = {row[0] for row in world.mlflow.sql("SELECT name FROM experiments WHERE experiment_id <> 0")}
    assert (len(names), all(each.startswith("pri") for each in names)) == (1, True)
    proof = moves.verify()
    assert proof.passed, proof.differences
    assert world.moves.sync().passed
    assert moves.verify().passed


def points(world: World, run: str, metric: str) -> list[tuple[float, int]]:
    path = f"api/2.0/mlflow/metrics/get-history?run_id={run}&metric_key={metric}"
    found = world.mlflow.ask("GET", path).get("metrics", ())
    return sorted((each["value"], int(each["step"])) for each in found)


def in_region(world: World, region: str) -> World:
    """Return the world with experiments of its own."""
    aws = replace(world.aws, region=region)
    fill_trials(aws)
    return replace(world, aws=aws)


@pytest.mark.long
def test_points_come_one_by_one_new_ones_follow_and_a_lost_one_is_found(world: World) -> None:
    world = in_region(world, "eu-west-2")
    with MetricsService(world.aws) as service:
        moves = replace(world.moves, source=service.connection)
        service.log("train", "loss", *((step, 1_700_000_000 + step, 1 / (step + 1)) for step in range(8)))
        service.log("train", "speed", (None, 1_700_000_000, 5.0), (None, 1_700_000_060, 6.0))
        lost = {each.item: each.count for each in moves.look().losses}
        assert lost == {"those of no trial": 1, "times of points": 8}
        record = moves.copy()
        assert record.passed, record.failures
        assert {each.table: each.inserted for each in record.tables}["metric points"] == 10
        run = world.runs()["train step"]["info"]["run_id"]
        assert points(world, run, "loss") == sorted((1 / (step + 1), step) for step in range(8))
        assert points(world, run, "speed") == [(5.0, 0), (6.0, 0)]
        proof = moves.verify()
        assert proof.passed, proof.differences
        before = world.mlflow.dump()
        assert (moves.copy().written, moves.sync().written, world.mlflow.dump()) == (0, 0, before)

        service.log("train", "loss", (8, 1_700_000_100, 0.05))
        assert not moves.verify().passed
        assert moves.sync().passed
        assert moves.verify().passed
        world.mlflow.sql("DELETE FROM metrics WHERE run_uuid = ? AND key = 'loss' AND step = 4", run)
        (difference,) = moves.verify().differences
        assert difference.fields == ("metrics/loss",)
        assert moves.copy().passed
        assert moves.verify().passed


@pytest.mark.long
def test_the_minute_that_is_going_on_waits_and_is_written_once(world: World) -> None:
    world = in_region(world, "us-west-2")
    client = world.aws.client("sagemaker")
    client.update_trial_component(TrialComponentName="train", Status={"PrimaryStatus": "InProgress"})
    with MetricsService(world.aws) as service:
        moves = replace(world.moves, source=service.connection)
        service.log("train", "speed", (None, 1_700_000_000, 5.0))
        moves.copy()
        run = world.runs()["train step"]["info"]["run_id"]
        assert points(world, run, "speed") == []
        service.log("train", "speed", (None, 1_700_000_010, 6.0), (None, 1_700_000_070, 7.0))
        assert moves.sync().passed
        assert points(world, run, "speed") == [(6.0, 0)]
        client.update_trial_component(TrialComponentName="train", Status={"PrimaryStatus": "Completed"})
        assert moves.sync().passed
        assert points(world, run, "speed") == [(6.0, 0), (7.0, 0)]
        proof = moves.verify()
        assert proof.passed, proof.differences


@pytest.mark.long
@pytest.mark.parametrize("refuses", ["AccessDeniedException", ""])
def test_without_the_service_of_points_the_last_comes_and_the_others_are_a_loss(
    world: World, refuses: str
) -> None:
    world = in_region(world, "eu-north-1" if refuses else "eu-south-1")
    with MetricsService(world.aws, refuses) as service:
        service.log("train", "loss", *((step, 1_700_000_000, 1 / (step + 1)) for step in range(4)))
        # moto itself has no such service.
        moves = replace(world.moves, source=service.connection if refuses else world.aws.connection)
        (lost,) = [each for each in moves.look().losses if each.what == "metric"]
        assert (lost.item, lost.count) == ("points that only its summary counts", 3)
        assert "BatchGetMetrics" in lost.reason
        assert moves.copy().passed
        run = world.runs()["train step"]
        assert points(world, run["info"]["run_id"], "loss") == [(0.25, 0)]
        summary = json.loads(pairs(run["data"]["tags"])["sagemaker.metric.loss"])
        assert (summary["Count"], summary["Min"], summary["Max"]) == (4, 0.25, 1.0)
        assert moves.verify().passed
        service.log("train", "loss", (4, 1_700_000_900, 0.125))
        assert not moves.verify().passed
        assert moves.sync().passed
        assert points(world, run["info"]["run_id"], "loss") == [(0.125, 0), (0.25, 0)]
        proof = moves.verify()
        assert proof.passed, proof.differences
        assert moves.sync().written == 0


@pytest.mark.long
def test_a_source_in_use_is_synced_and_looked_at_again_and_strangers_are_not_excused(
    world: World, tmp_path: Path
) -> None:
    world = in_region(world, "ap-southeast-2")
    world.moves.copy()
    client = world.aws.client("sagemaker")
    client.create_trial(TrialName="pricing-2", ExperimentName="pricing")
    client.create_trial_component(**component("evaluate", "InProgress"))
    client.associate_trial_component(TrialName="pricing-2", TrialComponentName="evaluate")
    assert not world.moves.verify().passed
    request = replace(world.moves.request(live=True), evidence_url=tmp_path.as_uri())
    proof, _ = run(verify_registry(request))
    assert (proof.passed, proof.live, "evaluate step" in world.runs()) == (True, True, True)

    experiment = world.runs()["train step"]["info"]["experiment_id"]
    world.mlflow.ask("POST", "api/2.0/mlflow/runs/create", {"experiment_id": experiment})
    client.delete_trial(TrialName=vacated(client, "pricing-2", "evaluate"))
    proof, _ = run(verify_registry(request))
    assert [(each.what, each.kind) for each in proof.differences] == [("run", "extra")]
    (runs,) = [each for each in proof.compared if each.what == "run"]
    assert runs.kept == 2, "the trial that has gone, and its component"


def vacated(client: Any, trial: str, component: str) -> str:
    """Take a trial's component from it, as a client must before it deletes the trial."""
    client.disassociate_trial_component(TrialName=trial, TrialComponentName=component)
    return trial


@pytest.mark.long
def test_what_changed_follows_and_what_others_changed_stays_and_is_named(world: World) -> None:
    world = in_region(world, "us-west-1")
    with pytest.raises(NotFoundError, match="HL-7189"):
        world.moves.sync()
    world.moves.copy()
    client = world.aws.client("sagemaker")
    client.create_trial(TrialName="pricing-2", ExperimentName="pricing")
    client.create_trial_component(**component("evaluate", "InProgress"))
    client.associate_trial_component(TrialName="pricing-2", TrialComponentName="evaluate")
    client.update_trial_component(TrialComponentName="train", Status={"PrimaryStatus": "Stopped"})
    run = world.runs()["prepare step"]["info"]["run_id"]
    tag = {"run_id": run, "key": "sagemaker.status_message", "value": "somebody's"}
    world.mlflow.ask("POST", "api/2.0/mlflow/runs/set-tag", tag)
    record = world.moves.sync()
    assert [(each.id, each.reason) for each in record.failures] == [
        (
            "trial/pricing-1/component/prepare",
            "field 'sagemaker.status_message' was changed on the target by somebody else",
        )
    ]
    assert {each.table: (each.inserted, each.updated) for each in record.tables}["runs"] == (2, 1)
    runs = world.runs()
    assert (runs["train step"]["info"]["status"], runs["evaluate step"]["info"]["status"]) == (
        "KILLED",
        "RUNNING",
    )
    assert [each.fields for each in world.moves.verify().differences] == [("tags/sagemaker.status_message",)]
    assert world.moves.sync(overwrite=True).passed
    assert world.moves.verify().passed
    client.delete_trial_component(TrialComponentName="evaluate")
    assert (world.moves.sync().written, world.moves.verify().passed) == (0, True)
    assert "evaluate step" in world.runs()


def test_an_experiment_of_somebody_elses_is_refused_before_anything_moves_or_mapped(world: World) -> None:
    world.mlflow.ask("POST", "api/2.0/mlflow/experiments/create", {"name": "pricing"})
    with pytest.raises(ConflictError, match="name-taken"):
        world.moves.copy()
    assert world.runs() == {}
    record = world.moves.copy(on_name_conflict=OnNameConflict.MAP)
    assert record.passed, record.failures
    assert set(world.runs()) == {"pricing-1", "prepare step", "train step"}
    assert world.moves.verify().passed


@pytest.mark.long
@pytest.mark.parametrize("path", ["experiments/create", "runs/create", "runs/log-batch"])
def test_a_killed_run_is_gone_on_with_and_makes_nothing_twice(world: World, path: str) -> None:
    with losing(world.mlflow.url, (f"/api/2.0/mlflow/{path}", 1)) as proxy:
        target = replace(world.mlflow.connection, host=proxy.url)
        process = started(replace(world.moves, target=target))
        proxy.then = process.kill
        process.wait(120)
        assert process.returncode == -9
    assert not world.moves.verify().passed
    with losing(world.mlflow.url, ("/api/2.0/mlflow/runs/create", 1)) as proxy:
        target = replace(world.mlflow.connection, host=proxy.url)
        record = replace(world.moves, target=target).copy()
    assert record.passed, record.failures
    assert len(world.mlflow.sql("SELECT run_uuid FROM runs")) == 3
    assert len(world.mlflow.sql("SELECT name FROM experiments WHERE experiment_id <> 0")) == 2
    proof = world.moves.verify()
    assert proof.passed, proof.differences
    assert world.moves.copy().written == 0
