"""How good a live endpoint is, by golden rows: MLflow's own scoring server, and ones that are wrong."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from heavylift.evidence.baseline_records import EndpointBaseline
from heavylift.evidence.model_records import model_baseline_of
from sandbox.examples.scoring_model import BODY, COLUMNS
from tests.support.mlflow_scoring import mlflow_scoring
from tests.support.scoring_server import Manner, scoring_server
from tests.support.shell import start

QUICK = ("--no-floor", "--warm-up-seconds", "0", "--step-seconds", "1", "--rates", "5", "--json")


def golden(rows: int = 400) -> pd.DataFrame:
    """Return rows as the model knows them, with the truth; five of them without."""
    g = np.random.default_rng(7)
    made = pd.DataFrame(g.normal(size=(rows, 3)), columns=list(COLUMNS))
    fraud = (made @ [1.0, -2.0, 0.5] + 0.7 * g.normal(size=rows) > 0).astype(float)
    fraud[:5] = np.nan
    return made.assign(fraud=fraud, country=g.choice(["de", "fr", "pt"], rows, p=[0.6, 0.39, 0.01]))


def heavylift(url: str, *arguments: str, token: str = "") -> tuple[int, dict[str, Any], str]:
    connection = {"conn_type": "http", "host": url, "extra": {"token": token} if token else {}}
    environment = {**os.environ, "AIRFLOW_CONN_EP": json.dumps(connection)}
    status, output, errors = start(["baseline", *arguments], environment).end()
    return status, json.loads(output), errors


def asked(url: str, rows: pd.DataFrame) -> list[int]:
    """Return what the server says, asked by other means."""
    body = json.dumps({"dataframe_split": rows[list(COLUMNS)].to_dict(orient="split", index=False)})
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return [int(each) for each in json.load(answer)["predictions"]]


@pytest.mark.long
def test_the_accuracy_of_mlflows_own_server_is_in_its_baseline(tmp_path: Path) -> None:
    rows = golden()
    rows.to_parquet(tmp_path / "golden.parquet")
    (tmp_path / "requests.jsonl").write_text(BODY)
    with mlflow_scoring(tmp_path) as url:
        status, found, errors = heavylift(
            url, "--source-conn", "ep", "--requests", f"{tmp_path}/requests.jsonl", *QUICK,
            "--golden", f"{tmp_path}/golden.parquet", "--label", "fraud", "--slices", "country",
            "--evidence", f"file://{tmp_path}/evidence",
        )  # fmt: skip
        # Without --drop the column country is sent as well, which MLflow leaves out by the signature.
        # A busy machine may not sustain the rate; how good the answers are does not depend on it.
        assert status in (0, 1), errors
        known = rows[rows.fraud.notna()]
        said = np.array(asked(url, known))
    record = EndpointBaseline.model_validate(found["baseline"])
    quality = record.quality
    assert quality is not None
    assert (quality.rows, quality.unlabelled, quality.task) == (395, 5, "classification")
    right = said == known.fraud.to_numpy()
    accuracy = quality.figure("accuracy")
    assert accuracy is not None
    assert accuracy.value == pytest.approx(right.mean())
    assert 0.8 < accuracy.value < 0.99
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low < accuracy.value < accuracy.high
    assert accuracy.high - accuracy.low < 0.09
    german = quality.figure("accuracy", "country=de")
    assert german is not None
    assert german.value == pytest.approx(right[(known.country == "de").to_numpy()].mean())
    assert {each.part for each in quality.figures} == {"", "country=de", "country=fr"}
    assert {each.metric for each in quality.figures} == {"accuracy", "f1"}
    assert (quality.changed, accuracy.again) == (0, accuracy.value)
    assert 0 < quality.changed_bound < 0.01
    assert f"accuracy {accuracy.value:.4g}" in record.statement
    told = {each.rule for each in record.findings}
    assert "unlabelled-rows" in told
    assert not {"answers-differ", "few-golden-rows"} & told
    # What a revalidation is held against: the same digest of the same file, the same names of metrics.
    handed = model_baseline_of(record)
    assert handed.metrics["accuracy"] == accuracy.value
    assert len(handed.golden_sha256) == 64


def test_numbers_are_judged_as_numbers_and_unsteady_answers_are_told(tmp_path: Path) -> None:
    g = np.random.default_rng(3)
    rows = pd.DataFrame(g.normal(size=(60, 2)), columns=["a", "b"])
    rows.assign(truth=rows.a + rows.b + 0.5).to_csv(tmp_path / "golden.csv", index=False)
    (tmp_path / "requests.jsonl").write_text('{"inputs": [[1, 2]]}')
    spec = {
        "apiVersion": "heavylift/v1", "migration": "small", "owner": "team",
        "source": {"platform": "kubernetes", "connection": "ep"},
        "target": {"platform": "kubernetes", "connection": "there"},
        "assess": {
            "lines": [{"name": "today", "bandwidth": "1MB/s"}],
            "baselines": [{
                "connection": "ep", "requests": f"file://{tmp_path}/requests.jsonl", "rates": [20], "step": 1,
                "golden": {"inputs": f"file://{tmp_path}/golden.csv", "label": "truth",
                           "rows_per_request": 7},
            }],
        },
    }  # fmt: skip
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(spec))
    status, planned, _ = heavylift(
        "http://127.0.0.1:1", str(path), "--dry-run", "--json", "--evidence", f"file://{tmp_path}/e"
    )
    assert (status, planned["planned"]["endpoints"]) == (0, ["ep"])
    options = ("--source-conn", "ep", "--requests", f"{tmp_path}/requests.jsonl", *QUICK)
    options = (*options, "--golden", f"{tmp_path}/golden.csv", "--label", "truth")
    manner = Manner(seconds=0.001, wander=0.25)
    with scoring_server(manner) as server:
        url = f"http://127.0.0.1:{server.port}"
        status, found, errors = heavylift(url, *options, "--evidence", f"file://{tmp_path}/e")
    assert status in (0, 1), errors
    quality = EndpointBaseline.model_validate(found["baseline"]).quality
    assert quality is not None
    assert quality.task == "regression"
    rmse, again = ((each.value, each.again) for each in quality.figures if each.metric == "rmse").__next__()
    assert 0.2 < rmse < 0.8
    assert again != rmse
    assert quality.changed == 60
    assert 0.1 < (quality.largest_change or 0) <= 0.5
    assert {"answers-differ", "few-golden-rows"} <= {each["rule"] for each in found["baseline"]["findings"]}


@pytest.mark.parametrize(
    ("content", "label", "code"),
    [
        ("a,b\n1,2\n", "truth", "HL-7540"),
        ("a,b,truth\n1,2,\n", "truth", "HL-9121"),
        ("a,b,truth\n1,2,fraud\n", "truth", "HL-9120"),
        ("", "truth", "HL-7541"),
        (None, "truth", "HL-9119"),
    ],
)
def test_golden_rows_that_cannot_be_used_are_refused_before_any_load(
    tmp_path: Path, content: str | None, label: str, code: str
) -> None:
    if content is not None:
        (tmp_path / "golden.csv").write_text(content)
    (tmp_path / "requests.jsonl").write_text('{"inputs": [[1, 2]]}')
    manner = Manner()
    with scoring_server(manner) as server:
        status, found, _ = heavylift(
            f"http://127.0.0.1:{server.port}", "--source-conn", "ep", *QUICK, "--label", label,
            "--requests", f"{tmp_path}/requests.jsonl", "--golden", f"{tmp_path}/golden.csv",
            "--evidence", f"file://{tmp_path}/e",
        )  # fmt: skip
    assert found["error"]["code"] == code
    assert status != 0
    assert manner.asked <= 3
    assert not [*tmp_path.rglob("endpoint-baseline-*")]
