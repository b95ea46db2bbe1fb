"""Requests a second: a small burst, then evenly, in order."""

from __future__ import annotations

import asyncio

import pytest

from heavylift.platforms.request_rate import RequestRate
from tests.support.virtual_time import clock, run_virtually


@pytest.mark.parametrize("per_second", [0.5, 5, 50, 1000])
def test_on_average_so_many_pass_in_a_second(per_second: float) -> None:
    async def work() -> None:
        rate = RequestRate(per_second, clock=clock)
        began = clock()
        count = max(20, int(per_second * 4))
        await asyncio.gather(*(rate.take() for _ in range(count)))
        allowed = (clock() - began) * per_second + max(1.0, per_second * 0.1)
        assert count <= allowed + 1e-6
        assert clock() - began >= (count - max(1.0, per_second * 0.1)) / per_second - 1e-6

    run_virtually(work())


def test_a_rest_saves_up_no_more_than_the_burst() -> None:
    async def work() -> None:
        rate = RequestRate(100, clock=clock)
        await asyncio.sleep(3600)
        at_once = 0
        while rate.delay() < 1e-6:
            at_once += 1
        assert at_once == 10

    run_virtually(work())


def test_they_pass_in_the_order_in_which_they_came() -> None:
    async def work() -> None:
        rate = RequestRate(10, clock=clock)
        passed: list[int] = []

        async def one(number: int) -> None:
            await rate.take()
            passed.append(number)

        await asyncio.gather(*(one(number) for number in range(20)))
        assert passed == list(range(20))

    run_virtually(work())


def test_without_a_cap_nobody_waits() -> None:
    rate = RequestRate(None, clock=lambda: 0.0)
    assert [rate.delay() for _ in range(1000)] == [0.0] * 1000
