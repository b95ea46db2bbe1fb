"""``heavylift features`` as a person at a shell meets it, between two stores in memory over real files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heavylift.cli import app
from heavylift.cli.run import run
from heavylift.registry.features import moving
from tests.support.memory_features import Pair

Shell = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    pair = Pair(tmp_path / "features", int(time.time()))
    monkeypatch.setattr(moving, "open_feature_store", pair.open)
    for name in ("A", "B"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": "memory"}))
    return pair


@pytest.fixture
def shell(pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    def call(act: str, *more: str) -> tuple[int, dict[str, Any]]:
        sides = ["--source-conn", "a", "--target-conn", "b", "--name", "f", "--migration", "m"]
        history = ["--history", "=".join(pair.moves.pairs[0])]
        evidence = ["--evidence", (tmp_path / "evidence").as_uri(), "--json"]
        status = run(app, ["features", act, *sides, *history, *evidence, *more])
        return status, json.loads(capsys.readouterr().out)

    return call


def test_copy_and_verify(pair: Pair, shell: Shell, tmp_path: Path) -> None:
    pair.source.others.append(("feature service", "it is code", 2))
    status, document = shell("copy", "--losses")
    assert (status, document["preflight"]["losses"][0]["count"]) == (0, 2)
    status, document = shell("copy")
    assert (status, document["error"]["code"]) == (1, "HL-7111")
    status, document = shell("copy", "--accept-losses", "--dry-run")
    assert (status, pair.target.written) == (0, 0)
    status, document = shell("copy", "--accept-losses")
    assert (status, document["copy"]["passed"], document["copy"]["path"]) == (0, True, "features")
    status, document = shell("verify", "--sample", "30")
    proof = document["verification"]
    assert (status, proof["passed"], proof["online"][0]["sampled"]) == (0, True, 30)
    assert shell("copy", "--accept-losses")[1]["copy"]["written"] == 0
    del pair.target.served["drivers"][7,]
    status, document = shell("verify")
    found = [(each["kind"], each["id"]) for each in document["verification"]["differences"]]
    assert (status, found) == (1, [("missing", "drivers: 7")])
    kept = [each.parent.parts[-2:] for each in (tmp_path / "evidence").rglob("verification-1.json")]
    assert kept == [("~features", "f")] * 2


def test_what_cannot_be_read_is_told_before_anything_is_touched(pair: Pair, shell: Shell) -> None:
    status, document = shell("copy", "--history", "nothing")
    assert (status, document["error"]["code"]) == (2, "HL-7105")
    assert "--history" in document["error"]["remedy"]
    assert pair.target.written == 0
