"""Which rows a platform has, who reads them, and in which units."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

from heavylift.errors import SpecError
from heavylift.inventory.reading import Unit
from heavylift.platforms.control import Limits
from heavylift.platforms.planes import PLANES
from heavylift.spec.vocabulary import System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavylift.inventory.requests import InventoryRequest
    from heavylift.inventory.rows import Row
    from heavylift.platforms.control import ControlPlane

_ROWS = {
    "aws": "heavylift.inventory.aws.catalog",
    "gcp": "heavylift.inventory.gcp.catalog",
    "azure": "heavylift.inventory.azure.catalog",
    "kubernetes": "heavylift.inventory.kubernetes.rows",
    "mlflow": "heavylift.inventory.native.mlflow",
    "postgresql": "heavylift.inventory.native.postgresql",
    "mysql": "heavylift.inventory.native.mysql",
    "kafka": "heavylift.inventory.native.kafka",
    "files": "heavylift.inventory.native.files",
    "objects": "heavylift.inventory.native.objects",
}
"""The module whose ``ROWS`` a platform has; none of them costs an import before it is asked for."""

_PLANES = {
    **PLANES,
    "mlflow": ("heavylift.inventory.native.mlflow", "MlflowPlane"),
    "postgresql": ("heavylift.inventory.native.postgresql", "PostgresPlane"),
    "mysql": ("heavylift.inventory.native.mysql", "MysqlPlane"),
    "kafka": ("heavylift.inventory.native.kafka", "KafkaPlane"),
    "files": ("heavylift.inventory.native.files", "FilesPlane"),
    "objects": ("heavylift.inventory.native.objects", "ObjectsPlane"),
}


def rows_of(platform: System) -> tuple[Row, ...]:
    """Return the types that are read of a platform."""
    rows: tuple[Row, ...] = import_module(_ROWS[platform.value]).ROWS
    return rows


def open_plane(request: InventoryRequest, stop: threading.Event) -> ControlPlane:
    """Return what reads the request's platform.

    :raises ConnectionConfigError: the connection is of another type.
    """
    module, name = _PLANES[request.platform.value]
    options = request.options
    limits = Limits(options.max_requests, options.parallel, stop)
    # A namespace of Kubernetes is a region to the reader, and has to be known before anything is asked.
    more = {"namespaces": options.regions} if request.platform is System.KUBERNETES else {}
    plane: ControlPlane = getattr(import_module(module), name)(request.connection, limits, **more)
    return plane


def check_options(request: InventoryRequest) -> None:
    """Do nothing where all types to be left out exist.

    :raises SpecError: one does not.
    """
    known = {row.native_type for row in rows_of(request.platform)}
    unknown = sorted(set(request.options.skip) - known)
    if unknown:
        raise SpecError(
            "reading --skip",
            got=", ".join(unknown),
            expected=f"some of {', '.join(sorted(known))}",
            state="nothing was touched",
            remedy="correct --skip",
            code="7625",
        )


def units_of(request: InventoryRequest, plane: ControlPlane, regions: Sequence[str]) -> list[Unit]:
    """Return what is read: each type in each region that offers it, global types once."""
    units = []
    for row in rows_of(request.platform):
        if row.native_type in request.options.skip:
            continue
        there = [region for region in regions if row.is_global or plane.offers(row.service, region)]
        units += [Unit(row, region) for region in (there[:1] if row.is_global else there)]
    return units


def needed_policy(platform: System = System.AWS) -> dict[str, Any]:
    """Return what an inventory of a platform needs; it needs no credentials to be made."""
    if platform is System.AWS:
        from heavylift.inventory.aws.catalog import policy
        from heavylift.platforms.aws.control import permission_of_operation

        return policy(permission_of_operation)
    from heavylift.inventory.needed import needed

    return needed(platform.value, rows_of(platform))
