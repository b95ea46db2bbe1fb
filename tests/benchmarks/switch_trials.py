"""How long a switch takes under load: ``./dev bench switch [--switches N] [--json FILE]``.

Cutovers and rollbacks of a small workload in turns, on the sandbox's servers: two writers through Envoy's
listener, one session to each database past it, and 20 requests a second through Envoy's route. Ends with 1
where a request failed, or a row was lost or doubled.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from heavylift.cutover.api import SwitchRequest, bring_to
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.evidence.switch_records import SwitchRecord
from heavylift.fencing import Side
from heavylift.spec.load import load_spec
from heavylift.switching.parts import open_parts
from sandbox.stack import Stack
from tests.support.switched import Applications, Switched, switched

ROWS_BEFORE = 200
"""Rows that are written between two switches."""


@dataclass(frozen=True)
class Timed:
    """One switch.

    :param pause: seconds for which writes were kept back, by the switch's own record.
    :param waited: the longest that a writer waited for an acknowledgement, reconnecting included.
    :param whole: from the call to its end: writes and requests are on the other side, proof is kept.
    """

    goal: str
    pause: float
    waited: float
    whole: float


def measure(workload: Switched, switches: int) -> tuple[list[Timed], dict[str, int]]:
    """Switch back and forth; return each switch's times, and what became of requests and rows."""
    timed = []
    with Applications(workload, *Side) as applications:
        writer = applications.through
        for number in range(switches * 2):
            goal = Side.SOURCE if number % 2 else Side.TARGET
            writer.wait_for(ROWS_BEFORE)
            writer.longest_pause = 0.0
            began = time.monotonic()
            record = asyncio.run(_bring(workload, goal, f"{number}"))
            whole = time.monotonic() - began
            writer.wait_for(ROWS_BEFORE)
            timed.append(Timed(goal.value, record.write_pause_seconds, writer.longest_pause, whole))
    there, known = set(workload.ids(Side.SOURCE)), set(applications.acknowledged)
    return timed, {
        "requests": applications.load.answered,
        "failed_requests": applications.load.failures.total(),
        "rows": len(known),
        "lost_rows": len(known - there),
        "unknown_rows": len(there - known),
    }


async def _bring(workload: Switched, goal: Side, name: str) -> SwitchRecord:
    spec = load_spec(workload.spec_file)
    phase = "rollback" if goal is Side.SOURCE else "cutover"
    run = RunKey(migration=spec.migration, phase=phase, run=name)
    async with (
        open_evidence(workload.evidence_url, None) as store,
        open_parts(spec, run, workload.connection) as parts,
    ):
        return (await bring_to(SwitchRequest(store, run, parts, "bench", 60.0), goal))[0]


def main(arguments: Sequence[str]) -> int:
    """Run the switches and print the figures; 1 where something was lost."""
    parser = argparse.ArgumentParser(prog="./dev bench switch", description=__doc__)
    parser.add_argument("--switches", type=int, default=5, help="cutovers, and as many rollbacks (default 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    options = parser.parse_args(arguments)
    with (
        _servers() as stack,
        tempfile.TemporaryDirectory() as folder,
        switched(stack, Path(folder)) as workload,
    ):
        asyncio.run(_frozen(workload))
        timed, counts = measure(workload, options.switches)
    print(text(timed, counts))
    if options.json:
        figures = {"switches": [asdict(each) for each in timed], **counts, "load_average": os.getloadavg()}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if any(value for name, value in counts.items() if "_" in name) else 0


async def _frozen(workload: Switched) -> None:
    """Take a turn, so that the target takes no writes but those of its own switch."""
    from heavylift.cutover.api import begin_turn

    spec = load_spec(workload.spec_file)
    run = RunKey(migration=spec.migration, phase="cutover", run="begin")
    async with (
        open_evidence(workload.evidence_url, None) as store,
        open_parts(spec, run, workload.connection) as parts,
    ):
        await begin_turn(SwitchRequest(store, run, parts, "bench", 60.0), Side.TARGET)


@contextmanager
def _servers() -> Iterator[Stack]:
    # The databases' own user must get there, too.
    with tempfile.TemporaryDirectory(prefix="heavylift-bench-") as folder:
        Path(folder).chmod(0o711)
        stack = Stack.start(Path(folder), ("traffic", "features_source", "features_target"))
        try:
            yield stack
        finally:
            stack.stop()


def text(timed: list[Timed], counts: dict[str, Any]) -> str:
    """Return a table of medians and maxima, in seconds, and the counts."""
    lines = ["| | writes paused | a writer waited | from the call to the end |", "|---|---|---|---|"]
    for goal, name in (("target", "cutover"), ("source", "rollback")):
        these = [each for each in timed if each.goal == goal]
        cells = [
            f"{statistics.median(values):.2f} (at most {max(values):.2f})"
            for values in (
                [each.pause for each in these],
                [each.waited for each in these],
                [each.whole for each in these],
            )
        ]
        lines.append(f"| {len(these)} x {name} | {' | '.join(cells)} |")
    told = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in counts.items())
    return "\n".join([*lines, told, f"load average {os.getloadavg()[0]:.1f}"])
