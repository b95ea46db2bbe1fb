"""The plugins layer: operators, sensors, triggers and hooks, on an empty metadata database."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.world import World


@pytest.fixture(autouse=True, scope="session")
def _metadata_database(airflow_database: None) -> None:
    """Give every test of this layer the tables; connections and variables come from the environment."""


@pytest.fixture(scope="session")
def application(_metadata_database: None) -> Iterator[Any]:
    """Return Airflow's own web application, with the plugin as Airflow mounts it."""
    with warnings.catch_warnings():
        # What Airflow and its web framework warn of while they start is not ours.
        warnings.simplefilter("ignore")
        from airflow.api_fastapi.app import create_app, purge_cached_app

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "0" * 64)
            yield create_app(apps="core")
        purge_cached_app()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a small migration with five objects on its source."""
    made = World(tmp_path / "world")
    made.fill()
    for name, value in made.connections.items():
        monkeypatch.setenv(name, value)
    return made
