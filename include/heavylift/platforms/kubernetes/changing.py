"""A cluster's API where something is to be changed; ``resourceVersion`` makes each a compare-and-swap."""

from __future__ import annotations

from collections.abc import Mapping

from heavylift.connections import Connection
from heavylift.platforms.kubernetes.control import told_by_kubernetes
from heavylift.platforms.kubernetes.kubeconfig import access
from heavylift.platforms.rest_changes import RestChanges


def kubernetes_changes(connection: Connection) -> RestChanges:
    """Return what changes a cluster's objects.

    :raises ConnectionConfigError: the connection does not say how to reach a cluster.
    """
    found = access(connection)

    async def authorisation() -> Mapping[str, str]:
        return found.authorisation()

    return RestChanges(found.url, authorisation, told=told_by_kubernetes, tls=found.tls)
