"""The stub store as a process: what it was asked, and that it does not outlive who started it."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.stub.running import REPOSITORY, did


def test_what_was_asked_between_two_reports_is_told_by_kind() -> None:
    before = {"counts": {"get": 2, "list": 1}, "cpu_seconds": 0.5}
    after = {"counts": {"get": 5, "list": 1, "put": 3}, "cpu_seconds": 0.75}
    assert did(before, after) == {"server_cpu": 0.25, "get": 3, "list": 0, "put": 3}


def test_it_ends_when_its_parent_does() -> None:
    argv = [sys.executable, "-m", "tests.benchmarks.stub", "--attached", "--objects", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(30) == 0
