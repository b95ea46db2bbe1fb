"""Opens what makes and reads endpoints: the one place that knows which product is which."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from heavylift.connections import Connection
from heavylift.endpoints.ports import ServingPort
from heavylift.errors import ConnectionConfigError
from heavylift.spec.sections_endpoints import EndpointKind

_PORTS = {
    EndpointKind.VERTEX: ("vertex", "VertexServing", ("google_cloud_platform", "gcpbigquery")),
    EndpointKind.AZURE_ML: ("azure_ml", "AzureMlServing", ("azure",)),
    EndpointKind.SAGEMAKER: ("sagemaker", "SageMakerServing", ("aws",)),
}


@asynccontextmanager
async def open_serving(
    kind: EndpointKind, connection: Connection, location: str
) -> AsyncIterator[ServingPort]:
    """Open a product for one account and location; asks nobody yet.

    :raises ConnectionConfigError: the connection is of another kind, or lacks a field.
    """
    module, name, types = _PORTS[kind]
    if connection.conn_type not in types or not location:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for endpoints of {kind.value}",
            got=f"the type {connection.conn_type!r}, and the location {location!r}",
            expected=f"the type {' or '.join(types)}, and a location",
            state="nothing was touched",
            remedy="name another connection, or set the endpoint's target.location",
            code="9294",
        )
    port: ServingPort = getattr(import_module(f"heavylift.endpoints.{module}"), name)(connection, location)
    try:
        yield port
    finally:
        await port.close()


def location_of(connection: Connection, named: str | None, region: str) -> str:
    """Return where an endpoint is: as the spec says, as the connection says, as the target's side says."""
    own = connection.text("location") or connection.text("region_name") or connection.text("region")
    return named or own or region
