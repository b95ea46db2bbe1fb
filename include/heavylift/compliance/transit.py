"""Whether a connection's way is encrypted, as far as the connection itself tells."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from heavylift.connections import Connection, http_address

Way = Literal["tls", "loopback", "plain", "unknown"]

_TLS_MODES = frozenset({"require", "verify-ca", "verify-full"})
_STORES = {"aws", "s3", "google_cloud_platform", "gcpbigquery", "wasb", "azure", "azure_data_lake", "adls"}
_POSTGRES = {"postgres", "postgresql", "gcpcloudsql", "azure_postgres"}


@dataclass(frozen=True)
class Transit:
    """How data travels, and by what that is known."""

    way: Way
    detail: str


def transit_of(connection: Connection | None, conn_id: str) -> Transit:
    """Return whether the way of a connection is encrypted, or leaves no machine."""
    if connection is None:
        return Transit("unknown", f"connection {conn_id} is not set here")
    kind = connection.conn_type
    if kind in {"file", "fs"}:
        return Transit("loopback", "a folder of this machine")
    if kind in _STORES:
        return _of_url(connection.text("endpoint_url") or _address(connection), conn_id)
    if kind in _POSTGRES:
        return _of_database(connection, connection.text("sslmode") or "prefer", _TLS_MODES)
    if kind in {"mysql", "mariadb"}:
        mode = "ssl_verify_identity" if connection.flag("ssl_verify_identity") else "no demand for TLS"
        return _of_database(connection, mode, frozenset({"ssl_verify_identity"}))
    if kind == "kafka":
        return _of_broker(connection.extra, conn_id)
    if kind in {"http", "https", "slackwebhook"}:
        return _of_url(http_address(connection), conn_id)
    return Transit("unknown", f"connection {conn_id} is of type {kind}, whose way is not known")


def _address(connection: Connection) -> str:
    host = connection.host or ""
    # Without an address of its own a connection leads to the provider's, which is https.
    return host if "://" in host else "https://"


def _of_url(url: str, conn_id: str) -> Transit:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return Transit("tls", f"connection {conn_id} uses https")
    if is_loopback(parts.hostname or ""):
        return Transit("loopback", f"connection {conn_id} stays on this machine")
    if parts.scheme == "http":
        return Transit("plain", f"connection {conn_id} uses http to {parts.hostname}")
    return Transit("unknown", f"connection {conn_id} names no scheme")


def _of_database(connection: Connection, mode: str, safe: frozenset[str]) -> Transit:
    if mode in safe:
        return Transit("tls", f"connection {connection.conn_id} demands TLS ({mode})")
    if is_loopback(connection.host or "") or (connection.host or "").startswith("/"):
        return Transit("loopback", f"connection {connection.conn_id} stays on this machine")
    return Transit("plain", f"connection {connection.conn_id} does not demand TLS ({mode})")


def _of_broker(extra: Mapping[str, object], conn_id: str) -> Transit:
    if str(extra.get("security.protocol", "")).upper() in {"SSL", "SASL_SSL"}:
        return Transit("tls", f"connection {conn_id} uses TLS")
    servers = str(extra.get("bootstrap.servers", "")).split(",")
    if all(is_loopback(server.strip().rpartition(":")[0]) for server in servers):
        return Transit("loopback", f"connection {conn_id} stays on this machine")
    return Transit("plain", f"connection {conn_id} has no security.protocol of SSL or SASL_SSL")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
