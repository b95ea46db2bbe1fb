"""Which setting is tried next: the one that is expected to improve most on the best so far.

The logarithm of the cost is taken for a draw of a Gaussian process over the knobs: settings that are near
each other cost about the same. How near counts is learnt for each knob, as what makes the costs seen most
likely.
Nothing of it needs a library beyond numpy, and the same trials give the same proposal.

D. R. Jones, M. Schonlau, W. J. Welch, Efficient global optimization of expensive black-box functions, Journal
of Global Optimization 13, 1998.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from heavylift.optimize.spaces import Setting, Space

Floats = NDArray[np.float64]
LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
NOISES = (0.02, 0.05, 0.15)
"""Of a standard deviation of all costs seen."""
_SWEEPS = 2
SMALLEST_GAIN = 0.005
"""Expected improvement, as a share of the cost, below which nothing more is tried."""


@dataclass(frozen=True)
class Seen:
    """A setting and the logarithm of what it was found to cost."""

    setting: Setting
    value: float


@dataclass(frozen=True)
class Proposal:
    """A setting to try; ``gain`` is None among the first ones, which only spread over the space."""

    setting: Setting
    gain: float | None = None


class Proposer:
    """Proposes settings, given what has been seen."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._row = {setting: number for number, setting in enumerate(space.settings)}
        counts = [range(len(knob.values)) for knob in space.knobs]
        self._steps = np.array(list(product(*counts))).reshape(space.size, len(space.knobs))
        self._words = np.array([not knob.numeric for knob in space.knobs])
        self.first = min(space.size, 3 + len(space.knobs))
        self._design = self._spread(np.random.default_rng(seed))

    def next(self, seen: Sequence[Seen]) -> Proposal | None:
        """Return what to try next; None where everything was tried, or too little can be gained."""
        rows = [self._row[each.setting] for each in seen]
        tried = set(rows)
        if len(tried) < self.first:
            row = next(row for row in self._design if row not in tried)
            return Proposal(self._space.settings[row])
        left = np.array([row for row in range(self._space.size) if row not in tried])
        if not left.size:
            return None
        values = np.array([each.value for each in seen])
        gains = self._gains(np.array(rows), values, left)
        # One in the whole space, one beside the best by now: a model of few costs is vague everywhere, and
        # what a single knob does where it matters is learnt by turning it there.
        beside = self._beside(rows[int(np.argmin(values))])[left]
        if beside.any() and (len(tried) % 2 or gains.max() < SMALLEST_GAIN):
            best = int(np.argmax(np.where(beside, gains, -1.0)))
        elif gains.max() >= SMALLEST_GAIN:
            best = int(np.argmax(gains))
        else:
            return None
        return Proposal(self._space.settings[int(left[best])], float(gains[best]))

    def _beside(self, row: int) -> NDArray[np.bool_]:
        """Return which settings differ from one in a single knob, and there by one step."""
        steps = np.abs(self._steps - self._steps[row])
        steps[:, self._words] = steps[:, self._words] > 0
        found: NDArray[np.bool_] = steps.sum(axis=1) == 1
        return found

    def _spread(self, generator: np.random.Generator) -> list[int]:
        """Return rows far from one another: each time the one that is farthest from all before."""
        rows = [int(generator.integers(self._space.size))]
        order = generator.permutation(self._space.size)
        nearest = self._distances(order, rows[0])
        while len(rows) < self.first:
            nearest[[int(np.flatnonzero(order == row)[0]) for row in rows]] = -1.0
            rows.append(int(order[int(np.argmax(nearest))]))
            nearest = np.minimum(nearest, self._distances(order, rows[-1]))
        return rows

    def _distances(self, rows: NDArray[np.int64], row: int) -> Floats:
        found: Floats = self._apart(rows, np.array([row]))[:, 0, :].sum(axis=1)
        return found

    def _apart(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> Floats:
        """Return the squared distance in each knob; words are either the same or one apart."""
        places = self._space.coordinates
        apart = (places[one][:, None, :] - places[other][None, :, :]) ** 2
        return np.where(self._words, (apart > 0).astype(np.float64), apart)

    def _gains(self, rows: NDArray[np.int64], values: Floats, left: NDArray[np.int64]) -> Floats:
        """Return the expected improvement of each setting that is left, in logarithms of the cost."""
        centre, scale = float(values.mean()), float(values.std()) or 1.0
        costs = (values - centre) / scale
        apart = self._apart(rows, rows)
        lengths, noise = _learnt(apart, costs)
        chol = np.linalg.cholesky(_kernel(apart, lengths) + noise**2 * np.eye(len(rows)))
        weights = np.linalg.solve(chol.T, np.linalg.solve(chol, costs))
        across = _kernel(self._apart(left, rows), lengths)
        mean = across @ weights
        reduced = np.linalg.solve(chol, across.T)
        deviation = np.sqrt(np.maximum(1e-12, 1 - (reduced**2).sum(axis=0)))
        best = float(np.min(_kernel(apart, lengths) @ weights))
        z = (best - mean) / deviation
        normal = 0.5 * (1 + np.array([math.erf(each / math.sqrt(2)) for each in z]))
        density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        gains: Floats = scale * ((best - mean) * normal + deviation * density)
        return gains


def _learnt(apart: Floats, costs: Floats) -> tuple[Floats, float]:
    """Return the lengths and the noise under which the costs are likeliest; one knob after the other."""
    lengths = np.ones(apart.shape[2])
    noise = NOISES[1]
    best = _likelihood(apart, costs, lengths, noise)
    for _ in range(_SWEEPS):
        for knob in range(len(lengths)):
            for length in LENGTHS:
                tried = lengths.copy()
                tried[knob] = length
                found = _likelihood(apart, costs, tried, noise)
                if found > best:
                    best, lengths = found, tried
        for each in NOISES:
            found = _likelihood(apart, costs, lengths, each)
            if found > best:
                best, noise = found, each
    return lengths, noise


def _likelihood(apart: Floats, costs: Floats, lengths: Floats, noise: float) -> float:
    matrix = _kernel(apart, lengths) + noise**2 * np.eye(len(costs))
    chol = np.linalg.cholesky(matrix)
    half = np.linalg.solve(chol, costs)
    return float(-0.5 * half @ half - np.log(np.diag(chol)).sum())


def _kernel(apart: Floats, lengths: Floats) -> Floats:
    made: Floats = np.exp(-0.5 * (apart / lengths**2).sum(axis=2))
    return made
