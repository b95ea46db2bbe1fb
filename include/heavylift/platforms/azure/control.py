"""A subscription's resources through Azure Resource Manager."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError
from heavylift.platforms.azure.credentials import token_fetcher
from heavylift.platforms.control import Account, Limits
from heavylift.platforms.rest_control import Headers, OverRest, Paging, RestPlane
from heavylift.platforms.rest_faults import Reading, Told
from heavylift.platforms.tokens import TokenCache, may_carry_tokens

ENDPOINT = "https://management.azure.com"
SUBSCRIPTION = "GET subscriptions/{account}?api-version=2022-12-01"
PERMISSION = "Microsoft.Resources/subscriptions/read"
_OFF = frozenset(
    {"MissingSubscriptionRegistration", "SubscriptionNotRegistered", "NoRegisteredProviderFound"}
    | {"InvalidResourceType", "InvalidResourceNamespace"}
)
_SLOW = frozenset({"TooManyRequests", "SubscriptionRequestsThrottled"})


class AzureControlPlane(OverRest):
    """Reads one subscription; its listings reach over all resource groups and regions.

    :param connection: type ``azure``; the extra field ``subscriptionId`` names the subscription,
        ``endpoint_url`` replaces the address (sovereign clouds, private endpoints).
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
    ) -> None:
        self._subscription = _subscription_of(connection)
        self._endpoint = (connection.text("endpoint_url") or ENDPOINT).rstrip("/")
        tokens = None if connection.flag("anonymous") else _tokens(connection, self._endpoint)

        async def authorisation() -> Headers:
            return {"Authorization": f"Bearer {(await tokens.get()).value}"} if tokens else {}

        rest = RestPlane(
            lambda _service, _region: self._endpoint,
            authorisation,
            Paging("", "nextLink"),
            Reading(told=_told, permission=lambda _what: PERMISSION, off=_OFF, slow=_SLOW),
            fixed={"account": self._subscription},
            limits=limits,
        )
        super().__init__(rest)

    def account(self) -> Account:
        """Return the subscription, once it has answered.

        :raises CredentialError: Azure does not accept the credentials.
        """
        self._rest.call("", SUBSCRIPTION, "", {})
        return Account(self._subscription, "azure")

    def regions(self) -> list[str]:
        """Return one word for all regions: every listing reaches over all of them."""
        return ["subscription"]

    def permission(self, service: str, operation: str) -> str:
        """Return what to grant where a row does not name its permission."""
        del operation
        return f"{service}/*/read"


def _tokens(connection: Connection, endpoint: str) -> TokenCache:
    if not may_carry_tokens(endpoint):
        raise _wrong(connection, f"the endpoint {endpoint}", "https:// where access tokens are sent", "7685")
    tenant = connection.text("tenantId") or connection.text("tenant_id")
    known = replace(connection, extra={**connection.extra, **({"tenant_id": tenant} if tenant else {})})
    return TokenCache(token_fetcher(known, f"{endpoint}/.default"))


def _subscription_of(connection: Connection) -> str:
    found = connection.text("subscriptionId") or connection.text("subscription_id")
    if connection.conn_type not in ("azure", "azure_data_factory", "wasb") or not found:
        got = f"the type {connection.conn_type!r}" + ("" if found else " and no subscriptionId")
        raise _wrong(connection, got, "the type azure, and the extra field subscriptionId", "7686")
    return found.lower()


def _wrong(connection: Connection, got: str, expected: str, code: str) -> ConnectionConfigError:
    return ConnectionConfigError(
        f"using connection {connection.conn_id!r} for Azure",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=f"correct connection {connection.conn_id!r}",
        code=code,
    )


def _told(answer: Mapping[str, Any]) -> Told:
    error = answer.get("error")
    if not isinstance(error, Mapping):
        return str(answer.get("code") or ""), str(answer.get("message") or "")
    return str(error.get("code") or ""), str(error.get("message") or "")
