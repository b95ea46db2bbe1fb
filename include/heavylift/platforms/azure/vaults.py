"""The REST API of one Azure Key Vault, for its secrets and its keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from heavylift.connections import Connection
from heavylift.platforms.azure.credentials import token_fetcher
from heavylift.platforms.rest_faults import Told
from heavylift.platforms.secret_api import SecretApi

API_VERSION = "7.4"


def vault_url_of(connection: Connection) -> str:
    """Return the vault's address as the connection has it; empty where it has none."""
    return (connection.text("vault_url") or "").rstrip("/")


def vault_api(connection: Connection, told: Callable[[Mapping[str, Any]], Told]) -> SecretApi:
    """Return the interface of a connection's vault; nothing is asked yet.

    :param told: takes reason and message out of an error answer.
    """
    url = vault_url_of(connection)
    # The audience is the address without the vault's name: https://vault.azure.net in the public cloud.
    audience = (urlsplit(url).hostname or "").partition(".")[2]
    fetch = None
    if not connection.flag("anonymous"):
        fetch = token_fetcher(connection, f"https://{audience}/.default")
    return SecretApi(connection.conn_id, url, told, fetch=fetch, query={"api-version": API_VERSION})
