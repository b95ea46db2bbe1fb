"""Runs the user's terraform: no shell, no secret in an argument, an environment of its own for each call."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from heavylift.errors import HeavyliftError, NotFoundError, ServerUnavailableError, TransientError

BINARY_VARIABLE = "HEAVYLIFT_TERRAFORM"
_PASSED = re.compile(
    r"(?:PATH|HOME|LANG|LC_ALL|TMPDIR|SSL_CERT_\w+|https?_proxy|no_proxy|all_proxy|TF_CLI_CONFIG_FILE|TF_REATTACH_PROVIDERS"
    r"|TF_PLUGIN_CACHE_DIR)\Z",
    re.IGNORECASE,
)
_SETTINGS = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
_GRACE_SECONDS = 120.0
_LOOK_SECONDS = 0.5
"""Between two looks at whether to stop."""
_LOCK = re.compile(r"Error acquiring the state lock")
_LOCK_ID = re.compile(r"\bID:\s+([0-9a-fA-F-]{8,})")
_LOCK_WHO = re.compile(r"\bWho:\s+(\S+)")
_MOST_SAID = 1500
_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Done:
    """How a call ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """What terraform said that matters, on one line."""
        text = self.stderr if self.stderr.strip() else self.stdout
        kept = " ".join(re.sub(r"[│╷╵]", " ", text).split())
        at = kept.find("Error:")
        return kept[max(at, 0) :][:_MOST_SAID]


@dataclass(frozen=True)
class Terraform:
    """The program and what it gets from us.

    :param credentials: variables of the child alone; their values are masked in everything that it says.
    :param stop: once it is set, a command at work is told to stop, and none is begun.
    """

    binary: str
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    stop: threading.Event | None = field(default=None, compare=False)

    def run(self, folder: Path, *arguments: str, seconds: float = 7200.0) -> Done:
        """Run one command in ``folder``.

        :raises ServerUnavailableError: it did not end in time, and was told to stop.
        :raises TransientError: somebody asked to stop.
        """
        self._demand_unstopped(arguments[0], folder)
        launched = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())]
        argv = [*launched, self.binary, arguments[0], *_usual(arguments[0]), *arguments[1:]]
        # Files and no pipes: terraform dies of a pipe that nobody reads any more, in the middle of its work.
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(  # noqa: S603  (no shell; arguments are ours)
                argv, cwd=folder, env=self._environment(), stdin=subprocess.DEVNULL,
                stdout=stdout, stderr=stderr, start_new_session=True,
            )  # fmt: skip
            self._wait(process, folder, arguments[0], seconds)
            self._demand_unstopped(arguments[0], folder)
            return Done(process.returncode, self._said(stdout), self._said(stderr))

    def _wait(self, process: subprocess.Popen[bytes], folder: Path, command: str, seconds: float) -> None:
        try:
            self._until_ended(process, seconds)
        except subprocess.TimeoutExpired as error:
            _stop(process)
            raise ServerUnavailableError(
                f"terraform {command} in {folder}",
                got=f"no end within {seconds:.0f} s",
                expected="an end",
                state="it was told to stop and has kept in its state what was made",
                remedy="look at what takes so long, then run the same command again",
                code="7905",
            ) from error
        except BaseException:
            _stop(process)
            raise

    def json(self, folder: Path, *arguments: str) -> Any:
        """Run a command that answers with JSON, and return that.

        :raises HeavyliftError: it failed.
        """
        done = self.run(folder, *arguments)
        if done.status != 0:
            raise failed(f"terraform {arguments[0]} in {folder}", done)
        return json.loads(done.stdout)

    def _until_ended(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.stop is not None:
            try:
                process.wait(timeout=min(_LOOK_SECONDS, max(end - time.monotonic(), 0.0)))
            except subprocess.TimeoutExpired:
                if time.monotonic() >= end:
                    raise
                if self.stop.is_set():
                    _stop(process)
            else:
                return
        process.wait(timeout=seconds)

    def _demand_unstopped(self, command: str, folder: Path) -> None:
        if self.stop is not None and self.stop.is_set():
            raise TransientError(
                f"terraform {command} in {folder}",
                got="a request to stop",
                expected="to run to its end",
                state="it has kept in its state what was made; nothing else was begun",
                remedy="plan again: the new plan has only the rest",
                code="7933",
            )

    def _environment(self) -> dict[str, str]:
        passed = {name: value for name, value in os.environ.items() if _PASSED.match(name)}
        return {**passed, **_SETTINGS, **self.credentials}

    def _said(self, file: IO[bytes]) -> str:
        file.seek(0)
        text = file.read().decode("utf-8", "replace")
        for secret in sorted(self.credentials.values(), key=len, reverse=True):
            # Short values are regions and the like; masking them would make the text unreadable.
            if len(secret) >= 12:
                text = text.replace(secret, "***")
        return text


def find_terraform(
    credentials: Mapping[str, str] | None = None, stop: threading.Event | None = None
) -> Terraform:
    """Return the terraform that ``HEAVYLIFT_TERRAFORM`` names, or the path.

    :raises NotFoundError: there is none.
    """
    binary = os.environ.get(BINARY_VARIABLE) or shutil.which("terraform")
    if binary is None or not os.access(binary, os.X_OK):
        raise NotFoundError(
            "looking for terraform",
            got=repr(binary) if binary else "none on the path",
            expected="terraform 1.11 or newer",
            state="nothing was touched",
            remedy=f"install it, or name it in {BINARY_VARIABLE}",
            code="7902",
        )
    return Terraform(binary, credentials or {}, stop)


def failed(what: str, done: Done, *, state: str = "nothing was changed") -> HeavyliftError:
    """Return the error of a call that failed; a lock and a lost connection are told as what they are."""
    if _LOCK.search(done.stderr):
        return _locked(what, done)
    return HeavyliftError(
        what,
        got=done.said or f"exit status {done.status}",
        expected="exit status 0",
        state=state,
        remedy="mend what it names, then run the same command again",
        code="7903",
    )


def _locked(what: str, done: Done) -> TransientError:
    ident, who = _LOCK_ID.search(done.stderr), _LOCK_WHO.search(done.stderr)
    named = ident[1] if ident else "ID"
    return TransientError(
        what,
        got=f"a lock on the state, {named}" + (f", of {who[1]}" if who else ""),
        expected="a state that nobody else is changing",
        state="nothing was changed",
        remedy=f"wait for the other run; if it is dead, 'terraform force-unlock {named}' in that folder",
        code="7904",
    )


def _usual(command: str) -> tuple[str, ...]:
    return () if command in {"version", "state"} else ("-no-color",)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let terraform finish what it is at and keep its state; kill it only where that takes too long."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        # With the launcher its terraform, which is in the session that was made for it.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
