"""What a sandbox remembers between commands: ports, keys and running processes."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heavylift.errors import ConflictError
from sandbox.model import Place

VERSION = 1


@dataclass(frozen=True)
class State:
    """Contents of ``state.json``.

    :param sandbox: random name that marks this sandbox's processes.
    :param ports: port by role, for each server that was ever started here.
    :param secrets: throw-away keys by role, for each server.
    """

    sandbox: str
    ports: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def with_server(self, name: str, ports: Mapping[str, int], keys: Mapping[str, str]) -> State:
        """Return a copy that knows this server's ports and keys."""
        return replace(
            self,
            ports={**self.ports, name: dict(ports)},
            secrets={**self.secrets, name: dict(keys)},
        )

    def place(self, name: str, state_dir: Path) -> Place:
        """Return a known server's place."""
        return Place(name, state_dir, self.ports[name], self.secrets.get(name, {}))


def load(state_dir: Path) -> State:
    """Return the sandbox's state, or a new one where there is none.

    :raises ConflictError: the file is not a state of this version.
    """
    path = state_dir / "state.json"
    if not path.exists():
        return State(sandbox=secrets.token_hex(8))
    try:
        raw = json.loads(path.read_text())
        version = raw["version"]
        state = State(raw["sandbox"], raw["ports"], raw["secrets"])
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error
    if version != VERSION:
        raise _unreadable(path, f"version {version}")
    return state


def _unreadable(path: Path, got: str) -> ConflictError:
    return ConflictError(
        f"reading {path}",
        got=got,
        expected=f"a sandbox state of version {VERSION}",
        state="nothing was started or stopped",
        remedy=f"end its servers by hand if any run, then remove {path.parent}",
        code="9004",
    )


def save(state_dir: Path, state: State) -> None:
    """Write the state; readers see the old or the new one, never a part."""
    body = {
        "version": VERSION,
        "sandbox": state.sandbox,
        "ports": {name: dict(ports) for name, ports in state.ports.items()},
        "secrets": {name: dict(keys) for name, keys in state.secrets.items()},
    }
    write_private(state_dir / "state.json", json.dumps(body, indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a small JSON object, or None where the file is missing or half-written."""
    try:
        raw = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return raw if isinstance(raw, dict) else None


@contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Hold the sandbox's lock, so that two commands do not start or stop it at once."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
