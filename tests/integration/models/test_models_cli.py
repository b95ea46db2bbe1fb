"""``heavylift models`` as a person at a shell meets it: real models, real environments, the real scanner."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from tests.unit.models.pickles import calling

Shell = Callable[..., tuple[int, Any]]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a function that runs a command and returns its status and document."""

    def command(name: str, *more: object) -> tuple[int, Any]:
        evidence = (tmp_path / "evidence").as_uri()
        status = run(app, ["models", name, *map(str, more), "--evidence", evidence, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return command


def golden(models: Path) -> tuple[object, ...]:
    return ("--golden", models / "golden.parquet", "--label", "truth", "--drop", "region")


def test_a_copied_model_is_compatible_and_agrees(models: Path, shell: Shell) -> None:
    status, document = shell("check", models / "skops", models / "copy")
    assert status == 0, document
    check = document["check"]
    assert check["scanner"] == "modelscan 0.8.8"
    assert {each["kind"] for each in check["files"] if each["path"] == "model.skops"} == {"skops"}
    assert any(line.startswith("scikit-learn==") for line in check["lock"])
    # A ratio that a busy machine cannot reach: latency is measured here, and not judged.
    latency = ("--requests", 100, "--warm-up", 5, "--max-latency-ratio", 1e9)
    quality = ("--metric", "auc", "--metric", "accuracy", "--slice", "region")
    status, document = shell(
        "compare", models / "skops", models / "copy", *golden(models), *latency, *quality
    )
    found = document["comparison"]
    assert status == 0, found["reasons"]
    assert (found["rows"], found["mismatched"], found["distance"]) == (2000, 0, "same")
    assert found["mismatch_bound"] == pytest.approx(3 / 2000, rel=0.01)
    assert {each["name"] for each in found["outputs"]} == {"answer", "score:0", "score:1"}
    assert {(each["metric"], each["slice"]) for each in found["metrics"]} == {
        (metric, part) for metric in ("auc", "accuracy") for part in ("", "region=north", "region=south")
    }  # fmt: skip
    assert found["latency"]["requests"] == 100
    assert found["source"]["peak_bytes"] > 50e6
    assert found["source"]["digest"] == check["digest"]
    assert found["baseline"]["metrics"]["auc"] > 0.9


@pytest.mark.long
def test_a_retrained_model_is_refused_against_a_pickle_too(models: Path, shell: Shell) -> None:
    status, document = shell(
        "compare", models / "pickled", models / "retrained", *golden(models), "--no-latency"
    )
    assert status == 1
    found = document["comparison"]
    assert found["mismatched"] > 1900
    assert "answered differently" in found["statement"]
    assert {each["rule"] for each in found["findings"]} <= {"few-golden-inputs"}


@pytest.mark.parametrize("name", ["pickled", "forest"])
def test_models_in_other_forms_pass_the_scanners(models: Path, shell: Shell, name: str) -> None:
    status, document = shell("check", models / name)
    assert status == 0, document["check"]["findings"]


def test_a_wicked_model_is_found_by_both_scanners_and_runs_nowhere(
    models: Path, shell: Shell, tmp_path: Path
) -> None:
    wicked, mark = tmp_path / "wicked", tmp_path / "it-ran"
    shutil.copytree(models / "pickled", wicked)
    (wicked / "model.pkl").chmod(0o600)
    (wicked / "model.pkl").write_bytes(calling("posix", "system", f"touch {mark}"))
    status, document = shell("check", wicked)
    assert status == 1
    rules = {each["rule"] for each in document["check"]["findings"] if each["severity"] == "blocker"}
    assert {"malicious-code", "scanner-issue"} <= rules
    status, document = shell("compare", models / "pickled", wicked, "--no-latency", "--accept", "custom-code")
    assert status == 1
    assert document["error"]["code"] == "HL-7502"
    assert not mark.exists()
