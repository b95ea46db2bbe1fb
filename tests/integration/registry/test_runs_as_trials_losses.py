"""What SageMaker's experiments cannot hold of an MLflow server: counted before anything moves."""

from __future__ import annotations

import time
from typing import Any

import pytest

from heavylift.errors import ConflictError
from tests.support.history import trace
from tests.support.tracked_runs import recent
from tests.support.trial_world import TrialWorld


def losses(record: Any) -> dict[tuple[str, str], int]:
    """Return what is lost, and how many of it."""
    return {(each.what, each.item): each.count for each in record.losses}


@pytest.mark.long
def test_everything_that_has_no_place_is_counted_first_and_all_else_arrives(trials: TrialWorld) -> None:
    team, server, now = trials.team, trials.mlflow, recent()
    number = team.experiment("pricing", long="x" * 257)
    old = int(time.time() - 15 * 86_400) * 1000
    run = team.run(
        number,
        "hostile",
        params={
            "long": "x" * 2501,
            "lines": "a\nb",
            "fits": "é" * 2500,
            "nan": "nan",
            "zeros": "1.50",
            "exact": "1e-05",
            **{f"p{each:03}": str(each) for each in range(299)},
        },
        tags={
            "json": '{"a": 1}',
            "aws:owner": "x",
            "long": "x" * 257,
            "Straße 7": "größer = ja",
            **{f"t{each:02}": "x" for each in range(50)},
        },
        metrics={
            "loss": [(0.5, now, 0), (float("nan"), now, 1), (0.25, now, -1)],
            "twice": [(1.0, now, 0), (2.0, now + 1000, 0), (3.0, now + 500, 0)],
            "old": [(1.0, old, 0), (2.0, now, 1)],
        },
    )
    body: dict[str, Any] = {"name": "rows", "digest": "d", "source_type": "local", "source": "{}"}
    server.ask(
        "POST",
        "api/2.0/mlflow/runs/log-inputs",
        {"run_id": run, "datasets": [{"tags": [], "dataset": body}]},
    )
    logged = {"experiment_id": number, "name": "model", "source_run_id": run}
    server.ask("POST", "api/2.0/mlflow/logged-models", logged)
    trace(server, number, run, 1)
    team.delete(team.run(number, "gone"))
    left = team.experiment("left")
    server.ask("POST", "api/2.0/mlflow/experiments/delete", {"experiment_id": left})

    looked = trials.moves.look(accept_losses=False)
    found = losses(looked)
    assert {key: found.pop(key) for key in list(found) if key[0] == "metric"} == {
        ("metric", "points that are no number"): 1,
        ("metric", "points of a step that is not taken"): 1,
        ("metric", "points of a step that has a later one"): 2,
        ("metric", "times of points"): 1,
    }
    tags = {key for key in found if key[0] == "run" and key[1].startswith("tag ")}
    assert {("run", "tag json"), ("run", "tag aws:owner"), ("run", "tag long")} <= tags
    assert sum(key[1].startswith("tag t") for key in tags) == 6, "of the user's 51 there is room for 45"
    assert {key: count for key, count in found.items() if key not in tags} == {
        ("run", "parameter long"): 1,
        ("run", "parameter lines"): 1,
        ("run", "parameter zeros"): 1,
        ("run", "parameter p298"): 1,
        ("run", "parameter p297"): 1,
        ("experiment", "tag long"): 1,
        ("run", "datasets that went in"): 1,
        ("run", "deleted ones"): 1,
        ("experiment", "deleted ones"): 1,
        ("trace", "all"): 1,
        ("logged model", "all"): 1,
    }
    with pytest.raises(ConflictError, match="losses-not-accepted"):
        trials.moves.copy(accept_losses=False)
    assert trials.written() == []

    record = trials.moves.copy()
    assert record.passed, record.failures
    assert losses(record) == losses(looked)
    component = trials.component(run)
    assert len(component["Parameters"]) == 300
    assert component["Parameters"]["fits"] == {"StringValue": "é" * 2500}
    assert component["Parameters"]["exact"] == {"NumberValue": 1e-05}
    assert trials.points(run, "loss") == {0: 0.5}
    assert trials.points(run, "twice") == {0: 2.0}
    assert trials.points(run, "old") == {0: 1.0, 1: 2.0}
    assert trials.tags(run)["Straße 7"] == "größer = ja"
    proof = trials.moves.verify()
    assert proof.passed, proof.differences
    trials.written()
    assert (trials.moves.sync().written, trials.written()) == (0, [])
    assert losses(trials.moves.look()) == losses(looked), "what is settled tells its losses, too"


def test_a_server_without_anything_is_copied_and_nothing_is_written(trials: TrialWorld) -> None:
    record = trials.moves.copy(accept_losses=False)
    assert (record.passed, record.written, trials.written()) == (True, 0, [])


@pytest.mark.long
def test_parents_in_a_circle_elsewhere_or_deleted_keep_the_run_and_its_tag(trials: TrialWorld) -> None:
    team = trials.team
    one, other = team.experiment("one"), team.experiment("other")
    elsewhere = team.run(other, "elsewhere")
    orphan = team.run(one, "orphan", elsewhere)
    lost = team.run(one, "lost", "0" * 32)
    first = team.run(one, "first")
    second = team.run(one, "second", first)
    team.log(first, tags={"mlflow.parentRunId": second})
    gone = team.run(one, "gone")
    child = team.run(one, "child", gone)
    team.delete(gone)
    record = trials.moves.copy()
    assert record.passed, record.failures
    assert {each: len(trials.components(each)) for each in (orphan, lost, elsewhere, gone)} == {
        orphan: 1,
        lost: 1,
        elsewhere: 1,
        gone: 1,
    }
    assert len(trials.components(min(first, second))) == 2
    assert trials.tags(orphan)["mlflow.parentRunId"] == elsewhere
    assert trials.tags(child)["mlflow.parentRunId"] == gone
    proof = trials.moves.verify()
    assert proof.passed, proof.differences
    trials.written()
    assert (trials.moves.sync().written, trials.written()) == (0, [])
