"""What a model answers without names is called the same, wherever it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from heavylift.models.worker_answers import columns_of as told_by_a_process
from heavylift.models.worker_answers import plain
from heavylift.scoring.answers import columns_of as told_by_a_server
from heavylift.scoring.answers import rows_of
from heavylift.scoring.outputs import Outputs, ordered

TWO = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (TWO, ["answer-0", "answer-1"]),
        (pd.DataFrame(TWO), ["answer-0", "answer-1"]),
        (TWO[:, :1], ["answer"]),
        (pd.DataFrame(TWO[:, :1]), ["answer"]),
        (TWO[:, 0], ["answer"]),
        (pd.DataFrame(TWO, columns=["a", "b"]), ["a", "b"]),
        ({"probabilities": TWO}, ["score:0", "score:1"]),
    ],
)
def test_answers_without_names_are_numbered(answer: Any, names: list[str]) -> None:
    found = told_by_a_process(answer, "answer")
    assert list(found) == names
    assert all(len(values) == 2 for values in found.values())


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([{"0": 1.0, "1": 2.0}, {"0": 3.0, "1": 4.0}], ["answer-0", "answer-1"]),
        ([{"0": 1.0}, {"0": 3.0}], ["answer"]),
        ([{"a": 1.0}, {"a": 3.0}], ["a"]),
        ([1.0, 3.0], ["answer"]),
    ],
)
def test_a_server_s_answers_are_called_likewise(rows: list[Any], names: list[str]) -> None:
    assert list(told_by_a_server(rows_of({"predictions": rows}, 2))) == names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([[1, 2], [3, 4]], [[1, 2], [3, 4, 5]]),
        ([[1, 2], [3, 4]], [[1, 2], [3]]),
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 2, "b": 3}]),
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {}]),
        ([{"a": [1, 2]}, {"a": [3, 4]}], [{"a": [1, 2]}, {"a": [3, 5]}]),
        ([[[1, 2], [3, 4]]], [[[1, 2], [3, 5]]]),
        ([[[1, 2], [3, 4]]], [[[1, 2, 3], [4]]]),
        ([{"a": {"x": 1}}, {"a": None}], [{"a": {"x": 2}}, {"a": None}]),
        ([1.0, {"a": 1}], [1.0, {"a": 2}]),
        ([["a"], ["b", "c"]], [["a"], ["b", "d"]]),
        ([[1, {"a": 1}]], [[1, {"a": 2}]]),
        (["x", None], ["x", "nan"]),
        (["x", None], ["x", "None"]),
        ([2**60, None], [2**60 + 1, None]),
    ],
)
def test_no_row_s_part_of_an_answer_is_left_out(one: list[Any], other: list[Any]) -> None:
    def told(rows: list[Any]) -> dict[str, list[Any]]:
        found = told_by_a_server(rows)
        assert all(each.shape == (len(rows),) for each in found.values())
        return {name: each.tolist() for name, each in found.items()}

    assert told(one) == told(one)
    assert told(one) != told(other)


def test_a_mapping_of_columns_is_as_good_as_records() -> None:
    rows = rows_of({"predictions": {"a": [1, 2], "b": ["x", "y"]}}, 2)
    assert rows == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert rows_of({"predictions": {"a": [1, 2]}}, 3) == [{"a": [1, 2]}]


def test_scores_in_records_are_numbered_by_their_classes() -> None:
    one = told_by_a_process([{"ham": 0.2, "spam": 0.8}, {"ham": 0.4, "spam": 0.6}], "answer")
    same = told_by_a_process([{"spam": 0.8, "ham": 0.2}, {"spam": 0.6, "ham": 0.4}], "answer")
    other = told_by_a_process([{"spam": 0.2, "ham": 0.8}, {"spam": 0.4, "ham": 0.6}], "answer")
    assert one["score:0"].tolist() == same["score:0"].tolist() == [0.2, 0.4]
    assert other["score:0"].tolist() == [0.8, 0.6]
    numbered = told_by_a_process([{n: float(n) for n in (10, 9, 2)}], "answer")
    assert [each.tolist() for each in numbered.values()] == [[2.0], [9.0], [10.0]]


@pytest.mark.parametrize("text", ["nan", "None", "<NA>", ""])
def test_a_text_that_looks_like_none_is_not_a_missing_one(text: str) -> None:
    one, other = (plain(np.array(["x", last], dtype=object)).tolist() for last in (None, text))
    assert one != other
    assert plain(np.array(["x", np.nan], dtype=object)).tolist() == one


def test_named_columns_have_no_order_and_others_are_left_as_they_are() -> None:
    one, other = Outputs({"a": TWO[0], "b": TWO[1]}), Outputs({"b": TWO[1], "a": TWO[0]})
    assert list(ordered(other, one).columns) == ["a", "b"]
    assert ordered(other, one).columns["b"].tolist() == [3.0, 4.0]
    assert list(ordered(Outputs({"c": TWO[0]}), one).columns) == ["c"]
