"""How good a setting few trials find: ``python -m tests.benchmarks.optimize_trials [SEEDS]``."""

from __future__ import annotations

import asyncio
import math
import sys

import numpy as np

from heavylift.evidence.records import RunKey
from heavylift.optimize.proposals import Proposer
from heavylift.optimize.ranking import candidates_of, leader_of
from heavylift.optimize.requests import HourlyPrice, Kept, StudyRequest, TrialPlan
from heavylift.optimize.studies import next_trial
from heavylift.optimize.trying import try_setting
from tests.support.planted_servers import OBJECTIVE, SPACE, Landscape, PlantedServers, truth

PRICE, MOST, FIRST = HourlyPrice(0.4), 30, 2000


async def regret(seed: int) -> tuple[float, int, float]:
    """Return how much dearer the choice is than the best, its trials, and the same of as many by chance."""
    servers = PlantedServers(Landscape.drawn(seed))
    kept = Kept(RunKey(migration="m", phase="optimize", run="r"), "made-up")
    plan = TrialPlan(most_trials=MOST, seed=seed, most_rate=1e6)
    request = StudyRequest(kept, SPACE, OBJECTIVE, PRICE, plan, "requests", "made-up servers")
    proposer, trials = Proposer(SPACE, seed), []
    while (wanted := next_trial(request, proposer, trials)) is not None:
        trials.append(await try_setting(servers, request, wanted))
    best = leader_of(candidates_of(trials))
    costs = truth(servers.landscape, SPACE, PRICE)
    least = min(costs.values())
    drawn = np.random.default_rng(seed).choice(SPACE.size, MOST, replace=False)
    by_chance = min(costs[SPACE.settings[i]] for i in drawn) / least - 1
    return (math.inf if best is None else costs[best.setting] / least - 1), len(trials), by_chance


def main(seeds: int) -> None:
    """Print the shares."""
    found = [asyncio.run(regret(seed)) for seed in range(FIRST, FIRST + seeds)]
    for name, values in (("trials", [f[0] for f in found]), ("drawn by chance", [f[2] for f in found])):
        near = sum(value <= 0.05 for value in values) / seeds
        quantiles = ", ".join(
            f"P{q * 100:g} {np.quantile(values, q, method='lower'):.1%}" for q in (0.5, 0.95, 0.99)
        )
        print(f"{name}: {near:.1%} of {seeds} within 5 % of the best of {SPACE.size}; dearer by {quantiles}")
    print(f"trials made: {np.mean([f[1] for f in found]):.1f} of at most {MOST}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
