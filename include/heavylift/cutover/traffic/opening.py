"""Opening what splits live traffic: the one place that knows which adapter is which."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from heavylift.connections import Connection
from heavylift.cutover.ports import TrafficPort
from heavylift.cutover.traffic.envoy import open_envoy
from heavylift.spec.sections_platform import TrafficAdapter


@asynccontextmanager
async def open_traffic(adapter: TrafficAdapter, connection: Connection) -> AsyncIterator[TrafficPort]:
    """Open what splits live traffic, and close it at the end of the block; asks nobody yet.

    :param connection: says where it is and what the two sides are called there.
    :raises ConnectionConfigError: the connection is of another kind, or lacks a field.
    """
    async with open_envoy(connection) as port:
        yield port
