"""One trial: a server is started with a setting, and the highest rate is found that it bears."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from heavylift.evidence.optimize_records import Purpose, TrialRecord, TrialStep
from heavylift.optimize.ports import TrialRunner, UnservedError
from heavylift.optimize.rates import RateSearch
from heavylift.optimize.requests import StudyRequest
from heavylift.optimize.spaces import ROWS, Setting, count_of

UNSERVED = 10.0
"""A setting with which no server comes up counts as so many times the dearest that was seen."""


@dataclass(frozen=True)
class Wanted:
    """What is tried next.

    :param best: what 1,000 predictions cost with the best setting by now; None in the beginning.
    """

    number: int
    purpose: Purpose
    setting: Setting
    best: float | None


async def try_setting(runner: TrialRunner, request: StudyRequest, wanted: Wanted) -> TrialRecord:
    """Measure one setting. The server is ended, however this ends.

    A setting that can't come near the best by now is given up early, and the record says that it costs at
    least so much.
    """
    began = time.monotonic()
    plan, setting = request.plan, wanted.setting
    rows = count_of(setting, ROWS, 1)
    price = request.price.of(setting)
    search = RateSearch(*_bounds(request, wanted, price, rows))
    steps: list[TrialStep] = []
    failed = ""
    seed = plan.seed + 1000 * wanted.number
    try:
        async with runner.served(setting, search.rate or plan.first_rate, seed) as server:
            while search.rate is not None:
                steps.append(await server.step(search.rate, seed + len(steps) + 1))
                search.tell(steps[-1].holds)
    except UnservedError as error:
        failed = str(error)
    capacity = None if search.held is None else search.held * rows
    worst = (wanted.best or cost(price, plan.first_rate * rows)) * UNSERVED
    value = math.log(worst if failed else cost(price, search.value * rows))
    return TrialRecord(
        run=request.kept.run,
        name=request.kept.name,
        study=request.digest,
        number=wanted.number,
        purpose=wanted.purpose,
        setting=dict(setting),
        usd_per_hour=price,
        rows=rows,
        capacity=capacity,
        above=None if search.failed is None else search.failed * rows,
        value=round(value, 6),
        censored=bool(failed) or search.held is None,
        usd_per_thousand=None if capacity is None else cost(price, capacity),
        steps=tuple(steps),
        limited_by_client=any(each.step.limited_by == "client" for each in steps),
        failed=failed,
        took_seconds=round(time.monotonic() - began, 3),
    )


def cost(usd_per_hour: float, predictions_per_second: float) -> float:
    """Return what 1,000 predictions cost on a server that makes so many a second, all the time."""
    return usd_per_hour / (predictions_per_second * 3.6)


def _bounds(request: StudyRequest, wanted: Wanted, price: float, rows: int) -> tuple[float, float, float]:
    """Return the rate to begin with, the lowest and the highest that are worth asking at."""
    plan = request.plan
    if wanted.best is None:
        return plan.first_rate, plan.first_rate / 1000, plan.most_rate
    # At this rate the setting would cost as much as the best one.
    match = price / (wanted.best * 3.6 * rows)
    # To begin above it costs little: what is too much is stopped at once, while a low rate takes its time.
    begin = min(max(match, plan.first_rate), plan.most_rate)
    return begin, min(match / plan.worst, plan.most_rate), plan.most_rate
