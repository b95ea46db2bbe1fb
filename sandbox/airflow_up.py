"""Bringing the sandbox's Airflow up, or finding it running as it should be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from sandbox import airflow, groups, health, ports, records, state
from sandbox.airflow import Site
from sandbox.groups import Report
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
        if _can_go_on(site):
            return _revive(site, known.sandbox, owner, report)
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


def _can_go_on(site: Site) -> bool:
    """Tell whether some of it runs with these settings, and what has died can have its port again."""
    note = _note(site)
    if not note.exists() or note.read_text() != _digest(site):
        return False
    state_dir = site.place.state_dir
    found = [records.read(state_dir, place.name) for _server, place in airflow.components(site)]
    alive = [record is not None and record.alive for record in found]
    return any(alive) and (alive[0] or all(ports.is_free(port) for port in site.place.ports.values()))


def _revive(site: Site, sandbox: str, owner: Owner, report: Report) -> Site:
    """Start what has died, and leave alone what runs; the API server first, for it tells of the others."""
    first, *others = airflow.components(site)
    for units in ([first], others):
        dead = []
        for server, place in units:
            if health.healthy(server, place):
                report(server, "was already running", 0.0)
            else:
                dead.append((server, place))
        groups.end(site.place.state_dir, [server.name for server, _place in dead])
        if dead:
            groups.start(dead, sandbox, owner, report)
    return site


def _note(site: Site) -> Path:
    return site.home / "environment.sha256"


def _digest(site: Site) -> str:
    text = json.dumps(airflow.environment(site), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
