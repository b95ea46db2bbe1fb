"""Everything that a spec watches, through the command line: baselines of the source across the switch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from heavylift.cli import app
from heavylift.cli.run import run
from tests.dags.specs import GOOD


def tables(root: Path, side: str, *, right: float, slower: float, seed: int) -> None:
    g = np.random.default_rng(seed)
    label = g.integers(0, 2, 4000)
    said = np.where(g.random(4000) < right, label, 1 - label)
    made = {
        "rows": {"x": g.normal(size=4000), "prediction": said, "id": np.arange(4000)},
        "labels": {"id": np.arange(4000), "label": label},
        "requests": {
            "at": 1.79e9 + np.arange(4000.0), "status": [200] * 4000,
            "ms": slower * g.lognormal(3, 0.3, 4000),
        },
        "log": {"sequence": np.arange(10) + (10 if side == "target" else 0)},
        "curves": {
            "run": np.repeat(["a", "b", "c", "d"], 50), "step": np.tile(np.arange(50), 4),
            "loss": np.tile(np.exp(-np.arange(50) / 10), 4) + g.normal(0, 0.01, 200),
        },
    }  # fmt: skip
    for name, columns in made.items():
        folder = root / side / name
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), folder / "t.parquet")


def spec_of(root: Path) -> Path:
    def sides(name: str) -> dict[str, Any]:
        return {side: {"url": f"file://{root}/{side}/{name}/"} for side in ("source", "target")}

    labels = {"url": f"file://{root}/target/labels/"}
    monitor = {
        "drift": [{"name": "rows", **sides("rows"), "ignore": ["id"], "effect": 0.1}],
        "accuracy": [
            {
                "name": "scores",
                "target": sides("rows")["target"],
                "labels": labels,
                "key": ["id"],
                "baseline": 0.9,
            }
        ],
        "slo": [{"name": "serving", **sides("requests"), "latency": "ms"}],
        "convergence": [{"name": "training", **sides("curves")}],
        "gaps": [{"name": "log", **sides("log")}],
    }
    file = root / "some.yaml"
    file.write_text(yaml.safe_dump({**GOOD, "migration": "some", "monitor": monitor}))
    return file


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = run(app, [*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_spec_is_watched_and_told_as_one_series(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = (tmp_path / "evidence").as_uri()
    tables(tmp_path, "source", right=0.9, slower=1.0, seed=1)
    tables(tmp_path, "target", right=0.9, slower=1.0, seed=2)
    spec = spec_of(tmp_path)
    status, calm = command(capsys, "monitor", "run", str(spec), "--evidence", store)
    assert {(each["watch"], each["side"]): each["verdict"] for each in calm["looks"]} == {
        ("rows", "source"): "ok", ("rows", "target"): "ok", ("scores", "target"): "ok",
        ("serving", "source"): "ok", ("serving", "target"): "ok", ("training", "target"): "ok",
        ("log", ""): "ok",
    }  # fmt: skip
    assert status == 0
    tables(tmp_path, "target", right=0.7, slower=2.0, seed=3)
    (tmp_path / "source" / "rows" / "t.parquet").unlink()
    status, alarmed = command(
        capsys, "monitor", "run", str(spec), "--evidence", store, "--watch", "scores", "--watch", "serving"
    )
    assert status == 1
    assert {(each["watch"], each["side"]): each["verdict"] for each in alarmed["looks"]} == {
        ("scores", "target"): "alarm", ("serving", "source"): "ok", ("serving", "target"): "alarm",
    }  # fmt: skip
    _, series = command(capsys, "monitor", "series", "--migration", "some", "--evidence", store)
    assert [(each["watch"], each["side"]) for each in series["points"]].count(("serving", "target")) == 2
    file = tmp_path / "heavylift.prom"
    status, _ = command(
        capsys, "monitor", "export", "--out", str(file), "--migration", "some", "--evidence", store
    )
    assert status == 0
    text = file.read_text()
    assert 'heavylift_monitor_accuracy_alarm{migration="some",watch="scores",side="target"} 1.0' in text
    assert "# TYPE heavylift_monitor_slo_latency_p95 gauge" in text


def test_options_that_cannot_be_read_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = tmp_path.as_uri()
    for arguments, code in (
        (("drift", url, url, "--side", "left"), "8905"),
        (("drift", url, url, "--column-threshold", "x"), "8906"),
        (("accuracy", url, url, "--key", "id", "--metric", "auc"), "8914"),
    ):
        status, found = command(capsys, "monitor", *arguments, "--evidence", (tmp_path / "e").as_uri())
        assert (status, found["error"]["code"]) == (2, f"HL-{code}")
