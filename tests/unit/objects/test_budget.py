"""The memory budget lends no more than it has, and to the first who asked."""

from __future__ import annotations

import asyncio

from heavylift.objects.budget import MemoryBudget


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_large_request_is_not_starved_by_small_ones() -> None:
    budget = MemoryBudget(100)
    order: list[str] = []

    async def take(name: str, size: int) -> None:
        await budget.take(size)
        order.append(name)

    first = await budget.take(60)
    tasks = [asyncio.create_task(take("large", 90))]
    await settle()
    tasks.append(asyncio.create_task(take("small", 10)))
    await settle()
    assert order == []
    budget.give_back(first)
    await settle()
    assert order == ["large", "small"]
    await asyncio.gather(*tasks)


async def test_more_than_all_is_lent_all() -> None:
    budget = MemoryBudget(100)
    assert await budget.take(1000) == 100
    waiting = asyncio.create_task(budget.take(1))
    await settle()
    assert not waiting.done()
    budget.give_back(100)
    assert await waiting == 1


async def test_who_gives_up_waiting_lets_the_next_in() -> None:
    budget = MemoryBudget(100)
    await budget.take(50)
    large = asyncio.create_task(budget.take(80))
    small = asyncio.create_task(budget.take(40))
    await settle()
    large.cancel()
    await settle()
    assert small.done()


async def test_a_block_gives_back_what_it_held_even_when_it_fails() -> None:
    budget = MemoryBudget(10)
    try:
        async with budget.lend(10):
            raise ValueError
    except ValueError:
        assert await budget.take(10) == 10
