"""Measures of how good predictions are; each is "more is better" or "less is better" by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]


@dataclass(frozen=True)
class Metric:
    """One measure.

    :param more_is_better: false for errors.
    :param of: from truth and prediction to the figure; NaN where it has none.
    :param needs_scores: it is about probabilities of the positive class, not about labels.
    :param of_numbers: it is about numbers, not about labels.
    """

    name: str
    more_is_better: bool
    of: Callable[[Values, Values], float]
    needs_scores: bool = False
    of_numbers: bool = False


def _accuracy(truth: Values, found: Values) -> float:
    return float(np.mean(truth == found)) if len(truth) else math.nan


def _f1(truth: Values, found: Values) -> float:
    """Return the mean F1 of all classes, each weighing the same."""
    scores = []
    for label in np.unique(truth):
        hit = float(np.sum((truth == label) & (found == label)))
        wrong = float(np.sum((truth == label) != (found == label)))
        scores.append(2 * hit / (2 * hit + wrong) if hit or wrong else 0.0)
    return float(np.mean(scores)) if scores else math.nan


def _auc(truth: Values, score: Values) -> float:
    """Return the area under the ROC curve by ranks; the larger of two labels is the positive one."""
    labels = np.unique(truth)
    if len(labels) != 2:
        return math.nan
    positive = truth == labels[1]
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[inverse]
    wins = float(np.sum(ranks[positive])) - positive.sum() * (positive.sum() + 1) / 2
    return float(wins / (positive.sum() * (~positive).sum()))


def _log_loss(truth: Values, score: Values) -> float:
    labels = np.unique(truth)
    if len(labels) > 2 or not len(truth):
        return math.nan
    positive = truth == labels[-1]
    clipped = np.clip(score.astype(np.float64), 1e-15, 1 - 1e-15)
    return float(-np.mean(np.where(positive, np.log(clipped), np.log1p(-clipped))))


def _errors(truth: Values, found: Values) -> NDArray[np.float64]:
    return truth.astype(np.float64) - found.astype(np.float64)


def _mae(truth: Values, found: Values) -> float:
    return float(np.mean(np.abs(_errors(truth, found)))) if len(truth) else math.nan


def _rmse(truth: Values, found: Values) -> float:
    return float(np.sqrt(np.mean(_errors(truth, found) ** 2))) if len(truth) else math.nan


def _r2(truth: Values, found: Values) -> float:
    spread = (
        float(np.sum((truth.astype(np.float64) - truth.astype(np.float64).mean()) ** 2)) if len(truth) else 0
    )
    return float(1 - np.sum(_errors(truth, found) ** 2) / spread) if spread else math.nan


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", True, _accuracy),
        Metric("f1", True, _f1),
        Metric("auc", True, _auc, needs_scores=True),
        Metric("log_loss", False, _log_loss, needs_scores=True),
        Metric("mae", False, _mae, of_numbers=True),
        Metric("rmse", False, _rmse, of_numbers=True),
        Metric("r2", True, _r2, of_numbers=True),
    )
}
"""Name → measure."""
