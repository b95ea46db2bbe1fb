"""Azure Resource Manager as a connection of Airflow's type ``azure`` describes it."""

from __future__ import annotations

from collections.abc import Callable

from heavylift.connections import Connection
from heavylift.platforms.azure.credentials import token_fetcher
from heavylift.platforms.tokens import Token

_PUBLIC_CLOUD = "https://management.azure.com"


def endpoint_of(connection: Connection) -> str:
    """Return its address: ``endpoint_url`` in sovereign clouds and for private endpoints."""
    return (connection.text("endpoint_url") or _PUBLIC_CLOUD).rstrip("/")


def subscription_of(connection: Connection) -> str:
    """Return the subscription, as Airflow's provider or as Azure's SDKs spell the field; or nothing."""
    return connection.text("subscriptionId") or connection.text("subscription_id") or ""


def fetch_of(connection: Connection) -> Callable[[], Token] | None:
    """Return what fetches a token for it; None for a server that wants none."""
    if connection.flag("anonymous"):
        return None
    return token_fetcher(connection, f"{endpoint_of(connection)}/.default")
