"""Running installers whose output is only of interest when they fail."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from heavylift.errors import ServerUnavailableError
from sandbox.paths import TOOLS_DIR

_TAIL = 15


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Hold the lock of something that all sandboxes of this checkout share."""
    TOOLS_DIR.mkdir(exist_ok=True)
    with (TOOLS_DIR / f"{name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


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
            remedy="mend what it names (often the network, or a full disk), then run the command again",
            code="9020",
        )


def environment(name: str, pins: Path) -> Path:
    """Return the folder of programs of an environment with exactly ``pins``; it is made once.

    :raises ServerUnavailableError: an installer failed.
    """
    home = TOOLS_DIR / f"{name}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    with one_at_a_time(name):
        if not (home / ".complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            install(f"making a folder for {name}", [sys.executable, "-m", "venv", str(home)])
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(pins)]
            install(f"installing {name}", pip, seconds=1200)
            (home / ".complete").touch()
    return home / "bin"
