"""The gate of one store: it grows, halves, pauses, keeps its order and never leaks a slot."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from heavylift.platforms.limiter import LONGEST_PAUSE_SECONDS, AdaptiveLimit
from tests.support.virtual_time import clock, run_virtually


def limit_of(most: int, start: int | None = None) -> AdaptiveLimit:
    return AdaptiveLimit(most, start=start, clock=clock)


def fill(limit: AdaptiveLimit) -> int:
    """Take every slot there is."""
    taken = 0
    while limit.try_enter():
        taken += 1
    return taken


def one_round(limit: AdaptiveLimit) -> None:
    """Fill all slots and have all answered well."""
    for _ in range(fill(limit)):
        limit.leave()


def test_it_admits_as_many_as_it_says_and_no_more() -> None:
    async def work() -> None:
        limit = limit_of(100, 4)
        assert (fill(limit), limit.in_flight, limit.current) == (4, 4, 4)
        assert not limit.try_enter()

    run_virtually(work())


@pytest.mark.parametrize(
    ("most", "start", "begins"), [(32, None, 8), (3, None, 3), (3, 9, 3), (5, 0, 1), (0, 0, 1)]
)
def test_where_it_begins(most: int, start: int | None, begins: int) -> None:
    assert AdaptiveLimit(most, start=start).current == begins


def test_it_grows_fast_until_the_first_refusal_and_by_one_a_round_after_it() -> None:
    async def work() -> None:
        limit = limit_of(1000, 4)
        one_round(limit)
        # The first answer finds all four slots in use and opens a fifth; nobody takes it here.
        assert limit.current == 5
        fill(limit)
        limit.leave(throttled=True)
        assert limit.current == 2
        for _ in range(4):
            limit.leave_unjudged()
        for expected in (2, 3, 3, 3, 4):
            fill(limit)
            limit.leave()
            assert limit.current == expected
            while limit.in_flight:
                limit.leave_unjudged()

    run_virtually(work())


def test_a_busy_store_that_answers_well_is_asked_up_to_the_most() -> None:
    async def work() -> None:
        limit = limit_of(32, 1)

        async def worker() -> None:
            for _ in range(20):
                await limit.enter()
                await asyncio.sleep(0.01)
                limit.leave()

        await asyncio.gather(*(worker() for _ in range(64)))
        assert (limit.current, limit.in_flight, limit.waiting) == (32, 0, 0)

    run_virtually(work())


def test_an_idle_store_is_not_taken_for_one_that_would_bear_more() -> None:
    async def work() -> None:
        limit = limit_of(100, 4)
        for _ in range(50):
            assert limit.try_enter()
            limit.leave()
        assert limit.current == 4

    run_virtually(work())


def test_one_wave_of_refusals_halves_once_and_the_next_wave_again() -> None:
    async def work() -> None:
        limit = limit_of(100, 32)
        for _ in range(fill(limit)):
            limit.leave(throttled=True)
        assert (limit.current, limit.throttled_count) == (16, 32)
        await asyncio.sleep(1.5)
        for _ in range(fill(limit)):
            limit.leave(throttled=True)
        assert (limit.current, limit.throttled_count) == (8, 48)

    run_virtually(work())


def test_it_never_falls_below_one() -> None:
    async def work() -> None:
        limit = limit_of(100, 3)
        for _ in range(5):
            assert limit.try_enter()
            limit.leave(throttled=True)
            await asyncio.sleep(2)
        assert limit.current == 1
        assert fill(limit) == 1

    run_virtually(work())


def test_a_wait_that_the_store_asks_for_holds_for_every_request() -> None:
    async def work() -> None:
        limit = limit_of(100, 4)
        fill(limit)
        limit.leave(throttled=True, retry_after_seconds=30)
        for _ in range(3):
            limit.leave()
        began = clock()
        assert not limit.try_enter()
        assert limit.pause_seconds == 30
        await asyncio.gather(limit.enter(), limit.enter())
        assert clock() - began == pytest.approx(30)
        assert (limit.in_flight, limit.pause_seconds) == (2, 0)

    run_virtually(work())


def test_a_longer_wait_prolongs_the_pause_and_a_shorter_one_does_not_cut_it() -> None:
    async def work() -> None:
        limit = limit_of(100, 4)
        fill(limit)
        limit.leave(throttled=True, retry_after_seconds=10)
        began = clock()
        entering = asyncio.create_task(limit.enter())
        await asyncio.sleep(5)
        limit.leave(throttled=True, retry_after_seconds=1)
        limit.leave(throttled=True, retry_after_seconds=20)
        limit.leave_unjudged()
        await entering
        assert clock() - began == pytest.approx(25)

    run_virtually(work())


def test_an_absurd_wait_is_bounded() -> None:
    async def work() -> None:
        limit = limit_of(4)
        fill(limit)
        limit.leave(throttled=True, retry_after_seconds=10**9)
        assert limit.pause_seconds == LONGEST_PAUSE_SECONDS

    run_virtually(work())


def test_a_pause_that_nobody_waited_for_is_over_when_it_is_over() -> None:
    async def work() -> None:
        limit = limit_of(4)
        assert limit.try_enter()
        limit.leave(throttled=True, retry_after_seconds=5)
        await asyncio.sleep(6)
        before = clock()
        await limit.enter()
        assert clock() == before

    run_virtually(work())


def test_who_comes_first_is_served_first() -> None:
    async def work() -> None:
        limit = limit_of(1)
        assert limit.try_enter()
        served: list[int] = []

        async def worker(number: int) -> None:
            await limit.enter()
            served.append(number)
            await asyncio.sleep(0.1)
            limit.leave()

        tasks = [asyncio.create_task(worker(number)) for number in range(10)]
        await asyncio.sleep(0)
        limit.leave()
        assert not limit.try_enter(), "a slot that is owed to a waiting caller is not free"
        await asyncio.gather(*tasks)
        assert served == list(range(10))

    run_virtually(work())


def test_a_cancelled_wait_leaks_no_slot() -> None:
    async def work() -> None:
        limit = limit_of(1)
        assert limit.try_enter()
        first, second = (asyncio.create_task(limit.enter()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert limit.waiting == 1
        limit.leave()
        await second
        assert limit.in_flight == 1

    run_virtually(work())


def test_a_wait_that_is_cancelled_just_as_its_slot_comes_hands_it_on() -> None:
    async def work() -> None:
        limit = limit_of(1)
        assert limit.try_enter()
        first, second = (asyncio.create_task(limit.enter()) for _ in range(2))
        await asyncio.sleep(0)
        limit.leave()  # the slot is the first one's, who has not run yet
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
        assert (limit.in_flight, limit.waiting) == (1, 0)

    run_virtually(work())


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_no_slot_is_lost_and_nobody_waits_for_ever(seed: int) -> None:
    """A deadlock is an error of the virtual loop."""
    dice = random.Random(seed)

    async def work() -> None:
        limit = limit_of(dice.randint(1, 12), dice.randint(1, 12))
        most_seen = 0

        async def worker() -> None:
            nonlocal most_seen
            for _ in range(dice.randint(1, 8)):
                if not limit.try_enter():
                    await limit.enter()
                most_seen = max(most_seen, limit.in_flight)
                try:
                    await asyncio.sleep(dice.random())
                except asyncio.CancelledError:
                    limit.leave_unjudged()
                    raise
                if dice.random() < 0.2:
                    limit.leave(True, dice.choice([0, 0, 2.5]))
                else:
                    limit.leave()

        async def killer(tasks: list[asyncio.Task[Any]]) -> None:
            for task in dice.sample(tasks, 10):
                await asyncio.sleep(dice.random())
                task.cancel()

        tasks = [asyncio.create_task(worker()) for _ in range(40)]
        await killer(tasks)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (limit.in_flight, limit.waiting) == (0, 0)
        assert most_seen <= 12
        await limit.enter()
        limit.leave()

    run_virtually(work())
