"""Bringing the sandbox's Airflow up, or finding it running as it should be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from sandbox import airflow, groups, health, state
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

    One that runs with other connections or settings is stopped and started again.

    :raises ServerUnavailableError: one of its processes did not come up.
    """
    known = state.load(state_dir)
    if airflow.NAME in known.ports:
        site = _site(state_dir, known, connections, settings)
        if _runs_so(site):
            return _tell(site, report)
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


def _runs_so(site: Site) -> bool:
    note = _note(site)
    if not note.exists() or note.read_text() != _digest(site):
        return False
    return all(health.healthy(server, place) for server, place in airflow.components(site))


def _tell(site: Site, report: Report) -> Site:
    for server, _place in airflow.components(site):
        report(server, "was already running", 0.0)
    return site


def _note(site: Site) -> Path:
    return site.home / "environment.sha256"


def _digest(site: Site) -> str:
    text = json.dumps(airflow.environment(site), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
