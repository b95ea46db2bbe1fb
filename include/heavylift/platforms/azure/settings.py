"""A storage account, as a connection of Airflow's type ``wasb`` describes it."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError
from heavylift.platforms.tokens import may_carry_tokens

_OLD_PREFIX = "extra__wasb__"
_PUBLIC_CLOUD = "blob.core.windows.net"


@dataclass(frozen=True)
class Account:
    """Where an account is and how to prove who we are; at most one of key, SAS and bearer.

    :param name: needed for signing with the key.
    :param endpoint: URL without a closing slash; may hold a path (Azurite's account name).
    :param key: shared key, base64.
    :param sas: shared access signature, without its question mark.
    :param bearer: tokens of the Microsoft identity platform.
    """

    name: str
    endpoint: str
    key: str | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)
    bearer: bool = False


def extra_field(connection: Connection, name: str) -> Any:
    """Return an extra field, also under the prefix of older Airflow versions."""
    return connection.extra.get(name) or connection.extra.get(_OLD_PREFIX + name)


def account_of(connection: Connection) -> Account:
    """Return the account of a connection; what proves who we are is looked for in this order.

    ``connection_string``; ``tenant_id`` (with login and password as client id and secret);
    ``anonymous``; ``shared_access_key``; ``sas_token``; the password as account key;
    ``account_key``; else the default chain of azure-identity.

    :raises ConnectionConfigError: no account, a key that is not base64, or a bearer token
        that would travel unencrypted.
    """
    text = extra_field(connection, "connection_string")
    account = _from_connection_string(connection, str(text)) if text else _from_fields(connection)
    if account.key is not None and not _is_base64(account.key):
        raise _misconfigured(
            connection, "an account key that is not base64", "the key as the portal shows it", "3360"
        )
    if account.bearer and not may_carry_tokens(account.endpoint):
        raise _misconfigured(
            connection, f"the endpoint {account.endpoint}", "https:// where bearer tokens are sent", "3361"
        )
    return account


def _from_fields(connection: Connection) -> Account:
    endpoint, name = _address(connection)
    if extra_field(connection, "tenant_id"):
        return Account(name, endpoint, bearer=True)
    if connection.flag("anonymous"):
        return Account(name, endpoint)
    if key := extra_field(connection, "shared_access_key"):
        return Account(name, endpoint, key=str(key))
    if sas := extra_field(connection, "sas_token"):
        return _with_sas(name, endpoint, str(sas))
    if key := connection.password or extra_field(connection, "account_key"):
        return Account(name, endpoint, key=str(key))
    return Account(name, endpoint, bearer=True)


def _with_sas(name: str, endpoint: str, sas: str) -> Account:
    url, separator, token = sas.partition("?")
    if separator and url:
        return Account(name, url.rstrip("/"), sas=token)
    return Account(name, endpoint, sas=token if separator else sas)


def _address(connection: Connection) -> tuple[str, str]:
    login = str(extra_field(connection, "account_name") or connection.login or "")
    host = (connection.host or "").rstrip("/")
    if "://" not in host:
        # A name without dots is no host: Airflow then takes the login as the account.
        host = f"https://{host}" if "." in host else ""
    sas = str(extra_field(connection, "sas_token") or "")
    if not host and "://" in sas:
        host = sas.partition("?")[0].rstrip("/")
    if not host and not login:
        raise _misconfigured(
            connection, "neither host nor login", "the account's URL as host, or its name as login", "3362"
        )
    host = host or f"https://{login}.{_PUBLIC_CLOUD}"
    return host, login if login and not extra_field(connection, "tenant_id") else _name_in(host)


def _name_in(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return parts.path.strip("/").split("/")[0] or (parts.hostname or "").split(".")[0]


def _from_connection_string(connection: Connection, text: str) -> Account:
    fields = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    name = fields.get("AccountName", "")
    protocol = fields.get("DefaultEndpointsProtocol", "https")
    suffix = fields.get("EndpointSuffix", _PUBLIC_CLOUD.removeprefix("blob."))
    endpoint = fields.get("BlobEndpoint") or (f"{protocol}://{name}.blob.{suffix}" if name else "")
    key, sas = fields.get("AccountKey"), fields.get("SharedAccessSignature")
    if not endpoint or not (key or sas):
        raise _misconfigured(
            connection,
            "a connection_string that lacks the account or its key",
            "AccountName or BlobEndpoint, and AccountKey or SharedAccessSignature",
            "3363",
        )
    endpoint = endpoint.rstrip("/")
    return Account(name or _name_in(endpoint), endpoint, key=key, sas=None if key else sas)


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _misconfigured(connection: Connection, got: str, expected: str, code: str) -> ConnectionConfigError:
    return ConnectionConfigError(
        f"reading connection {connection.conn_id!r}",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=f"correct connection {connection.conn_id!r}",
        code=code,
    )
