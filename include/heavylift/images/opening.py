"""Opens the registries of a copy, as whoever their connections say."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from heavylift.connections import Connection, http_address
from heavylift.errors import SpecError
from heavylift.images.requests import ImagesRequest
from heavylift.platforms.oci.catalogues import RegistryAccount, demand_own_host, plain_account
from heavylift.platforms.oci.client import Registry
from heavylift.platforms.oci.names import Place
from heavylift.platforms.oci.wire import Wire
from heavylift.platforms.pacing import Pacer

_HUB, _HUB_SERVER = "docker.io", "registry-1.docker.io"
_PLAIN = frozenset({"docker", "http", "https", "generic"})
_CLOUDS = {
    "aws": ("heavylift.platforms.aws.ecr", "EcrAccount"),
    "google_cloud_platform": ("heavylift.platforms.gcp.artifact_registry", "ArtifactRegistryAccount"),
    "azure": ("heavylift.platforms.azure.container_registry", "ContainerRegistryAccount"),
    "azure_container_registry": ("heavylift.platforms.azure.container_registry", "ContainerRegistryAccount"),
}


@dataclass(frozen=True)
class OpenRegistry:
    """A registry, and what its platform's own API does for it."""

    registry: Registry
    account: RegistryAccount
    place: Place


@asynccontextmanager
async def open_registries(request: ImagesRequest) -> AsyncIterator[tuple[OpenRegistry, OpenRegistry]]:
    """Open source and target, and close them at the end of the block.

    :raises SpecError: a registry's name cannot be read, or a connection is of a type that has none.
    :raises ConnectionConfigError: a connection's credentials are for another registry.
    """
    source, target = request.places
    async with AsyncExitStack() as stack:
        yield (
            # What is read from the source is what is sent to the target: one side held back is enough.
            _opened(stack, request.source, source, Pacer(request.wanted.max_bandwidth)),
            _opened(stack, request.target, target, writes=not request.dry_run),
        )


def _opened(
    stack: AsyncExitStack,
    connection: Connection,
    place: Place,
    pacer: Pacer | None = None,
    *,
    writes: bool = False,
) -> OpenRegistry:
    base = _address(connection, place.host)
    account = _account(connection, place.host, base)
    plain = connection.flag("allow_plain_http")
    wire = Wire(base, account, plain=plain, pacer=pacer, tls=_trust(connection))
    registry = Registry(place.host, wire, writes=writes)
    stack.push_async_callback(account.close)
    stack.push_async_callback(registry.close)
    return OpenRegistry(registry, account, place)


def _address(connection: Connection, host: str) -> str:
    """Return the URL of a registry: https://, unless its connection says otherwise of exactly this host."""
    given = connection.text("registry_endpoint")
    if connection.conn_type in _PLAIN and connection.host:
        given = http_address(_secure(connection))
        shown = urlsplit(given).netloc
        demand_own_host(connection, host, fits=shown == host, expected=shown)
    if host == _HUB:
        return f"https://{_HUB_SERVER}"
    return given or f"https://{host}"


def _secure(connection: Connection) -> Connection:
    """Return a connection whose host, without a scheme, means https://."""
    from dataclasses import replace

    named = "://" in (connection.host or "") or "http" in {connection.conn_type, connection.schema}
    return connection if named else replace(connection, schema="https")


def _account(connection: Connection, host: str, base: str) -> RegistryAccount:
    if connection.conn_type in _PLAIN:
        return plain_account(connection)
    found = _CLOUDS.get(connection.conn_type)
    if found is None:
        raise SpecError(
            f"opening the registry {host} with connection {connection.conn_id!r}",
            got=f"the type {connection.conn_type!r}",
            expected=f"one of {', '.join(sorted({*_PLAIN, *_CLOUDS}))}",
            state="nothing was touched",
            remedy="name a connection of a registry: containers.source_connection, target_connection",
            code="9166",
        )
    made: Any = getattr(import_module(found[0]), found[1])
    account: RegistryAccount = (
        made(connection, host, base) if found[1] == "ContainerRegistryAccount" else made(connection, host)
    )
    return account


def _trust(connection: Connection) -> ssl.SSLContext | None:
    authority = connection.text("ca_cert")
    return ssl.create_default_context(cafile=authority) if authority else None
