"""Bringing the sandbox's Airflow up, or finding it running as it should be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from sandbox import airflow, groups, health, ports, records, state
from sandbox.airflow import Site
from sandbox.groups import Report, Unit
from sandbox.launcher import Owner
from sandbox.servers import airflow_db


def ensure(
    state_dir: Path,
    connections: Mapping[str, str],
    settings: Mapping[str, str],
    owner: Owner,
    report: Report,
) -> Site:
    """Return a running Airflow whose tasks have these connections and settings.

    One that runs with other connections or settings is stopped and started again. Of one that runs with
    these, only the processes that have died are started.

    :raises ServerUnavailableError: one of its processes did not come up.
    """
    known = state.load(state_dir)
    if airflow.NAME in known.ports:
        site = _site(state_dir, known, connections, settings)
        if _began_so(site):
            dead = _dead(site)
            if not dead and _all_serve(site):
                return _tell(site, report)
            if _can_go_on(site, dead):
                groups.start(dead, known.sandbox, owner, report)
                return site
    groups.end(state_dir, airflow.component_names())
    known = groups.allot(airflow.NAME, airflow.PORTS, airflow.new_secrets, known)
    state.save(state_dir, known)
    site = _site(state_dir, known, connections, settings)
    airflow.prepare(site)
    groups.start(airflow.components(site), known.sandbox, owner, report)
    state.write_private(_note(site), _digest(site))
    return site


def _site(
    state_dir: Path, known: state.State, connections: Mapping[str, str], settings: Mapping[str, str]
) -> Site:
    database = airflow_db.sqlalchemy_url(known.place(airflow_db.NAME, state_dir))
    return Site(known.place(airflow.NAME, state_dir), database, connections, settings)


def _began_so(site: Site) -> bool:
    note = _note(site)
    return note.exists() and note.read_text() == _digest(site)


def _dead(site: Site) -> list[Unit]:
    """Return the processes that have ended; one that lives and is slow to answer is none of them."""
    found = [(unit, records.read(site.place.state_dir, unit[1].name)) for unit in airflow.components(site)]
    return [unit for unit, record in found if record is None or not record.alive]


def _all_serve(site: Site) -> bool:
    return all(health.healthy(server, place) for server, place in airflow.components(site))


def _can_go_on(site: Site, dead: list[Unit]) -> bool:
    """Tell whether what is dead can be started beside what lives: the port is known to all four."""
    living = len(airflow.components(site)) - len(dead)
    names = {server.name for server, _place in dead}
    api_server = airflow.component_names()[0]
    free = api_server not in names or all(ports.is_free(port) for port in site.place.ports.values())
    return bool(dead) and living > 0 and free


def _tell(site: Site, report: Report) -> Site:
    for server, _place in airflow.components(site):
        report(server, "was already running", 0.0)
    return site


def _note(site: Site) -> Path:
    return site.home / "environment.sha256"


def _digest(site: Site) -> str:
    text = json.dumps(airflow.environment(site), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
