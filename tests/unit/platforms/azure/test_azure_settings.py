"""The account that a wasb connection describes."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError
from heavylift.platforms.azure.settings import account_of

KEY = base64.b64encode(b"s3cret-key").decode()


def connection(login: str | None = None, password: str | None = None, host: str | None = None, **extra: Any):
    return Connection("azure_target", "wasb", login=login, password=password, host=host, extra=extra)


PUBLIC = "https://acct.blob.core.windows.net"


@pytest.mark.parametrize(
    ("given", "name", "endpoint"),
    [
        (connection("acct", KEY), "acct", PUBLIC),
        (connection("acct", KEY, PUBLIC + "/"), "acct", PUBLIC),
        (connection("acct", KEY, "acct.blob.core.windows.net"), "acct", PUBLIC),
        (connection("acct", KEY, "acct"), "acct", PUBLIC),
        (connection(None, KEY, PUBLIC), "acct", PUBLIC),
        (connection("dev1", KEY, "http://127.0.0.1:1/dev1"), "dev1", "http://127.0.0.1:1/dev1"),
        (connection(None, KEY, "http://127.0.0.1:1/dev1"), "dev1", "http://127.0.0.1:1/dev1"),
        (connection(None, None, PUBLIC, shared_access_key=KEY), "acct", PUBLIC),
        (connection("acct", None, account_key=KEY), "acct", PUBLIC),
        (connection("acct", None, extra__wasb__shared_access_key=KEY), "acct", PUBLIC),
        (connection(connection_string=f"AccountName=acct;AccountKey={KEY}"), "acct", PUBLIC),
        (
            connection(
                connection_string=f"AccountName=a;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:1/a/;"
            ),
            "a",
            "http://127.0.0.1:1/a",
        ),
        (
            connection(
                connection_string=f"AccountName=a;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn"
            ),
            "a",
            "https://a.blob.core.chinacloudapi.cn",
        ),
    ],
)
def test_keys(given: Connection, name: str, endpoint: str) -> None:
    account = account_of(given)
    assert (account.name, account.endpoint, account.key) == (name, endpoint, KEY)
    assert account.sas is None
    assert not account.bearer


@pytest.mark.parametrize(
    "given",
    [
        connection("acct", sas_token="?sv=1&sig=x%3D"),
        connection("acct", sas_token="sv=1&sig=x%3D"),
        connection(sas_token=f"{PUBLIC}/?sv=1&sig=x%3D"),
        connection("acct", extra__wasb__sas_token="sv=1&sig=x%3D"),
        connection(connection_string=f"BlobEndpoint={PUBLIC}/;SharedAccessSignature=sv=1&sig=x%3D"),
    ],
)
def test_shared_access_signatures(given: Connection) -> None:
    account = account_of(given)
    assert (account.endpoint, account.sas, account.key) == (PUBLIC, "sv=1&sig=x%3D", None)


@pytest.mark.parametrize(
    "given",
    [
        connection("acct"),
        connection(host=PUBLIC, managed_identity_client_id="id"),
        connection("client-id", "client-secret", PUBLIC, tenant_id="t"),
        connection("client-id", "client-secret", account_name="acct", tenant_id="t"),
    ],
)
def test_bearer_tokens(given: Connection) -> None:
    account = account_of(given)
    assert account.bearer
    assert (account.endpoint, account.key, account.sas) == (PUBLIC, None, None)


def test_anonymous() -> None:
    account = account_of(connection("acct", anonymous=True))
    assert (account.key, account.sas, account.bearer) == (None, None, False)


@pytest.mark.parametrize(
    "given",
    [
        connection(password=KEY),
        connection("acct", "s3cret not base64!"),
        connection(connection_string=f"AccountKey={KEY}"),
        connection(connection_string="AccountName=acct"),
        connection(host="http://acct.blob.example.com"),
        connection("id", "s3cret", "http://acct.example.com", tenant_id="t"),
    ],
)
def test_an_incomplete_or_unsafe_connection_is_named_without_its_secret(given: Connection) -> None:
    with pytest.raises(ConnectionConfigError) as caught:
        account_of(given)
    assert "azure_target" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_no_representation_shows_a_secret() -> None:
    assert KEY not in repr(account_of(connection("acct", KEY)))
    assert "sig" not in repr(account_of(connection("acct", sas_token="sv=1&sig=x")))
