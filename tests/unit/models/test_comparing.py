"""What counts as equal: by dtype and distance, never below the source's own noise; and what is refused."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from heavylift.models.comparing import Policy, compare
from heavylift.scoring.outputs import Outputs
from tests.support.model_trials import OTHERS, passes

TRIALS = int(os.environ.get("HEAVYLIFT_TRIALS", "10"))
SAME = Policy("same")


def outputs(**columns: Any) -> Outputs:
    return Outputs({name.replace("_", ":"): np.asarray(values) for name, values in columns.items()})


def mismatched(source: Outputs, target: Outputs, policy: Policy, again: Outputs | None = None) -> int:
    found = compare(source, again or source, target, policy)
    assert not found.problem
    return found.mismatched


@pytest.mark.parametrize(
    ("distance", "dtype", "within", "beyond"),
    [
        ("same", np.float64, 2e-16, 1e-14),
        ("same", np.float32, 1e-7, 1e-5),
        ("framework", np.float64, 5e-7, 5e-6),
        ("framework", np.float32, 5e-6, 5e-5),
        ("runtime", np.float32, 5e-4, 5e-3),
        ("runtime", np.float16, 5e-3, 5e-2),
    ],
)
def test_the_tolerance_is_by_number_and_distance(
    distance: str, dtype: type, within: float, beyond: float
) -> None:
    one = np.linspace(1, 2, 50).astype(dtype)
    for change, expected in ((within, 0), (beyond, 1)):
        other = one.astype(np.float64)
        other[7] *= 1 + change
        target = outputs(answer=other.astype(dtype))
        assert mismatched(outputs(answer=one), target, Policy(distance)) == expected


def test_a_person_s_tolerance_wins() -> None:
    one, other = outputs(answer=[1.0, 2.0]), outputs(answer=[1.1, 2.0])
    assert mismatched(one, other, Policy("same", absolute=0.2)) == 0
    assert mismatched(one, other, Policy("runtime", relative=0.05)) == 1


def test_what_the_source_differs_from_itself_is_not_held_against_the_target() -> None:
    generator = np.random.default_rng(0)
    base = generator.normal(size=200)
    noisy = [outputs(answer=base + 1e-4 * generator.uniform(-1, 1, 200)) for _ in range(3)]
    assert mismatched(noisy[0], noisy[2], SAME, again=noisy[1]) == 0
    found = compare(noisy[0], noisy[1], outputs(answer=base + 0.01), SAME)
    assert found.mismatched == 200
    assert found.columns[0].noise > 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_equal_to_itself_only(value: float) -> None:
    one = outputs(answer=[1.0, value])
    assert mismatched(one, outputs(answer=[1.0, value]), SAME) == 0
    assert mismatched(one, outputs(answer=[1.0, 2.0]), SAME) == 1
    assert mismatched(outputs(answer=[1.0, 2.0]), one, SAME) == 1


def test_a_label_that_differs_counts_unless_the_scores_are_too_close_to_tell() -> None:
    close = outputs(answer=["a", "b"], score_0=[0.5, 0.1], score_1=[0.5, 0.9])
    flipped = outputs(answer=["b", "b"], score_0=[0.5, 0.1], score_1=[0.5, 0.9])
    wrong = outputs(answer=["a", "a"], score_0=[0.5, 0.1], score_1=[0.5, 0.9])
    found = compare(close, close, flipped, Policy("runtime"))
    assert (found.mismatched, found.columns[0].excused) == (0, 1)
    assert mismatched(close, wrong, Policy("runtime")) == 1


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (outputs(answer=[1.0]), "2 and 1 rows"),
        (outputs(other=[1.0, 2.0]), "different columns"),
        (outputs(answer=["1", "2"]), "float64 and <U1"),
        (outputs(answer=np.float32([1.0, 2.0])), "float64 and float32"),
        (outputs(), "different columns"),
    ],
)
def test_what_has_another_shape_is_another_model(target: Outputs, words: str) -> None:
    one = outputs(answer=[1.0, 2.0])
    found = compare(one, one, target, SAME)
    assert words in found.problem
    assert not found.holds(1.0)


def test_nothing_answered_is_nothing_proved() -> None:
    for none in (outputs(), outputs(answer=np.array([], float))):
        found = compare(none, none, none, SAME)
        assert (found.bound, found.holds(1.0)) == (1.0, False)


def test_columns_of_different_lengths_are_told() -> None:
    one, other = outputs(a=[1.0, 2.0, 3.0], b=[1.0]), outputs(a=[1.0, 2.0], b=[1.0])
    assert "columns of 1 and 3 rows" in compare(one, one, other, SAME).problem


def test_a_source_as_noisy_as_its_answers_are_apart_proves_nothing() -> None:
    generator = np.random.default_rng(0)
    first, second = (outputs(answer=generator.normal(size=200)) for _ in range(2))
    found = compare(first, second, outputs(answer=np.zeros(200)), SAME)
    assert "any model would agree" in found.unproved
    assert not found.holds(1.0)
    assert compare(first, second, first, Policy("same", absolute=10.0)).holds(0.0)


@pytest.mark.parametrize("seed", range(20))
def test_another_model_does_not_hide_in_the_source_s_noise(seed: int) -> None:
    generator = np.random.default_rng(seed)
    base = generator.normal(size=1000)
    first, second, equal = (outputs(answer=base + 0.05 * generator.normal(size=1000)) for _ in range(3))
    assert compare(first, second, equal, SAME).holds(0.001)
    other = outputs(answer=base + 0.1 * generator.normal(size=1000))
    found = compare(first, second, other, SAME)
    assert not found.holds(0.001)
    assert "on average" in found.unproved


def test_noise_in_a_few_rows_says_nothing_of_the_others() -> None:
    values = np.linspace(1.0, 2.0, 2000)
    again = values.copy()
    again[7] = 90.0
    policy = Policy("same", rate=0.001)
    one, other, wrong = (outputs(answer=each) for each in (values, again, values + 0.5))
    assert compare(one, other, one, policy).holds(0.001)
    assert compare(one, other, wrong, policy).mismatched == 2000


def test_texts_beside_scores_are_no_scores() -> None:
    one = outputs(score_0=["a", "b"], score_1=[0.5, 0.9])
    assert mismatched(one, one, SAME) == 0


@pytest.mark.parametrize("variant", OTHERS)
def test_another_model_is_refused(variant: str) -> None:
    passed = [seed for seed in range(TRIALS) if passes(seed, variant)]
    assert len(passed) <= 0.05 * TRIALS, f"passed with the seeds {passed}"


def test_an_equal_model_is_not_refused() -> None:
    refused = [seed for seed in range(TRIALS) if not passes(seed, "equal")]
    assert len(refused) <= 0.01 * TRIALS, f"refused with the seeds {refused}"
