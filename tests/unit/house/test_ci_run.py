""".ci/run runs the checks and the tests, both, and tells the truth about them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEV = """#!/usr/bin/env bash
echo "$PWD $*" >>"$CALLS"
case "$1" in check) exit "$CHECK";; test) exit "$TEST";; *) exit 99;; esac
"""


def run(repository: Path, root: Path, check: int, test: int) -> subprocess.CompletedProcess[str]:
    """Run a copy of .ci/run beside a ./dev that ends as told, from another folder."""
    (root / ".ci").mkdir()
    shutil.copy(repository / ".ci" / "run", root / ".ci" / "run")
    (root / "dev").write_text(DEV)
    (root / "dev").chmod(0o755)
    return subprocess.run(
        ["bash", str(root / ".ci" / "run")],
        env={
            "PATH": os.environ["PATH"],
            "CALLS": str(root / "calls"),
            "CHECK": str(check),
            "TEST": str(test),
        },
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(("check", "test", "failed"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (2, 5, 1)])
def test_both_run_and_either_can_fail(
    tmp_path: Path, repository: Path, check: int, test: int, failed: int
) -> None:
    done = run(repository, tmp_path, check, test)
    assert done.returncode == failed
    assert (tmp_path / "calls").read_text() == f"{tmp_path} check\n{tmp_path} test --share 1/8\n"
    assert ("all: passed after" in done.stdout) is (failed == 0)
    assert f"check: exit status {check} after" in done.stdout
    assert f"test: exit status {test} after" in done.stdout


def test_without_dev_it_fails(tmp_path: Path, repository: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(repository / ".ci" / "run", tmp_path / ".ci" / "run")
    done = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1


@pytest.mark.parametrize("name", [".ci/run", "dev"])
def test_the_scripts_can_be_executed(repository: Path, name: str) -> None:
    assert os.access(repository / name, os.X_OK)
