"""The containers of a storage account, as its data service tells them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from heavylift.connections import Connection
from heavylift.locations import Location
from heavylift.platforms.azure.settings import account_of
from heavylift.platforms.azure.wire import ContainerWire
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.pacing import Pacer

_PAGE = 5000


def account_name(connection: Connection) -> str:
    """Return the storage account that a connection leads to."""
    return account_of(connection).name


async def container_names(connection: Connection) -> AsyncIterator[list[str]]:
    """Yield the names of all containers, page by page."""
    wire = ContainerWire(Location("az", ""), connection, settings=HttpSettings(), pacer=Pacer())
    query = {"comp": "list", "maxresults": str(_PAGE)}
    try:
        while True:
            answer = await wire.read_xml(wire.request("GET", "list of containers", None, query=query))
            yield [each.get("Name") for each in answer.iter("Container")]
            marker = answer.get("NextMarker")
            if not marker:
                return
            query["marker"] = marker
    finally:
        await wire.http.close()
