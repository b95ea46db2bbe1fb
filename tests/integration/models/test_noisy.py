"""Models whose answers hold noise, run by ONNX's own runtime in processes of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from tests.support import frameworks

pytestmark = pytest.mark.long
RUNTIME = ("--requirement", "onnxruntime==1.32.0")


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    interpreter = frameworks.environment("onnx==1.23.2", "numpy")
    return frameworks.made_by(
        interpreter, Path(__file__).with_name("make_noisy.py"), tmp_path_factory.mktemp("noisy")
    )


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("normal", "copy"),
        ("normal", "retrained"),
        ("normal", "rounded"),
        ("dropout", "copy"),
        ("dropout", "swapped"),
    ],
)
def test_noise_makes_no_other_model_of_a_copy_and_hides_none(
    noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, other: str
) -> None:
    models = (noisy / kind / "model.onnx", noisy / kind / f"{other}.onnx")
    words = ("compare", *models, "--golden", noisy / "golden.npy", "--no-latency", *RUNTIME)
    evidence = (tmp_path / "evidence").as_uri()
    status = run(app, ["models", *map(str, words), "--evidence", evidence, "--json"])
    found = json.loads(capsys.readouterr().out)["comparison"]
    assert status == (0 if other == "copy" else 1), found["reasons"]
    # Both sides were noisy, and asked twice: otherwise nothing was tried here.
    assert {each["rule"] for each in found["findings"]} >= {"source-not-repeatable", "target-not-repeatable"}
    assert found["passed"] == (other == "copy")
