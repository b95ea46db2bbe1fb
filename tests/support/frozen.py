"""Stopping a process that goes on later, as a machine does that stands still for a while."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from sandbox.waiting import until

_STOPPED, _DEAD = "T", "ZX"


def freeze(process: int) -> None:
    """Stop a process; return once all its threads stand still, or it has ended.

    The kernel stops it when it is next due: on a busy machine it may well answer once more before that.
    """
    os.kill(process, signal.SIGSTOP)
    seen = until(lambda: _states(process) <= {*_STOPPED, *_DEAD}, seconds=60, longest=0.05)
    assert seen, f"process {process} goes on"


def wait_until_frozen(process: subprocess.Popen[str]) -> None:
    """Wait for a process that stops itself."""

    def seen() -> bool:
        return process.poll() is not None or _states(process.pid) == {_STOPPED}

    assert until(seen, seconds=600, longest=0.05), f"process {process.pid} goes on"
    if process.returncode is not None:
        raise AssertionError(process.communicate())


def _states(process: int) -> set[str]:
    return {_state(thread) for thread in Path(f"/proc/{process}/task").iterdir()}


def _state(thread: Path) -> str:
    try:
        # The name before it may hold spaces and brackets.
        return (thread / "stat").read_text().rpartition(") ")[2][:1]
    except OSError:  # It has ended since.
        return _DEAD[-1]
