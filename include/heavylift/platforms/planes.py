"""Opening a control plane: which class reads which platform; none costs an import before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.platforms.control import ControlPlane, Limits

PLANES = {
    "aws": ("heavylift.platforms.aws.control", "AwsControlPlane"),
    "gcp": ("heavylift.platforms.gcp.control", "GoogleControlPlane"),
    "azure": ("heavylift.platforms.azure.control", "AzureControlPlane"),
    "kubernetes": ("heavylift.platforms.kubernetes.control", "KubernetesControlPlane"),
}
"""Platform → module and class of what reads it."""


def open_control_plane(platform: str, connection: Connection, limits: Limits, **more: Any) -> ControlPlane:
    """Return what reads a platform's API; nothing is asked yet.

    :param more: what the class takes besides, such as ``namespaces``.
    :raises ConnectionConfigError: the connection is of another type, or lacks a field.
    """
    module, name = PLANES[platform]
    plane: ControlPlane = getattr(import_module(module), name)(connection, limits, **more)
    return plane
