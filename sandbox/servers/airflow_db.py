"""Airflow's metadata database: a PostgreSQL instance that no connection leads to."""

from __future__ import annotations

import os
import sys
from importlib import metadata

import psycopg
from psycopg import sql

from sandbox import tools
from sandbox.model import Place, Server
from sandbox.servers import postgres

NAME = "airflow_db"
_DATABASE = "airflow"
IDLE_IN_TRANSACTION = "1min"
"""How long a transaction may stay open with nothing asked. A scheduler holds the lock on all pools in one; if
it is killed then and workers that it has forked live on, they keep its connection open, and without an end of
that no scheduler would begin a task any more."""


def server() -> Server:
    """Return the server; its tables are made or upgraded before it counts as ready."""
    return postgres.server(NAME, "Airflow's database", _DATABASE, fill=_prepare)


def sqlalchemy_url(place: Place) -> str:
    """Return the database's address as Airflow's configuration wants it; not to be shown."""
    return _sqlalchemy(postgres.address(place, _DATABASE))


def _sqlalchemy(address: str) -> str:
    return address.replace("postgresql://", "postgresql+psycopg2://", 1)


def _prepare(place: Place, address: str) -> None:
    with psycopg.connect(address, autocommit=True) as session:
        session.execute(
            sql.SQL("ALTER DATABASE {} SET idle_in_transaction_session_timeout = {}").format(
                sql.Identifier(_DATABASE), sql.Literal(IDLE_IN_TRANSACTION)
            )
        )
    _migrate(place, address)


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
