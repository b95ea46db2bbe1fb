"""Definitions of any origin: a clear error that names file and place, in bounded time."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from heavylift.errors import HeavyliftError, NotFoundError, SpecError
from heavylift.pipelines.api import translate
from heavylift.pipelines.mapping import TargetMap, read_mapping
from heavylift.pipelines.model import System
from heavylift.pipelines.report import report_of


def processing(name: str, **more: Any) -> dict[str, Any]:
    arguments = {
        "AppSpecification": {"ImageUri": "i", "ContainerEntrypoint": ["p"]},
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}},
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}


def write(folder: Path, *steps: dict[str, Any]) -> Path:
    path = folder / "p.json"
    path.write_text(json.dumps({"Version": "2020-12-01", "Steps": steps}))
    return path


def refused(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        translate(path, None, System.VERTEX, TargetMap())
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_circles_are_named(tmp_path: Path) -> None:
    message = refused(write(tmp_path, processing("a", DependsOn=["b"]), processing("b", DependsOn=["a"])))
    assert "wait for each other" in message


def test_missing_steps_and_names_given_twice(tmp_path: Path) -> None:
    assert "'nowhere'" in refused(write(tmp_path, processing("a", DependsOn=["nowhere"])))
    assert "given twice" in refused(write(tmp_path, processing("a"), processing("a")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"Version": "2020-12-01", "Steps": 3}',
        '{"Version": "1999", "Steps": []}',
        '{"a": 1, "a": 2}',
        '{"hello": "world"}',
        "!!python/object/apply:os.system ['true']",
        "a: &x [1, 2]\nb: [*x, *x]",
        '{"Version": "2020-12-01", "Steps": [{"Name": 3}]}',
        '{"Version": "2020-12-01", "Steps": [[]]}',
        "[" * 5000,
        "a:\n" + "".join("  " * n + "- \n" for n in range(1, 300)),
        '{"StartAt": "x", "States": {}}',
        '{"root": {}, "deploymentSpec": {}}',
        '{"root": {"dag": {"tasks": {"a": {"componentRef": {"name": "b"}}}}, "deploymentSpec": {}}}',
    ],
)
def test_what_is_no_definition_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    refused(path)


def test_components_that_hold_themselves_end(tmp_path: Path) -> None:
    task = {"componentRef": {"name": "c"}}
    dag = {"dag": {"tasks": {"t": task}}}
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"root": dag, "components": {"c": dag}, "deploymentSpec": {"executors": {}}}))
    assert "hold each other" in refused(path)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        translate(tmp_path / "none", None, System.VERTEX, TargetMap())
    (tmp_path / "p").write_bytes(b"\xff\xfe\x00")
    refused(tmp_path / "p")


@pytest.mark.parametrize(
    "text", ["images: 3", "unknown: {}", "entrypoints: {a: b}", "steps: {a: {image: x}}"]
)
def test_a_wrong_mapping_names_its_field(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(HeavyliftError) as caught:
        read_mapping(path)
    assert text.split(":")[0] in str(caught.value)


def test_thousands_of_steps_take_seconds(tmp_path: Path) -> None:
    steps = [processing("s0"), *(processing(f"s{n}", DependsOn=[f"s{n - 1}"]) for n in range(1, 3000))]
    path = write(tmp_path, *steps)
    begun = time.monotonic()
    made = translate(path, None, System.VERTEX, TargetMap())
    assert time.monotonic() - begun < 30
    assert made.text.count("heavylift-step") == 0
    assert made.text.count("componentRef:") == 3000


def test_names_in_any_script_stay_apart(tmp_path: Path) -> None:
    made = translate(
        write(tmp_path, processing("步骤"), processing("étape"), processing("Étape")),
        None,
        System.VERTEX,
        TargetMap(),
    )
    assert made.text.count("componentRef:") == 3


def test_texts_are_never_code_of_a_dag(tmp_path: Path) -> None:
    step = processing("a")
    step["Arguments"]["AppSpecification"]["ContainerArguments"] = [
        "'''+__import__('os').abort()+'''",
        "{{ 1/0 }}{% x %}{# y",
        "\\",
        '"""',
    ]
    made = translate(write(tmp_path, step), None, System.AIRFLOW, TargetMap())
    compile(made.text, "dag.py", "exec")
    assert "{{ 1/0" not in made.text.replace("{{ '{' }}", "")


@pytest.mark.parametrize("target", [System.VERTEX, System.AZURE_ML, System.SAGEMAKER, System.AIRFLOW])
def test_a_state_machine_that_goes_back_without_a_choice_ends_with_a_step_that_fails(
    tmp_path: Path, target: System
) -> None:
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}
    inner = {"StartAt": "A", "States": states}
    looped = {"Type": "Map", "ItemsPath": "$.x", "ItemProcessor": inner, "End": True}
    for number, machine in enumerate((inner, {"StartAt": "M", "States": {"M": looped}})):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(machine))
        report = report_of(translate(path, System.STEP_FUNCTIONS, target, TargetMap()))
        fates = {step["name"]: step["fate"] for step in report["steps"]}
        assert fates["A-again"] == "untranslated"
        assert "goes back to A" in json.dumps(report)
