"""Which registry a connection leads to; the one place that knows all adapters."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from heavylift.registry.catalogues.files import Places
from heavylift.spec.sections_data import RegistryKind

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.registry.catalogues.ports import Catalogue, HistoryMove
    from heavylift.registry.requests import RegistryPlace, RegistryRequest
    from heavylift.registry.work import Work

_KINDS = {
    "aws": RegistryKind.SAGEMAKER,
    "google_cloud_platform": RegistryKind.VERTEX,
    "azure": RegistryKind.AZURE_ML,
}
_SCHEMES = {RegistryKind.SAGEMAKER: "s3", RegistryKind.VERTEX: "gs"}


def kind_of(connection: Connection) -> RegistryKind:
    """Return which product's registry a connection leads to, by its type."""
    return _KINDS.get(connection.conn_type, RegistryKind.MLFLOW)


def open_catalogue(place: RegistryPlace, parallel: int, stop: threading.Event) -> Catalogue:
    """Return the adapter of a place; close it when done.

    :raises ConnectionConfigError: the connection is of another type, or lacks a field.
    """
    if place.kind is RegistryKind.SAGEMAKER:
        from heavylift.registry.catalogues.sagemaker import SageMakerCatalogue

        return SageMakerCatalogue(place.connection, parallel, stop)
    if place.kind is RegistryKind.VERTEX:
        from heavylift.registry.catalogues.vertex import VertexCatalogue

        return VertexCatalogue(place.connection, parallel)
    if place.kind is RegistryKind.AZURE_ML:
        from heavylift.registry.catalogues.azure_ml import AzureMlCatalogue

        return AzureMlCatalogue(place.connection, parallel)
    from heavylift.registry.catalogues.mlflow import MLflowCatalogue

    return MLflowCatalogue(place.connection, parallel)


def experiments_between(
    request: RegistryRequest, source: Catalogue, target: Catalogue, work: Work
) -> HistoryMove | None:
    """Return what moves experiments: where some are chosen, and the target can hold the source's."""
    if not request.options.selection.experiments:
        return None
    kinds = (request.source.kind, request.target.kind)
    if kinds not in {
        (RegistryKind.SAGEMAKER, RegistryKind.MLFLOW),
        (RegistryKind.MLFLOW, RegistryKind.SAGEMAKER),
    }:
        return None
    from heavylift.registry.catalogues.experiments.moving import ExperimentMove
    from heavylift.registry.catalogues.experiments.reading import Trials
    from heavylift.registry.catalogues.mlflow import MLflowCatalogue
    from heavylift.registry.catalogues.sagemaker import SageMakerCatalogue
    from heavylift.registry.catalogues.trials.moving import RunsMove

    if isinstance(source, SageMakerCatalogue) and isinstance(target, MLflowCatalogue):
        return ExperimentMove(request, work, source, Trials(source, request.options.selection), target)
    return RunsMove(request, work, target) if isinstance(target, SageMakerCatalogue) else None


def files_connection(place: RegistryPlace, scheme: str) -> Connection | None:
    """Return the connection of a side's object store: its own, or the registry's where that serves both."""
    if place.artifacts is not None:
        return place.artifacts
    return place.connection if _SCHEMES.get(place.kind) == scheme else None


def open_places(place: RegistryPlace, catalogue: Catalogue, parallel: int) -> Places:
    """Return the places of a side's files; close them when done."""
    return Places(lambda scheme: files_connection(place, scheme), catalogue.server, parallel)
