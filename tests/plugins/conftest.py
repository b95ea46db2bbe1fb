"""The plugins layer: operators, sensors, triggers and hooks, on an empty metadata database."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _metadata_database(airflow_database: None) -> None:
    """Give every test of this layer the tables; connections and variables come from the environment."""
