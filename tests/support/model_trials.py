"""Seeded trials of what a comparison of models must refuse, and must not."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np

from heavylift.models.comparing import Policy, compare
from heavylift.models.latency import BLOCK, LatencyPlan, judge
from heavylift.scoring.outputs import Outputs

OTHERS = ("retrained", "requantised", "mis-versioned", "one feature swapped")
"""What a target may be instead of the source's model; ``equal`` is none of them."""

ROWS, FEATURES = 1000, 6
REQUESTS = 5000


def data(seed: int) -> tuple[Any, Any, Any]:
    """Return rows and labels to train on, and rows to ask about."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(2 * ROWS, FEATURES))
    weights = generator.normal(size=FEATURES)
    labels = (rows @ weights + 0.5 * generator.normal(size=2 * ROWS) > 0).astype(int)
    return rows[:ROWS], labels[:ROWS], rows[ROWS:]


def model_of(seed: int, kind: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    if kind == 0:
        return LogisticRegression()
    if kind == 1:
        return RandomForestClassifier(n_estimators=10, max_depth=6, random_state=seed, n_jobs=1)
    return MLPClassifier((8,), max_iter=20, random_state=seed)


def answers(model: Any, rows: Any) -> Outputs:
    scores = model.predict_proba(rows)
    return Outputs({"answer": model.predict(rows), "score:0": scores[:, 0], "score:1": scores[:, 1]})


def requantised(model: Any) -> Any:
    """Return the model with its numbers in half as many bits."""
    made = copy.deepcopy(model)
    if hasattr(made, "estimators_"):
        for tree in made.estimators_:
            state = tree.tree_.__getstate__()
            state["values"] = state["values"].astype(np.float32).astype(np.float64)
            state["nodes"]["threshold"] = state["nodes"]["threshold"].astype(np.float32)
            tree.tree_.__setstate__(state)
        return made
    for name in ("coef_", "intercept_", "coefs_", "intercepts_"):
        found = getattr(made, name, None)
        if found is not None:
            down = [np.asarray(each).astype(np.float32).astype(np.float64) for each in found]
            setattr(made, name, down if isinstance(found, list) else np.array(down))
    return made


def passes(seed: int, variant: str) -> bool:
    """Tell whether a target passes that is ``variant`` of the source."""
    import warnings

    train, labels, asked = data(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # twenty rounds are too few for the network, and enough here
        model = model_of(seed, seed % 3).fit(train, labels)
        if variant == "equal":
            target = pickle.loads(pickle.dumps(model))
        elif variant == "retrained":
            again = np.random.default_rng(seed + 1).integers(0, ROWS, ROWS)
            target = model_of(seed, seed % 3).fit(train[again], labels[again])
        elif variant == "mis-versioned":
            target = model_of(seed, (seed + 1) % 3).fit(train, labels)
        else:
            target = requantised(model)
    rows = asked[:, [1, 0, *range(2, FEATURES)]] if variant == "one feature swapped" else asked
    target = model if variant == "one feature swapped" else target
    source = answers(model, asked)
    return compare(source, answers(model, asked), answers(target, rows), Policy("same")).holds(0.001)


def blocks(generator: np.random.Generator, factor: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return durations of both sides: a long tail, and a machine whose mood changes slowly for both."""
    count = REQUESTS // BLOCK
    mood, moods = 0.0, []
    for _ in range(count):
        mood = 0.9 * mood + 0.1 * generator.normal()
        moods.append(mood)
    sides: list[list[np.ndarray]] = []
    for slower in (1.0, factor):
        drawn = generator.lognormal(0.0, 0.25, (count, BLOCK))
        drawn *= np.where(generator.random((count, BLOCK)) < 0.02, 3.0, 1.0)
        sides.append([slower * row * np.exp(mood) for row, mood in zip(drawn, moods, strict=True)])
    return sides[0], sides[1]


def fast_enough(factor: float, seed: int) -> bool:
    """Tell whether a target passes that takes ``factor`` times as long."""
    generator = np.random.default_rng(seed)
    source, target = blocks(generator, factor)
    return judge(source, target, LatencyPlan(requests=REQUESTS), generator).passed
