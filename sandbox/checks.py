"""``./dev check``: every check that needs no server, one line each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox import lock
from sandbox.paths import REPO

_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Check:
    """One check.

    :param run: returns what is wrong, or an empty text.
    """

    name: str
    run: Callable[[], str]


def main() -> int:
    """Run every check, also after one failed; return 0 if all passed."""
    failed = []
    for check in _CHECKS:
        began = time.monotonic()
        problem = check.run()
        seconds = time.monotonic() - began
        print(f"  {'FAILED' if problem else 'ok':<7} {seconds:6.1f} s  {check.name}", flush=True)
        if problem:
            failed.append(check.name)
            print("\n".join(f"      {line}" for line in problem.splitlines()), flush=True)
    print(f"{len(_CHECKS) - len(failed)} of {len(_CHECKS)} checks passed")
    return 1 if failed else 0


def _tool(name: str, *arguments: str) -> Check:
    def run() -> str:
        done = subprocess.run(
            [str(_BIN / name), *arguments], cwd=REPO, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return ""
        return f"{done.stdout}{done.stderr}".strip() or f"exit status {done.returncode}"

    return Check(" ".join((name, *arguments)), run)


def _lock_is_fresh() -> str:
    return "\n".join(lock.stale(REPO / "requirements.in", REPO / "requirements.txt"))


_CHECKS = (
    _tool("ruff", "check", "--quiet"),
    _tool("ruff", "format", "--check", "--quiet"),
    _tool("mypy"),
    _tool("lint-imports"),
    _tool("codespell"),
    Check("requirements.txt answers requirements.in", _lock_is_fresh),
)
