"""The lane of the first copy: a million rows, beside PostgreSQL's subscription and ``pg_dump | psql``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Check, Contender, Step, alternate
from tests.benchmarks.objects.servers import REPOSITORY, Bench
from tests.benchmarks.tables import US
from tests.benchmarks.tables.sides import COLUMNS, SOURCE, TARGET, Sides, sides

ROWS = 1_000_000
NATIVE, DUMP = "subscription", "pg_dump | psql"
# 1.25 times the subscription's rate; the whole command, with its start, preflight, schema and evidence.
GOALS = (Goal("wall_seconds", 0.8, (NATIVE,)), Goal("peak_mib", 300))


def copy(bench: Bench, runs: int, scale: float) -> Result:
    """Measure the first copy of one table."""
    rows = max(1000, int(ROWS * scale))
    pair = sides(bench.stack(SOURCE, TARGET).env, "bench_copy")
    bench.say(f"  filling the source: {rows:,} rows")
    pair.fill(rows)
    contenders = [_ours(bench, pair), _native(pair), _dump(pair)]
    found = alternate(contenders, runs, bench.say)
    return Result(f"{rows:,} rows of ten columns", US, found, GOALS)


def _ours(bench: Bench, pair: Sides) -> Contender:
    def steps(number: int) -> list[Step]:
        evidence = bench.folder / f"evidence-{number}"
        command = [
            *(sys.executable, "-m", "heavylift", "tables", "snapshot"),
            *("--source-conn", SOURCE, "--target-conn", TARGET, "--migration", f"bench-{number}"),
            *("--evidence", f"file://{evidence}", "--no-verify", "--json"),
        ]
        return [Step(command, _environment(pair))]

    return Contender(US, steps, _check(pair), lambda _: pair.make_room(), lambda _: pair.throw_away())


def _native(pair: Sides) -> Contender:
    def prepare(_number: int) -> None:
        pair.make_room()
        pair.on_target(COLUMNS)

    steps = [_peer(pair, "native")]
    return Contender(NATIVE, lambda _: steps, _check(pair), prepare, lambda _: pair.throw_away())


def _dump(pair: Sides) -> Contender:
    steps = [_peer(pair, "dump")]
    return Contender(
        DUMP, lambda _: steps, _check(pair), lambda _: pair.make_room(), lambda _: pair.throw_away()
    )


def _peer(pair: Sides, way: str) -> Step:
    return Step([sys.executable, "-m", "tests.benchmarks.tables.peers", way], _environment(pair))


def _environment(pair: Sides) -> dict[str, str]:
    path = os.pathsep.join([str(REPOSITORY / "include"), str(REPOSITORY)])
    return {**pair.env, "PYTHONPATH": path}


def _check(pair: Sides) -> Check:
    def check(_number: int, _printed: Path) -> Mapping[str, float]:
        pair.demand_equal()
        return {}

    return check
