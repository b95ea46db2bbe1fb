"""Who reads what: the platform's monitoring, and Prometheus beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from heavylift.platforms.control import Limits
from heavylift.platforms.planes import open_control_plane

if TYPE_CHECKING:
    from heavylift.evidence.inventory_records import Component
    from heavylift.utilisation.model import Read, Reader, Told, Window
    from heavylift.utilisation.requests import UtilisationRequest

_OF_PLANE = {
    "aws": ("heavylift.utilisation.aws", "CloudWatch"),
    "gcp": ("heavylift.utilisation.gcp", "CloudMonitoring"),
    "azure": ("heavylift.utilisation.azure", "AzureMonitor"),
}


class Readers:
    """All that read for one request; of two that tell the same, the first counts."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = tuple(readers)

    @property
    def requests(self) -> int:
        """Requests sent up to now."""
        return sum(each.requests for each in self._readers)

    def wants(self, component: Component) -> bool:
        """Tell whether any of them may know of a component's machines."""
        return any(each.wants(component) for each in self._readers)

    def is_job(self, component: Component) -> bool:
        """Tell whether a component has machines only while it runs."""
        return any(each.wants(component) and each.is_job(component) for each in self._readers)

    def read(
        self, components: Sequence[Component], listed: Sequence[Component], window: Window, told: Told
    ) -> Iterator[Read]:
        """Yield the series of those components that have any."""
        seen: set[tuple[str, str]] = set()
        for reader in self._readers:
            mine = [each for each in components if reader.wants(each)]
            for read in reader.read(mine, listed, window, told):
                if (read.component, read.use) not in seen:
                    seen.add((read.component, read.use))
                    yield read

    def close(self) -> None:
        """Close all of them."""
        for each in self._readers:
            each.close()


def open_readers(request: UtilisationRequest, told: Told) -> Readers:
    """Return the readers of a request; that Kubernetes has none without Prometheus becomes a finding.

    :raises ConnectionConfigError: a connection is of another type, or lacks a field.
    """
    limits = Limits(request.max_requests)
    found: list[Reader] = []
    if request.prometheus is not None:
        from heavylift.platforms.prometheus import Prometheus
        from heavylift.utilisation.prometheus import Cluster, Own

        server = Prometheus(request.prometheus, limits)
        if request.queries:
            found.append(Own(server, request.queries, counts=request.platform != "kubernetes"))
        if request.platform == "kubernetes":
            found.append(Cluster(server))
        elif not request.queries:
            server.close()
    if request.platform in _OF_PLANE:
        module, name = _OF_PLANE[request.platform]
        plane = open_control_plane(request.platform, request.connection, limits)
        found.append(getattr(import_module(module), name)(plane))
    elif request.prometheus is None:
        told.note(
            "no_reader", request.platform, "a cluster keeps no series of use by itself",
            "name its Prometheus (assess.utilisation.prometheus_connection)",
        )  # fmt: skip
    return Readers(found)
