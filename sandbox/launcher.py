"""Spawning supervisors, attached to this process or outliving it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from heavylift.errors import ServerUnavailableError
from sandbox import processes, records
from sandbox.model import Launch
from sandbox.paths import REPO
from sandbox.processes import MARK, Ident
from sandbox.state import write_private

# Nothing else of the caller's environment reaches a server: real cloud credentials least of all.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
_STOP_SECONDS = 60.0


def environment(launch: Launch, sandbox: str) -> dict[str, str]:
    """Return the whole environment of a server's process."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed, "HOME": launch.cwd, **launch.env, MARK: sandbox}


def python_path() -> str:
    """Return the import path under which every part of the project is found."""
    return os.pathsep.join(str(path) for path in (REPO / "include", REPO / "plugins", REPO))


class Owner:
    """Owns the supervisors that one stack spawned.

    :param detached: supervisors outlive this process; otherwise they watch a pipe whose other
        end the kernel closes when this process ends, however it ends.
    """

    def __init__(self, state_dir: Path, *, detached: bool) -> None:
        self.state_dir = state_dir
        self._detached = detached
        self._supervisors: list[subprocess.Popen[bytes] | Ident] = []
        self._pipe: tuple[int, int] | None = None

    def spawn(self, launches: Sequence[Launch], sandbox: str) -> None:
        """Start a supervisor, which starts the processes."""
        for launch in launches:
            (records.run_dir(self.state_dir) / f"{launch.name}.json").unlink(missing_ok=True)
        full = [replace(launch, env=environment(launch, sandbox)) for launch in launches]
        file = records.run_dir(self.state_dir) / f"launch-{secrets.token_hex(4)}.json"
        write_private(file, json.dumps([launch.to_json() for launch in full]))
        argv = [sys.executable, "-m", "sandbox.supervisor", str(file)]
        env = {**_own_environment(), MARK: sandbox, "PYTHONPATH": python_path()}
        with (self.state_dir / "logs" / "supervisor.log").open("ab") as log:
            if self._detached:
                self._supervisors.append(_spawn_detached([*argv, "--detach"], env, log))
            else:
                self._supervisors.append(_spawn_attached(argv, env, log, self._reader()))

    def stop(self) -> None:
        """End the supervisors and with them their servers, the latest first."""
        for supervisor in reversed(self._supervisors):
            if isinstance(supervisor, Ident):
                processes.end([supervisor], _STOP_SECONDS)
            elif supervisor.poll() is None:
                supervisor.terminate()
                _wait(supervisor)
        self._supervisors.clear()
        if self._pipe is not None:
            for end in self._pipe:
                os.close(end)
            self._pipe = None

    def _reader(self) -> int:
        if self._pipe is None:
            self._pipe = os.pipe()
        return self._pipe[0]


def _spawn_attached(
    argv: list[str], env: dict[str, str], log: IO[bytes], pipe: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*argv, "--pipe", str(pipe)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=REPO,
        env=env,
        pass_fds=[pipe],
        start_new_session=True,
    )


def _spawn_detached(argv: list[str], env: dict[str, str], log: IO[bytes]) -> Ident:
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=REPO,
        env=env,
        start_new_session=True,
        check=False,
    )
    ident = Ident.of(int(done.stdout)) if done.returncode == 0 else None
    if ident is None:
        raise ServerUnavailableError(
            "starting the process that owns the servers",
            got=f"exit status {done.returncode}",
            state="nothing was started",
            remedy=f"see {log.name}",
            code="9007",
        )
    return ident


def _own_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        ident = Ident.of(child.pid)
        if ident is not None:
            processes.end(ident.family(), 0.0)
        child.wait()
