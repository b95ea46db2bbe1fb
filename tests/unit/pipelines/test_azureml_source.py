"""Azure ML's pipeline jobs as a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from heavylift.pipelines.api import load, translate
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import System
from heavylift.pipelines.report import report_of
from heavylift.pipelines.runner import Run

AZURE = Path(__file__).parent / "definitions" / "azure.yaml"


@pytest.mark.parametrize("target", [System.VERTEX, System.AZURE_ML, System.SAGEMAKER, System.AIRFLOW])
def test_each_job_has_a_fate(target: System) -> None:
    made = translate(AZURE, None, target, TargetMap(pipeline_root="s3://mine/root"))
    report = report_of(made)
    assert [step["fate"] for step in report["steps"] if step["name"] == "search"] == ["untranslated"]
    assert report["counts"]["untranslated"] == 1
    assert "continue_on_step_failure" in str(report["pipeline"])


def test_its_jobs_and_those_of_its_translation_make_the_same(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("7\n")
    text = AZURE.read_text()
    (tmp_path / "azure.yaml").write_text(text[: text.index("  search:")])
    made = translate(tmp_path / "azure.yaml", None, System.VERTEX, TargetMap())
    (tmp_path / "vertex.yaml").write_text(made.text)
    for name in ("azure", "vertex"):
        pipeline, _ = load(tmp_path / f"{name}.yaml", None, TargetMap())
        Run(pipeline, tmp_path / name, {}, {"azureml://datastores/x/paths/in": str(tmp_path / "in")}).run()
        assert (tmp_path / name / "sum" / "sum" / "s.txt").read_text() == "22\n"


def test_an_input_that_is_a_value_keeps_its_type_and_its_default(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        "type: pipeline\ninputs:\n  deep: {type: boolean, default: true}\n  rounds: {type: integer}\n"
        "  data: {type: uri_folder, path: 'azureml://datastores/x/paths/in'}\n"
        "jobs:\n  a: {type: command, command: 'run ${{inputs.rounds}}', environment: {image: i},\n"
        "      inputs: {rounds: '${{parent.inputs.rounds}}'}}\n"
    )
    report = report_of(translate(path, None, System.VERTEX, TargetMap()))
    found = {each["name"]: (each["type"], each["has_default"]) for each in report["parameters"]}
    assert found == {"deep": ("boolean", True), "rounds": ("integer", False), "data": ("string", True)}
