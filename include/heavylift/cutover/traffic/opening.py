"""Opening what splits live traffic: the one place that knows which adapter is which."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from heavylift.connections import Connection
from heavylift.cutover.ports import TrafficPort
from heavylift.cutover.traffic.faults import other_cloud, wrong_connection
from heavylift.errors import HeavyliftError
from heavylift.spec.sections_platform import TrafficAdapter
from heavylift.spec.vocabulary import Platform

_TYPES = {
    "aws": Platform.AWS,
    "google_cloud_platform": Platform.GCP,
    "gcpbigquery": Platform.GCP,
    "azure": Platform.AZURE,
}


class OpenTraffic(TrafficPort, Protocol):
    """A port that is closed when its work is done."""

    async def close(self) -> None:
        """Close what is open."""
        ...


@asynccontextmanager
async def open_traffic(
    adapter: TrafficAdapter,
    connection: Connection,
    *,
    source: Platform | None = None,
    target: Platform | None = None,
) -> AsyncIterator[TrafficPort]:
    """Open what splits live traffic, and close it at the end of the block; asks nobody yet.

    :param connection: says where it is and what the two sides are called there; its type chooses among the
        platforms' services.
    :param source: where the two sides are, where that is known: a platform's own endpoint reaches no other
        platform.
    :param target: likewise.
    :raises ConnectionConfigError: the connection is of another kind, or lacks a field.
    :raises UnsupportedError: this adapter can't reach both sides.
    """
    port = _opened(adapter, connection, source, target)
    try:
        yield port
    finally:
        await port.close()


def _opened(
    adapter: TrafficAdapter, connection: Connection, source: Platform | None, target: Platform | None
) -> OpenTraffic:
    if adapter is TrafficAdapter.ENVOY:
        from heavylift.cutover.traffic.envoy import EnvoyTraffic
        from heavylift.cutover.traffic.envoy_settings import envoy_settings

        return EnvoyTraffic(envoy_settings(connection))
    if adapter is TrafficAdapter.GATEWAY_API:
        from heavylift.cutover.traffic.gateway_api import GatewayTraffic

        return GatewayTraffic(connection)
    platform = _TYPES.get(connection.conn_type)
    if platform is None:
        raise _unknown(adapter, connection)
    if adapter is TrafficAdapter.DNS:
        return _dns(platform, connection)
    for each in (source, target):
        if each is not None and each is not platform:
            raise other_cloud(connection, platform, each)
    return _endpoint(platform, connection)


def _dns(platform: Platform, connection: Connection) -> OpenTraffic:
    if platform is Platform.AWS:
        from heavylift.cutover.traffic.route53 import Route53Traffic

        return Route53Traffic(connection)
    if platform is Platform.GCP:
        from heavylift.cutover.traffic.cloud_dns import CloudDnsTraffic

        return CloudDnsTraffic(connection)
    from heavylift.cutover.traffic.traffic_manager import TrafficManagerTraffic

    return TrafficManagerTraffic(connection)


def _endpoint(platform: Platform, connection: Connection) -> OpenTraffic:
    if platform is Platform.AWS:
        from heavylift.cutover.traffic.sagemaker_endpoint import SageMakerTraffic

        return SageMakerTraffic(connection)
    if platform is Platform.GCP:
        from heavylift.cutover.traffic.vertex_endpoint import VertexTraffic

        return VertexTraffic(connection)
    from heavylift.cutover.traffic.azure_ml_endpoint import AzureMlTraffic

    return AzureMlTraffic(connection)


def _unknown(adapter: TrafficAdapter, connection: Connection) -> HeavyliftError:
    return wrong_connection(
        connection,
        f"the type {connection.conn_type!r} for the adapter {adapter}",
        "aws, google_cloud_platform or azure",
    )
