"""A subscription's resources through Azure Resource Manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError
from heavylift.platforms.azure.manager import endpoint_of, fetch_of, subscription_of
from heavylift.platforms.control import Account, Limits
from heavylift.platforms.rest_control import Headers, OverRest, Paging, RestPlane
from heavylift.platforms.rest_faults import Reading, Told
from heavylift.platforms.tokens import TokenCache, may_carry_tokens

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
        self._endpoint = endpoint_of(connection)
        fetch = fetch_of(connection)
        if fetch and not may_carry_tokens(self._endpoint):
            got, expected = f"the endpoint {self._endpoint}", "https:// where access tokens are sent"
            raise _wrong(connection, got, expected, "7638")
        tokens = TokenCache(fetch) if fetch else None

        async def authorisation() -> Headers:
            return {"Authorization": f"Bearer {(await tokens.get()).value}"} if tokens else {}

        rest = RestPlane(
            lambda _service, _region: self._endpoint,
            authorisation,
            Paging("", "nextLink"),
            Reading(told=told_by, permission=lambda _what: PERMISSION, off=_OFF, slow=_SLOW),
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


def _subscription_of(connection: Connection) -> str:
    found = subscription_of(connection)
    if connection.conn_type not in ("azure", "azure_data_factory", "wasb") or not found:
        got = f"the type {connection.conn_type!r}" + ("" if found else " and no subscriptionId")
        raise _wrong(connection, got, "the type azure, and the extra field subscriptionId", "7639")
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


def told_by(answer: Mapping[str, Any]) -> Told:
    """Return reason and message of an error answer of Azure's."""
    error = answer.get("error")
    if not isinstance(error, Mapping):
        return str(answer.get("code") or ""), str(answer.get("message") or "")
    return str(error.get("code") or ""), str(error.get("message") or "")
