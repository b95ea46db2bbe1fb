"""``python -m tests.benchmarks [LANE|GROUP|canary|switch] [--runs N] [--scale X] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import canary_trials, switch_trials
from tests.benchmarks.catalog import LANES, chosen
from tests.benchmarks.lanes import Say, report
from tests.benchmarks.objects.peers import program
from tests.benchmarks.objects.servers import Bench, bench


def main(arguments: list[str]) -> int:
    """Run the lanes and print or store the figures; return 1 where a tool has none."""
    if arguments[:1] == ["canary"]:
        # Judges instead of tools, and trials instead of runs.
        return canary_trials.main(arguments[1:])
    if arguments[:1] == ["switch"]:
        return switch_trials.main(arguments[1:])
    options = _parse(arguments)
    # Told to end, end as after Ctrl-C: servers stop, and what was filled is thrown away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    lanes = chosen(options.lane)
    say: Say = lambda text: print(text, flush=True)  # noqa: E731
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    document: dict[str, Any] = {"began_at": began, "machine": _machine(), "lanes": []}
    with bench(say) as lent:
        for lane in lanes:
            document["lanes"].append(_run(lent, lane, options, say))
            # After each lane: an hour's figures are not lost by what breaks in the last one.
            if options.json:
                options.json.write_text(json.dumps(document, indent=2) + "\n")
    return 1 if any("no_figure" in tool for lane in document["lanes"] for tool in lane["tools"]) else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    groups = sorted({lane.partition("-")[0] for lane in LANES})
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("lane", nargs="?", choices=[*groups, *LANES], metavar="LANE", help="default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    parser.add_argument("--runs", type=int, default=5, help="runs of each tool (default 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="a trial with less: 0.1 is a tenth")
    options = parser.parse_args(arguments)
    if options.runs < 1 or not 0 < options.scale <= 1:
        parser.error("--runs is at least 1, and --scale above 0 and at most 1")
    return options


def _run(lent: Bench, lane: str, options: argparse.Namespace, say: Say) -> dict[str, Any]:
    say(f"\n{lane}")
    began = time.monotonic()
    result = LANES[lane](lent, options.runs, options.scale)
    say(f"{lane}: {result.load}; medians of {options.runs}")
    return report(lane, result, runs=options.runs, scale=options.scale, began=began, say=say)


def _machine() -> dict[str, Any]:
    versions = {name: _version(name) for name in ("rclone", "s5cmd")}
    return {
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "peers": versions,
    }


def _version(name: str) -> str:
    told = subprocess.run([program(name), "version"], capture_output=True, text=True, check=True).stdout
    return told.splitlines()[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
