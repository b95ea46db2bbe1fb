"""Tokens through azure-identity, whose classes the test replaces."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, CredentialError, ServerUnavailableError
from heavylift.platforms.azure.credentials import token_fetcher


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Record how credentials are made and what they are asked; answer with ``answer``."""
    seen = SimpleNamespace(made=[], scopes=[], answer=AccessToken("t0ken", 1_900_000_000))

    def maker(kind: str) -> Any:
        class Fake:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                seen.made.append((kind, args, kwargs))

            def get_token(self, *scopes: str) -> AccessToken:
                seen.scopes += scopes
                if isinstance(seen.answer, Exception):
                    raise seen.answer
                return seen.answer

        return Fake

    for kind in ("ClientSecretCredential", "DefaultAzureCredential"):
        monkeypatch.setattr(f"azure.identity.{kind}", maker(kind))
    return seen


def connection(login: str | None = None, password: str | None = None, **extra: Any) -> Connection:
    return Connection("azure_target", "wasb", login=login, password=password, extra=extra)


def test_a_service_principal(identity: SimpleNamespace) -> None:
    token = token_fetcher(connection("client", "s3cret", tenant_id="tenant"))()
    assert (token.value, token.expires_at) == ("t0ken", 1_900_000_000.0)
    assert identity.made == [("ClientSecretCredential", ("tenant", "client", "s3cret"), {})]
    assert identity.scopes == ["https://storage.azure.com/.default"]


def test_a_managed_identity(identity: SimpleNamespace) -> None:
    token_fetcher(connection(managed_identity_client_id="id", workload_identity_tenant_id="t"))()
    given = {"managed_identity_client_id": "id", "workload_identity_tenant_id": "t"}
    assert identity.made == [("DefaultAzureCredential", (), given)]


def test_each_fetch_asks_afresh_and_not_a_cache(identity: SimpleNamespace) -> None:
    fetch = token_fetcher(connection())
    fetch()
    fetch()
    assert identity.made == [("DefaultAzureCredential", (), {})] * 2


def test_a_principal_without_secret_is_named(identity: SimpleNamespace) -> None:
    with pytest.raises(ConnectionConfigError, match="azure_target"):
        token_fetcher(connection("client", tenant_id="tenant"))()
    assert identity.made == []


@pytest.mark.parametrize("kind", [ClientAuthenticationError, CredentialUnavailableError])
def test_a_refusal_is_permanent(identity: SimpleNamespace, kind: type[Exception]) -> None:
    identity.answer = kind(message="AADSTS7000215: Invalid client secret")
    with pytest.raises(CredentialError, match="AADSTS7000215"):
        token_fetcher(connection("client", "s3cret", tenant_id="tenant"))()


def test_no_answer_may_be_asked_again(identity: SimpleNamespace) -> None:
    identity.answer = ServiceRequestError("connection refused")
    with pytest.raises(ServerUnavailableError, match="connection refused"):
        token_fetcher(connection())()
