"""The open loop, in virtual time: what is due counts from when it was due, whatever came before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from heavylift.baselines.measuring import Measured, measure
from heavylift.load.driving import Drive, Limits, NoAnswerError, drive
from heavylift.load.plan import LoadPlan
from heavylift.load.schedule import Due, schedule
from tests.support.virtual_time import clock, run_virtually

EVEN = [Due(number / 10, 0) for number in range(50)]


class Served:
    """Takes ``service`` for each request, one at a time where ``serial``; stalls all in [begin, end)."""

    def __init__(
        self, service: float = 0.01, stall: tuple[float, float] = (0, 0), *, serial: bool = False
    ) -> None:
        self.service, self.stall = service, stall
        self.gate = asyncio.Semaphore(1 if serial else 10_000)
        self.begin = clock()
        self.reconnected = 0
        self.bodies: list[int] = []
        self.error: Exception | None = None
        self.status = 200

    async def send(self, body: int) -> int:
        self.bodies.append(body)
        async with self.gate:
            since = clock() - self.begin
            if self.stall[0] <= since < self.stall[1]:
                await asyncio.sleep(self.stall[1] - since)
            await asyncio.sleep(self.service)
        if self.error:
            raise self.error
        return self.status

    async def answers(self, _seconds: float) -> bool:
        return self.error is None


def limits(**changes: float) -> Limits:
    made = {"connections": 64, "timeout_seconds": 30.0, "waiting_seconds": 5.0, "most_errors": 0}
    return Limits(**{**made, **changes})  # type: ignore[arg-type]


def driven(served: dict, due: Sequence[Due] = EVEN, **changes: float) -> Drive:
    async def work() -> Drive:
        return await drive(Served(**served), due, limits(**changes), clock)

    return run_virtually(work())


def test_a_stall_is_in_the_latency_of_every_request_that_was_due_meanwhile() -> None:
    found = driven({"stall": (1.0, 1.5)})
    latencies = [each.latency for each in found.outcomes]
    # Due at 1.0, 1.1, 1.2, 1.3, 1.4: each waits for the rest of the stall.
    assert latencies[10:15] == pytest.approx([0.51, 0.41, 0.31, 0.21, 0.11])
    assert latencies[:10] + latencies[15:] == pytest.approx([0.01] * 45)


def test_the_wait_for_a_connection_counts_and_is_told() -> None:
    found = driven({"service": 0.5}, EVEN[:5], connections=1)
    assert [each.latency for each in found.outcomes] == pytest.approx([0.5, 0.9, 1.3, 1.7, 2.1])
    assert [each.sent - each.began for each in found.outcomes] == pytest.approx([0, 0.4, 0.8, 1.2, 1.6])
    assert found.most_waiting == 4


def test_a_request_that_waits_too_long_is_an_error_and_was_never_sent() -> None:
    due = [Due(0.0, 0), Due(0.1, 0), Due(0.1, 0)]
    found = driven({"service": 1.0}, due, connections=1, timeout_seconds=1.5, most_errors=3)
    assert [each.error for each in found.outcomes] == ["", "timeout", "timeout"]
    assert found.outcomes[2].sent is None
    assert found.outcomes[1].latency is None


def test_a_step_that_can_t_succeed_any_more_is_stopped() -> None:
    async def work() -> Drive:
        served = Served()
        served.status = 503
        return await drive(served, EVEN, limits(most_errors=4), clock)

    found = run_virtually(work())
    begun = [each for each in found.outcomes if each.began is not None]
    assert found.stopped == "errors"
    assert [each.error for each in begun] == ["http 503"] * 5


def test_a_backlog_stops_a_step() -> None:
    found = driven({"service": 3.0}, connections=1, waiting_seconds=2.0, timeout_seconds=10)
    assert found.stopped == "connections"
    assert any(each.began is None for each in found.outcomes)
    assert all(each.done is not None for each in found.outcomes if each.began is not None)


def measured(served: dict, error: Exception | None = None, **changes: object) -> Measured:
    async def work() -> Measured:
        endpoint = Served(**served)
        endpoint.error = error
        made = {"rates": (10.0, 40.0, 160.0), "arrivals": "even", "step_seconds": 5.0, "floor": False}
        return await measure(endpoint, 1, LoadPlan(**{**made, **changes}), lambda _: None, clock)  # type: ignore[arg-type]

    return run_virtually(work())


def test_the_first_rate_that_is_not_sustained_ends_it() -> None:
    found = measured({"service": 0.02, "serial": True}, rates=(10.0, 40.0, 160.0, 320.0))
    assert [step.sustained for step in found.steps] == [True, True, False]
    overloaded = found.steps[-1]
    assert overloaded.achieved == pytest.approx(50, rel=0.03)
    assert overloaded.limited_by == "connections"
    for step in found.steps:
        assert step.answered + sum(step.errors.values()) + step.not_sent == step.planned
        assert step.histogram().total == step.answered


def test_an_endpoint_that_only_answers_errors_is_gone_and_has_no_latency() -> None:
    found = measured({}, NoAnswerError("no answer"))
    assert found.gone
    assert found.steps[0].errors == {"no answer": 1}
    assert found.steps[0].quantiles == ()
    assert not found.steps[0].sustained


def test_slow_and_steady_is_sustained() -> None:
    found = measured({"service": 2.0}, rates=(10.0,))
    assert found.steps[0].sustained
    assert found.steps[0].quantiles[0].ms == pytest.approx(2000, rel=0.003)


def test_an_endpoint_is_as_fast_as_itself() -> None:
    found = measured({}, floor=True, rates=(20.0,), step_seconds=20.0)
    assert found.floor is not None
    assert found.floor.requests == 800
    p95 = next(each for each in found.floor.ratios if each.quantile == 0.95)
    assert p95.low <= 1 <= p95.high
    assert p95.high < 1.05


@pytest.mark.parametrize("arrivals", ["poisson", "even"])
def test_a_schedule_is_the_seed_s_alone(arrivals: str) -> None:
    one, two, other = (
        schedule(20, 10, 7, arrivals, np.random.default_rng(seed))
        for seed in (1, 1, 2)  # type: ignore[arg-type]
    )
    assert one == two != other
    assert len(one) == 200
    assert [each.at for each in one] == sorted(each.at for each in one)
    assert all(0 <= each.at < 10 for each in one)
    often = np.bincount([each.body for each in one], minlength=7)
    assert often.max() - often.min() <= 1
    assert sorted(each.body for each in one[:7]) == list(range(7))
    assert [each.body for each in one] != [number % 7 for number in range(200)]
