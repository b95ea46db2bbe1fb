"""The plugins layer: operators, sensors, triggers and hooks, on an empty metadata database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.world import World


@pytest.fixture(autouse=True, scope="session")
def _metadata_database(airflow_database: None) -> None:
    """Give every test of this layer the tables; connections and variables come from the environment."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a small migration with five objects on its source."""
    made = World(tmp_path / "world")
    made.fill()
    for name, value in made.connections.items():
        monkeypatch.setenv(name, value)
    return made
