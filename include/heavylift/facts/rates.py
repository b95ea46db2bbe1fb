"""How fast a line and workers are, and when a device is worth its shipping."""

from __future__ import annotations

from heavylift.facts.estimate import LINK_SHARE

DAY = 86_400
WEEK_RULE_DAYS = 7.0
"""strategy_rules.csv, "week rule": offline when the line would take more than about a week."""

APPLIANCE_BYTES = 40 * 10**12
"""strategy_rules.csv: a device is worth its shipping above about 40 TB."""

MOST_WORKERS = 32
WORKER_BYTES_PER_SECOND = 100 * 10**6
WORKER_OBJECTS_PER_SECOND = 200


def online_days(size_bytes: int, objects: int, bits_per_second: float, workers: int) -> float:
    """Return the days that so many workers take over a line.

    The line's share of strategy_rules.csv, or what the workers can move, whichever is slower:
    ``T = V * 8 / (B * u)``; small objects take as long as their requests.
    """
    rate = min(bits_per_second / 8 * LINK_SHARE, workers * WORKER_BYTES_PER_SECOND)
    by_requests = objects / (workers * WORKER_OBJECTS_PER_SECOND)
    return max(size_bytes / rate, by_requests) / DAY
