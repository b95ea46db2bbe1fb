"""The small migration of this layer, with a database that a fake engine moves."""

from __future__ import annotations

import json
from typing import Any

from tests.plugins.world import World, context_of

DATABASE = "features"
PASSWORD = "n0t-in-any-trigger"


def connection(name: str) -> tuple[str, str]:
    """Return the environment variable of a connection that leads nowhere."""
    value = {
        "conn_type": "postgres", "host": "127.0.0.1", "port": 1, "schema": "db",
        "login": "u", "password": PASSWORD,
    }  # fmt: skip
    return f"AIRFLOW_CONN_{name.upper()}", json.dumps(value)


def with_database(world: World, **changes: Any) -> World:
    """Replace the datasets of a world by one database."""
    side = {"engine": "postgresql"}
    database = {
        "name": DATABASE,
        "source": {**side, "connection": "features_source"},
        "target": {**side, "connection": "features_target"},
        "max_lag": "30s",
        **changes,
    }
    world.save(databases=[database], datasets=[])
    return world


def task_of(kind: Any, world: World, phase: str = "transfer", **arguments: Any) -> Any:
    """Return an operator on the database."""
    return kind(task_id="task", spec_path=world.spec_path, phase=phase, database=DATABASE, **arguments)


def execute(task: Any, **changes: Any) -> Any:
    """Run an operator once."""
    return task.execute(context_of(task, **changes))
