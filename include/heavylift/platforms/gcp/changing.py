"""Google's management APIs where something is to be changed."""

from __future__ import annotations

from collections.abc import Mapping

from heavylift.connections import Connection
from heavylift.platforms.gcp.control import project_of, told_by_google
from heavylift.platforms.gcp.credentials import is_anonymous, token_fetcher, unencrypted
from heavylift.platforms.rest_changes import RestChanges
from heavylift.platforms.tokens import TokenCache, may_carry_tokens

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def google_changes(connection: Connection, address: str) -> tuple[RestChanges, str]:
    """Return what changes one of Google's services, and the project.

    :param address: the service's own; ``endpoint_url`` of the connection replaces it.
    :raises ConnectionConfigError: no connection of Google Cloud, or one without a project.
    """
    project = project_of(connection)
    endpoint = (connection.text("endpoint_url") or address).rstrip("/")
    tokens = None if is_anonymous(connection) else TokenCache(token_fetcher(connection, _SCOPES))
    if tokens is not None and not may_carry_tokens(endpoint):
        raise unencrypted(connection, endpoint)

    async def authorisation() -> Mapping[str, str]:
        return {"Authorization": f"Bearer {(await tokens.get()).value}"} if tokens else {}

    return RestChanges(endpoint, authorisation, told=told_by_google), project
