"""Noisy models are judged by four runs: chance is no other model, and hides none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heavylift.models.comparing import Parity, Policy, compare
from heavylift.models.repeating import Runs, needs_repeat, settle
from heavylift.scoring.outputs import Outputs
from tests.support.model_trials import OTHERS
from tests.support.noisy_trials import NOISES, noisy_passes

POLICY = Policy("same", rate=0.001)
ROWS = 500


def judged(*answers: Any) -> Parity:
    source, again, target, repeated = (Outputs({"answer": np.asarray(each)}) for each in answers)
    first = compare(source, again, target, POLICY)
    assert needs_repeat(first, POLICY)
    return settle(Runs(source, again, target, repeated), first, POLICY)


@pytest.mark.parametrize("freedom", [1, 2, 3])
def test_a_heavy_tail_is_no_other_model(freedom: int) -> None:
    refused = []
    for seed in range(200):
        chance = np.random.default_rng(seed)
        base = chance.normal(size=ROWS)
        found = judged(*(base + 1e-3 * chance.standard_t(freedom, ROWS) for _ in range(4)))
        if not found.holds(0.001):
            refused.append(seed)
    assert len(refused) <= 2, refused


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_one_row_that_differs_in_both_runs_is_found_in_any_noise(noise: float) -> None:
    chance = np.random.default_rng(0)
    base = chance.normal(size=ROWS)
    runs = [base + noise * chance.standard_t(2, ROWS) for _ in range(4)]
    for each in runs[2:]:
        each[77] += 50.0
    found = judged(*runs)
    assert found.columns[0].wrong.tolist() == [77]
    assert not found.holds(0.001)


def test_one_row_that_differs_in_one_run_alone_is_noise() -> None:
    base = np.linspace(0.0, 1.0, ROWS)
    once = base.copy()
    once[77] = 9.0
    assert judged(base, base, once, base).holds(0.0)


def test_a_target_that_is_often_beside_itself_is_another_model() -> None:
    chance = np.random.default_rng(0)
    base = chance.normal(size=ROWS)
    runs = [base + np.where(chance.random(ROWS) < share, 1.0, 0.0) for share in (0.01, 0.01, 0.06, 0.06)]
    found = judged(*runs)
    assert "differs from itself more" in found.unproved


def test_labels_that_flip_by_chance_are_no_other_model_and_hide_none() -> None:
    refused = []
    for seed in range(200):
        chance = np.random.default_rng(seed)
        base = chance.integers(0, 2, ROWS)
        runs = [base ^ (chance.random(ROWS) < 0.01) for _ in range(4)]
        if not judged(*runs).holds(0.001):
            refused.append(seed)
        other = np.arange(ROWS) % 50 == 0
        wrong = judged(runs[0], runs[1], runs[2] ^ other, runs[3] ^ other)
        assert not wrong.holds(0.001), seed
    assert len(refused) <= 2, refused


def test_a_person_s_tolerance_is_not_replaced() -> None:
    one, other = (Outputs({"answer": np.array([value])}) for value in (1.0, 2.0))
    asked = Policy("same", absolute=0.1)
    assert not needs_repeat(compare(one, one, other, asked), asked)


def test_a_target_that_answers_in_two_shapes_is_told() -> None:
    one, other = Outputs({"answer": np.array([1.0, 2.0])}), Outputs({"answer": np.array([1.0, 3.0])})
    short = Outputs({"answer": np.array([1.0])})
    found = settle(Runs(one, one, other, short), compare(one, one, other, POLICY), POLICY)
    assert "the target, asked twice," in found.problem


@pytest.mark.parametrize("noise", NOISES)
def test_trials_of_noisy_models(noise: str) -> None:
    for seed in range(3):
        assert noisy_passes(seed, "equal", noise), f"refused with the seed {seed}"
        passed = [each for each in OTHERS if noisy_passes(seed, each, noise)]
        assert not passed, f"{passed} passed with the seed {seed}"
