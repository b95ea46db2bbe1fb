"""Models of PyTorch, XGBoost and LightGBM, run for real: proved equal or refused, and given open forms."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.models import converting, tensors
from tests.support import frameworks
from tests.support.tracking_server import Server, servers

pytestmark = pytest.mark.long
Shell = Callable[..., tuple[int, Any]]
HERE = Path(__file__).parent
PIN = ("--requirement", f"torch=={frameworks.TORCH}")
OTHERS = ("retrained", "older", "swapped")


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the models of PyTorch; while they are used, uv finds its build for processors alone."""
    wheels = frameworks.cpu_wheel(tmp_path_factory.mktemp("wheels"))
    with pytest.MonkeyPatch.context() as patch:
        if wheels:
            patch.setenv("UV_FIND_LINKS", ",".join(filter(None, (os.environ.get("UV_FIND_LINKS"), wheels))))
        interpreter = frameworks.environment(f"torch=={frameworks.TORCH}", "numpy")
        yield frameworks.made_by(interpreter, HERE / "make_nets.py", tmp_path_factory.mktemp("nets"))


@pytest.fixture(scope="module")
def boosters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    interpreter = frameworks.environment("xgboost==3.2.0", "lightgbm==4.7.0", "numpy", "scikit-learn")
    return frameworks.made_by(interpreter, HERE / "make_boosters.py", tmp_path_factory.mktemp("boosters"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("tracking"), "weights") as (server,):
        yield server


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    def command(what: str, *words: object) -> tuple[int, Any]:
        evidence = ("--evidence", (tmp_path / "evidence").as_uri(), "--json")
        status = run(app, ["models", what, *map(str, words), *evidence])
        return status, json.loads(capsys.readouterr().out)

    return command


def kept(tmp_path: Path, path: str) -> Any:
    return json.loads((tmp_path / "evidence" / path).read_text())


@pytest.mark.parametrize("other", ["copy", "half", *OTHERS])
def test_a_net_that_is_another_is_refused_and_a_copy_is_not(shell: Shell, nets: Path, other: str) -> None:
    words = (nets / "net", nets / other, "--golden", nets / "golden.npy", "--no-latency")
    status, document = shell("compare", *words)
    assert status == (0 if other == "copy" else 1), document
    found = document["comparison"]
    assert (found["rows"], found["distance"]) == (1000, "same")
    assert (found["mismatched"] == 0) == (other == "copy")


@pytest.mark.parametrize("other", ["copy", "rounded", *OTHERS])
def test_a_booster_that_is_another_is_refused_and_a_copy_is_not(
    shell: Shell, boosters: Path, other: str
) -> None:
    golden = ("--golden", boosters / "golden.parquet", "--label", "truth", "--metric", "auc")
    status, document = shell("compare", boosters / "booster", boosters / other, *golden, "--no-latency")
    assert status == (0 if other == "copy" else 1), document
    assert (document["comparison"]["mismatched"] == 0) == (other == "copy")


@pytest.mark.parametrize("name", ["net", "exported"])
def test_a_net_gets_both_open_forms(shell: Shell, nets: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    golden = ("--golden", nets / "golden.npy")
    status, document = shell("convert", nets / name, out, *golden)
    assert status == 0, document
    proof = kept(tmp_path, document["conversion"]["parity"])
    assert (proof["rows"], proof["mismatched"], proof["distance"]) == (1000, 0, "runtime")
    status, document = shell("convert", nets / name, out, *golden, "--form", "safetensors")
    assert status == 0, document
    made = document["conversion"]
    assert made["tensors"] == 9
    weights = kept(tmp_path, made["weights"])
    assert (weights["differing"], {each["equal"] for each in weights["tensors"]}) == (0, {True})
    answers = kept(tmp_path, made["parity"])
    assert (answers["rows"], answers["mismatched"], answers["distance"]) == (1000, 0, "same")
    assert answers["target"]["digest"] == made["digest"]
    status, document = shell("compare", nets / name, made["place"], *golden, "--no-latency")
    assert (status, document["error"]["code"]) == (2, "HL-9550")


def test_weights_are_registered_with_where_they_come_from(
    shell: Shell, nets: Path, registry: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WEIGHTS", json.dumps({"conn_type": "mlflow", "host": registry.url}))
    words = (nets / "weights.pt", "models:/net-weights", "--target-conn", "weights", "--form", "safetensors")
    status, document = shell("convert", *words, *PIN)
    assert status == 0, document
    made = document["conversion"]
    assert (made["place"], made["already"], made["parity"]) == ("models:/net-weights/1", False, "")
    query = "api/2.0/mlflow/model-versions/get?name=net-weights&version=1"
    tags = {each["key"]: each["value"] for each in registry.ask("GET", query)["model_version"]["tags"]}
    assert tags["heavylift.converted.form"] == "safetensors"
    assert tags["heavylift.converted.source_digest"] == made["source_digest"]
    assert made["weights"] in tags["heavylift.converted.proof"]
    before = registry.dump()
    status, document = shell("convert", *words, *PIN)
    assert (status, document["conversion"]["already"]) == (0, True)
    assert registry.dump() == before
    status, _document = shell("check", "models:/net-weights/1", "--source-conn", "weights")
    assert status == 0


def test_tensors_that_are_one_are_written_once(shell: Shell, nets: Path, tmp_path: Path) -> None:
    words = (
        nets / "tied.pt",
        tmp_path,
        "--form",
        "safetensors",
        "--requirement",
        f"torch=={frameworks.TORCH}",
    )
    status, document = shell("convert", *words)
    assert status == 0, document
    weights = kept(tmp_path, document["conversion"]["weights"])["tensors"]
    assert {each["name"]: each["same_as"] for each in weights}["two.weight"] == "one.weight"
    assert {each["kind"] for each in weights} == {"F32", "BF16"}


def test_a_file_that_is_not_the_model_is_not_published(
    shell: Shell, nets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(path: Path) -> tensors.TensorFile:
        found = tensors.read_tensors(path)
        name, kind, shape, _sha256 = found.tensors["0.bias"]
        return replace(found, tensors={**found.tensors, "0.bias": (name, kind, shape, "0" * 64)})

    monkeypatch.setattr(converting, "read_tensors", other)
    out = tmp_path / "out"
    out.mkdir()
    words = (nets / "weights.pt", out, "--form", "safetensors", *PIN)
    status, document = shell("convert", *words)
    assert status == 1
    assert "1 of 9 tensors are not the model's: 0.bias" in document["conversion"]["statement"]
    assert list(out.iterdir()) == []


def test_a_pickled_module_is_no_weights(shell: Shell, nets: Path, tmp_path: Path) -> None:
    words = (
        nets / "whole.pt",
        tmp_path,
        "--form",
        "safetensors",
        "--requirement",
        f"torch=={frameworks.TORCH}",
    )
    status, document = shell("convert", *words)
    assert (status, document["error"]["code"]) == (1, "HL-7550")
    assert "torch.nn.modules.container.Sequential, and not weights alone" in document["error"]["got"]


@pytest.mark.parametrize(
    "name", ["booster", "positive.ubj", "each.json", "label.ubj", "numbers.json", "positive.txt", "each.txt"]
)
def test_a_bare_booster_gets_an_onnx_form(shell: Shell, boosters: Path, tmp_path: Path, name: str) -> None:
    pin = "lightgbm==4.7.0" if name.endswith(".txt") else "xgboost==3.2.0"
    golden = ("--golden", boosters / "golden.parquet", "--label", "truth", "--requirement", pin)
    status, document = shell("convert", boosters / name, tmp_path, *golden)
    assert status == 0, document
    proof = kept(tmp_path, document["conversion"]["parity"])
    assert (proof["rows"], proof["mismatched"], proof["distance"]) == (1500, 0, "runtime")


def test_a_booster_without_a_faithful_form_is_named(shell: Shell, boosters: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    golden = ("--golden", boosters / "golden.parquet", "--label", "truth", "--requirement", "xgboost==3.2.0")
    status, document = shell("convert", boosters / "margin.ubj", out, *golden)
    assert (status, document["conversion"]["missing"]) == (1, ["xgboost objective binary:logitraw"])
    assert list(out.iterdir()) == []
