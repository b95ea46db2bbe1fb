"""SageMaker's experiments, played by moto's server, move to a real MLflow server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.stack import Stack
from tests.integration.conftest import new_state_dir
from tests.support.catalogue_moves import CatalogueMoves
from tests.support.model_packages import Account
from tests.support.sagemaker_trials import BEGAN, ENDED, fill_trials
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
