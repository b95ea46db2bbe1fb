"""Golden inputs: three forms, what is no input taken out, and handed over without pickling."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from heavylift.errors import IntegrityError, SpecError
from heavylift.models.worker import Worker
from heavylift.models.worker_answers import columns_of
from heavylift.scoring.golden import golden_table, read_golden, typed

ROWS = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "x": [0.1, float("nan"), 1e-300],
        "t": ["a", None, "ü"],
        "b": [True, False, True],
        "w": pd.to_datetime(["2026-01-01T00:00:00", None, "2026-01-03T04:05:06"]),
        "y": [0, 1, 0],
    }
)


@pytest.mark.parametrize(
    "form", ["golden.parquet", "golden.csv", "golden.csv.gz", "split.json", "records.json"]
)
def test_every_form_gives_the_same_rows(tmp_path: Path, form: str) -> None:
    path = tmp_path / form
    plain = ROWS.drop(columns="w")
    if form.endswith(".parquet"):
        plain.to_parquet(path)
    elif ".csv" in form:
        plain.to_csv(path, index=False)
    else:
        path.write_text(plain.to_json(orient=form.partition(".")[0], double_precision=15))
    golden = read_golden(path, form, label="y", slices=["t"], drop=["b"])
    assert list(golden.columns) == ["n", "x", "t"]
    assert golden.rows == 3
    assert golden.truth is not None
    assert golden.truth.tolist() == [0, 1, 0]
    assert golden.slices["t"][0] == "a"
    assert golden.values["x"][0] == 0.1
    assert golden.missing["t"].tolist() == [False, True, False]


def test_a_model_s_process_gets_the_rows_as_they_are(tmp_path: Path) -> None:
    ROWS.to_parquet(tmp_path / "g.parquet")
    golden = read_golden(tmp_path / "g.parquet", "g.parquet", label="y")
    columns = golden.write(tmp_path / "inputs.npz")
    worker = Worker()
    assert worker.inputs({"path": str(tmp_path / "inputs.npz"), "columns": columns}) == {"rows": 3}
    table = worker.table
    assert list(table.columns) == ["n", "x", "t", "b", "w"]
    assert table.t.isna().tolist() == [False, True, False]
    assert table.t.dropna().tolist() == ["a", "ü"]
    pd.testing.assert_series_equal(table.x, ROWS.x)
    pd.testing.assert_series_equal(table.w.astype("datetime64[ns]"), ROWS.w.astype("datetime64[ns]"))


def test_bare_arrays_are_tensors(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"inputs": [[[1.0, 2.0]], [[3.0, 4.0]]]}))
    golden = read_golden(tmp_path / "a.json", "a.json")
    assert golden.values["tensor"].shape == (2, 1, 2)
    columns = golden.write(tmp_path / "inputs.npz")
    worker = Worker()
    worker.inputs({"path": str(tmp_path / "inputs.npz"), "columns": columns})
    assert np.array_equal(worker.table, golden.values["tensor"])


@pytest.mark.parametrize(
    ("name", "content", "error", "code"),
    [
        ("g.parquet", b"no parquet", IntegrityError, "7541"),
        ("g.json", b"{", IntegrityError, "7541"),
        ("g.json", b"[[1], [1, 2]]", IntegrityError, "7541"),
        ("g.csv", b"a,b\n", IntegrityError, "7541"),
        ("g.csv", b"a,b\n1,2,3\n", IntegrityError, "7541"),
        ("g.json", b"[]", IntegrityError, "7541"),
        ("g.json", b"[" * 100_000, IntegrityError, "7541"),
        ("g.json", b'{"columns": ["a", "a"], "data": [[1, 2]]}', IntegrityError, "7541"),
        ("g.csv", b"a,b\n1,2\n", SpecError, "7540"),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, name: str, content: bytes, error: type[Exception], code: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=code):
        read_golden(tmp_path / name, name, label="y" if code == "7540" else "")


class Model:
    """Answers what it is told to."""

    def __init__(self, answer: Any, scores: Any = None) -> None:
        self.answer, self.told = answer, scores

    def predict(self, _table: Any) -> Any:
        return self.answer

    def scores(self, _table: Any) -> Any:
        if isinstance(self.told, Exception):
            raise self.told
        return self.told


@pytest.mark.parametrize(
    ("answer", "columns"),
    [
        (np.array([1, 2]), ["answer"]),
        ([1.5, 2.5], ["answer"]),
        (np.ones((2, 3)), ["answer-0", "answer-1", "answer-2"]),
        (np.ones((2, 2, 2)), ["answer-0", "answer-1", "answer-2", "answer-3"]),
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), ["a", "b"]),
        (pd.Series(["x", "y"]), ["answer"]),
        ({"label": np.array([0, 1]), "probabilities": np.ones((2, 2))}, ["label", "score:0", "score:1"]),
        ([{"no": 0.2, "yes": 0.8}, {"no": 0.5, "yes": 0.5}], ["score:0", "score:1"]),
        ([None, "x"], ["answer"]),
        ([{"label": "a", "score": 0.2}, {"label": "b"}], ["label", "score"]),
        ((np.array([1, 2]), np.ones((2, 2)), [3, 4]), ["answer-0", "answer-1-0", "answer-1-1", "answer-2"]),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), ["a", "a-1"]),
        (pd.DataFrame({"e": [np.ones(3), np.ones(3)]}), ["e-0", "e-1", "e-2"]),
        ([[1.0], [1.0, 2.0]], ["answer"]),
        ((each for each in (1, 2)), ["answer"]),
    ],
)
def test_whatever_a_model_answers_becomes_columns_without_objects(
    tmp_path: Path, answer: Any, columns: list[str]
) -> None:
    worker = Worker()
    worker.table = range(2)
    worker.model = Model(answer)
    told = worker.predict({"path": str(tmp_path / "out.npz")})
    assert told["columns"] == columns
    with np.load(tmp_path / "out.npz", allow_pickle=False) as kept:
        assert all(len(kept[name]) == 2 for name in kept.files)


def test_scores_are_told_or_it_is_told_why_not(tmp_path: Path) -> None:
    worker = Worker()
    worker.table = range(2)
    worker.model = Model(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert worker.predict({"path": str(tmp_path / "a.npz")})["columns"] == ["answer", "score:0", "score:1"]
    several = [np.array([[0.9, 0.1], [0.2, 0.8]])] * 2
    worker.model = Model(np.array([[0, 1], [1, 1]]), several)
    told = worker.predict({"path": str(tmp_path / "c.npz")})
    assert told["columns"][2:] == ["probability-0-0", "probability-0-1", "probability-1-0", "probability-1-1"]
    worker.model = Model(np.array([0, 1]), np.array([0.1, 0.8]))
    assert worker.predict({"path": str(tmp_path / "d.npz")})["columns"] == ["answer", "score:0"]
    worker.model = Model(np.array([0, 1]), ValueError("not fitted"))
    told = worker.predict({"path": str(tmp_path / "b.npz")})
    assert told["columns"] == ["answer"]
    assert told["notes"] == ["it told no probabilities: ValueError: not fitted"]


def test_bare_arrays_have_no_columns_to_expect_anything_of(tmp_path: Path) -> None:
    (tmp_path / "g.json").write_text("[[1, 2], [3, 4]]")
    with pytest.raises(SpecError, match="7820"):
        golden_table(tmp_path / "g.json", "g.json")
    (tmp_path / "g.csv").write_text("a,truth\n1,0\n")
    assert list(golden_table(tmp_path / "g.csv", "g.csv").columns) == ["a", "truth"]


def test_arrays_get_the_numbers_that_the_model_s_signature_asks_for(tmp_path: Path) -> None:
    np.save(tmp_path / "g.npy", np.array([[1.5, 2.0], [3.0, 0.1]]))
    golden = read_golden(tmp_path / "g.npy", "g.npy")
    assert golden.values["tensor"].dtype == np.float64

    def asks(dtype: str) -> dict[str, Any]:
        return {"inputs": [{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, 2]}}]}

    assert typed(golden, asks("float32")).values["tensor"].dtype == np.float32
    assert typed(golden, asks("int64")).values["tensor"].tolist() == [[1, 2], [3, 0]]
    for signature in ({}, {"inputs": None}, asks("object"), {"inputs": [{"type": "double"}] * 2}):
        assert typed(golden, signature) is golden
    ROWS.to_parquet(tmp_path / "g.parquet")
    table = read_golden(tmp_path / "g.parquet", "g.parquet")
    assert typed(table, asks("float32")) is table


def test_an_array_of_objects_is_refused_unread(tmp_path: Path) -> None:
    np.save(tmp_path / "g.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(IntegrityError, match="7541"):
        read_golden(tmp_path / "g.npy", "g.npy")


def test_a_difference_in_the_middle_of_long_answers_is_seen() -> None:
    tables = [pd.DataFrame({"e": [np.zeros(2000)]}) for _ in range(2)]
    tables[1]["e"][0][700] = 5.0
    one, other = (columns_of(each, "answer") for each in tables)
    assert [name for name in one if not np.array_equal(one[name], other[name])] == ["e-700"]


def test_objects_reach_the_model_as_what_they_are(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "whole": pd.array([1, 2], dtype="Int64"),
            "gaps": pd.array([1, None], dtype="Int64"),
            "list": [[1.5, 2.5], None],
            "bytes": [b"\x00\xff", b""],
            "fields": [{"k": 1}, {"k": 2}],
            "money": [Decimal("1.5"), None],
            "maybe": [True, None],
        }
    )
    rows.to_parquet(tmp_path / "g.parquet")
    golden = read_golden(tmp_path / "g.parquet", "g.parquet")
    worker = Worker()
    worker.inputs({"path": str(tmp_path / "i.npz"), "columns": golden.write(tmp_path / "i.npz")})
    table = worker.table
    assert (table.whole.dtype, table.gaps.dtype, table.money.dtype) == (np.int64, np.float64, np.float64)
    assert [table.list[0], table.bytes.tolist(), table.fields[1]] == [
        [1.5, 2.5],
        [b"\x00\xff", b""],
        {"k": 2},
    ]
    assert table.maybe.tolist() == [True, None]
    assert table.list[1] is None


def given(folder: Path, rows: pd.DataFrame) -> Any:
    """Return the table that a model is asked about, of golden inputs in Parquet."""
    rows.to_parquet(folder / "g.parquet")
    golden = read_golden(folder / "g.parquet", "g.parquet")
    columns = golden.write(folder / "inputs.npz")
    worker = Worker()
    worker.inputs({"path": str(folder / "inputs.npz"), "columns": columns})
    return worker.table


def test_texts_that_end_with_nothing_reach_the_model_whole(tmp_path: Path) -> None:
    texts = ["a\0", "a", "a\0b"]
    found = given(tmp_path, pd.DataFrame({"t": [*texts, None]}))["t"]
    assert found.tolist()[:3] == texts
    assert found.isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2026-11-30"])
def test_times_far_away_reach_the_model_as_they_are(tmp_path: Path, day: str) -> None:
    kept = np.array([day, "NaT"], dtype="datetime64[us]")
    found = given(tmp_path, pd.DataFrame({"w": pd.Series(kept).dt.tz_localize("UTC")}))["w"]
    assert found[0] == pd.Timestamp(np.datetime64(day, "us"))
    assert found.isna().tolist() == [False, True]


def test_golden_inputs_without_inputs_are_refused(tmp_path: Path) -> None:
    ROWS[["y"]].to_parquet(tmp_path / "g.parquet")
    with pytest.raises(IntegrityError, match="no column beside label"):
        read_golden(tmp_path / "g.parquet", "g.parquet", label="y")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'\xef\xbb\xbf"n",x\n1,2\n', "g.csv"),
        (gzip.compress(b"n,x\n1,2\n"), "g.csv.GZ"),
        (b'\xef\xbb\xbf[{"n": 1, "x": 2}]', "g.json"),
    ],
)
def test_a_mark_of_the_order_of_bytes_is_no_part_of_a_name(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(data)
    golden = read_golden(tmp_path / name, name)
    assert {column: each.tolist() for column, each in golden.values.items()} == {"n": [1], "x": [2]}
