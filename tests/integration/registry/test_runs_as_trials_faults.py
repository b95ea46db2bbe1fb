"""Moves of runs to SageMaker's experiments under faults: lost answers, throttling, kills, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heavylift.errors import CredentialError, NoRoomError
from heavylift.registry.catalogues.trials.naming import run_name
from tests.support.catalogue_moves import started
from tests.support.tracked_runs import recent
from tests.support.trial_world import NAME, TrialWorld

MAKING = ("CreateExperiment", "CreateTrial", "CreateTrialComponent", "AssociateTrialComponent", "AddTags")


def history(trials: TrialWorld) -> list[str]:
    """Make an experiment with a trial of three runs and one of a single run; return their ids."""
    team, now = trials.team, recent()
    number = team.experiment("pricing", team="risk")
    top = team.run(number, "top", params={"rate": "0.1"})
    points = [(1 / (step + 1), now + step * 1000, step) for step in range(12)]
    runs = [team.run(number, f"child {each}", top, metrics={"loss": points}) for each in range(2)]
    return [top, *runs, team.run(number, "alone", metrics={"auc": [(0.9, now, 0)]})]


@pytest.mark.long
@pytest.mark.parametrize("fault", ["throttled", "broken", "conflict", "unsent", "lost"])
def test_answers_that_are_lost_and_requests_that_are_refused_for_now_are_sent_again(
    trials: TrialWorld, fault: str
) -> None:
    runs = history(trials)
    faulted = MAKING if fault == "conflict" else (*MAKING, "DescribeTrialComponent", "ListTags")
    trials.front.fault = lambda operation, number: fault if operation in faulted and number % 2 else ""
    record = trials.moves.copy()
    assert record.passed, record.failures
    assert {each.table: each.inserted for each in record.tables if each.rows} == {
        "experiments": 1,
        "trials": 2,
        "trial components": 4,
        "metric points": 25,
    }
    assert len(trials.client.list_trials()["TrialSummaries"]) == 2
    assert {run_name(NAME, each) for each in runs} == {
        each["TrialComponentName"]
        for each in trials.client.list_trial_components()["TrialComponentSummaries"]
    }
    trials.front.fault = lambda *_: ""
    proof = trials.moves.verify()
    assert proof.passed, proof.differences
    trials.written()
    assert (trials.moves.copy().written, trials.written()) == (0, [])


@pytest.mark.long
@pytest.mark.parametrize("operation", [*MAKING, "BatchPutMetrics"])
def test_a_killed_run_is_gone_on_with_and_makes_nothing_twice(trials: TrialWorld, operation: str) -> None:
    history(trials)
    process = started(trials.moves)

    def kill(name: str, number: int) -> str:
        if (name, number) != (operation, 1):
            return ""
        process.kill()
        return "lost"

    def kill_at_points(_number: int) -> bool:
        if operation == "BatchPutMetrics":
            process.kill()
        return operation == "BatchPutMetrics"

    trials.front.fault, trials.metrics.then = kill, kill_at_points
    process.wait(120)
    assert process.returncode == -9
    trials.front.fault, trials.metrics.then = (lambda *_: ""), (lambda _: False)
    # The last marks are no part of what is there to be compared.
    assert trials.moves.verify().passed == (operation == "AddTags")
    record = trials.moves.copy()
    assert record.passed, record.failures
    proof = trials.moves.verify()
    assert proof.passed, proof.differences
    names = [name for name in trials.written() if name in MAKING[:3]]
    assert sorted(names) == ["CreateExperiment", *["CreateTrial"] * 2, *["CreateTrialComponent"] * 4]
    assert (trials.moves.copy().written, trials.written()) == (0, [])


@pytest.mark.long
def test_wrong_credentials_and_rights_that_are_lacking_end_a_run_and_nothing_is_lost(
    trials: TrialWorld,
) -> None:
    history(trials)
    trials.front.fault = lambda *_: "unknown key"
    with pytest.raises(CredentialError, match="HL-7602") as raised:
        trials.moves.copy()
    assert "testing" not in str(raised.value)
    trials.front.fault = lambda operation, _: "denied" if operation == "CreateTrialComponent" else ""
    with pytest.raises(CredentialError, match="sagemaker:CreateTrialComponent"):
        trials.moves.copy()
    trials.front.fault = lambda *_: ""
    assert trials.moves.copy().passed
    assert trials.moves.verify().passed


@pytest.mark.long
def test_an_account_that_is_full_ends_a_run_and_the_next_one_goes_on(trials: TrialWorld) -> None:
    history(trials)
    trials.front.fault = lambda operation, number: (
        "full" if operation == "CreateTrialComponent" and number > 2 else ""
    )
    with pytest.raises(NoRoomError, match="HL-9615"):
        trials.moves.copy()
    assert len(trials.client.list_trial_components()["TrialComponentSummaries"]) == 2
    trials.front.fault = lambda *_: ""
    record = trials.moves.copy()
    assert record.passed, record.failures
    assert trials.moves.verify().passed


@pytest.mark.long
def test_points_that_are_refused_fail_their_run_alone_and_come_with_the_next(trials: TrialWorld) -> None:
    runs = history(trials)
    trials.metrics.errors = ["METRIC_LIMIT_EXCEEDED"]
    record = trials.moves.copy()
    (failure,) = record.failures
    assert (failure.code, failure.id in runs) == ("HL-9618", True)
    assert "METRIC_LIMIT_EXCEEDED" in failure.reason
    (difference,) = trials.moves.verify().differences
    assert difference.id == failure.id
    trials.metrics.errors = ["INTERNAL_ERROR", "INTERNAL_ERROR"]
    record = trials.moves.sync()
    assert record.passed, record.failures
    assert trials.moves.verify().passed


@pytest.mark.long
@pytest.mark.parametrize("refuses", ["AccessDeniedException", ""])
def test_without_the_service_of_metrics_last_values_are_tags_until_it_answers(
    trials: TrialWorld, refuses: str
) -> None:
    runs = history(trials)
    # moto itself has no such service, and answers as one that is not there.
    bare = replace(trials.moves, target=trials.front.as_account.connection)
    trials.metrics.refuses = refuses
    moves = trials.moves if refuses else bare
    looked = moves.look()
    assert {(each.item, each.count) for each in looked.losses} == {("points but the last", 22)}
    assert "no-service-of-metrics" in {each.rule for each in looked.findings}
    record = moves.copy()
    assert record.passed, record.failures
    assert trials.tags(runs[1])["mlflow.metric.loss"].startswith(f"{1 / 12!r} step 11 time ")
    proof = moves.verify()
    assert proof.passed, proof.differences
    trials.written()
    assert (moves.sync().written, trials.written()) == (0, [])
    arn = trials.component(runs[1])["TrialComponentArn"]
    trials.client.add_tags(ResourceArn=arn, Tags=[{"Key": "mlflow.metric.loss", "Value": "0.5 step 1"}])
    (difference,) = moves.verify().differences
    assert difference.fields == ("metrics/loss",)
    assert moves.copy(overwrite=True).passed

    trials.metrics.refuses = ""
    assert not trials.moves.verify().passed
    record = trials.moves.sync()
    assert record.passed, record.failures
    assert trials.points(runs[1], "loss") == {step: 1 / (step + 1) for step in range(12)}
    assert "mlflow.metric.loss" not in trials.tags(runs[1])
    proof = trials.moves.verify()
    assert proof.passed, proof.differences
