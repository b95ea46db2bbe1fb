"""The lane that proves a copied store: by both databases, and through both servers' interface."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, alternate
from tests.benchmarks.objects.servers import Bench
from tests.benchmarks.registry import US
from tests.benchmarks.registry.seeded import Seeded, served, sizes

MOST_OF_THE_COPY = 0.25
COPY, THROUGH_SERVERS = "heavylift copy", "heavylift, through servers"


def verify(bench: Bench, runs: int, scale: float) -> Result:
    """Measure both proofs beside the copy; ``seconds`` is the work's own time, without Python's start."""
    sized = sizes(scale)
    ours = served(bench, sized)
    rows = ours.rows()
    found = alternate([_copy(ours), _databases(ours), _servers(ours)], runs, bench.say)
    goals = (Goal("seconds", MOST_OF_THE_COPY, (COPY,)),)
    return Result(f"{sized.runs:,} runs, {rows:,} rows", US, found, goals)


def _copy(ours: Seeded) -> Contender:
    def check(_number: int, printed: Path) -> Mapping[str, float]:
        ours.demand_equal()
        return {"seconds": json.loads(printed.read_text())["copy"]["seconds"]}

    return Contender(
        COPY, lambda number: [ours.command("copy", f"copy-{number}")], check, lambda _: ours.make_room()
    )


def _databases(ours: Seeded) -> Contender:
    """The proof by digests of every table, which both databases compute."""

    def check(_number: int, printed: Path) -> Mapping[str, float]:
        found = json.loads(printed.read_text())
        if found["unequal"] or not found["tables"]:
            raise NoFigureError(f"it found {found['unequal']} unequal")
        return {"seconds": found["seconds"]}

    step = ours.command("databases", "proof", module="tests.benchmarks.registry.ours")
    return Contender(US, lambda _: [step], check)


def _servers(ours: Seeded) -> Contender:
    """The whole verification: both proofs, of which the one through the servers takes the time."""

    def check(_number: int, printed: Path) -> Mapping[str, float]:
        found = json.loads(printed.read_text())["verification"]
        if not found["passed"]:
            raise NoFigureError(found["statement"])
        return {"seconds": found["seconds"]}

    return Contender(
        THROUGH_SERVERS, lambda number: [ours.command("verify", f"verify-{number}", "--no-artifacts")], check
    )
