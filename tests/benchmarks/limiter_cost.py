"""What the limits cost a request: ``PYTHONPATH=include python -m tests.benchmarks.limiter_cost``."""

from __future__ import annotations

import asyncio
import timeit

from heavylift.platforms.limiter import AdaptiveLimit
from heavylift.platforms.request_rate import RequestRate

CALLS = 200_000


def main() -> None:
    """Print microseconds a request, the best of five rounds each."""
    limit, rate = AdaptiveLimit(64), RequestRate(1e9)

    def gate() -> None:
        limit.try_enter()
        limit.leave()

    async def awaited() -> float:
        began = timeit.default_timer()
        for _ in range(CALLS):
            await limit.enter()
            limit.leave()
        return timeit.default_timer() - began

    rounds = {
        "try_enter, leave": min(timeit.repeat(gate, number=CALLS, repeat=5)),
        "await enter, leave": min(asyncio.run(awaited()) for _ in range(5)),
        "rate.delay": min(timeit.repeat(rate.delay, number=CALLS, repeat=5)),
    }
    for name, seconds in rounds.items():
        print(f"{name:<20}{seconds / CALLS * 1e6:6.2f} us")


if __name__ == "__main__":
    main()
