"""History that goes on from where it came to: to another account, and back to a server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.connections import Connection
from heavylift.registry.catalogues.trials.naming import run_name
from heavylift.spec.sections_data import OnNameConflict
from tests.support.catalogue_moves import CatalogueMoves
from tests.support.model_packages import Account
from tests.support.registry_task import start
from tests.support.sagemaker_metrics import MetricsService
from tests.support.sagemaker_trials import BEGAN, ENDED, fill_trials
from tests.support.tracked_runs import recent
from tests.support.tracking_server import Server
from tests.support.trial_world import TrialWorld

OPTIONS = {"artifacts": False}


def runs_of(server: Server) -> dict[str, Any]:
    """Return a server's runs by name."""
    return {each["info"]["run_name"]: each for each in listed_runs(server)}


def listed_runs(server: Server) -> list[Any]:
    """Return all of a server's runs."""
    listed = server.ask("POST", "api/2.0/mlflow/experiments/search", {"max_results": 100})["experiments"]
    query = {"experiment_ids": [each["experiment_id"] for each in listed], "max_results": 1000}
    return list(server.ask("POST", "api/2.0/mlflow/runs/search", query).get("runs", ()))


def pairs(listed: Any) -> dict[str, str]:
    """Return tags or parameters."""
    return {each["key"]: each.get("value", "") for each in listed or ()}


@pytest.mark.long
def test_from_one_account_over_a_server_to_another_account(trials: TrialWorld) -> None:
    first = Account(trials.front.account.endpoint, "us-east-1")
    fill_trials(first)
    now = recent() // 1000
    with MetricsService(first) as metrics:
        metrics.log("train", "loss", *((step, now + step, 1 / (step + 1)) for step in range(3)))
        there = CatalogueMoves(metrics.connection, trials.mlflow.connection, options=OPTIONS, name="out")
        assert there.copy().passed
    record = trials.moves.copy()
    assert record.passed, record.failures
    proof = trials.moves.verify()
    assert proof.passed, proof.differences
    runs = {name: each["info"]["run_id"] for name, each in runs_of(trials.mlflow).items()}
    assert {each["ExperimentName"] for each in trials.client.list_experiments()["ExperimentSummaries"]} == {
        "pricing",
        "empty",
    }
    (trial,) = trials.client.list_trials(ExperimentName="pricing")["TrialSummaries"]
    assert trials.client.describe_trial(TrialName=trial["TrialName"])["DisplayName"] == "pricing-1"
    assert trials.components(runs["pricing-1"]) == {
        run_name("m/models", runs[each]) for each in ("pricing-1", "prepare step", "train step")
    }
    train = trials.component(runs["train step"])
    assert train["Parameters"] == {
        "rate": {"NumberValue": 0.1 + 0.2},
        "epochs": {"NumberValue": 10.0},
        "optimizer": {"StringValue": "adam"},
    }
    assert (train["StartTime"].timestamp(), train["EndTime"].timestamp()) == (BEGAN, ENDED)
    assert train["Status"]["PrimaryStatus"] == "Failed"
    assert trials.tags(runs["train step"])["mlflow.runName"] == "train step"
    assert trials.points(runs["train step"], "loss") == {0: 1.0, 1: 0.5, 2: 1 / 3}


@pytest.mark.long
def test_from_a_server_over_an_account_to_another_server(
    trials: TrialWorld, trackers: tuple[Server, Server]
) -> None:
    team, now = trials.team, recent()
    number = team.experiment("Price models, all")
    top = team.run(
        number,
        "nightly tuning",
        params={"rate": "0.10", "depth": "0.3"},
        tags={"owner": "ann", "mlflow.source.name": "train.py", "mlflow.user": "ann"},
        metrics={"auc": [(0.5, now, 1), (0.75, now + 1000, 2)]},
    )
    team.run(number, "child", top, status="KILLED")
    assert trials.moves.copy().passed
    back = CatalogueMoves(trials.front.connection, trackers[1].connection, options=OPTIONS, name="back")
    record = back.copy()
    assert record.passed, record.failures
    proof = back.verify()
    assert proof.passed, proof.differences
    assert back.sync().written == 0
    found = runs_of(trackers[1])
    ids = {each["info"]["run_id"]: name for name, each in found.items()}
    (own,) = (each for each in listed_runs(trackers[1]) if each["data"].get("params"))
    assert pairs(own["data"]["params"]) == {"rate": "0.10", "depth": "0.3"}
    assert [(each["key"], each["value"], each["step"]) for each in own["data"]["metrics"]] == [
        ("auc", 0.75, 2)
    ]
    tags = pairs(own["data"]["tags"])
    assert tags.items() >= {"owner": "ann", "mlflow.source.name": "train.py"}.items()
    before = runs_of(trials.mlflow)
    for name in ("nightly tuning", "child"):
        now_there = own if name == "nightly tuning" else found[name]
        for field in ("start_time", "end_time", "status"):
            assert now_there["info"][field] == before[name]["info"][field]
        parent = pairs(now_there["data"]["tags"])["mlflow.parentRunId"]
        assert ids.get(parent, "nightly tuning") == "nightly tuning", "both are children of the trial's run"


@pytest.mark.long
def test_two_moves_of_one_server_into_one_region_do_not_meet(trials: TrialWorld) -> None:
    number = trials.team.experiment("pricing")
    one = trials.team.run(number, "one")
    other = replace(trials.moves, name="other")
    assert trials.moves.copy().passed
    assert other.copy(on_name_conflict=OnNameConflict.MAP).passed
    names = {each["TrialName"] for each in trials.client.list_trials()["TrialSummaries"]}
    assert names == {run_name("m/models", one), run_name("m/other", one)}
    assert trials.moves.verify().passed
    assert other.verify(on_name_conflict=OnNameConflict.MAP).passed


@pytest.mark.long
def test_many_runs_cost_few_requests_each_and_nothing_but_reading_once_they_are_there(
    trials: TrialWorld,
) -> None:
    number = trials.team.experiment("pricing")
    count, now = 105, recent()
    for each in range(count):
        trials.team.run(
            number, f"r{each}", metrics={"auc": [(each / count, now, 0)]}, params={"n": str(each)}
        )
    record = trials.moves.copy()
    assert record.passed, record.failures
    assert {each.table: each.inserted for each in record.tables if each.rows} == {
        "experiments": 1,
        "trials": count,
        "trial components": count,
        "metric points": count,
    }
    assert len(trials.written()) <= 5 * count + 10
    trials.front.seen.clear()
    trials.metrics.asked.clear()
    assert (trials.moves.sync().written, trials.written()) == (0, [])
    asked = trials.front.seen
    # Once to look and once to move; of a component that is settled its description and its tags.
    assert asked["DescribeTrialComponent"] == 2 * count
    assert asked["DescribeTrial"] == 0
    assert asked.total() <= 4 * count + 100
    assert len(trials.metrics.asked) <= 4
    proof = trials.moves.verify()
    assert proof.passed, proof.differences[:3]


@pytest.mark.long
def test_the_commands_and_the_tasks_of_a_spec_move_runs(
    trials: TrialWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_id = trials.team.run(trials.team.experiment("pricing"), "first", params={"note": "x" * 2501})
    ours, theirs = trials.mlflow.connection, trials.front.connection
    given = {each.conn_id: as_json(each) for each in (ours, theirs, Connection("evidence", "file"))}
    for name, value in given.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", value)

    def command(name: str, *more: str) -> tuple[int, Any]:
        places = ["--source-conn", ours.conn_id, "--target-conn", theirs.conn_id, "--no-artifacts"]
        status = run(app, ["registry", name, *places, "--evidence", tmp_path.as_uri(), "--json", *more])
        return status, json.loads(capsys.readouterr().out)

    status, document = command("copy", "--losses")
    assert status == 0
    assert [each["item"] for each in document["preflight"]["losses"]] == ["parameter note"]
    status, document = command("copy")
    assert (status, trials.written()) == (1, [])
    assert "losses-not-accepted" in json.dumps(document)
    status, document = command("copy", "--accept-losses")
    assert (status, document["copy"]["failure_count"]) == (0, 0)
    status, document = command("sync", "--accept-losses")
    assert (status, document["sync"]["written"]) == (0, 0)
    status, document = command("verify")
    assert status == 0, document
    trials.written()

    side = {"connection": ours.conn_id, "kind": "mlflow"}
    there = {"connection": theirs.conn_id, "kind": "sagemaker"}
    spec = {
        "apiVersion": "heavylift/v1",
        "migration": "runs",
        "owner": "team",
        "source": {"platform": "aws", "connection": theirs.conn_id},
        "target": {"platform": "aws", "connection": theirs.conn_id},
        "evidence": {"url": (tmp_path / "evidence").as_uri()},
        "registries": [
            {
                "name": "history",
                "source": side,
                "target": there,
                "accept_losses": True,
                "on_name_conflict": "map",
            }
        ],
    }
    file = tmp_path / "runs.yaml"
    file.write_text(yaml.safe_dump(spec))
    env = {f"AIRFLOW_CONN_{name.upper()}": value for name, value in given.items()}
    process = start(file, env, "preflight", "copy", "sync", "verify")
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 0, told[-3000:]
    done = [json.loads(line[5:]) for line in told.splitlines() if line.startswith("DONE ")]
    assert (done[0]["passed"], done[1]["inserted"], done[2]["written"], done[3]["passed"]) == (
        True,
        3,
        0,
        True,
    )
    names = {each["TrialName"] for each in trials.client.list_trials()["TrialSummaries"]}
    assert run_name("runs/history", run_id) in names


def as_json(connection: Connection) -> str:
    """Return a connection as Airflow's variable of the environment has it."""
    fields = {"conn_type": connection.conn_type, "login": connection.login, "host": connection.host}
    return json.dumps({**fields, "password": connection.password, "extra": dict(connection.extra)})
