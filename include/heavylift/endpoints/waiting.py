"""Waiting for what is under way: described as plain JSON, for whoever waits without a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.endpoints.opening import open_serving
from heavylift.endpoints.ports import Thing, WantedEndpoint
from heavylift.spec.sections_endpoints import EndpointKind


def described(kind: EndpointKind, connection: str, wanted: WantedEndpoint, thing: Thing) -> dict[str, Any]:
    """Return a thing that is under way as plain JSON without secrets."""
    return {
        "product": kind.value,
        "connection": connection,
        "location": wanted.location,
        "migration": wanted.migration,
        "endpoint": wanted.endpoint,
        "existing": wanted.existing,
        "thing": thing.kind,
        "name": thing.name,
        "path": thing.path,
    }


async def is_under_way(waits: Mapping[str, Any], connection: Connection) -> bool:
    """Tell whether a described thing is still being made, changed or removed; changes nothing.

    :raises HeavyliftError: as the product's adapter.
    """
    wanted = WantedEndpoint(
        str(waits["migration"]),
        str(waits["endpoint"]),
        str(waits["endpoint"]),
        str(waits["location"]),
        (),
        existing=bool(waits["existing"]),
    )
    # Only its state counts here, not whether it is as it shall be.
    body: dict[str, Any] = {"trafficSplit": {}, "properties": {"traffic": {}}, "EndpointConfigName": ""}
    thing = Thing(waits["thing"], str(waits["name"]), body, str(waits["path"]))
    kind = EndpointKind(str(waits["product"]))
    async with open_serving(kind, connection, str(waits["location"])) as port:
        return (await port.see(wanted, thing)).state == "under_way"
