"""A model gets an open form on real servers: proved, registered once, and refused where it cannot be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from tests.support.tracking_server import Server, servers
from tests.unit.models.pickles import calling

Shell = Callable[..., tuple[int, Any]]
API = "api/2.0/mlflow"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("tracking"), "portable") as (server,):
        yield server


@pytest.fixture
def convert(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, models: Path
) -> Shell:
    def command(name: str | Path, into: object, *more: object) -> tuple[int, Any]:
        golden = ("--golden", models / "golden.parquet", "--label", "truth", "--drop", "region")
        evidence = ("--evidence", (tmp_path / "evidence").as_uri(), "--json")
        status = run(app, ["models", "convert", *map(str, (models / name, into, *golden, *more, *evidence))])
        return status, json.loads(capsys.readouterr().out)

    return command


@pytest.mark.long
def test_a_converted_model_is_proved_and_registered_once(
    convert: Shell,
    registry: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    found = {"conn_type": "mlflow", "host": registry.url}
    monkeypatch.setenv("AIRFLOW_CONN_PORTABLE", json.dumps(found))
    into = ("models:/fraud-onnx", "--target-conn", "portable")
    status, document = convert("skops", *into)
    assert status == 0, document
    made = document["conversion"]
    assert (made["place"], made["precision"], made["already"]) == ("models:/fraud-onnx/1", 64, False)
    proof = json.loads((tmp_path / "evidence" / made["parity"]).read_text())
    assert (proof["rows"], proof["mismatched"], proof["distance"]) == (2000, 0, "runtime")
    assert {each["name"] for each in proof["outputs"]} == {"answer", "score:0", "score:1"}
    query = "name=fraud-onnx&version=1"
    version = registry.ask("GET", f"{API}/model-versions/get?{query}")["model_version"]
    tags = {each["key"]: each["value"] for each in version["tags"]}
    assert tags["heavylift.converted.source_digest"] == made["source_digest"]
    assert "skl2onnx==1.20.0" in tags["heavylift.converted.packages"]
    assert made["parity"] in tags["heavylift.converted.proof"]
    before = registry.dump()
    status, document = convert("skops", *into)
    assert (status, document["conversion"]["already"]) == (0, True)
    assert registry.dump() == before
    # As anybody reads it: the converted model is one that the check passes.
    status = run(app, ["models", "check", "models:/fraud-onnx/1", "--source-conn", "portable", "--json"])
    assert status == 0
    capsys.readouterr()
    # As a run left it that was killed before it made the version.
    for table in ("model_version_tags", "model_versions"):
        registry.sql(f"DELETE FROM {table} WHERE name = 'fraud-onnx'")
    status, document = convert("skops", *into)
    assert (status, document["conversion"]["already"]) == (0, False)
    assert registry.sql("SELECT count(*) FROM logged_models") == [(1,)]
    assert registry.sql("SELECT count(*) FROM experiments") == [(2,)]


@pytest.mark.long
def test_a_folder_gets_a_model_once(convert: Shell, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    status, document = convert("forest", out)
    made = document["conversion"]
    assert status == 0, document
    assert made["precision"] == 32
    [folder] = out.iterdir()
    assert folder.name == f"onnx-{made['identity'][:16]}"
    assert {each.name for each in folder.iterdir()} == {
        "MLmodel",
        "model.onnx",
        "requirements.txt",
        "python_env.yaml",
    }
    status, document = convert("forest", out)
    assert (status, document["conversion"]["already"]) == (0, True)


@pytest.mark.long
def test_an_operator_without_a_converter_is_named_and_nothing_is_written(
    convert: Shell, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    trust = ("--trust", "sklearn.neighbors._nearest_centroid.NearestCentroid")
    status, document = convert("centroid", out, *trust)
    assert status == 1
    assert document["conversion"]["missing"] == ["sklearn.neighbors._nearest_centroid.NearestCentroid"]
    assert list(out.iterdir()) == []


def test_a_wicked_model_is_not_converted(convert: Shell, models: Path, tmp_path: Path) -> None:
    wicked, mark, out = tmp_path / "wicked", tmp_path / "it-ran", tmp_path / "out"
    out.mkdir()
    shutil.copytree(models / "pickled", wicked)
    (wicked / "model.pkl").chmod(0o600)
    (wicked / "model.pkl").write_bytes(calling("posix", "system", f"touch {mark}"))
    status, document = convert(wicked, out)
    assert status == 1
    assert document["error"]["code"] == "HL-7502"
    assert not mark.exists()
    assert list(out.iterdir()) == []
