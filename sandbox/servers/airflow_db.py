"""Airflow's metadata database: a PostgreSQL instance that no connection leads to."""

from __future__ import annotations

import os
import sys
from importlib import metadata

from sandbox import tools
from sandbox.model import Place, Server
from sandbox.servers import postgres

NAME = "airflow_db"
_DATABASE = "airflow"


def server() -> Server:
    """Return the server; its tables are made or upgraded before it counts as ready."""
    return postgres.server(NAME, "Airflow's database", _DATABASE, fill=_migrate)


def sqlalchemy_url(place: Place) -> str:
    """Return the database's address as Airflow's configuration wants it; not to be shown."""
    return _sqlalchemy(postgres.address(place, _DATABASE))


def _sqlalchemy(address: str) -> str:
    return address.replace("postgresql://", "postgresql+psycopg2://", 1)


def _migrate(place: Place, address: str) -> None:
    done = place.home / f"migrated-{metadata.version('apache-airflow-core')}"
    if done.exists():
        return
    env = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(place.home),
        "AIRFLOW_HOME": str(place.home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _sqlalchemy(address),
    }
    tools.install("making Airflow's tables", [sys.executable, "-m", "airflow", "db", "migrate"], env=env)
    done.touch()
