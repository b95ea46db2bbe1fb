"""What a model answers without names is called the same, wherever it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

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


def told(answer: Any, rows: int = 3) -> dict[str, list[Any]]:
    """Return what is compared of an answer of a model's process."""
    found = told_by_a_process(answer, "answer", rows)
    return {name: plain(values).tolist() for name, values in found.items()}


ROW = sp.csr_matrix(np.arange(1.0, 101.0))
HEAD = np.arange(3.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": {"x": HEAD}, "b": {"x": HEAD}}, {"a": {"x": HEAD + 1}, "b": {"x": HEAD}}),
        ([{"a": {"x": 1.0}, "b": {"x": 2.0}}] * 3, [{"a": {"x": 7.0}, "b": {"x": 2.0}}] * 3),
        ([{"a": {"x": "u"}, "b": {"x": "v"}}] * 3, [{"a": {"x": "w"}, "b": {"x": "v"}}] * 3),
        (({"x": HEAD}, {"x": HEAD}), ({"x": HEAD + 1e-9}, {"x": HEAD})),
        ([ROW] * 3, [ROW * (1 + 1e-9)] * 3),
        (pd.DataFrame({"a": [ROW] * 3}), pd.DataFrame({"a": [ROW + ROW] * 3})),
        (["a\0", "b", "c"], ["a", "b", "c"]),
        ([b"a\0", b"b", b"c"], [b"a", b"b", b"c"]),
        (np.array(["a\0", "b", "c"], dtype=object), np.array(["a", "b", "c"], dtype=object)),
        (["x" * 10**6 + "a"] * 3, ["x" * 10**6 + "b"] * 3),
        (pd.DataFrame({"i": pd.array([2**60, None, 3], dtype="Int64")}),
         pd.DataFrame({"i": pd.array([2**60 + 1, None, 3], dtype="Int64")})),
        (np.array([2**60, None, 3], dtype=object), np.array([2**60 + 1, None, 3], dtype=object)),
        (np.ma.array(HEAD, mask=[0, 1, 0]), np.ma.array(HEAD)),
        (np.zeros((3, 150, 150, 3), np.uint8), np.eye(3, 67_500, dtype=np.uint8).reshape(3, 150, 150, 3)),
        (pd.DataFrame({"s": [{"a"}, {"b"}, set()]}), pd.DataFrame({"s": [{"a"}, {"b", "c"}, set()]})),
    ],
)  # fmt: skip
def test_no_part_of_what_a_process_answers_is_left_out(one: Any, other: Any) -> None:
    assert str(told(one)) == str(told(one))
    assert str(told(one)) != str(told(other))


def test_numbers_within_an_answer_stay_numbers_that_have_a_tolerance() -> None:
    fields = np.array([(True, 1.5), (False, 2.5)], dtype=[("event", "?"), ("time", "f8")])
    assert told(fields, 2) == {"answer-event": [True, False], "answer-time": [1.5, 2.5]}
    assert told(np.array([1 + 2j, 3j]), 2) == {"answer-real": [1.0, 0.0], "answer-imaginary": [2.0, 3.0]}
    nested = told({"a": {"p": HEAD, "q": HEAD}, "b": {"p": HEAD}})
    assert list(nested) == ["a.p", "q", "b.p"]


def test_a_set_is_told_in_one_order() -> None:
    words = [f"word-{n}" for n in range(50)]
    [text] = set(told([set(words)] * 3)["answer"])
    assert text == str(sorted(words)).replace("'", '"')


def test_what_only_its_place_in_memory_tells_apart_is_refused() -> None:
    with pytest.raises(TypeError, match=r"objects \(builtins.object\)"):
        told([object()] * 3)


def test_answers_of_one_name_are_refused() -> None:
    table = pd.DataFrame({"a-0": [7.0] * 3, "a": [[1.0, 2.0]] * 3, "a.a-0": [1.0] * 3})
    with pytest.raises(ValueError, match="two answers called"):
        told(table)
