"""Which setting leads, given that each trial is a draw: settings with all their trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.evidence.optimize_records import Estimate, TrialRecord
from heavylift.optimize.rates import RESOLUTION
from heavylift.optimize.spaces import Setting, setting_of
from heavylift.optimize.trying import cost

_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Student's t at 97.5 % for 1, 2, … degrees of freedom."""
LEAST_DEVIATION = math.log(RESOLUTION) / math.sqrt(12)
"""Of what lies evenly between two rates that are as near to each other as a search comes."""


@dataclass(frozen=True)
class Candidate:
    """A setting, and its trials.

    :param value: mean of the logarithms of the costs.
    :param capacity: geometric mean of what its trials were shown to sustain; None where one was not.
    """

    setting: Setting
    trials: tuple[TrialRecord, ...]
    value: float
    capacity: float | None

    @property
    def usd_per_thousand(self) -> float | None:
        """What 1,000 predictions cost at that capacity."""
        return None if self.capacity is None else cost(self.trials[0].usd_per_hour, self.capacity)


def candidates_of(trials: Sequence[TrialRecord]) -> list[Candidate]:
    """Return the settings that were tried, in the order of their first trial."""
    by_setting: dict[Setting, list[TrialRecord]] = {}
    for each in trials:
        by_setting.setdefault(setting_of(each.setting), []).append(each)
    return [_candidate(setting, found) for setting, found in by_setting.items()]


def leader_of(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the cheapest setting; None where none holds the objective."""
    holding = [each for each in candidates if each.capacity is not None]
    return min(holding, key=lambda each: each.value, default=None)


def challenger_of(candidates: Sequence[Candidate], best: Candidate) -> Candidate | None:
    """Return the next cheapest setting, where the noise may have hidden that it is as good."""
    others = [each for each in candidates if each.setting != best.setting]
    second = leader_of(others)
    if second is None or second.value - best.value > _apart(best, second):
        return None
    return second


def equal_to(candidates: Sequence[Candidate], best: Candidate) -> list[Candidate]:
    """Return the settings that the trials can't tell from the best."""
    return [
        each
        for each in candidates
        if each.setting != best.setting
        and each.capacity is not None
        and each.value - best.value <= _apart(best, each)
    ]


def deviation_of(candidate: Candidate) -> float:
    """Return the deviation of the logarithm of the capacity from trial to trial."""
    logs = [math.log(each.capacity) for each in candidate.trials if each.capacity]
    if len(logs) < 2:
        return LEAST_DEVIATION
    mean = sum(logs) / len(logs)
    return max(LEAST_DEVIATION, math.sqrt(sum((each - mean) ** 2 for each in logs) / (len(logs) - 1)))


def capacity_of(candidate: Candidate) -> Estimate:
    """Return the capacity of a setting that holds, with the interval of its mean."""
    logs = [math.log(each.capacity) for each in candidate.trials if each.capacity]
    mean = sum(logs) / len(logs)
    degrees = max(1, len(logs) - 1)
    t = _T[degrees - 1] if degrees <= len(_T) else 1.96 + 2.5 / degrees
    half = t * deviation_of(candidate) / math.sqrt(len(logs))
    return Estimate(value=math.exp(mean), low=math.exp(mean - half), high=math.exp(mean + half))


def _apart(one: Candidate, other: Candidate) -> float:
    """Return how far two settings must be apart, in logarithms, to count as different."""
    spread = deviation_of(one)
    return 2 * spread * math.sqrt(1 / len(one.trials) + 1 / len(other.trials))


def _candidate(setting: Setting, trials: Sequence[TrialRecord]) -> Candidate:
    logs = [math.log(each.capacity) for each in trials if each.capacity]
    capacity = math.exp(sum(logs) / len(logs)) if len(logs) == len(trials) else None
    return Candidate(setting, tuple(trials), sum(each.value for each in trials) / len(trials), capacity)
