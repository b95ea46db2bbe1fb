"""The sandbox's connections as Airflow and the library read them from the environment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from sandbox.model import Connection
from sandbox.state import write_private


def variables(connections: Mapping[str, Connection]) -> dict[str, str]:
    """Return one ``AIRFLOW_CONN_<ID>`` with a JSON value for each connection."""
    return {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection, separators=(",", ":"))
        for name, connection in connections.items()
    }


def evidence(state_dir: Path) -> Connection:
    """Return the connection of the sandbox's evidence folder, which is made if need be."""
    folder = state_dir.resolve() / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    return {"conn_type": "file", "extra": {"path": str(folder)}}


def write(state_dir: Path, env: Mapping[str, str]) -> Path:
    """Write ``env``, a file to be sourced by a shell; only its owner can read it."""
    path = state_dir / "env"
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(env.items())]
    write_private(path, "".join(lines))
    return path
