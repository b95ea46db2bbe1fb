"""The dags layer: the DAG files, parsed once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import BundleDagBag


@pytest.fixture(autouse=True, scope="session")
def _metadata_database(airflow_database: None) -> None:
    """Give every test of this layer the tables."""


@pytest.fixture(scope="session")
def dag_bag(airflow_database: None, repository: Path) -> BundleDagBag:
    """Return the DAGs of dags/, parsed as the dag processor parses its default bundle."""
    from airflow.dag_processing.dagbag import BundleDagBag

    dags = repository / "dags"
    return BundleDagBag(dag_folder=dags, bundle_path=dags, bundle_name="dags-folder")
