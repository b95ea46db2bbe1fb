"""Waiting until a server serves, and saying why it does not."""

from __future__ import annotations

import threading
import time

from heavylift.errors import ServerUnavailableError
from sandbox import records, tools
from sandbox.http import NotReadyError
from sandbox.model import Place, Server

_POLL = 0.1
_LOG_LINES = 12


def healthy(server: Server, place: Place) -> bool:
    """Tell whether a server's process runs and serves a real request now."""
    record = records.read(place.state_dir, place.name)
    return record is not None and record.alive and trouble(server, place) is None


def trouble(server: Server, place: Place) -> str | None:
    """Return what keeps a server from serving, or None when it serves."""
    try:
        server.probe(place)
    except (NotReadyError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def wait(server: Server, place: Place, cancelled: threading.Event) -> None:
    """Wait until a server serves.

    :param cancelled: set by another thread when there is no more use in waiting.
    :raises ServerUnavailableError: its process ended, its deadline passed, or it was cancelled.
    """
    end = time.monotonic() + server.deadline
    while True:
        problem = trouble(server, place)
        if problem is None:
            return
        record = records.read(place.state_dir, place.name)
        if record is not None and record.exit is not None:
            raise _failed(place, f"its process ended with status {record.exit}")
        if cancelled.is_set():
            raise _failed(place, f"the start was broken off ({problem})")
        if time.monotonic() > end:
            raise _failed(place, f"no service after {server.deadline:.0f} s ({problem})")
        cancelled.wait(_POLL)


def log_tail(place: Place) -> str:
    """Return the last lines of a server's log without its keys."""
    try:
        text = place.log.read_text(errors="replace")
    except OSError:
        return "(no log)"
    for secret in place.secrets.values():
        text = text.replace(secret, "***")
    return tools.tail(text, _LOG_LINES) or "(empty log)"


def _failed(place: Place, got: str) -> ServerUnavailableError:
    taken = "\n".join(f"    {line}" for line in log_tail(place).splitlines())
    return ServerUnavailableError(
        f"starting {place.name}",
        got=f"{got}; the last lines of {place.log} are:\n{taken}\n",
        state="the servers that this command started are stopped again",
        remedy="mend what the log names (a port taken, a full disk, too little memory) then run it again",
        code="9006",
    )
