"""Judges of canaries as others build them, on the data of the same trials.

``MannWhitney`` follows Kayenta's judge (spinnaker/kayenta, NetflixACAJudge): outliers beyond three
interquartile ranges go; a metric fails where the interval at 98 % of the Hodges-Lehmann difference lies
beyond a quarter of that estimate; a run passes with a score of 95, and is stopped below 75. The judgement is
made anew after each minute, of all that the step has had, as its canary intervals do.

``Thresholds`` follows Flagger's and Argo Rollouts' practice: each minute's success rate and latency are held
against fixed limits; so many failed checks stop the rollout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from tests.support.canary_trials import Step

POINT_SECONDS = 15
MINUTE = 60
METRICS = ("errors", "p50", "p95", "prediction")


@dataclass(frozen=True)
class Told:
    """What a judge says of a step.

    :param samples: requests to each side until then.
    """

    stopped: bool
    samples: int


def points(drawn: Step, seconds: int) -> dict[str, np.ndarray]:
    """Return each metric of both sides, a point for so many seconds each."""
    places = (drawn.moments // seconds).astype(int)
    made: dict[str, list[list[float]]] = {name: [[], []] for name in METRICS}
    for place in range(places[-1] + 1):
        mine = places == place
        for side in (0, 1):
            good = mine & drawn.ok[side]
            made["errors"][side].append(1 - drawn.ok[side, mine].mean())
            made["p50"][side].append(float(np.quantile(drawn.seconds[side, good], 0.5)))
            made["p95"][side].append(float(np.quantile(drawn.seconds[side, good], 0.95)))
            made["prediction"][side].append(float(drawn.values[side, good].mean()))
    return {name: np.array(sides) for name, sides in made.items()}


def mann_whitney(drawn: Step) -> Told:
    """Judge a step as Kayenta does."""
    found = points(drawn, POINT_SECONDS)
    total = found["errors"].shape[1]
    per_minute = MINUTE // POINT_SECONDS
    for until in range(per_minute, total + 1, per_minute):
        failed = sum(_differs(found[name][0, :until], found[name][1, :until], name) for name in METRICS)
        score = 100 * (1 - failed / len(METRICS))
        last = until + per_minute > total
        if score < (95 if last else 75):
            return Told(True, int((drawn.moments < until * POINT_SECONDS).sum()))
    return Told(False, len(drawn.moments))


def _differs(control: np.ndarray, experiment: np.ndarray, name: str) -> bool:
    control, experiment = _without_outliers(control), _without_outliers(experiment)
    if np.array_equal(control, experiment):
        return False
    low, estimate, high = hodges_lehmann(experiment, control)
    beyond = 0.25 * abs(estimate)
    return low > beyond or (name == "prediction" and high < -beyond)


def _without_outliers(values: np.ndarray) -> np.ndarray:
    low, high = np.quantile(values, [0.25, 0.75])
    spread = 3 * (high - low)
    return values[(values >= low - spread) & (values <= high + spread)]


def hodges_lehmann(
    one: np.ndarray, other: np.ndarray, confidence: float = 0.98
) -> tuple[float, float, float]:
    """Return the median difference with its interval, by ranks of all differences (normal approximation)."""
    differences = np.sort((one[:, None] - other[None, :]).ravel())
    n, m = len(one), len(other)
    spread = np.sqrt(n * m * (n + m + 1) / 12)
    rank = round(n * m / 2 - norm.ppf((1 + confidence) / 2) * spread)
    place = min(max(int(rank), 0), len(differences) - 1)
    return float(differences[place]), float(np.median(differences)), float(differences[-1 - place])


@dataclass
class Thresholds:
    """A rollout with fixed limits; failed checks add up over its steps.

    :param allowed: failed checks that are forgiven.
    """

    allowed: int
    p95: float
    prediction: float
    failed: int = 0

    def step(self, drawn: Step) -> Told:
        """Judge one step."""
        for until, bad in enumerate(self._checks(points(drawn, MINUTE)), 1):
            self.failed += bad
            if self.failed > self.allowed:
                return Told(True, int((drawn.moments < until * MINUTE).sum()))
        return Told(False, len(drawn.moments))

    def _checks(self, found: dict[str, np.ndarray]) -> Iterator[bool]:
        for errors, p95, prediction in zip(
            found["errors"][1], found["p95"][1], found["prediction"][1], strict=True
        ):
            yield errors > 0.01 or p95 > 1.2 * self.p95 or abs(prediction - self.prediction) > 0.1


def measured_before(drawn: Step, allowed: int) -> Thresholds:
    """Return thresholds made from what the source did an hour ago, which ``drawn`` is."""
    good = drawn.ok[0]
    return Thresholds(
        allowed, float(np.quantile(drawn.seconds[0, good], 0.95)), float(drawn.values[0, good].mean())
    )
