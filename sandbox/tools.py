"""Running installers whose output is only of interest when they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from heavylift.errors import ServerUnavailableError

_TAIL = 15


def tail(text: str, lines: int = _TAIL) -> str:
    """Return the last lines that are not blank."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def install(
    what: str,
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = 600,
) -> None:
    """Run an installer.

    :param seconds: how long it may take.
    :raises ServerUnavailableError: it failed; nothing half-made is used later.
    """
    try:
        done = subprocess.run(
            argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=seconds, check=False
        )
        problem = f"exit status {done.returncode}\n{tail(done.stdout + done.stderr)}\n"
        failed = done.returncode != 0
    except (OSError, subprocess.TimeoutExpired) as error:
        problem, failed = f"{type(error).__name__}: {error}", True
    if failed:
        raise ServerUnavailableError(
            what,
            got=problem,
            state="what was installed so far is thrown away",
            remedy="check that this machine reaches its package registries, then run the command again",
            code="9020",
        )
