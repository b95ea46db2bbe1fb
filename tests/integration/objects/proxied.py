"""Places as they are reached through fault proxies, for the library and for a process of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from heavylift.connections import Connection
from heavylift.platforms.places import Place
from tests.support.fault_proxy import FaultProxy

DIALECTS = {"aws_source": "s3", "aws_target": "s3", "gcp_target": "gcs", "azure_target": "azure"}


def origin(url: str) -> str:
    """Return scheme and address of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def through(place: Place, proxy: FaultProxy | None) -> Place:
    """Return ``place`` as it is reached through a proxy."""
    if proxy is None or place.connection is None:
        return place
    return Place(place.location, _through(place.connection, proxy.url))


def _through(connection: Connection, url: str) -> Connection:
    if connection.extra.get("endpoint_url"):
        return replace(connection, extra={**connection.extra, "endpoint_url": url})
    return replace(connection, host=_moved(str(connection.host), url))


def _moved(url: str, to: str) -> str:
    return urlunsplit(urlsplit(url)._replace(netloc=urlsplit(to).netloc))


def connection_text(text: str, proxy: FaultProxy | None) -> str:
    """Return an ``AIRFLOW_CONN_*`` value that leads through a proxy."""
    fields = json.loads(text)
    if proxy is None:
        return text
    if fields.get("extra", {}).get("endpoint_url"):
        fields["extra"]["endpoint_url"] = proxy.url
    else:
        fields["host"] = _moved(fields["host"], proxy.url)
    return json.dumps(fields)
