"""Experiments and runs of a real MLflow server move to SageMaker's experiments, which moto plays.

What moto lacks of SageMaker stands before it (``tests/support/sagemaker_front.py``), and the service of
metrics beside it; both hold each request to botocore's model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heavylift.aio import run
from heavylift.errors import ConflictError, NotFoundError
from heavylift.registry.api import verify_registry
from heavylift.registry.catalogues.trials.naming import run_name
from heavylift.registry.selection import Selection
from heavylift.spec.sections_data import OnNameConflict
from tests.support.tracked_runs import BEGAN, ENDED, recent
from tests.support.trial_world import NAME, TrialWorld


def test_runs_arrive_as_trials_and_a_second_time_nothing_is_written(
    trials: TrialWorld,
) -> None:
    team, now = trials.team, recent()
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

    looked = trials.moves.look(accept_losses=False)
    assert looked.losses == ()
    assert [each.rule for each in looked.findings] == ["runs-below-child-runs"]
    assert trials.front.writes() == []
    record = trials.moves.copy(accept_losses=False)
    assert record.passed, record.failures
    assert {each.table: each.inserted for each in record.tables if each.rows} == {
        "experiments": 1,
        "trials": 1,
        "trial components": 3,
        "metric points": 26,
    }
    trial = run_name(NAME, top)
    assert trials.client.describe_experiment(ExperimentName="pricing")["DisplayName"] == "pricing"
    assert trials.client.describe_trial(TrialName=trial)["DisplayName"] == "nightly-tuning"
    assert trials.components(top) == {run_name(NAME, each) for each in (top, child, below)}
    parent, inner = trials.component(top), trials.component(child)
    assert parent["Parameters"] == {
        "rate": {"NumberValue": 0.1},
        "epochs": {"StringValue": "10"},
        "note": {"StringValue": ""},
    }
    assert (inner["StartTime"].timestamp(), inner["EndTime"].timestamp()) == (BEGAN / 1000, ENDED / 1000)
    assert [trials.component(each)["Status"]["PrimaryStatus"] for each in (top, child, below)] == [
        "Completed",
        "Failed",
        "InProgress",
    ]
    assert inner["OutputArtifacts"]["mlflow.artifacts"]["Value"].startswith("s3://runs-target/moved/")
    assert (
        trials.tags(child).items()
        >= {
            "owner": "ann",
            "mlflow.parentRunId": top,
            "mlflow.source.git.commit": "abc123",
        }.items()
    )
    assert trials.tags(top)["mlflow.runName"] == "nightly tuning"
    assert trials.points(child, "loss") == {step: 1 / (step + 1) for step in range(25)}
    proof = trials.moves.verify()
    assert proof.passed, proof.differences
    assert {each.what: each.equal for each in proof.compared if each.source} == {
        "experiment": 1,
        "trial": 1,
        "run": 3,
    }
    assert proof.statement.count("26 points of metrics")

    trials.written()
    assert (trials.moves.copy().written, trials.moves.sync().written, trials.written()) == (0, 0, [])


@pytest.mark.long
def test_some_experiments_move_and_none_where_none_is_chosen(trials: TrialWorld) -> None:
    team = trials.team
    chosen, other = team.experiment("pricing"), team.experiment("fraud")
    for number, name in ((chosen, "cheap"), (other, "caught")):
        team.run(number, name)
    moves = replace(trials.moves, options={**trials.moves.options, "selection": Selection(("pri*",))})
    assert [each.rule for each in moves.look(accept_losses=False).findings] == ["not-chosen"]
    assert moves.copy(accept_losses=False).passed
    assert [each for each in trials.state() if each.startswith("Experiment/")] == ["Experiment/pricing"]
    proof = moves.verify()
    assert proof.passed, proof.differences
    team.run(other, "later")
    assert moves.sync().written == 0
    none = replace(moves, options={**moves.options, "selection": Selection(())})
    assert none.look(accept_losses=False).losses == ()
    assert none.copy().written == 0
    whole = trials.moves.sync()
    assert (whole.passed, trials.moves.verify().passed, moves.verify().passed) == (True, True, True)


@pytest.mark.long
def test_what_is_new_or_changed_follows_and_the_rest_is_not_written_again(trials: TrialWorld) -> None:
    team, now = trials.team, recent()
    with pytest.raises(NotFoundError, match="HL-7189"):
        trials.moves.sync()
    number = team.experiment("pricing")
    top = team.run(number, "first", params={"rate": "0.1"})
    running = team.run(number, "second", metrics={"loss": [(0.5, now, 0)]}, status="RUNNING")
    gone = team.run(number, "third")
    assert trials.moves.copy().passed
    trials.written()

    child = team.run(number, "child", top, metrics={"auc": [(0.9, now, 3)]})
    team.log(running, metrics={"loss": [(0.25, now, 1)]}, params={"depth": "3"}, tags={"owner": "ann"})
    record = trials.moves.sync()
    assert record.passed, record.failures
    assert {each.table: (each.inserted, each.updated) for each in record.tables if each.rows} == {
        "experiments": (0, 0),
        "trials": (0, 0),
        "trial components": (1, 1),
        "metric points": (2, 0),
    }
    assert trials.components(top) == {run_name(NAME, each) for each in (top, child)}
    assert (trials.points(running, "loss"), trials.points(child, "auc")) == ({0: 0.5, 1: 0.25}, {3: 0.9})
    assert trials.component(running)["Parameters"] == {"depth": {"StringValue": "3"}}
    assert trials.moves.verify().passed
    trials.written()

    team.end(running, "KILLED")
    team.rename(top, "first of all")
    team.delete(gone)
    trials.mlflow.ask("POST", "api/2.0/mlflow/runs/delete-tag", {"run_id": running, "key": "owner"})
    assert not trials.moves.verify().passed
    record = trials.moves.sync()
    assert record.passed, record.failures
    assert {each.table: (each.updated, each.kept) for each in record.tables if each.rows} == {
        "experiments": (0, 0),
        "trials": (1, 1),
        "trial components": (2, 1),
    }
    assert trials.component(running)["Status"]["PrimaryStatus"] == "Stopped"
    assert "owner" not in trials.tags(running)
    assert trials.client.describe_trial(TrialName=run_name(NAME, top))["DisplayName"] == "first-of-all"
    proof = trials.moves.verify()
    assert proof.passed, proof.differences
    kept = {each.what: each.kept for each in proof.compared if each.kept}
    assert kept == {"trial": 1, "run": 1}, "what has gone from the source stays, and is no difference"
    trials.written()
    assert (trials.moves.sync().written, trials.written()) == (0, [])


@pytest.mark.long
def test_a_run_that_gets_another_parent_moves_to_its_trial(trials: TrialWorld) -> None:
    team = trials.team
    number = team.experiment("pricing")
    one, other = team.run(number, "one"), team.run(number, "other")
    child = team.run(number, "child", one)
    assert trials.moves.copy().passed
    team.log(child, tags={"mlflow.parentRunId": other})
    assert [each.fields for each in trials.moves.verify().differences] == [
        ("tags/mlflow.parentRunId", "trial")
    ]
    assert trials.moves.sync().passed
    assert trials.front.trials_of[run_name(NAME, child)] == {run_name(NAME, other)}
    proof = trials.moves.verify()
    assert proof.passed, proof.differences
    assert trials.moves.copy().written == 0


@pytest.mark.long
def test_what_others_changed_stays_and_is_named_and_what_is_theirs_is_not_touched(
    trials: TrialWorld,
) -> None:
    team, client = trials.team, trials.client
    number = team.experiment("pricing", owner="ann")
    one, other = team.run(number, "one", params={"rate": "0.1"}), team.run(number, "other")
    assert trials.moves.copy().passed
    name = run_name(NAME, one)
    client.update_trial_component(TrialComponentName=name, Parameters={"rate": {"NumberValue": 0.2}})
    arn = client.describe_experiment(ExperimentName="pricing")["ExperimentArn"]
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "owner", "Value": "bob"}])
    client.create_trial(TrialName="somebodys", ExperimentName="pricing")
    client.create_trial_component(TrialComponentName="somebodys")
    client.associate_trial_component(TrialName="somebodys", TrialComponentName="somebodys")
    team.log(one, tags={"note": "new"})
    team.log(other, tags={"note": "new"})
    trials.written()
    record = trials.moves.sync()
    assert not record.passed
    assert {(each.id, each.reason) for each in record.failures} == {
        ("pricing", "changed on the target by somebody else: tags/owner"),
        (one, "changed on the target by somebody else: params/rate, tags/note"),
    }
    assert trials.component(one)["Parameters"] == {"rate": {"NumberValue": 0.2}}
    assert trials.tags(other)["note"] == "new", "the others go on"
    assert {(each.what, each.fields) for each in trials.moves.verify().differences} == {
        ("experiment", ("tags/owner",)),
        ("run", ("params/rate", "tags/note")),
        ("run", ()),
    }
    assert trials.moves.sync(overwrite=True).passed
    assert trials.component(one)["Parameters"] == {"rate": {"NumberValue": 0.1}}
    (difference,) = trials.moves.verify().differences
    assert (difference.kind, difference.id) == ("extra", "pricing/(target's) somebodys")
    assert client.describe_trial_component(TrialComponentName="somebodys").get("Parameters", {}) == {}


@pytest.mark.long
def test_planted_differences_are_found(trials: TrialWorld) -> None:
    team, client, now = trials.team, trials.client, recent()
    number = team.experiment("pricing")
    top = team.run(number, "top", params={"rate": "0.1"}, tags={"owner": "ann"})
    child = team.run(number, "child", top, metrics={"loss": [(0.5, now, 0), (0.25, now, 1)]})
    alone = team.run(number, "alone")
    assert trials.moves.copy().passed
    names = {each: run_name(NAME, each) for each in (top, child, alone)}
    arn = trials.component(child)["TrialComponentArn"]

    def found() -> set[tuple[str, str, str, tuple[str, ...]]]:
        differences = trials.moves.verify().differences
        return {(each.what, each.id, each.kind, each.fields) for each in differences}

    assert found() == set()
    whole = trials.metrics.points[arn, "loss"]
    trials.metrics.points[arn, "loss"] = [point for point in whole if point[0] != 0]
    assert found() == {("run", child, "different", ("metrics/loss",))}, "a point is missing"
    trials.metrics.points[arn, "loss"] = [(step, moment, 0.75) for step, moment, _ in whole]
    assert found() == {("run", child, "different", ("metrics/loss",))}, "a value is another"
    trials.metrics.points[arn, "loss"] = [*whole, (2, 0, 0.1)]
    assert found() == {("run", child, "different", ("metrics/loss",))}, "a point is too much"
    trials.metrics.points[arn, "loss"] = whole
    client.update_trial_component(TrialComponentName=names[top], Parameters={"rate": {"NumberValue": 0.2}})
    client.update_trial_component(TrialComponentName=names[child], EndTime=ENDED / 1000 + 0.001)
    tagged = trials.component(top)["TrialComponentArn"]
    client.delete_tags(ResourceArn=tagged, TagKeys=["owner"])
    assert found() == {
        ("run", top, "different", ("params/rate", "tags/owner")),
        ("run", child, "different", ("end",)),
    }
    client.disassociate_trial_component(TrialName=names[alone], TrialComponentName=names[alone])
    client.delete_trial(TrialName=names[alone])
    assert {each[:3] for each in found()} >= {("trial", alone, "missing"), ("run", alone, "missing")}


@pytest.mark.long
def test_names_are_fitted_and_one_that_is_taken_is_refused_or_mapped(trials: TrialWorld) -> None:
    team, client = trials.team, trials.client
    odd = ["Fraud model", "fraud-model", "Fraud-Model", "x" * 121, "1,2;3", "-"]
    numbers = {name: team.experiment(name) for name in odd}
    team.run(numbers["1,2;3"], "a,b")
    client.create_experiment(ExperimentName="FRAUD-MODEL")
    with pytest.raises(ConflictError, match="name-taken"):
        trials.moves.copy()
    trials.written()
    looked = trials.moves.look(on_name_conflict=OnNameConflict.MAP)
    assert {(each.what, each.item): each.count for each in looked.losses} == {
        ("experiment", "tag mlflow.experimentName"): 1,
        ("run", "tag mlflow.runName"): 1,
    }
    record = trials.moves.copy(on_name_conflict=OnNameConflict.MAP)
    assert record.passed, record.failures
    listed = [each["ExperimentName"] for each in client.list_experiments()["ExperimentSummaries"]]
    assert len(listed) == len({each.casefold() for each in listed}) == 7
    proof = trials.moves.verify(on_name_conflict=OnNameConflict.MAP)
    assert proof.passed, proof.differences
    trials.written()
    again = trials.moves.sync(on_name_conflict=OnNameConflict.MAP)
    assert (again.written, trials.written()) == (0, [])
    shown = {
        each["DisplayName"]
        for each in map(lambda n: client.describe_experiment(ExperimentName=n), listed)
        if "DisplayName" in each
    }
    assert {"Fraud-model", "fraud-model", "Fraud-Model", "1-2-3"} <= shown


@pytest.mark.long
def test_a_run_that_is_taken_up_again_keeps_its_last_end_until_the_next(trials: TrialWorld) -> None:
    team, server = trials.team, trials.mlflow
    run_id = team.run(team.experiment("pricing"), "one")
    later = team.run(team.experiment("queue"), "later", status="SCHEDULED")
    assert trials.moves.copy().passed
    assert trials.tags(later)["mlflow.status"] == "SCHEDULED"
    server.ask("POST", "api/2.0/mlflow/runs/update", {"run_id": later, "status": "RUNNING"})
    server.ask("POST", "api/2.0/mlflow/runs/update", {"run_id": run_id, "status": "RUNNING"})
    server.sql("UPDATE runs SET end_time = NULL WHERE run_uuid = ?", run_id)
    assert trials.moves.sync().passed
    component = trials.component(run_id)
    assert (component["Status"]["PrimaryStatus"], "EndTime" in component) == ("InProgress", True)
    assert "mlflow.status" not in trials.tags(later)
    proof = trials.moves.verify()
    assert proof.passed, proof.differences
    trials.written()
    assert (trials.moves.sync().written, trials.written()) == (0, [])
    server.ask(
        "POST",
        "api/2.0/mlflow/runs/update",
        {"run_id": run_id, "status": "FAILED", "end_time": ENDED + 1000},
    )
    assert not trials.moves.verify().passed
    assert trials.moves.sync().passed
    assert trials.component(run_id)["EndTime"].timestamp() == ENDED / 1000 + 1
    proof = trials.moves.verify()
    assert proof.passed, proof.differences


@pytest.mark.long
def test_a_source_in_use_is_synced_and_compared_again(trials: TrialWorld, tmp_path: Path) -> None:
    team = trials.team
    number = team.experiment("pricing")
    team.run(number, "one")
    assert trials.moves.copy().passed
    team.run(number, "two", metrics={"auc": [(0.5, recent(), 0)]})
    assert not trials.moves.verify().passed
    request = replace(trials.moves.request(live=True), evidence_url=tmp_path.as_uri())
    proof, _ = run(verify_registry(request))
    assert (proof.passed, proof.live) == (True, True)


@pytest.mark.long
def test_a_component_of_somebody_elses_with_a_runs_name_is_named_and_not_touched(trials: TrialWorld) -> None:
    team = trials.team
    number = team.experiment("pricing")
    one, other = team.run(number, "one", params={"rate": "0.1"}), team.run(number, "other")
    trials.client.create_trial_component(TrialComponentName=run_name(NAME, one))
    record = trials.moves.copy()
    (failure,) = record.failures
    assert (failure.id, failure.code, record.passed) == (one, "HL-9614", False)
    assert "Parameters" not in trials.component(one) or trials.component(one)["Parameters"] == {}
    assert trials.components(one) == set()
    assert trials.components(other) == {run_name(NAME, other)}
    (difference,) = trials.moves.verify().differences
    assert (difference.id, difference.kind) == (one, "missing")
