"""The lane of the backlog: 200,000 changes of a million rows, applied by us and by a subscription."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from heavylift.tables.postgres.connect import connect
from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Check, Contender, NoFigureError, Step, alternate
from tests.benchmarks.objects.servers import REPOSITORY, Bench
from tests.benchmarks.tables import US
from tests.benchmarks.tables.sides import COLUMNS, SOURCE, TARGET, Sides, sides

ROWS, CHANGES, MANY_CHANGES = 1_000_000, 200_000, 1_000_000
NATIVE = "subscription"
A_TRANSACTION = 100
"""Changes in one transaction of the application: 25 inserts, 60 updates, 15 deletes."""
# As fast as the subscription's worker; the whole command, with its start, its looks at both servers and
# its evidence.
GOALS = (Goal("wall_seconds", 1.0, (NATIVE,)), Goal("peak_mib", 300))
MEMORY_GOALS = (Goal("peak_mib", 300),)

_INSERT = """
INSERT INTO big SELECT i, md5(i::text)::uuid, i * 1.2345, i %% 1000, repeat(md5(i::text), 2),
    ARRAY['x' || i %% 10, 'y'], jsonb_build_object('k', i, 'v', md5((i + 1)::text)), i / 3.0, now(),
    i %% 2 = 0 FROM generate_series(%s::bigint, %s::bigint) i
"""


def apply(bench: Bench, runs: int, scale: float) -> Result:
    """Measure one bounded sync over a backlog."""
    rows, changes = max(1000, int(ROWS * scale)), max(1000, int(CHANGES * scale))
    pair = sides(bench.stack(SOURCE, TARGET).env, "bench_apply")
    bench.say(f"  filling the source: {rows:,} rows")
    pair.fill(rows)
    writer = Application(pair, rows, changes)
    found = alternate([ours(bench, pair, writer), _native(pair, writer)], runs, bench.say)
    return Result(f"{changes:,} changes of {rows:,} rows", US, found, GOALS)


def apply_many(bench: Bench, runs: int, scale: float) -> Result:
    """Measure the memory of one bounded sync over a backlog of a million changes."""
    rows, changes = max(1000, int(ROWS * scale / 5)), max(1000, int(MANY_CHANGES * scale))
    pair = sides(bench.stack(SOURCE, TARGET).env, "bench_many")
    bench.say(f"  filling the source: {rows:,} rows")
    pair.fill(rows)
    found = alternate([ours(bench, pair, Application(pair, rows, changes))], runs, bench.say)
    return Result(f"{changes:,} changes of {rows:,} rows", US, found, MEMORY_GOALS)


class Application:
    """Writes the same kind of backlog for every contender."""

    def __init__(self, pair: Sides, rows: int, changes: int) -> None:
        self._pair, self._last, self._changes = pair, rows, changes
        self._random = random.Random(4)

    def write(self) -> int:
        """Write one backlog; return how many rows it changed."""
        changed = 0
        with connect(self._pair.source, "bench", autocommit=False) as session:
            session.execute("SET search_path = public")
            for _ in range(self._changes // A_TRANSACTION):
                first = self._last + 1
                self._last += A_TRANSACTION // 4
                changed += session.execute(_INSERT.encode(), [first, self._last]).rowcount
                changed += session.execute(
                    "UPDATE big SET price = price + 1, note = md5(note), at = now() WHERE id = ANY(%s)",
                    [self._some(60)],
                ).rowcount
                gone = session.execute("DELETE FROM big WHERE id = ANY(%s)", [self._some(15)])
                changed += gone.rowcount
                session.commit()
        for side in (self._pair.source, self._pair.target):
            with connect(side, "bench") as session:
                session.execute("CHECKPOINT")
        return changed

    def _some(self, number: int) -> list[int]:
        return [self._random.randrange(1, self._last) for _ in range(number)]


def ours(bench: Bench, pair: Sides, writer: Application) -> Contender:
    """Return our bounded sync over a backlog of ``writer``, rows compared afterwards."""

    def command(act: str, number: int, *more: str) -> list[str]:
        return [
            *(sys.executable, "-m", "heavylift", "tables", act),
            *("--source-conn", SOURCE, "--target-conn", TARGET, "--migration", f"bench-{number}"),
            *("--evidence", f"file://{bench.folder / f'evidence-{number}'}", "--json", *more),
        ]

    def prepare(number: int) -> None:
        pair.make_room()
        _run(command("snapshot", number, "--no-verify"), pair)
        writer.write()

    def steps(number: int) -> list[Step]:
        return [Step(command("sync", number), _environment(pair))]

    return Contender(US, steps, _check(pair), prepare, lambda _: pair.throw_away())


def _native(pair: Sides, writer: Application) -> Contender:
    def prepare(_number: int) -> None:
        pair.make_room()
        pair.on_target(COLUMNS)
        _run([sys.executable, "-m", "tests.benchmarks.tables.peers", "native"], pair)
        pair.on_target("ALTER SUBSCRIPTION bench DISABLE")
        writer.write()

    steps = [Step([sys.executable, "-m", "tests.benchmarks.tables.peers", "catch-up"], _environment(pair))]
    return Contender(NATIVE, lambda _: steps, _check(pair), prepare, lambda _: pair.throw_away())


def _run(command: list[str], pair: Sides) -> None:
    environment = {**os.environ, **_environment(pair)}
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoFigureError(f"preparing failed: {done.stderr[-1000:]}")


def _environment(pair: Sides) -> dict[str, str]:
    path = os.pathsep.join([str(REPOSITORY / "include"), str(REPOSITORY)])
    return {**pair.env, "PYTHONPATH": path}


def _check(pair: Sides) -> Check:
    def check(_number: int, _printed: Path) -> Mapping[str, float]:
        pair.demand_equal()
        return {}

    return check
