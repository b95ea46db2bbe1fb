"""From an Airflow connection of type ``kafka`` to librdkafka's settings: named ones, and no others.

Airflow's connection keeps librdkafka's own names in its extra. Only what says where the brokers are and who
we are gets through: a setting such as ``plugin.library.paths`` or ``sasl.kerberos.kinit.cmd`` runs code, and
one such as ``acks`` or ``isolation.level`` would undo what Heavylift promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError

ALLOWED = frozenset(
    {
        "bootstrap.servers",
        "broker.address.family",
        "client.dns.lookup",
        "client.id",
        "client.rack",
        "connections.max.idle.ms",
        "metadata.max.age.ms",
        "reconnect.backoff.max.ms",
        "reconnect.backoff.ms",
        "request.timeout.ms",
        "retry.backoff.ms",
        "sasl.kerberos.keytab",
        "sasl.kerberos.principal",
        "sasl.kerberos.service.name",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.extensions",
        "sasl.oauthbearer.method",
        "sasl.oauthbearer.scope",
        "sasl.oauthbearer.token.endpoint.url",
        "sasl.password",
        "sasl.username",
        "security.protocol",
        "socket.connection.setup.timeout.ms",
        "socket.keepalive.enable",
        "socket.timeout.ms",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.certificate.pem",
        "ssl.cipher.suites",
        "ssl.endpoint.identification.algorithm",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.location",
        "ssl.keystore.password",
    }
)

_PRODUCER_ONLY = frozenset({"request.timeout.ms"})
_TYPE = "kafka"


def client_settings(connection: Connection) -> dict[str, Any]:
    """Return librdkafka's settings that hold for all clients of a connection.

    Host and port stand in for ``bootstrap.servers``, login and password for the SASL ones.

    :raises ConnectionConfigError: it is of another type, or names no broker.
    """
    if connection.conn_type != _TYPE:
        raise ConnectionConfigError(
            f"opening connection {connection.conn_id!r} as a Kafka broker",
            got=f"type {connection.conn_type}",
            expected=f"type {_TYPE}",
            state="nothing was touched",
            remedy="name a connection of type kafka, or correct its type",
            code="6504",
        )
    chosen = {name: _text(connection.extra[name]) for name in sorted(ALLOWED & set(connection.extra))}
    chosen |= _from_fields(connection, chosen)
    if not chosen.get("bootstrap.servers"):
        raise ConnectionConfigError(
            f"opening connection {connection.conn_id!r} as a Kafka broker",
            got="no broker's address",
            expected='an extra field "bootstrap.servers", or a host and port',
            state="nothing was touched",
            remedy='set {"bootstrap.servers": "host:9092"} in the connection\'s extra',
            code="6505",
        )
    return {name: value for name, value in chosen.items() if name not in _PRODUCER_ONLY}


def ignored_settings(connection: Connection) -> list[str]:
    """Return the names of the extra's fields that are not passed on."""
    return sorted(set(connection.extra) - ALLOWED)


def bootstrap(connection: Connection) -> str:
    """Return the brokers' addresses, to be named in messages; there is no secret in them."""
    return str(client_settings(connection)["bootstrap.servers"])


def _from_fields(connection: Connection, chosen: Mapping[str, str]) -> dict[str, str]:
    found = {}
    if "bootstrap.servers" not in chosen and connection.host:
        found["bootstrap.servers"] = f"{connection.host}:{connection.port or 9092}"
    if "SASL" in chosen.get("security.protocol", "").upper():
        named = {"sasl.username": connection.login, "sasl.password": connection.password}
        found |= {name: value for name, value in named.items() if value and name not in chosen}
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
