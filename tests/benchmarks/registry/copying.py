"""The lanes that copy a store: beside the peer, with nothing new, and with millions of rows."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.examples.experiments import Sizes
from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, Step, alternate
from tests.benchmarks.objects.servers import Bench
from tests.benchmarks.registry import PEER, US, interface, peer
from tests.benchmarks.registry.defaults import FILES, default_servers, demand_equal_files
from tests.benchmarks.registry.seeded import Seeded, seeded, sizes
from tests.support.stores import OBJECTS

WITH_TABLES = "heavylift, tables made"
MILLIONS = 20
LEAST_ROWS_A_SECOND = 150_000
MOST_IDLE_SECONDS = 2.0


def copy(bench: Bench, runs: int, scale: float) -> Result:
    """Copy everything, artifacts too, beside the peer in its best case."""
    sized = sizes(scale)
    with seeded(bench, sized, artifacts=True) as ours:
        rows = ours.rows()
        servers = peer.servers(bench, sized)
        through = interface.contender(bench, servers)
        contenders = [_ours(ours), _with_tables(ours), through, peer.contender(bench, servers)]
        found = alternate(contenders, runs, bench.say)
    goals = (
        Goal("wall_seconds", 1 / 100, (PEER,)),
        Goal("wall_seconds", 1 / 40, (PEER,), WITH_TABLES),
        Goal("wall_seconds", 1 / 6, (PEER,), interface.INTERFACE),
    )
    return Result(f"{sized.runs:,} runs, {rows:,} rows and their artifacts", US, found, goals)


def copy_defaults(bench: Bench, runs: int, scale: float) -> Result:
    """Copy between two servers as MLflow starts them, which hand artifacts out from their folders."""
    sized = sizes(scale)
    with default_servers(bench, sized) as (servers, stores):
        rows = stores.rows()
        contenders = [
            _ours(stores, objects=FILES, also=lambda: demand_equal_files(servers)),
            interface.contender(bench, servers),
            peer.contender(bench, servers),
        ]
        found = alternate(contenders, runs, bench.say)
    goals = (
        Goal("wall_seconds", 1 / 100, (PEER,)),
        Goal("wall_seconds", 1 / 6, (PEER,), interface.INTERFACE),
    )
    return Result(f"{sized.runs:,} runs, {rows:,} rows, artifacts in the servers' folders", US, found, goals)


def idle(bench: Bench, runs: int, scale: float) -> Result:
    """Sync a copied store to which nothing has come: it must write nothing."""
    sized = sizes(scale)
    with seeded(bench, sized) as ours:
        ours.make_room()
        _once(ours.command("copy", "first"))
        before = ours.stores.writes()

        def check(_number: int, printed: Path) -> Mapping[str, float]:
            written = _document(printed)["sync"]["written"]
            if written or ours.stores.writes() != before:
                raise NoFigureError(f"{written} rows were written, by the servers' own count"
                                    f" {ours.stores.writes() - before}")  # fmt: skip
            return {}

        idle_sync = Contender(US, lambda number: [ours.command("sync", f"idle-{number}")], check)
        found = alternate([idle_sync], runs, bench.say)
        rows = ours.rows()
    goals = (Goal("wall_seconds", MOST_IDLE_SECONDS),)
    return Result(f"a sync of nothing new, {rows:,} rows", US, found, goals)


def millions(bench: Bench, runs: int, scale: float) -> Result:
    """Copy a store of three million rows."""
    sized = sizes(MILLIONS * scale)
    with seeded(bench, Sizes(sized.runs, traces=60)) as ours:
        rows = ours.rows()
        found = alternate([_ours(ours, rows, objects=())], runs, bench.say)
    goals = (
        Goal("microseconds_a_row", 1e6 / LEAST_ROWS_A_SECOND),
        Goal("peak_mib", 400 * 1e6 / 2**20),
    )
    return Result(f"{sized.runs:,} runs, {rows:,} rows", US, found, goals)


def _ours(
    ours: Seeded, rows: int = 0, *, objects: Sequence[str] = OBJECTS, also: Callable[[], None] = lambda: None
) -> Contender:
    def check(_number: int, printed: Path) -> Mapping[str, float]:
        ours.demand_equal()
        also()
        seconds = _document(printed)["copy"]["seconds"]
        return {"store_seconds": seconds} | ({"microseconds_a_row": seconds / rows * 1e6} if rows else {})

    return Contender(
        US,
        lambda number: [ours.command("copy", f"copy-{number}", *objects)],
        check,
        lambda _: ours.make_room(),
    )


def _with_tables(ours: Seeded) -> Contender:
    def steps(number: int) -> list[Step]:
        return [ours.command("copy", f"made-{number}", "--make-tables", *OBJECTS)]

    def check(_number: int, _printed: Path) -> Mapping[str, float]:
        ours.demand_equal()
        return {}

    return Contender(WITH_TABLES, steps, check, lambda _: ours.empty_database())


def _once(step: Step) -> None:
    subprocess.run(
        step.command, env={**os.environ, **step.environment}, check=True, stdout=subprocess.DEVNULL
    )


def _document(printed: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed.read_text())
    return found
