"""Measuring whole processes: wall time, processor time of the process and its children, memory."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Sample:
    """One run of one tool. Processor time is the tool's own, not its servers'."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Contender:
    """A tool in a lane.

    :param command: makes the command line for run number n.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    environment: Mapping[str, str]


def run_once(contender: Contender, number: int) -> Sample:
    """Run a tool to its end.

    :raises RuntimeError: it failed; a failed run is no measurement.
    """
    command = list(contender.command(number))
    log = Path(f"/tmp/heavylift-bench-{os.getpid()}.log")
    began = time.monotonic()
    with log.open("w") as sink:
        process = subprocess.Popen(
            command, env=os.environ | dict(contender.environment), stdout=sink, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(errors="replace")
    log.unlink()
    if process.returncode != 0:
        raise RuntimeError(f"{contender.name} ended with {process.returncode}: {text[-2000:]}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, _mib(usage))


def _mib(usage: resource.struct_rusage) -> float:
    # Linux counts in KiB, macOS in bytes.
    return usage.ru_maxrss / (2**10 if os.uname().sysname == "Linux" else 2**20)


def alternate(
    contenders: Sequence[Contender], runs: int, say: Callable[[str], None]
) -> dict[str, list[Sample]]:
    """Run all tools in turn, ``runs`` times, so that a drifting machine drifts for all alike."""
    found: dict[str, list[Sample]] = {c.name: [] for c in contenders}
    for number in range(runs):
        for contender in contenders:
            sample = run_once(contender, number)
            found[contender.name].append(sample)
            say(
                f"  run {number + 1}/{runs} {contender.name:<28} {sample.wall_seconds:6.1f} s wall"
                f" {sample.cpu_seconds:6.2f} s cpu {sample.peak_mib:6.0f} MiB"
            )
    return found


def table(found: Mapping[str, list[Sample]], base: str) -> list[dict[str, Any]]:
    """Return medians, and the median of the run-by-run ratios of ``base`` to each tool."""
    rows = []
    for name, samples in found.items():
        pairs = list(zip(found[base], samples, strict=True))
        rows.append(
            {
                "tool": name,
                "wall_seconds": statistics.median(s.wall_seconds for s in samples),
                "cpu_seconds": statistics.median(s.cpu_seconds for s in samples),
                "peak_mib": statistics.median(s.peak_mib for s in samples),
                "wall_ratio": statistics.median(b.wall_seconds / s.wall_seconds for b, s in pairs),
                "cpu_ratio": statistics.median(b.cpu_seconds / s.cpu_seconds for b, s in pairs),
                "runs": [asdict(s) for s in samples],
            }
        )
    return rows


def as_text(rows: list[dict[str, Any]], base: str) -> str:
    """Return the table for people; a ratio below 1 means that ``base`` needs less."""
    lines = [f"{'tool':<30}{'wall s':>9}{'cpu s':>9}{'MiB':>7}{f'{base}/tool wall':>22}{'cpu':>7}"]
    lines += [
        f"{r['tool']:<30}{r['wall_seconds']:>9.2f}{r['cpu_seconds']:>9.2f}{r['peak_mib']:>7.0f}"
        f"{r['wall_ratio']:>22.2f}{r['cpu_ratio']:>7.2f}"
        for r in rows
    ]
    return "\n".join(lines)
