"""What experiments have that moto does not play: components of several trials, people, names not taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from heavylift.aio import run
from heavylift.registry.catalogues.moving import is_copied
from tests.integration.registry.test_catalogue_experiments import pairs
from tests.support.catalogue_moves import CatalogueMoves
from tests.support.shaped_trials import MADE, WHO, ShapedTrials
from tests.support.tracking_server import Server

JOB = "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/p"


def summary(name: str, last: float, count: int) -> dict[str, Any]:
    return {"MetricName": name, "Last": last, "Count": count, "TimeStamp": MADE + 60, "Max": last}


def region() -> ShapedTrials:
    return ShapedTrials(
        experiments={"a": ["a-1", "a-2", "a-3"], "b": ["b-1"], "c": []},
        trials={"a-1": ["prepare", "fit"], "a-2": ["prepare"], "a-3": ["gone"], "b-1": ["prepare"]},
        components={
            "prepare": {
                "DisplayName": "Prepare",
                "Parameters": {
                    "rows@night": {"NumberValue": 3},
                    "note": {"StringValue": ""},
                    "a//b": {"StringValue": "c"},
                },
                "LastModifiedTime": MADE + 5,
                "Source": {"SourceArn": JOB},
                "Metrics": [summary("mAP@0.5", 0.5, 1), summary("validation:auc", 0.75, 3)],
            },
            "fit": {"Status": {"PrimaryStatus": "Stopping"}, "EndTime": MADE + 9},
            "alone": {},
            "alone-2": {},
            "alone-3": {},
        },
        tags={
            "prepare": {
                "cost=center": "7",
                "/team": "x",
                "mlflow.parentRunId": "x",
                "heavylift.source.id": "y",
            }
        },
    )


def test_a_component_of_several_trials_is_a_run_of_each_and_what_is_not_taken_is_listed(
    trackers: tuple[Server, Server],
) -> None:
    _, target = trackers
    shaped = region()
    with shaped.serving() as connection:
        moves = CatalogueMoves(connection, target.connection, options={"artifacts": False})
        assert not run(is_copied(moves.request()))
        looked = moves.look()
        assert {(each.what, each.item): each.count for each in looked.losses} == {
            ("metric", "points that only its summary counts"): 2,
            ("trial component", "tag cost=center"): 1,
            ("trial component", "tag /team"): 1,
            ("trial component", "tag mlflow.parentRunId"): 1,
            ("trial component", "those of no trial"): 3,
        }
        assert [each.rule for each in looked.findings] == ["component-of-several-trials"]
        record = moves.copy()
        assert record.passed, record.failures
        proof = moves.verify()
        assert proof.passed, proof.differences
        assert {each.what: each.equal for each in proof.compared if each.source} == {
            "experiment": 3,
            "run": 8,
        }
        assert moves.sync().written == 0
        assert run(is_copied(moves.request()))
    query = {"experiment_ids": ["1", "2", "3"], "max_results": 100}
    runs = target.ask("POST", "api/2.0/mlflow/runs/search", query)["runs"]
    names = {each["info"]["run_id"]: each["info"]["run_name"] for each in runs}
    found = [each for each in runs if each["info"]["run_name"] == "Prepare"]
    tags = [pairs(each["data"]["tags"]) for each in found]
    assert sorted(names[each["mlflow.parentRunId"]] for each in tags) == ["a-1", "a-2", "b-1"]
    assert {each["mlflow.user"] for each in tags} == {WHO["IamIdentity"]["Arn"]}
    assert {each["heavylift.earlier.source.id"] for each in tags} == {"y"}
    assert {each["info"]["start_time"] for each in found} == {MADE * 1000}
    for name, kind in (("mAP@0.5", "metrics"), ("rows@night", "params")):
        (key,) = {tag for tag, value in tags[0].items() if value == name}
        assert key.removeprefix("sagemaker.name.") in {each["key"] for each in found[0]["data"][kind]}


def test_a_version_names_the_run_that_came_with_it(trackers: tuple[Server, Server]) -> None:
    _, target = trackers
    shaped = replace(region(), job=JOB)
    with shaped.serving() as connection:
        moves = CatalogueMoves(connection, target.connection, options={"artifacts": False})
        record = moves.copy()
        assert record.passed, record.failures
        proof = moves.verify()
        assert proof.passed, proof.differences
        assert moves.sync().written == 0
    (version,) = target.ask("GET", "api/2.0/mlflow/model-versions/search?max_results=10")["model_versions"]
    found = target.ask("GET", f"api/2.0/mlflow/runs/get?run_id={version['run_id']}")["run"]
    assert pairs(found["data"]["tags"])["heavylift.source.id"] == "trial/a-1/component/prepare"
    assert pairs(version["tags"])["heavylift.kept.lineage/run"] == "prepare"
