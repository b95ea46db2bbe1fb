"""Measuring real processes: what a run counts, and when it has no figure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.benchmarks.measure import Contender, NoFigureError, Sample, Step, alternate, run_once

_MIB = 1 << 20


def python(code: str) -> Step:
    return Step([sys.executable, "-S", "-c", code])


def fine(_number: int, _output: Path) -> Mapping[str, float]:
    return {}


def run(*code: str) -> Sample:
    return run_once(Contender("tool", lambda _: [python(text) for text in code], fine), 0)


def test_processor_time_of_children_counts() -> None:
    busy = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    sample = run(f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {busy!r}])")
    assert sample.cpu_seconds >= 0.2
    assert sample.wall_seconds >= 0.2


def test_memory_is_the_tools_own_peak_though_it_was_given_back() -> None:
    small = run("pass")
    big = run(f"kept = bytearray({64 * _MIB}); kept[::4096] = b'x' * len(kept[::4096]); del kept")
    assert big.peak_mib - small.peak_mib > 48


def test_memory_of_processes_that_live_at_the_same_time_adds_up() -> None:
    hold = f"b = bytearray({40 * _MIB}); b[::4096] = b'x' * len(b[::4096]); print(flush=True); input()"
    code = (
        "import subprocess, sys, time\n"
        "pipe = subprocess.PIPE\n"
        f"argv = [sys.executable, '-S', '-c', {hold!r}]\n"
        "held = [subprocess.Popen(argv, stdin=pipe, stdout=pipe) for _ in range(2)]\n"
        "for process in held: process.stdout.readline()\n"
        "time.sleep(0.3)\n"
        "for process in held: process.communicate(b'\\n')\n"
    )
    # Without /proc only the largest process is known.
    assert run(code).peak_mib > (80 if sys.platform == "linux" else 40)


def test_steps_are_timed_together() -> None:
    sample = run("import time; time.sleep(0.1)", "import time; time.sleep(0.1)")
    assert sample.wall_seconds >= 0.2


def test_a_failure_is_no_figure_and_tells_why() -> None:
    with pytest.raises(NoFigureError, match=r"tool ended with 3: .*went wrong"):
        run("import sys; print('this went wrong', file=sys.stderr); sys.exit(3)")


def test_what_a_check_finds_is_the_tools_failure_and_room_is_made_all_the_same() -> None:
    cleaned: list[int] = []

    def check(number: int, output: Path) -> Mapping[str, float]:
        if output.read_text() != "done\n":
            raise NoFigureError("3 objects are missing")
        return {"requests": number}

    def tool(text: str) -> Contender:
        return Contender(text, lambda _: [python(f"print({text!r})")], check, clean=cleaned.append)

    said: list[str] = []
    found = alternate([tool("done"), tool("half")], 2, said.append)
    assert found.failures == {"half": "3 objects are missing"}
    assert found.complete("half") is None
    assert [sample.extra for sample in found.samples["done"]] == [{"requests": 0}, {"requests": 1}]
    assert cleaned == [0, 0, 1]
    assert sum("NO FIGURE" in line for line in said) == 1


def test_each_round_begins_with_another_tool() -> None:
    order: list[str] = []

    def tool(name: str) -> Contender:
        def prepare(number: int) -> None:
            order.append(f"{name}{number}")

        return Contender(name, lambda _: [python("pass")], fine, prepare)

    alternate([tool("a"), tool("b"), tool("c")], 2, lambda _: None)
    assert order == ["a0", "b0", "c0", "b1", "c1", "a1"]
