"""Seeded trials of models that answer differently each time, with noise of forms that are hard to judge."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from heavylift.models.comparing import Policy, compare
from heavylift.models.repeating import Runs, needs_repeat, settle
from heavylift.scoring.outputs import Outputs
from tests.support.model_trials import FEATURES, ROWS, data, model_of, requantised

ASKED = 500
Scores = Callable[[Any, Any], Any]
Noise = Callable[[Any, Any, np.random.Generator], Any]


def _tailed(model: Any, rows: Any, chance: np.random.Generator) -> Any:
    return model.predict_proba(rows)[:, 1] + 3e-4 * chance.standard_t(2, len(rows))


def _outliers(share: float) -> Noise:
    def noisy(model: Any, rows: Any, chance: np.random.Generator) -> Any:
        struck = chance.random(len(rows)) < share
        return model.predict_proba(rows)[:, 1] + struck * chance.standard_cauchy(len(rows))

    return noisy


def _flipping(model: Any, rows: Any, chance: np.random.Generator) -> Any:
    scores = model.predict_proba(rows)[:, 1]
    return np.where(chance.random(len(rows)) < 0.01, 1 - scores, scores)


def _dropping(model: Any, rows: Any, chance: np.random.Generator) -> Any:
    kept = rows.copy()
    struck = np.flatnonzero(chance.random(len(rows)) < 0.05)
    kept[struck, chance.integers(0, FEATURES, len(struck))] = 0.0
    return model.predict_proba(kept)[:, 1]


NOISES: dict[str, Noise] = {
    "Student's t, 2 degrees of freedom": _tailed,
    "an outlier in 100 rows": _outliers(0.01),
    "an outlier in 1000 rows": _outliers(0.001),
    "a flip in 100 rows": _flipping,
    "an input dropped in 20 rows": _dropping,
}


def in_eight_bits(model: Any) -> Any:
    """Return the model with its numbers in 8 bits."""
    made = copy.deepcopy(model)
    if hasattr(made, "estimators_"):
        for tree in made.estimators_:
            state = tree.tree_.__getstate__()
            state["values"] = np.round(state["values"] * 127) / 127
            state["nodes"]["threshold"] = _rounded(state["nodes"]["threshold"])
            tree.tree_.__setstate__(state)
        return made
    for name in ("coef_", "intercept_", "coefs_", "intercepts_"):
        found = getattr(made, name, None)
        if found is not None:
            down = [_rounded(np.asarray(each)) for each in found]
            setattr(made, name, down if isinstance(found, list) else np.array(down))
    return made


def _rounded(values: Any) -> Any:
    step = max(float(np.max(np.abs(values))), 1e-9) / 127
    return np.round(values / step) * step


def _answers(model: Any, rows: Any, noise: str, chance: np.random.Generator) -> Outputs:
    scores = NOISES[noise](model, rows, chance)
    return Outputs({"answer": (scores > 0.5).astype(int), "score:0": 1 - scores, "score:1": scores})


def noisy_passes(seed: int, variant: str, noise: str, *, once: bool = False) -> bool:
    """Tell whether a target passes that is ``variant`` of a source with this ``noise``.

    :param once: judge by one run of the target.
    """
    train, labels, asked = data(seed)
    asked = asked[:ASKED]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = model_of(seed, seed % 3).fit(train, labels)
        target, rows = pickle.loads(pickle.dumps(model)), asked
        if variant == "retrained":
            again = np.random.default_rng(seed + 1).integers(0, ROWS, ROWS)
            target = model_of(seed, seed % 3).fit(train[again], labels[again])
        elif variant == "mis-versioned":
            target = model_of(seed, (seed + 1) % 3).fit(train, labels)
        elif variant == "requantised":
            # 32 bits drown in noise of every row, for any judge.
            target = in_eight_bits(model) if noise.startswith("Student") else requantised(model)
        elif variant == "one feature swapped":
            rows = asked[:, [1, 0, *range(2, FEATURES)]]
    chance = np.random.default_rng(seed + 2)
    source, beside = (_answers(model, asked, noise, chance) for _ in range(2))
    other, repeated = (_answers(target, rows, noise, chance) for _ in range(2))
    policy = Policy("same", rate=0.001)
    first = compare(source, beside, other, policy)
    if once or not needs_repeat(first, policy):
        return first.holds(0.001)
    return settle(Runs(source, beside, other, repeated), first, policy).holds(0.001)
