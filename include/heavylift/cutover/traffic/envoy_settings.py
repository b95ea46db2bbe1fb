"""An Envoy proxy as a connection of type ``envoy`` describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from heavylift.connections import Connection, http_address, http_authorisation
from heavylift.cutover.ports import Side
from heavylift.cutover.traffic.faults import wrong_connection
from heavylift.cutover.traffic.settings import confirm_seconds

CONN_TYPE = "envoy"
_CONFIRM_SECONDS = 30.0


class RouteKind(StrEnum):
    """What is split: single requests, or whole connections."""

    HTTP = "http"
    TCP = "tcp"


@dataclass(frozen=True)
class EnvoySettings:
    """Where one route of an Envoy is described, and how to ask Envoy what is in force.

    :param file: the file that Envoy watches; it must lie where both this process and Envoy see it.
    :param route: name of the ``RouteConfiguration``, or of the TCP listener.
    :param clusters: the cluster of each side.
    :param live: clusters to which a side's live requests go instead, where they have a way out: aggregates
        of this side's cluster and the other's.
    :param address: where clients reach the route; empty where the connection does not say.
    :param confirm_seconds: how long a change may take to come into force.
    """

    conn_id: str
    kind: RouteKind
    file: Path
    route: str
    clusters: dict[Side, str]
    live: dict[Side, str]
    admin_url: str
    headers: dict[str, str] = field(repr=False)
    address: str = ""
    confirm_seconds: float = _CONFIRM_SECONDS

    def cluster_of(self, side: Side, target_percent: int) -> str:
        """Return where a side's live requests go: at 0 % the target never gets one, not even as a way out."""
        if side is Side.SOURCE and target_percent == 0:
            return self.clusters[side]
        return self.live.get(side, self.clusters[side])

    def clusters_of(self, side: Side) -> tuple[str, ...]:
        """Return every cluster that stands for a side's live requests."""
        return tuple(dict.fromkeys((self.clusters[side], self.live.get(side, self.clusters[side]))))


def envoy_settings(connection: Connection) -> EnvoySettings:
    """Read a connection of type ``envoy``.

    :raises ConnectionConfigError: it is of another type, or lacks a field.
    """
    if connection.conn_type != CONN_TYPE:
        raise wrong_connection(connection, f"the type {connection.conn_type!r}", "the type envoy")
    needed = ("config_dir", "route", "source_cluster", "target_cluster")
    missing = [name for name in needed if not connection.text(name)]
    admin = connection.text("admin_url") or http_address(connection)
    missing += [] if admin else ["admin_url"]
    if missing:
        raise wrong_connection(
            connection, f"no {', no '.join(missing)}", f"the extra fields {', '.join(needed)} and admin_url"
        )
    kind = connection.text("kind") or RouteKind.HTTP
    if kind not in set(RouteKind):
        raise wrong_connection(connection, f"kind {kind!r}", "http or tcp")
    route = str(connection.text("route"))
    clusters = {side: str(connection.text(f"{side}_cluster")) for side in Side}
    if clusters[Side.SOURCE] == clusters[Side.TARGET]:
        raise wrong_connection(connection, "one cluster for both sides", "two clusters")
    return EnvoySettings(
        conn_id=connection.conn_id,
        kind=RouteKind(kind),
        file=Path(str(connection.text("config_dir"))) / (connection.text("file") or f"{route}.json"),
        route=route,
        clusters=clusters,
        live={side: name for side in Side if (name := connection.text(f"{side}_live_cluster"))},
        admin_url=admin.rstrip("/"),
        headers=http_authorisation(connection),
        address=connection.text("address") or "",
        confirm_seconds=confirm_seconds(connection, _CONFIRM_SECONDS),
    )
