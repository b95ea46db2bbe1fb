"""The sandbox's Airflow: four processes on the loopback interface, and a database of their own.

Never ``airflow standalone``: it opens log servers to the whole network and leaves its children
behind when it is stopped.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from sandbox import paths, records, state
from sandbox.http import NotReadyError, expect, request
from sandbox.model import Launch, Place, Server

NAME = "airflow"
USER = "admin"
PORTS = ("http",)
_DEADLINE = 240.0
_USERS = {"admin": "admin", "oncall": "op", "viewer": "viewer"}

# Component of the health page by command.
_COMPONENTS = {
    "api-server": None,
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}
# These two would each open a log server to the whole network.
_FLAGS = {"scheduler": ["--skip-serve-logs"], "triggerer": ["--skip-serve-logs"]}


@dataclass(frozen=True)
class Site:
    """One Airflow.

    :param place: port and keys, shared by the four processes.
    :param database: SQLAlchemy address of the metadata database, password included.
    :param connections: ``AIRFLOW_CONN_*`` for the tasks.
    :param settings: further variables, which win over the sandbox's own.
    """

    place: Place
    database: str = field(repr=False)
    connections: Mapping[str, str] = field(default_factory=dict, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.place.state_dir / "airflow"


def new_secrets() -> dict[str, str]:
    """Return random keys and one password for each user."""
    passwords = {f"password_{user}": secrets.token_urlsafe(12) for user in _USERS}
    return {
        "jwt": secrets.token_hex(32),
        "fernet": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "session": secrets.token_hex(16),
        **passwords,
    }


def login(place: Place) -> tuple[str, str]:
    """Return the administrator's name and password."""
    return USER, place.secrets[f"password_{USER}"]


def environment(site: Site) -> dict[str, str]:
    """Return what all four processes, and one-off commands, run with."""
    folders = (paths.REPO / "include", paths.REPO / "plugins", paths.REPO / "sandbox" / "airflow_config")
    bundle = {
        "name": "heavylift",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(paths.REPO / "dags"), "refresh_interval": 10},
    }
    return {
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in folders),
        "AIRFLOW_HOME": str(site.home),
        "HEAVYLIFT_MIGRATIONS": str(paths.REPO / "include" / "migrations"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(site.place.ports["http"]),
        "AIRFLOW__API__BASE_URL": site.place.url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": site.place.secrets["session"],
        "AIRFLOW__API_AUTH__JWT_SECRET": site.place.secrets["jwt"],
        "AIRFLOW__CORE__DAGS_FOLDER": str(paths.REPO / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(paths.REPO / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{site.place.url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": site.place.secrets["fernet"],
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{u}:{r}" for u, r in _USERS.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(site.home / "passwords.json"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": site.database,
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "MPLCONFIGDIR": str(site.home / "matplotlib"),
        **site.connections,
        **site.settings,
    }


def prepare(site: Site) -> None:
    """Make Airflow's home, with the passwords in a file that only its owner can read."""
    (site.home / "logs").mkdir(parents=True, exist_ok=True)
    site.place.log.parent.mkdir(parents=True, exist_ok=True)
    known = {user: site.place.secrets[f"password_{user}"] for user in _USERS}
    state.write_private(site.home / "passwords.json", json.dumps(known) + "\n")


def components(site: Site) -> list[tuple[Server, Place]]:
    """Return the four processes, to be launched and watched like any server."""
    env = environment(site)
    return [_component(site, command, env) for command in _COMPONENTS]


def component_names() -> list[str]:
    """Return the names under which the four processes are recorded."""
    return [_name(command) for command in _COMPONENTS]


def _name(command: str) -> str:
    return f"{NAME}_{command.replace('-', '_')}"


def _component(site: Site, command: str, env: dict[str, str]) -> tuple[Server, Place]:
    place = Place(_name(command), site.place.state_dir, site.place.ports, site.place.secrets)
    argv = [sys.executable, "-m", "airflow", command, *_FLAGS.get(command, [])]
    launch = Launch(place.name, argv, str(place.log), str(site.home), env=env, grace=25.0)
    server = Server(
        name=place.name,
        title=f"Airflow's {command}",
        ports=PORTS,
        launch=lambda _place: launch,
        probe=partial(_probe, _COMPONENTS[command]),
        connection=lambda _place: {},
        deadline=_DEADLINE,
    )
    return server, place


def _probe(component: str | None, place: Place) -> None:
    health = json.loads(expect(f"{place.url}/api/v2/monitor/health").body)
    if component is None:
        _log_in(place)
        return
    status = health[component]
    beat = status.get(f"latest_{component}_heartbeat")
    record = records.read(place.state_dir, place.name)
    # A heartbeat that an earlier process left in the database says nothing about this one.
    fresh = beat and record and datetime.fromisoformat(beat).timestamp() >= record.process.created
    if status["status"] != "healthy" or not fresh:
        raise NotReadyError(f"{component} is {status['status']}, last heartbeat {beat}")


def _log_in(place: Place) -> None:
    user, password = login(place)
    answer = request(
        f"{place.url}/auth/token",
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps({"username": user, "password": password}).encode(),
    )
    if answer.status != 201:
        raise NotReadyError(f"POST {place.url}/auth/token answered {answer.status}")
