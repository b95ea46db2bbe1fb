"""What of a sandbox runs now."""

from __future__ import annotations

import shlex
from pathlib import Path

from sandbox import airflow, records, state
from sandbox.servers import AIRFLOW_DB, SERVERS


def environment(state_dir: Path) -> dict[str, str]:
    """Return the variables of the sandbox's ``env`` file, none where it is down."""
    path = state_dir / "env"
    if not path.exists():
        return {}
    words = shlex.split(path.read_text())
    pairs = (word.partition("=") for word in words if word != "export")
    return {name: value for name, _, value in pairs}


def show(state_dir: Path) -> int:
    """Print one line for each server that runs; return 1 where none does."""
    lines = list(_lines(state_dir))
    if not lines:
        print("Nothing runs. Start it with ./dev up")
        return 1
    print("\n".join(lines))
    return 0


def _lines(state_dir: Path) -> list[str]:
    known = state.load(state_dir)
    found = []
    for server in [*SERVERS.values(), AIRFLOW_DB]:
        record = records.read(state_dir, server.name)
        if record is not None and record.alive:
            address = server.address(known.place(server.name, state_dir))
            found.append(f"  {server.name:<16} {address:<34} {server.title}")
    running = [records.read(state_dir, name) for name in airflow.component_names()]
    if all(record is not None and record.alive for record in running):
        place = known.place(airflow.NAME, state_dir)
        found.append(f"  {'airflow':<16} {place.url:<34} passwords in {state_dir / 'airflow/passwords.json'}")
    return found
