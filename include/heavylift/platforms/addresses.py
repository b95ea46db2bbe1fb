"""Which store a place lies in, however its connection spells the address.

Two connections may name one bucket in several ways: with a closing slash, the default port, another name of
this machine, a region or none. Names are not looked up: two stores may share an address behind one proxy.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from heavylift.connections import Connection
from heavylift.platforms.places import Place

_GOOGLE = "https://storage.googleapis.com"
_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"http": 80, "https": 443}
_PARTITIONS = ("cn-", "us-gov-", "us-iso")
"""Regions whose names begin so have buckets of their own; in all others together each name is there once."""


def store_of(place: Place) -> tuple[str, ...]:
    """Return what is equal for two places in one store, where a container's name means the same container.

    :raises ConnectionConfigError: an Azure connection names no account.
    """
    scheme, connection = place.location.scheme, place.connection
    if scheme == "file" or connection is None:
        return (scheme,)
    if scheme == "az":
        from heavylift.platforms.azure.settings import account_of

        return scheme, spelled_alike(account_of(connection).endpoint)
    if scheme == "gs":
        return scheme, spelled_alike(connection.text("endpoint_url") or _GOOGLE)
    return _of_s3(connection)


def _of_s3(connection: Connection) -> tuple[str, ...]:
    from heavylift.platforms.aws.settings import endpoint_setting

    endpoint = endpoint_setting(connection, "s3")
    address = spelled_alike(endpoint) if endpoint else ""
    if address == spelled_alike(_GOOGLE):
        return "gs", address  # Cloud Storage in the words of S3
    if address and not address.partition(":")[0].endswith(_AMAZON):
        return "s3", address
    region = connection.text("region_name") or ""
    return "s3", next((each for each in _PARTITIONS if region.startswith(each)), "")


def spelled_alike(endpoint: str) -> str:
    """Return the host, port and path of an endpoint in one spelling."""
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return f"{'localhost' if host in _THIS_MACHINE else host}:{port}{parts.path.rstrip('/')}"
