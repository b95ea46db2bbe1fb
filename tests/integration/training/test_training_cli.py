"""``heavylift training`` and ``heavylift scaling`` from a shell, and the platforms' own checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.training.model import Cluster, Form
from heavylift.training.targets import Kind, Target
from heavylift.training.translate import translate
from tests.support.layers import TESTS
from tests.support.longer import first_then_long
from tests.unit.training.jobs import DEFINITIONS, JOBS, full_map

SETTINGS = TESTS / "unit" / "autoscaling" / "settings"


def shell(*words: str) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "heavylift", *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent / "include")},
    )
    return done.returncode, json.loads(done.stdout)


def test_a_job_is_translated_checked_and_rehearsed(tmp_path: Path) -> None:
    job, mapping = str(DEFINITIONS / "sagemaker.json"), tmp_path / "map.yaml"
    found = full_map(Form.VERTEX)
    mapping.write_text(yaml.safe_dump({"uris": found.uris, "images": found.images}))
    words = (
        "training",
        "translate",
        job,
        "--target",
        "vertex",
        "--map",
        str(mapping),
        "--out",
        str(tmp_path),
    )
    code, told = shell(*words)
    assert code == 0, told
    [made] = told["translations"]
    assert made["target"]["global_batch"] == 512
    assert shell(*words)[0] == 0
    Path(made["written"]).write_text("{}")
    code, told = shell(*words)
    assert code == 1
    assert told["error"]["code"] == "HL-9208"
    assert shell(*words, "--overwrite")[0] == 0
    code, told = shell("training", "rehearse", job, "--target", "vertex", "--map", str(mapping))
    assert (code, told["equal"], len(told["rehearsal"]["target"])) == (0, True, 4)
    code, told = shell("training", "translate", job, "--target", "vertex", "--out", str(tmp_path / "other"))
    assert code == 1
    assert told["translations"][0]["blocks"]


@pytest.mark.parametrize(
    ("words", "code"),
    first_then_long(
        [
            (("training", "translate", "x", "--target", "kubernetes", "--out", "y"), "9220"),
            (("training", "translate", "x", "--target", "vertex", "--cluster", "gke", "--out", "y"), "9220"),
            (("training", "translate", "a/x.json", "b/x.json", "--target", "vertex", "--out", "y"), "9221"),
            (("training", "translate", "none.json", "--target", "vertex", "--out", "y"), "9202"),
            (("training", "rehearse", str(DEFINITIONS / "mpijob.yaml"), "--target", "vertex"), "9206"),
            (("scaling", "simulate", "x", "--target", "hpa", "--capacity", "1"), "9222"),
            (("scaling", "translate", "none.json", "--target", "hpa", "--out", "y"), "9211"),
        ]
    ),
)
def test_wrong_options_are_refused(words: tuple[str, ...], code: str) -> None:
    status, told = shell(*words)
    assert (status, told["error"]["code"]) == (2, f"HL-{code}")


def test_autoscaling_is_translated_and_simulated(tmp_path: Path) -> None:
    source = str(SETTINGS / "aws.json")
    world = (
        "--capacity", "450", "--queue", "450", "--shape", "day", "--base", "300", "--peak", "4200",
        "--minutes", "720",
    )  # fmt: skip
    code, told = shell("scaling", "simulate", source, "--target", "hpa", *world, "--out", str(tmp_path))
    assert code == 1
    assert told["comparison"]["word"] == "less-safe"
    assert told["comparison"]["advice"]["changes"] == ["targets x 0.9"]
    names = {Path(path).name for path in told["written"]}
    assert names == {"aws.hpa.yaml", "aws.hpa.md", "aws.hpa.svg", "aws.advised.hpa.yaml"}
    # The advised settings, put in the place of the target's, are as safe.
    advised = str(tmp_path / "aws.advised.hpa.yaml")
    code, told = shell("scaling", "simulate", source, "--target-file", advised, *world)
    assert (code, told["comparison"]["word"]) == (0, "equivalent")
    code, told = shell("scaling", "translate", source, "--target", "azure", "--out", str(tmp_path))
    assert (code, Path(told["written"]).name) == (0, "aws.azure.json")
    (tmp_path / "aws.azure.json").write_text("{}")
    code, told = shell("scaling", "translate", source, "--target", "azure", "--out", str(tmp_path))
    assert (code, told["error"]["code"]) == (1, "HL-9223")


@pytest.mark.long
def test_azure_mls_loader_takes_every_translation_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("")
    files = []
    for name in JOBS:
        made = translate(DEFINITIONS / name, Target(Form.AZURE_ML), full_map(Form.AZURE_ML), Cluster.EKS)
        files.append(tmp_path / f"{name.split('.')[0]}.yaml")
        files[-1].write_text(made.text)
    code, told = shell("training", "check", *map(str, files), "--form", "azureml")
    assert code == 0, told
    files[0].write_text(files[0].read_text().replace("process_count_per_instance", "processes"))
    code, told = shell("training", "check", str(files[0]), "--form", "azureml")
    assert code == 1


@pytest.mark.long
def test_kubernetes_schemas_take_every_translation_and_refuse_what_is_wrong(tmp_path: Path) -> None:
    files = []
    for kind in Kind:
        for name in JOBS[:4]:
            if kind is Kind.MPIJOB:
                name = "mpijob.yaml"
            made = translate(
                DEFINITIONS / name,
                Target(Form.KUBERNETES, Cluster.GKE, kind),
                full_map(Form.KUBERNETES),
                Cluster.EKS,
            )
            files.append(tmp_path / f"{name.split('.')[0]}-{kind}.yaml")
            files[-1].write_text(made.text)
    code, told = shell("training", "check", *map(str, files), "--form", "kubernetes")
    assert code == 0, told
    unchecked = {kind for each in told["checked"] for kind in each["unchecked"]}
    assert unchecked == {"PyTorchJob", "MPIJob", "JobSet"}
    files[0].write_text(files[0].read_text().replace("resources:", "resource:"))
    assert shell("training", "check", str(files[0]), "--form", "kubernetes")[0] == 1


@pytest.mark.long
def test_kubernetes_schema_takes_every_autoscaler(tmp_path: Path) -> None:
    from heavylift.autoscaling.model import System
    from heavylift.autoscaling.translate import translate as translate_scaling

    for name in ("aws.json", "aws-steps.json", "hpa.yaml", "keda.yaml", "vertex.json", "azure.json"):
        (tmp_path / f"{name}.yaml").write_text(translate_scaling(SETTINGS / name, System.HPA).text)
    code, told = shell("manifests", "check", str(tmp_path), "--kubernetes-version", "1.33")
    assert (code, told["check"]["valid"]) == (0, 6)
