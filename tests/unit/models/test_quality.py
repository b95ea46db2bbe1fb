"""A metric is judged by truth and answers that fit each other; what has no figure never passes for good."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heavylift.errors import SpecError
from heavylift.evidence.model_records import ComparedMetric
from heavylift.models.quality import compare_metrics
from heavylift.models.requests import CompareOptions
from heavylift.scoring.golden import Golden
from heavylift.scoring.outputs import Outputs


def judged(metric: str, truth: Any, source: Any, target: Any = None) -> ComparedMetric:
    truth, source = np.asarray(truth), np.asarray(source)
    golden = Golden("g", {"x": "number"}, {"x": np.arange(len(truth))}, truth=truth)
    sides = [Outputs({"answer": np.asarray(each)}) for each in (source, source if target is None else target)]
    (found,) = compare_metrics(
        golden, sides[0], sides[1], CompareOptions(metrics=(metric,)), np.random.default_rng(0)
    )
    return found


@pytest.mark.parametrize(
    ("metric", "truth", "answers", "words"),
    [
        ("mae", [1.0, np.nan], [1.0, 2.0], "1 rows without truth"),
        ("f1", np.array(["a", None], dtype=object), ["a", "b"], "1 rows without truth"),
        ("mae", ["a", "b"], ["a", "b"], "numbers on both sides"),
        ("rmse", np.array(["2024-01-01"] * 2, dtype="M8[ns]"), [1.0, 2.0], "numbers on both sides"),
        ("accuracy", [0, 1], ["no", "yes"], "none is in the column of truth"),
        ("accuracy", [0, 1], [1], "1 answers to 2 rows"),
        ("r2", [1.0, 1.0], [1.0, 2.0], "no figure"),
    ],
)
def test_truth_and_answers_that_say_nothing_of_each_other_are_told(
    metric: str, truth: Any, answers: Any, words: str
) -> None:
    with pytest.raises(SpecError, match=words) as raised:
        judged(metric, truth, answers)
    assert raised.value.code == "9585"


def test_a_target_without_a_figure_does_not_pass() -> None:
    truth = np.arange(50.0)
    assert judged("mae", truth, truth).passed
    broken = truth.copy()
    broken[3] = np.nan
    for metric in ("mae", "r2"):
        assert not judged(metric, truth, truth, broken).passed


def test_texts_are_held_against_texts() -> None:
    assert judged("accuracy", [0, 1, 1], ["0", "1", "0"]).source == pytest.approx(2 / 3)
