"""Feast's own process: started in an environment that has Feast, asked over a pipe, ended with us."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.environments import Solver
from heavylift.errors import ConflictError, ConnectionConfigError, IncompleteError, TransientError

FEAST = "feast==0.67.0"
"""What is installed where a connection names no interpreter."""
_PYTHON = "3.11"
_SECONDS, _LOOK_EVERY, _TAIL = 900.0, 0.2, 600
_WORKER = Path(__file__).with_name("feast_worker.py")


@dataclass
class FeastProcess:
    """One process with Feast in it.

    :param interpreter: that can import Feast.
    :param passed: names of variables of our environment that it gets besides.
    """

    interpreter: Path
    passed: tuple[str, ...] = ()
    stop: threading.Event = field(default_factory=threading.Event)
    seconds: float = _SECONDS
    _process: subprocess.Popen[bytes] | None = None
    _said: Any = None
    _waiting: bytes = b""

    def ask(self, what: str, **arguments: Any) -> Mapping[str, Any]:
        """Return the answer to one request.

        :raises ConflictError: what was asked cannot be done, and why.
        :raises IncompleteError: Feast failed, or the process ended.
        """
        process = self._started()
        if process.stdin is None:
            raise self._failed(what, "it has ended")
        try:
            process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(self._line(process, what))
        except (BrokenPipeError, ValueError) as error:
            raise self._failed(what, f"no answer ({type(error).__name__})") from error
        if "refused" in answer:
            raise ConflictError(
                f"asking Feast to {what}",
                got=str(answer["refused"]),
                expected="a repository in which that can be done",
                state="nothing was changed by this request",
                remedy="correct the repository, or name another one in the connection",
                code="7701",
            )
        if "ok" not in answer:
            raise self._failed(what, str(answer.get("error")))
        return dict(answer["ok"])

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, self._said):
            if pipe is not None:
                pipe.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it lasts as long as the process
            # It ends when the pipe does, so that it does not outlive us however we end.
            self._process = subprocess.Popen(  # noqa: S603 - our own worker, no shell
                [str(self.interpreter), "-I", str(_WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=self._environment(),
                start_new_session=True,
            )
        return self._process

    def _environment(self) -> dict[str, str]:
        given = {name: os.environ[name] for name in ("HOME", "TMPDIR", *self.passed) if name in os.environ}
        return {
            "PATH": f"{self.interpreter.parent}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "FEAST_USAGE": "False",
            "DO_NOT_TRACK": "true",
            **given,
        }

    def _line(self, process: subprocess.Popen[bytes], what: str) -> bytes:
        if process.stdout is None:
            raise self._failed(what, "it has ended")
        deadline = time.monotonic() + self.seconds
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._waiting:
                if self.stop.is_set():
                    raise _stopped(what)
                if time.monotonic() > deadline:
                    raise self._failed(what, f"no answer within {self.seconds:.0f} s")
                if not selector.select(_LOOK_EVERY):
                    continue
                chunk = os.read(process.stdout.fileno(), 2**20)
                if not chunk:
                    raise self._failed(what, f"it ended with status {process.wait()}")
                self._waiting += chunk
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line

    def _failed(self, what: str, got: str) -> IncompleteError:
        said = ""
        if self._said is not None:
            self._said.seek(0, os.SEEK_END)
            self._said.seek(max(0, self._said.tell() - _TAIL))
            said = " ".join(self._said.read().decode("utf-8", "replace").split())
        return IncompleteError(
            f"asking Feast to {what}",
            got=got + (f"; it said: …{said}" if said else ""),
            expected="an answer",
            state="what was written before stays; nothing is half written in the history",
            remedy="mend what it tells (the repository's stores, packages and credentials), and run again",
            code="7702",
        )


@dataclass
class FeastProcesses:
    """One process for each environment, shared by both sides."""

    stop: threading.Event = field(default_factory=threading.Event)
    _processes: dict[tuple[str, tuple[str, ...]], FeastProcess] = field(default_factory=dict)

    def of(self, connection: Connection) -> FeastProcess:
        """Return the process for a connection.

        :raises ConnectionConfigError: the interpreter that it names is not there.
        """
        named = connection.text("python") or ""
        listed = connection.extra.get("environment")
        passed = tuple(map(str, listed)) if isinstance(listed, list) else ()
        key = (named, passed)
        if key not in self._processes:
            self._processes[key] = FeastProcess(_interpreter(connection, named), passed, self.stop)
        return self._processes[key]

    def close(self) -> None:
        """End all."""
        for each in self._processes.values():
            each.close()
        self._processes = {}


def _interpreter(connection: Connection, named: str) -> Path:
    if not named:
        return Solver().tool(FEAST, _PYTHON)
    if not os.access(named, os.X_OK):
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for Feast",
            got=f"no program {named!r}",
            expected="a Python interpreter that can import feast",
            state="nothing was touched",
            remedy="correct the extra field python, or leave it out: an environment is then made",
            code="7703",
        )
    return Path(named)


def _stopped(what: str) -> TransientError:
    return TransientError(
        f"asking Feast to {what}",
        got="a request to stop",
        state="what was written stays; another run goes on from there",
        remedy="run the same command again",
        code="7704",
    )
