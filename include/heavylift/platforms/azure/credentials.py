"""Tokens of the Microsoft identity platform for a connection, through azure-identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, CredentialError, ServerUnavailableError
from heavylift.platforms.azure.settings import extra_field
from heavylift.platforms.tokens import Token

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

SCOPE = "https://storage.azure.com/.default"


def token_fetcher(connection: Connection, scope: str = SCOPE) -> Callable[[], Token]:
    """Return a blocking function that fetches a fresh access token for the connection.

    With ``tenant_id`` (or ``tenantId``), login and password are a service principal's; else azure-identity's
    default chain, to which ``managed_identity_client_id`` and ``workload_identity_tenant_id``
    are passed on.

    :param scope: whom the token is for.
    :raises ConnectionConfigError: from a call: ``tenant_id`` without login or password.
    :raises CredentialError: from a call: refused, or no credential found.
    """

    def fetch() -> Token:
        return _fetch(connection, scope)

    return fetch


def _fetch(connection: Connection, scope: str) -> Token:
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    what = f"fetching an Azure access token for connection {connection.conn_id!r}"
    try:
        # A new credential each time: the old one would answer from its own cache.
        token = _credential(connection).get_token(scope)
    except ClientAuthenticationError as error:
        raise CredentialError(
            what,
            got=_brief(error),
            expected="a token",
            state="nothing was touched",
            remedy="check tenant, client id and secret, or the managed or workload identity of this machine",
            code="3365",
        ) from error
    except AzureError as error:
        raise ServerUnavailableError(
            what,
            got=_brief(error),
            expected="a token",
            state="nothing was touched",
            remedy="check that login.microsoftonline.com is reachable from here",
            code="3364",
        ) from error
    return Token(token.token, float(token.expires_on))


def _credential(connection: Connection) -> TokenCredential:
    from azure.identity import ClientSecretCredential, DefaultAzureCredential

    # Airflow's provider for Azure spells it in its own way.
    tenant = extra_field(connection, "tenant_id") or connection.text("tenantId")
    if not tenant:
        names = ("managed_identity_client_id", "workload_identity_tenant_id")
        given = {name: str(value) for name in names if (value := extra_field(connection, name))}
        return DefaultAzureCredential(**given)
    if not connection.login or not connection.password:
        raise ConnectionConfigError(
            f"reading connection {connection.conn_id!r}",
            got="tenant_id without login or password",
            expected="the client id as login and its secret as password",
            state="nothing was touched",
            remedy=f"correct connection {connection.conn_id!r}",
            code="3366",
        )
    return ClientSecretCredential(str(tenant), connection.login, connection.password)


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
