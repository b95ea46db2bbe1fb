"""Azure Resource Manager where something is to be changed."""

from __future__ import annotations

from collections.abc import Mapping

from heavylift.connections import Connection
from heavylift.platforms.azure.control import subscription_named, told_by_azure, unencrypted
from heavylift.platforms.azure.manager import endpoint_of, fetch_of
from heavylift.platforms.rest_changes import RestChanges
from heavylift.platforms.tokens import TokenCache, may_carry_tokens


def azure_changes(connection: Connection, api_version: str) -> tuple[RestChanges, str]:
    """Return what changes one provider's resources, and the subscription.

    :raises ConnectionConfigError: no connection of Azure, or one without a subscription.
    """
    subscription = subscription_named(connection)
    endpoint, fetch = endpoint_of(connection), fetch_of(connection)
    if fetch and not may_carry_tokens(endpoint):
        raise unencrypted(connection, endpoint)
    tokens = TokenCache(fetch) if fetch else None

    async def authorisation() -> Mapping[str, str]:
        return {"Authorization": f"Bearer {(await tokens.get()).value}"} if tokens else {}

    query = {"api-version": api_version}
    return RestChanges(endpoint, authorisation, told=told_by_azure, query=query), subscription
