"""Definitions for SageMaker: what botocore's model of its jobs accepts, and the same pipeline again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from heavylift.pipelines.api import load, translate
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import System
from heavylift.pipelines.report import report_of
from heavylift.pipelines.runner import Run
from heavylift.pipelines.walk import all_steps

DEFINITIONS = Path(__file__).parent / "definitions"
MAPPING = TargetMap(pipeline_root="s3://mine/root", role="arn:aws:iam::123456789012:role/pipelines")


def settled(value: Any) -> Any:
    """Return arguments as they are when the pipeline runs: references are texts by then."""
    if isinstance(value, dict):
        return "x" if set(value) & {"Get", "Std:Join"} else {k: settled(v) for k, v in value.items()}
    return [settled(inner) for inner in value] if isinstance(value, list) else value


def steps(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        yield entry
        if entry["Type"] == "Condition":
            yield from steps(entry["Arguments"]["IfSteps"])
            yield from steps(entry["Arguments"]["ElseSteps"])


@pytest.fixture(scope="module")
def shapes() -> dict[str, Any]:
    model = botocore.session.get_session().get_service_model("sagemaker")
    jobs = {"Processing": "CreateProcessingJob", "Training": "CreateTrainingJob"}
    return {kind: model.operation_model(name).input_shape for kind, name in jobs.items()}


@pytest.mark.parametrize("name", ["toy.json", "abalone.json", "kubeflow.yaml", "states.json"])
def test_every_job_has_a_form_that_sagemaker_takes(name: str, shapes: dict[str, Any]) -> None:
    made = translate(DEFINITIONS / name, None, System.SAGEMAKER, MAPPING)
    found = list(steps(json.loads(made.text)["Steps"]))
    jobs = [step for step in found if step["Type"] in shapes]
    assert jobs
    for step in jobs:
        arguments = {f"{step['Type']}JobName": "x", **settled(step["Arguments"])}
        report = ParamValidator().validate(arguments, shapes[step["Type"]])
        assert not report.has_errors(), report.generate_report()
    assert {step["Type"] for step in found} <= {*shapes, "Condition", "Fail"}
    # Whatever is left out is told.
    names = {step["Name"] for step in found}
    kept = {entry["name"] for entry in report_of(made)["steps"] if entry["fate"] != "untranslated"}
    missing = {s.name for s in all_steps(made.source)} & kept - names
    assert not missing


def test_the_way_there_and_back_is_the_same_pipeline(tmp_path: Path) -> None:
    made = translate(DEFINITIONS / "abalone.json", None, System.SAGEMAKER, MAPPING)
    (tmp_path / "abalone.json").write_text(made.text)
    before, _ = load(DEFINITIONS / "abalone.json", None, TargetMap())
    after, _ = load(tmp_path / "abalone.json", None, TargetMap())
    assert after.parameters == before.parameters
    old, new = ({s.name: s for s in all_steps(p)} for p in (before, after))
    assert set(old) == set(new)
    for name in ("PreprocessData", "Train", "Eval"):
        for what in ("command", "hyperparameters", "inputs", "outputs", "env", "after"):
            assert getattr(new[name], what) == getattr(old[name], what), (name, what)


def test_a_toy_pipeline_makes_the_same_files_after_two_translations(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("7\n")
    (tmp_path / "toy.json").write_text(
        translate(DEFINITIONS / "toy.json", None, System.SAGEMAKER, MAPPING).text
    )
    for path, folder in ((DEFINITIONS / "toy.json", "one"), (tmp_path / "toy.json", "two")):
        pipeline, _ = load(path, None, TargetMap())
        Run(pipeline, tmp_path / folder, {}, {"s3://bkt/in": str(tmp_path / "in")}).run()
    for file in ("Make/rows/n.txt", "Sum/report/r.json", "Good/final/final.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
