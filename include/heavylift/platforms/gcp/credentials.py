"""Google credentials of a connection, by the names that Airflow's Google provider uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, CredentialError, HeavyliftError, ServerUnavailableError
from heavylift.platforms.tokens import Token

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_OLD_PREFIX = "extra__google_cloud_platform__"
_KINDS = ("keyfile_dict", "key_path", "credential_config_file")
_UNSUPPORTED = ("key_secret_name", "idp_issuer_url")


def is_anonymous(connection: Connection) -> bool:
    """Tell whether the connection asks for no credentials (public buckets, emulators)."""
    return any(connection.flag(name) for name in ("anonymous", "is_anonymous", _OLD_PREFIX + "is_anonymous"))


def token_fetcher(connection: Connection, scopes: tuple[str, ...] = SCOPES) -> Callable[[], Token]:
    """Return a blocking function that fetches a fresh access token for the connection.

    ``keyfile_dict``, ``key_path`` or ``credential_config_file`` (workload identity federation)
    name the credentials, at most one of them; else the environment's default. With
    ``impersonation_chain`` the last account of the chain is impersonated.

    :param scopes: what the token may be used for.

    :raises ConnectionConfigError: from the first call: fields that contradict or are unreadable.
    :raises CredentialError: from any call: refused.
    """
    made: list[Credentials] = []

    def fetch() -> Token:
        if not made:
            made.append(_credentials(connection, scopes))
        return _refresh(made[0], connection)

    return fetch


def _credentials(connection: Connection, scopes: tuple[str, ...]) -> Credentials:
    from google.auth import exceptions

    try:
        base = _base_credentials(connection, scopes)
    except exceptions.DefaultCredentialsError as error:
        raise _refused(connection, error, "3262") from error
    chain = _field(connection, "impersonation_chain")
    return _impersonated(base, chain, scopes) if chain else base


def _base_credentials(connection: Connection, scopes: tuple[str, ...]) -> Credentials:
    given = [name for name in (*_KINDS, *_UNSUPPORTED) if _field(connection, name)]
    if len(given) > 1 or set(given) & set(_UNSUPPORTED):
        raise _misconfigured(
            connection,
            got=f"the extra fields {', '.join(given)}",
            expected=f"at most one of {', '.join(_KINDS)}",
            code="3260",
        )
    if not given:
        import google.auth

        credentials, _ = google.auth.default(scopes=scopes)
        return credentials
    info = _read_info(connection, given[0])
    try:
        return _from_info(info, scopes)
    except (ValueError, KeyError) as error:
        # The text of the error may hold parts of the key.
        raise _misconfigured(
            connection,
            got=f"{type(error).__name__} while reading {given[0]}",
            expected="a Google credentials file as the Cloud console or gcloud writes it",
            code="3261",
        ) from None


def _from_info(info: dict[str, Any], scopes: tuple[str, ...]) -> Credentials:
    from google.auth import external_account_authorized_user, impersonated_credentials
    from google.oauth2 import credentials, service_account

    makers: dict[str, Callable[..., Any]] = {
        "service_account": service_account.Credentials.from_service_account_info,
        "authorized_user": credentials.Credentials.from_authorized_user_info,
        "external_account": _external_account,
        "external_account_authorized_user": external_account_authorized_user.Credentials.from_info,
        "impersonated_service_account": (
            impersonated_credentials.Credentials.from_impersonated_service_account_info
        ),
    }
    return makers[info["type"]](info, scopes=scopes)  # type: ignore[no-any-return]


def _external_account(info: dict[str, Any], scopes: tuple[str, ...]) -> Any:
    from google.auth import aws, identity_pool, pluggable

    if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        return aws.Credentials.from_info(info, scopes=scopes)  # type: ignore[no-untyped-call]
    if "executable" in info.get("credential_source", {}):
        return pluggable.Credentials.from_info(info, scopes=scopes)  # type: ignore[no-untyped-call]
    return identity_pool.Credentials.from_info(info, scopes=scopes)  # type: ignore[no-untyped-call]


def _impersonated(base: Credentials, chain: Any, scopes: tuple[str, ...]) -> Credentials:
    from google.auth import impersonated_credentials

    accounts = [part.strip() for part in chain.split(",")] if isinstance(chain, str) else list(chain)
    return impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
        source_credentials=base,
        target_principal=accounts[-1],
        delegates=accounts[:-1],
        target_scopes=list(scopes),
    )


def _field(connection: Connection, name: str) -> Any:
    return connection.extra.get(name) or connection.extra.get(_OLD_PREFIX + name)


def _read_info(connection: Connection, name: str) -> dict[str, Any]:
    value = _field(connection, name)
    try:
        if isinstance(value, str):
            is_path = name == "key_path" or not value.lstrip().startswith("{")
            value = json.loads(Path(value).read_text() if is_path else value)
        if not isinstance(value, Mapping):
            raise ValueError("no JSON object")
    except (OSError, ValueError) as error:
        raise _misconfigured(
            connection,
            got=f"{type(error).__name__} while reading {name}",
            expected="a readable JSON object or file",
            code="3263",
        ) from None
    info = dict(value)
    if isinstance(info.get("private_key"), str):
        # Forms that pass through a shell or UI often carry the two characters \ and n.
        info["private_key"] = info["private_key"].replace("\\n", "\n")
    return info


def _refresh(credentials: Credentials, connection: Connection) -> Token:
    from google.auth import exceptions
    from google.auth.transport.requests import Request

    try:
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except exceptions.TransportError as error:
        raise _unreachable(connection, error) from error
    except exceptions.GoogleAuthError as error:
        if getattr(error, "retryable", False):
            raise _unreachable(connection, error) from error
        raise _refused(connection, error, "3265") from error
    expiry = credentials.expiry
    expires_at = expiry.replace(tzinfo=UTC).timestamp() if expiry else float("inf")
    return Token(str(credentials.token), expires_at)


def _misconfigured(connection: Connection, *, got: str, expected: str, code: str) -> ConnectionConfigError:
    return ConnectionConfigError(
        f"reading connection {connection.conn_id!r}",
        got=got,
        expected=expected,
        state="nothing was touched",
        remedy=f"correct the extra field of connection {connection.conn_id!r}",
        code=code,
    )


def unencrypted(connection: Connection, endpoint: str) -> ConnectionConfigError:
    """Return the error for an endpoint to which no access token may be sent."""
    return _misconfigured(
        connection,
        got=f"the endpoint {endpoint}",
        expected="https:// where access tokens are sent, or anonymous access",
        code="3273",
    )


def _unreachable(connection: Connection, error: Exception) -> HeavyliftError:
    return ServerUnavailableError(
        f"fetching a Google access token for connection {connection.conn_id!r}",
        got=_brief(error),
        expected="a token",
        state="nothing was touched",
        remedy="check that Google's token endpoint is reachable from here",
        code="3264",
    )


def _refused(connection: Connection, error: Exception, code: str) -> CredentialError:
    return CredentialError(
        f"fetching a Google access token for connection {connection.conn_id!r}",
        got=_brief(error),
        expected="a token",
        state="nothing was touched",
        remedy="check the key, the federation or the default credentials, and the chain of impersonation",
        code=code,
    )


def _brief(error: Exception) -> str:
    text = str(error.args[0]) if error.args else ""
    return f"{type(error).__name__}: {text[:200]}"
