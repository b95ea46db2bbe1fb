"""``python -m tests.benchmarks [LANE] [--json FILE] [--runs N]``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from tests.benchmarks.objects import LOADS, run_lane


def main(arguments: list[str]) -> int:
    """Run one lane, or all, and print or store the figures."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("lane", nargs="?", choices=sorted(LOADS), help="default: all lanes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    parser.add_argument("--runs", type=int, default=5, help="runs of each tool (default 5)")
    options = parser.parse_args(arguments)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    lanes = [options.lane] if options.lane else sorted(LOADS)
    results = [run_lane(lane, options.runs, lambda text: print(text, flush=True)) for lane in lanes]
    if options.json:
        machine = {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()}
        options.json.write_text(json.dumps({"machine": machine, "lanes": results}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
