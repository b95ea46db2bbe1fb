"""Live traffic of a small workload: Envoy before two scoring servers and two databases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from heavylift.connections import Connection, connection_from_env
from heavylift.cutover.traffic.envoy import EnvoyTraffic, open_envoy
from sandbox.stack import Stack


@pytest.fixture(scope="session")
def proxied(sandbox: Stack) -> Iterator[Stack]:
    """Return the sandbox with its proxy and what stands behind that."""
    sandbox.ensure("traffic")
    return sandbox


@pytest.fixture
def route(proxied: Stack) -> Connection:
    """Return the connection of the HTTP route."""
    return connection_from_env("traffic", proxied.env)


@pytest.fixture
def listener(proxied: Stack) -> Connection:
    """Return the connection of the TCP listener."""
    return connection_from_env("traffic_writes", proxied.env)


@pytest_asyncio.fixture
async def traffic(route: Connection) -> AsyncIterator[EnvoyTraffic]:
    """Return the HTTP route, all of it on the source."""
    async with open_envoy(route) as opened:
        await opened.shift(0, epoch=max(1, (await opened.read()).epoch))
        yield opened


@pytest_asyncio.fixture
async def writes(listener: Connection) -> AsyncIterator[EnvoyTraffic]:
    """Return the TCP listener, leading to the source."""
    async with open_envoy(listener) as opened:
        await opened.shift(0, epoch=max(1, (await opened.read()).epoch))
        yield opened
