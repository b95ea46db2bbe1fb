"""Accuracy with labels that come late: what is joined, what is left out and told, and when it is an alarm."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from heavylift.errors import SpecError
from heavylift.evidence.baseline_records import (
    EndpointBaseline,
    GoldenQuality,
    Machine,
    QualityFigure,
    baseline_path,
)
from heavylift.evidence.monitor_records import AccuracyRecord
from heavylift.evidence.records import RunKey
from heavylift.locations import parse_location
from heavylift.monitor.accuracy import AccuracyRequest, measure_accuracy
from heavylift.monitor.joining import Columns
from heavylift.monitor.requests import Kept
from heavylift.platforms.places import Place

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def place(path: Path) -> Place:
    return Place(parse_location(path.as_uri()))


async def measured(tmp_path: Path, said: dict[str, Any], true: dict[str, Any], **more: Any) -> AccuracyRecord:
    pq.write_table(pa.table(said), tmp_path / "said.parquet")
    pq.write_table(pa.table(true), tmp_path / "true.parquet")
    options: dict[str, Any] = {
        "predicted": Columns(("id",), "prediction"), "labelled": Columns(("id",), "label"),
        "now": NOW, **more,
    }  # fmt: skip
    kept = Kept("m", "scores", evidence_url=(tmp_path / "evidence").as_uri())
    files = [place(tmp_path / f"{name}.parquet") for name in ("said", "true")]
    request = AccuracyRequest(kept, *files, **options)
    record, _ = await measure_accuracy(request)
    return record


def binary(rows: int, right: float, seed: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    g = np.random.default_rng(seed)
    label = g.integers(0, 2, rows)
    said = np.where(g.random(rows) < right, label, 1 - label)
    country = g.choice(np.array(["de", "fr"]), rows)
    order = g.permutation(rows)
    return (
        {"id": np.arange(rows), "prediction": said, "country": country},
        {"id": order, "label": label[order]},
    )


async def test_a_drop_beside_the_baseline_is_an_alarm_and_none_is_none(tmp_path: Path) -> None:
    first = await measured(tmp_path, *binary(5000, 0.9), baseline=0.9)
    assert (first.verdict, first.coverage.mature_labelled) == ("ok", 5000)
    path = "m/monitoring/scores/accuracy-1.json"
    again = await measured(tmp_path, *binary(5000, 0.9, 2), baseline=path, max_drop=0.03)
    assert again.verdict == "ok"
    worse = await measured(tmp_path, *binary(5000, 0.8, 3), baseline=path)
    assert worse.verdict == "alarm"
    whole = worse.slices[0]
    assert whole.low is not None
    assert whole.high is not None
    assert whole.low < 0.8 < whole.high
    few = await measured(tmp_path, *binary(40, 0.8, 3), baseline=path)
    assert few.verdict == "unsure"


async def test_a_drop_in_one_slice_is_an_alarm_of_that_slice(tmp_path: Path) -> None:
    columns = Columns(("id",), "prediction", None, ("country",))
    said, true = binary(8000, 0.95)
    await measured(tmp_path, said, true, predicted=columns)
    wrong = (said["country"] == "fr") & (np.arange(8000) % 8 == 0)
    said["prediction"] = np.where(wrong, 1 - said["prediction"], said["prediction"])
    path = "m/monitoring/scores/accuracy-1.json"
    record = await measured(tmp_path, said, true, predicted=columns, baseline=path, max_drop=0.06)
    assert {each.name: each.verdict for each in record.slices} == {
        "": "unsure", "country=de": "ok", "country=fr": "alarm",
    }  # fmt: skip
    assert record.verdict == "alarm"
    assert "country=fr" in record.reasons[0]


async def test_metrics_are_those_of_scikit_learn(tmp_path: Path) -> None:
    from sklearn import metrics as m

    said, true = binary(3000, 0.8)
    label = true["label"][np.argsort(true["id"])]
    expected = {
        "accuracy": m.accuracy_score(label, said["prediction"]),
        "precision": m.precision_score(label, said["prediction"]),
        "recall": m.recall_score(label, said["prediction"]),
        "f1": m.f1_score(label, said["prediction"]),
    }
    for metric, value in expected.items():
        found = await measured(tmp_path, said, true, metric=metric)
        assert found.figures[metric] == pytest.approx(value)
        whole = found.slices[0]
        assert whole.low is not None
        assert whole.low < value < (whole.high or 0)
    g = np.random.default_rng(4)
    chance = {"id": np.arange(3000), "prediction": g.random(3000)}
    for metric, value in {
        "mae": m.mean_absolute_error(label, chance["prediction"]),
        "rmse": math.sqrt(m.mean_squared_error(label, chance["prediction"])),
        "log_loss": m.log_loss(label, chance["prediction"]),
    }.items():
        found = await measured(tmp_path, chance, true, metric=metric, baseline=value / 2)
        assert found.figures[metric] == pytest.approx(value)
        assert found.verdict == "alarm"


async def test_labels_that_come_late_are_told_by_day_and_delay(tmp_path: Path) -> None:
    made = [NOW - timedelta(days=day) for day in range(10) for _ in range(100)]
    said = {"id": np.arange(1000), "prediction": [1] * 1000, "at": pa.array(made, pa.timestamp("us", "UTC"))}
    # What is younger than four days has no label yet.
    true = {
        "id": np.arange(400, 1000), "label": [1] * 600,
        "at": pa.array([each + timedelta(days=3) for each in made[400:]], pa.timestamp("us", "UTC")),
    }  # fmt: skip
    columns = {"predicted": Columns(("id",), "prediction", "at"), "labelled": Columns(("id",), "label", "at")}
    record = await measured(tmp_path, said, true, **columns, mature_seconds=4 * 86400)
    assert record.figures["coverage"] == 1.0
    assert (record.coverage.labelled, record.coverage.predictions) == (600, 1000)
    assert record.coverage.delays == {"0.5": 259200.0, "0.9": 259200.0, "0.99": 259200.0}
    assert record.coverage.by_day["2026-10-29"] == (100, 0)
    assert record.coverage.by_day["2026-10-28"] == (100, 100)
    early = await measured(tmp_path, said, {"id": [999], "label": [1], "at": true["at"][-1:]}, **columns)
    assert early.verdict == "unsure"
    assert "0.1% of the predictions that are due have labels" in early.reasons[0]


async def test_what_cannot_be_joined_is_counted_and_left_out(tmp_path: Path) -> None:
    said = {"id": [1, 2, 2, None, 3, 4, 5], "prediction": ["a", "a", "a", "a", "b", None, "c"]}
    true = {"id": [1, 1, 3, 3, 4, 9, 5, None], "label": ["a", "a", "a", "b", "a", "a", None, "a"]}
    record = await measured(tmp_path, said, true)
    found = record.coverage
    assert (found.predictions, found.repeated, found.conflicting, found.orphans) == (4, 3, 1, 2)
    assert (found.labelled, found.unusable) == (2, 1)
    assert record.figures["accuracy"] == 1.0


async def test_the_latest_label_counts(tmp_path: Path) -> None:
    true = {"id": [1, 1, 2, 2], "label": ["a", "b", "a", "b"], "at": [1.0, 2.0, 5.0, 5.0]}
    said = {"id": [1, 2], "prediction": ["b", "b"]}
    record = await measured(tmp_path, said, true, labelled=Columns(("id",), "label", "at"))
    assert (record.figures["accuracy"], record.coverage.labelled, record.coverage.conflicting) == (1.0, 1, 1)


async def test_formats_and_spellings_of_the_same_value_are_equal(tmp_path: Path) -> None:
    said = pa.table({"id": [1, 2, 3], "prediction": [1.0, 0.0, 1.0]})
    pyarrow.csv.write_csv(said, tmp_path / "said.csv")
    (tmp_path / "true.csv").write_text("id,label\n1,1\n2,0\n3,01\n")
    kept = Kept("m", "w", evidence_url=(tmp_path / "evidence").as_uri())
    request = AccuracyRequest(
        kept, place(tmp_path / "said.csv"), place(tmp_path / "true.csv"),
        Columns(("id",), "prediction"), Columns(("id",), "label"),
    )  # fmt: skip
    record, _ = await measure_accuracy(request)
    assert record.figures["accuracy"] == 1.0


async def test_nothing_to_compute_from_is_unsure_and_wrong_columns_are_refused(tmp_path: Path) -> None:
    none = {"id": pa.array([], pa.int64()), "label": pa.array([], pa.int64())}
    said = {"id": [1, 2], "prediction": [1, 0]}
    for metric in ("accuracy", "precision", "f1", "mae", "rmse", "log_loss"):
        record = await measured(tmp_path, said, none, metric=metric, baseline=0.5)
        assert (record.verdict, record.slices[0].value) == ("unsure", None)
    texts = {"id": [1], "prediction": ["x"]}, {"id": [1], "label": ["y"]}
    words = await measured(tmp_path, *texts, metric="mae")
    assert (words.coverage.unusable, words.verdict) == (1, "unsure")
    with pytest.raises(SpecError, match="HL-8911"):
        await measured(tmp_path, said, texts[1], labelled=Columns(("id",), "no 'such\""))
    with pytest.raises(SpecError, match="HL-8912"):
        await measured(tmp_path, said, none, labelled=Columns(("id", "label"), "label"))
    with pytest.raises(SpecError, match="HL-8912"):
        await measured(tmp_path, said, none, metric="auc")
    path = "m/monitoring/scores/accuracy-1.json"
    with pytest.raises(SpecError, match="HL-8913"):
        await measured(tmp_path, said, none, metric="recall", baseline=path)


async def test_what_golden_rows_told_before_the_move_is_a_baseline(tmp_path: Path) -> None:
    run = RunKey(migration="m", phase="assess", run="r")
    figures = (
        QualityFigure(metric="accuracy", rows=5000, value=0.9, low=0.89, high=0.91),
        QualityFigure(metric="accuracy", part="country=de", rows=2500, value=0.9, low=0.885, high=0.915),
    )
    quality = GoldenQuality(
        inputs="x", golden_sha256="0" * 64, label="l", task="classification", rows=5000, figures=figures,
        changed=0, changed_bound=0.001, seed=1, took_seconds=1.0, statement="",
    )  # fmt: skip
    machine = Machine(cores=1, cpu="c", kernel="k", python="3", architecture="a")
    record = EndpointBaseline(
        run=run, connection="ep", address="http://x", machine=machine, requests_sha256="", bodies=1,
        arrivals="even", seed=1, connections=1, timeout_seconds=1.0, warm_up_requests=0, max_error_rate=0.0,
        min_achieved=0.98, steps=(), max_sustained=None, ceiling_reached=False, statement="", passed=True,
        took_seconds=1.0, quality=quality,
    )  # fmt: skip
    path = baseline_path(run, "ep", 1)
    (tmp_path / "evidence" / path).parent.mkdir(parents=True)
    (tmp_path / "evidence" / path).write_text(record.model_dump_json())
    sliced = {"predicted": Columns(("id",), "prediction", slices=("country",))}
    worse = await measured(tmp_path, *binary(5000, 0.8), baseline=path, **sliced)
    assert worse.verdict == "alarm"
    assert {each.name: each.before for each in worse.slices} == {
        "": 0.9,
        "country=de": 0.9,
        "country=fr": None,
    }
    assert (await measured(tmp_path, *binary(5000, 0.9), baseline=path)).verdict == "ok"
    with pytest.raises(SpecError, match="HL-9122"):
        await measured(tmp_path, *binary(50, 0.9), baseline=path, metric="f1")
