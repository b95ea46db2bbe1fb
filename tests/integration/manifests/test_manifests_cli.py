"""``heavylift manifests`` as a user calls it, and its result held against Kubernetes' own schemas."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import pytest

from heavylift.cli import app
from heavylift.cli.run import run

DATA = Path(__file__).parents[2] / "support" / "data" / "manifests"


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict]:
    status = run(app, ["manifests", *map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


def translated(capsys: pytest.CaptureFixture[str], source: str, target: str, out: Path) -> tuple[int, dict]:
    return call(
        capsys, "translate", DATA / source, DATA / "old", "--source", source, "--target", target,
        "--kubernetes-version", "1.33", "--map", DATA / "map.yaml", "--out", out,
    )  # fmt: skip


def test_a_folder_is_translated_with_a_report_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = translated(capsys, "eks", "gke", tmp_path / "out")
    assert status == said["exit_status"] == 1
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "apis.yaml", "serving.yaml", "training.yaml",
    ]  # fmt: skip
    assert json.loads((tmp_path / "out.report.json").read_text()) == said["translation"]
    everything = str(said) + "".join(each.read_text() for each in tmp_path.glob("*.json"))
    assert "hunter2" not in everything
    status, said = translated(capsys, "eks", "gke", tmp_path / "out")
    assert (status, said["error"]["code"]) == (2, "HL-8531")


def test_one_bad_file_keeps_no_other_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "bad.yaml").write_text("a: {{ .Values.a }}\n")
    (folder / "good.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    options = ("--target", "gke", "--kubernetes-version", "1.33", "--out", tmp_path / "out")
    status, said = call(capsys, "translate", folder, *options)
    assert status == 1
    assert said["translation"]["files"] == ["good.yaml"]
    assert [each["code"] for each in said["translation"]["unreadable"]] == ["HL-8504"]
    (folder / "good.yaml").unlink()
    options = ("--target", "gke", "--kubernetes-version", "1.33", "--out", tmp_path / "out2")
    status, said = call(capsys, "translate", folder, *options)
    assert (status, said["error"]["code"]) == (2, "HL-8504")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--kubernetes-version", "new"), "HL-8530"),
        (("--kubernetes-version", "1.33", "--map", "none"), "HL-8506"),
    ],
)
def test_wrong_options_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: str
) -> None:
    options = ("--target", "gke", "--out", tmp_path / "out")
    status, said = call(capsys, "translate", DATA / "eks", *options, *arguments)
    assert (status, said["error"]["code"]) == (2, code)


@pytest.mark.long
def test_every_translation_is_valid_and_a_slip_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for source, target in permutations(("eks", "gke", "aks"), 2):
        translated(capsys, source, target, tmp_path / f"{source}-{target}")
    status, said = call(capsys, "check", tmp_path, "--kubernetes-version", "1.33")
    assert status == 1  # the reports are JSON, and no manifests
    for report in tmp_path.glob("*.report.json"):
        report.unlink()
    status, said = call(capsys, "check", tmp_path, "--kubernetes-version", "1.33")
    wrong = [each for each in said["check"]["objects"] if each["verdict"] == "invalid"]
    assert (status, wrong) == (0, [])
    unchecked = {
        each["object"].partition("/")[0]
        for each in said["check"]["objects"]
        if each["verdict"] == "unchecked"
    }
    assert unchecked == {"PyTorchJob", "InferenceService", "BackendConfig"}
    slip = tmp_path / "slip.yaml"
    slip.write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replica: 2\n"
        "  selector: {matchLabels: {a: b}}\n"
        "  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c}]}}\n"
    )
    status, said = call(capsys, "check", slip, "--kubernetes-version", "1.33")
    assert status == 1
    assert "replica" in said["check"]["objects"][0]["problem"]
    status, said = call(capsys, "check", slip, "--kubernetes-version", "1.20")
    assert (status, said["error"]["code"]) == (2, "HL-8507")
