"""Which feature store a connection leads to; the one place that knows all adapters."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from heavylift.errors import ConnectionConfigError

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.registry.features.bigquery import BigQueryTables
    from heavylift.registry.features.feast_process import FeastProcesses
    from heavylift.registry.features.ports import FeatureStore


def open_feature_store(
    connection: Connection,
    processes: FeastProcesses,
    parallel: int,
    stop: threading.Event,
    history: Connection | None = None,
) -> FeatureStore:
    """Return the adapter of a connection; close it when done.

    :param history: of the object store of its histories.
    :raises ConnectionConfigError: no feature store is known for its type, or it lacks a field.
    """
    if connection.conn_type == "aws":
        from heavylift.registry.features.sagemaker import SageMakerFeatures

        return SageMakerFeatures(connection, parallel, stop)
    if connection.conn_type == "google_cloud_platform":
        from heavylift.registry.features.vertex import VertexFeatures

        return VertexFeatures(connection, parallel, stop)
    if connection.conn_type == "azure":
        from heavylift.registry.features.azure_ml import AzureMlFeatures

        return AzureMlFeatures(connection, history, parallel, stop)
    if connection.conn_type == "feast":
        from heavylift.registry.features.feast import FeastStore

        return FeastStore(connection, processes)
    raise ConnectionConfigError(
        f"using connection {connection.conn_id!r} for a feature store",
        got=f"the type {connection.conn_type!r}",
        expected="aws (SageMaker), google_cloud_platform (Vertex AI), azure (Azure ML) or feast",
        state="nothing was touched",
        remedy="name a connection of one of these types; see docs/reference/feature-stores.md",
        code="7710",
    )


def tables_of(connection: Connection, parallel: int) -> BigQueryTables | None:
    """Return what reads and fills the tables of a connection's histories; None where these are files."""
    if connection.conn_type != "google_cloud_platform":
        return None
    from heavylift.registry.features.bigquery import BigQueryTables

    return BigQueryTables(connection, parallel)
