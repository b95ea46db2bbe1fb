"""What a model answers without names is called the same, wherever it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from heavylift.models.worker_answers import columns_of as told_by_a_process
from heavylift.scoring.endpoints import _columns as told_by_a_server

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
    assert list(told_by_a_server({"predictions": rows})) == names
