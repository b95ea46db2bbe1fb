"""Measuring whole processes: wall time, processor time of the process and its children, memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.watching import MemoryWatch

_TAIL = 1500
_LAUNCHER = Path(__file__).parent / "launch.py"


class NoFigureError(Exception):
    """A tool failed, or did not do all of the work: what it took says nothing."""


@dataclass(frozen=True)
class Sample:
    """One run of one tool. Processor time is the tool's own, not its servers'.

    :param extra: figures of this lane only, such as the requests that a server counted.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    extra: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One command line of a tool, with what it adds to the environment.

    :param accepts: exit statuses of work that was done.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    accepts: frozenset[int] = frozenset({0})


Check = Callable[[int, Path], Mapping[str, float]]
"""Given the number of a run and the file of its standard output: raises NoFigureError where
something was left undone, else returns the extra figures."""


def nothing(_number: int) -> None:
    """Do nothing before or after a run."""


@dataclass(frozen=True)
class Contender:
    """A tool in a lane.

    :param steps: makes the command lines of run number n; they are timed together.
    :param check: looks whether the work was done; not timed, as are the others.
    :param prepare: makes room for a run, such as an empty bucket.
    :param clean: throws away what a run made.
    """

    name: str
    steps: Callable[[int], Sequence[Step]]
    check: Check
    prepare: Callable[[int], None] = nothing
    clean: Callable[[int], None] = nothing


@dataclass
class Found:
    """What was measured: samples by tool, and why a tool has none."""

    samples: dict[str, list[Sample]]
    failures: dict[str, str] = field(default_factory=dict)

    def complete(self, name: str) -> list[Sample] | None:
        """Return a tool's samples, None where it failed once."""
        return None if name in self.failures else self.samples.get(name)


def alternate(contenders: Sequence[Contender], runs: int, say: Callable[[str], None]) -> Found:
    """Run all tools in turn, ``runs`` times, so that a drifting machine drifts for all alike.

    Each round begins with another tool. A tool that failed is not run again.
    """
    found = Found({contender.name: [] for contender in contenders})
    for number in range(runs):
        first = number % len(contenders)
        for contender in [*contenders[first:], *contenders[:first]]:
            if contender.name not in found.failures:
                _try(contender, number, runs, found, say)
    return found


def _try(contender: Contender, number: int, runs: int, found: Found, say: Callable[[str], None]) -> None:
    head = f"  run {number + 1}/{runs} {contender.name:<28}"
    try:
        sample = run_once(contender, number)
    except NoFigureError as error:
        found.failures[contender.name] = str(error)
        say(f"{head} NO FIGURE: {error}")
        return
    found.samples[contender.name].append(sample)
    extra = "".join(f"  {name.replace('_', ' ')} {value:g}" for name, value in sample.extra.items())
    say(
        f"{head} {sample.wall_seconds:7.2f} s wall {sample.cpu_seconds:7.2f} s cpu"
        f" {sample.peak_mib:6.0f} MiB{extra}"
    )


def run_once(contender: Contender, number: int) -> Sample:
    """Run a tool to its end and look at what it did.

    :raises NoFigureError: it failed, or left something undone.
    """
    contender.prepare(number)
    with tempfile.TemporaryDirectory(prefix="heavylift-bench-log-") as folder:
        output = Path(folder) / "out"
        try:
            parts = [measure(step, output, contender.name) for step in contender.steps(number)]
            extra = contender.check(number, output)
        finally:
            contender.clean(number)
    return Sample(
        sum(part.wall_seconds for part in parts),
        sum(part.cpu_seconds for part in parts),
        max(part.peak_mib for part in parts),
        extra,
    )


def measure(step: Step, output: Path, name: str) -> Sample:
    """Run one command line with its standard output in a file.

    :raises NoFigureError: its exit status is not accepted.
    """
    errors, result = output.with_suffix(".errors"), output.with_suffix(".used")
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), str(result), *step.command],
            env=os.environ | dict(step.environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        watch = MemoryWatch(process.pid)
        watch.start()
        launched = process.wait()
    watched = watch.stop()
    wall, cpu, peak_kib, status = result.read_text().split() if launched == 0 else ("0", "0", "0", "127")
    if int(status) not in step.accepts:
        told = (errors.read_bytes()[-_TAIL:] or output.read_bytes()[-_TAIL:]).decode(errors="replace")
        raise NoFigureError(f"{name} ended with {status}: {told}")
    return Sample(float(wall), float(cpu), max(watched, int(peak_kib)) / 2**10)
