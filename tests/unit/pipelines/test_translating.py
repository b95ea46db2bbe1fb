"""Definitions are translated; nothing of them is dropped without a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from heavylift.pipelines.api import Translation, load, translate
from heavylift.pipelines.mapping import Replacement, TargetMap, read_mapping
from heavylift.pipelines.model import System
from heavylift.pipelines.notes import Fate
from heavylift.pipelines.report import report_of, report_text
from heavylift.pipelines.walk import all_nodes, all_steps

DEFINITIONS = Path(__file__).parent / "definitions"
TARGETS = (System.VERTEX, System.AZURE_ML, System.AIRFLOW)


def translated(name: str, target: System, mapping: TargetMap | None = None) -> Translation:
    return translate(DEFINITIONS / name, None, target, mapping or TargetMap())


def fates(report: dict) -> dict[str, str]:
    return {step["name"]: step["fate"] for step in report["steps"]}


@pytest.mark.parametrize("target", TARGETS)
def test_every_step_of_a_sagemaker_pipeline_has_a_fate(target: System) -> None:
    report = report_of(translated("abalone.json", target))
    found = fates(report)
    assert set(found) == {"PreprocessData", "Train", "Eval", "Cond", "Register", "Bad"}
    assert found["Register"] == "untranslated"
    assert found["Bad"] == "kept"
    assert sum(report["counts"].values()) == len(report["steps"])
    said = " ".join(note["what"] for step in report["steps"] for note in step["notes"])
    assert "EnableManagedSpotTraining" in said
    assert "StoppingCondition.MaxWaitTimeInSeconds is not translated" in said
    assert "CacheConfig: ExpireAfter" in said


@pytest.mark.parametrize("target", TARGETS)
def test_no_value_of_a_variable_is_in_the_report(target: System) -> None:
    made = translated("abalone.json", target)
    assert "s3cr3t" in made.text
    assert "s3cr3t" not in json.dumps(report_of(made)) + report_text(report_of(made))


def test_addresses_images_and_machines_become_those_of_the_mapping(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(
        "uris: {s3://bkt: gs://mine}\n"
        "images: {246618743249.dkr.ecr.us-west-2.amazonaws.com: europe-docker.pkg.dev/p/r}\n"
    )
    made = translated("abalone.json", System.VERTEX, read_mapping(file))
    assert "s3://" not in made.text
    assert "amazonaws" not in made.text
    assert "gs://mine/code/preprocess.py" in made.text
    assert not [note for note in made.notes.entries if "another platform" in note.what]


def test_a_prefix_ends_where_a_name_ends() -> None:
    mapping = TargetMap(uris={"s3://data": "gs://data"})
    assert mapping.uri("s3://data/x") == ("gs://data/x", True)
    assert mapping.uri("s3://data-of-others/x") == ("s3://data-of-others/x", False)


def test_a_container_of_the_mapping_takes_the_place_of_what_has_no_equivalent() -> None:
    own = TargetMap(steps={"Register": Replacement("mine/register:1", ("register", "now"))})
    made = translated("abalone.json", System.VERTEX, own)
    assert fates(report_of(made))["Register"] == "kept with a loss"
    executors = yaml.safe_load(made.text)["deploymentSpec"]["executors"]
    assert executors["exec-register"]["container"]["command"] == ["register", "now"]


def test_a_machine_never_has_less_memory_than_the_sources() -> None:
    for target in TARGETS:
        machines = translated("abalone.json", target).prepared.machines
        assert machines["PreprocessData"].machine.memory_gib >= 16
        assert machines["Train"].machine.memory_gib >= 16
        assert machines["Train"].machine.accelerators >= 1


def test_what_was_not_translated_fails_loudly() -> None:
    executors = yaml.safe_load(translated("abalone.json", System.VERTEX).text)["deploymentSpec"]["executors"]
    command = executors["exec-register"]["container"]["command"]
    assert "exit 1" in command[2]
    assert "was not translated" in command[4]


@pytest.mark.parametrize("target", TARGETS)
def test_state_machines_keep_their_order_and_choices(target: System) -> None:
    report = report_of(translated("states.json", target))
    found = fates(report)
    assert found["Ask"] == found["Wait"] == "kept"
    assert found["Notify"] == found["Oops"] == "untranslated"
    pipeline, _ = load(DEFINITIONS / "states.json", None, TargetMap())
    assert {p.name: p.type for p in pipeline.parameters} == {
        "data": "string",
        "mode": "string",
        "lr": "string",
    }
    nodes = {node.name: node for node in all_nodes(pipeline.nodes)}
    assert nodes["Notify"].after == ("Ask",)


def test_a_way_back_in_a_state_machine_is_told(tmp_path: Path) -> None:
    loop = {
        "StartAt": "Poll",
        "States": {
            "Poll": {"Type": "Wait", "Seconds": 1, "Next": "Done"},
            "Done": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.x", "NumericEquals": 1, "Next": "End"}],
                "Default": "Poll",
            },
            "End": {"Type": "Succeed"},
        },
    }
    file = tmp_path / "loop.json"
    file.write_text(json.dumps(loop))
    report = report_of(translate(file, None, System.VERTEX, TargetMap()))
    assert fates(report)["Done"] == "untranslated"
    assert "goes back to Poll" in json.dumps(report)


@pytest.mark.parametrize("target", TARGETS)
def test_kubeflow_pipelines_with_all_kinds_of_control_flow(target: System) -> None:
    made = translated("kubeflow.yaml", target)
    assert {s.name for s in all_steps(made.source)} == {
        "say", "say-2", "say-3", "say-4", "prep", "train", "train-2", "boom", "boom-2",
    }  # fmt: skip
    assert Fate.UNTRANSLATED not in {note.fate for note in made.notes.entries}


def test_a_translation_translated_again_is_the_same_pipeline(tmp_path: Path) -> None:
    first = translated("abalone.json", System.VERTEX)
    file = tmp_path / "abalone.vertex.yaml"
    file.write_text(first.text)
    again = translate(file, None, System.VERTEX, TargetMap())
    before, after = yaml.safe_load(first.text), yaml.safe_load(again.text)
    assert set(after["deploymentSpec"]["executors"]) == set(before["deploymentSpec"]["executors"])
    assert after["root"]["inputDefinitions"] == before["root"]["inputDefinitions"]

    def edges(document: dict) -> set:
        tasks = document["root"]["dag"]["tasks"]
        return {(name, other) for name, task in tasks.items() for other in task.get("dependentTasks", ())}

    assert {name for _, name in edges(before)} == {name for _, name in edges(after)}
