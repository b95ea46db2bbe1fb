"""What a lane is, and how its result looks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.figures import as_text, goals_as_text, table
from tests.benchmarks.goals import Goal, judge
from tests.benchmarks.measure import Found

Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What a lane measured.

    :param load: what was moved, listed or compared, in words.
    :param base: the tool whose figures the goals bound.
    """

    load: str
    base: str
    found: Found
    goals: Sequence[Goal]


def report(lane: str, result: Result, *, runs: int, scale: float, began: float, say: Say) -> dict[str, Any]:
    """Print a lane's tables and return them for the file of figures."""
    rows = table(result.found, result.base)
    verdicts = judge(result.goals, result.found, result.base)
    say(as_text(rows, result.base))
    say(goals_as_text(verdicts, scale))
    return {
        "lane": lane,
        "load": result.load,
        "runs": runs,
        "scale": scale,
        "scaled": scale != 1,
        "seconds": round(time.monotonic() - began, 1),
        "load_average_after": os.getloadavg(),
        "tools": rows,
        "goals": [verdict.as_json() for verdict in verdicts],
    }
