"""AWS credentials of a connection: its own keys, a role to assume, or botocore's chain."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError, CredentialError, ServerUnavailableError
from heavylift.platforms.aws.settings import endpoint_setting, is_anonymous, region_of

_MAX_TOLD = 300
# botocore's errors whose text names what is wrong and holds nothing of a credential.
_TELLING = frozenset(
    {
        "ParamValidationError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "InfiniteLoopConfigError",
        "InvalidConfigError",
        "SSOTokenLoadError",
        "UnauthorizedSSOTokenError",
    }
)


@dataclass(frozen=True)
class Keys:
    """What signs one request. Its repr shows nothing of it."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class CredentialSource:
    """Keeps a connection's credentials current.

    Finding and renewing them may ask files or the network, so that runs in a thread; between
    renewals ``current`` costs next to nothing.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()
        self._found: Any = None
        self._keys: Keys | None = None
        self._anonymous = is_anonymous(connection)
        self._renewed = False

    async def current(self) -> Keys | None:
        """Return the keys to sign with now, or None for an anonymous connection.

        :raises CredentialError: none were found, or a role was refused.
        :raises ConnectionConfigError: the connection names them in an unsupported way.
        """
        if self._anonymous:
            return None
        async with self._lock:
            if self.at_hand() is None:
                self._keys = await asyncio.to_thread(self._load)
        return self._keys

    def at_hand(self) -> Keys | None:
        """Return the present keys, or None where they must be looked for first."""
        return None if self._must_renew() else self._keys

    def forget_expired(self) -> bool:
        """Drop keys that the server called expired; True where asking again may find new ones.

        True only once in a row, and never for keys written in the connection itself.
        """
        if self._renewed or (self._connection.login and not self._connection.text("role_arn")):
            return False
        self._renewed = True
        self._found = self._keys = None
        return True

    def accepted(self) -> None:
        """Take note that the server accepted the present keys."""
        self._renewed = False

    def hide(self, text: str) -> str:
        """Return ``text`` with whatever of the present keys it holds blotted out."""
        keys = self._keys
        for secret in (keys.access_key, keys.secret_key, keys.token) if keys else ():
            if secret:
                text = text.replace(secret, "***")
        return text

    def _must_renew(self) -> bool:
        check = getattr(self._found, "refresh_needed", None)
        return bool(check and check())

    def _load(self) -> Keys:
        fixed = _fixed_keys(self._connection)
        if fixed is not None:
            return fixed
        from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

        try:
            if self._found is None:
                self._found = find_credentials(self._connection)
            frozen = self._found.get_frozen_credentials()
        except (ConnectionError, HTTPClientError) as error:
            raise ServerUnavailableError(
                self._what(),
                got=f"no answer from the credential service ({type(error).__name__})",
                remedy="check that the credential endpoint (STS, SSO, instance metadata) is reachable",
                code="3111",
            ) from None
        except ClientError as error:
            told = error.response.get("Error", {})
            raise self._refused(f"{told.get('Code', 'an error')}: {told.get('Message', '')}") from None
        except BotoCoreError as error:
            name = type(error).__name__
            raise self._refused(f"{name}: {error}" if name in _TELLING else name) from None
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    def _what(self) -> str:
        return f"getting AWS credentials of connection {self._connection.conn_id!r}"

    def _refused(self, got: str) -> CredentialError:
        return CredentialError(
            self._what(),
            got=" ".join(got.split())[:_MAX_TOLD],
            expected="valid credentials",
            state="nothing was touched",
            remedy="check the profile, role_arn and login of the connection, or log in again",
            code="3112",
        )


def _fixed_keys(connection: Connection) -> Keys | None:
    """Return keys that stand in the connection and need nobody to renew them, or None.

    botocore would give the same ones; to import it takes longer than to copy hundreds of objects.
    """
    own = _own_pair(connection)
    if own is None or connection.text("role_arn") or connection.text("profile_name"):
        return None
    return Keys(*own, connection.text("aws_session_token"))


def find_credentials(connection: Connection) -> Any:
    """Return botocore credentials for ``connection``; they renew themselves where they can.

    :raises CredentialError: botocore's chain holds none.
    :raises ConnectionConfigError: half a key pair, or an unsupported ``assume_role_method``.
    """
    import botocore.session

    session = botocore.session.Session(profile=connection.text("profile_name"))
    base = _own_keys(connection) or session.get_credentials()
    if base is None:
        raise CredentialError(
            f"getting AWS credentials of connection {connection.conn_id!r}",
            got="none in the connection, environment, profile or instance",
            expected="an access key, a profile or a role",
            state="nothing was touched",
            remedy="set login and password of the connection, or extra.profile_name or extra.role_arn",
            code="3113",
        )
    role = connection.text("role_arn")
    return _assumed(session, base, role, connection) if role else base


def _own_keys(connection: Connection) -> Any:
    from botocore.credentials import Credentials

    pair = _own_pair(connection)
    return None if pair is None else Credentials(*pair, connection.text("aws_session_token"))


def _own_pair(connection: Connection) -> tuple[str, str] | None:
    access = connection.login or connection.text("aws_access_key_id")
    secret = connection.password or connection.text("aws_secret_access_key")
    if not access and not secret:
        return None
    if not access or not secret:
        raise ConnectionConfigError(
            f"reading connection {connection.conn_id!r}",
            got="half of a key pair",
            expected="login (access key id) and password (secret access key)",
            state="nothing was touched",
            remedy="set both, or neither to use botocore's own chain",
            code="3114",
        )
    return access, secret


def _assumed(session: Any, base: Any, role: str, connection: Connection) -> Any:
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    method = connection.text("assume_role_method") or "assume_role"
    if method != "assume_role":
        raise ConnectionConfigError(
            f"reading connection {connection.conn_id!r}",
            got=f"assume_role_method {method!r}",
            expected="assume_role",
            state="nothing was touched",
            remedy="use assume_role, or a profile that does it (extra.profile_name)",
            code="3115",
        )
    extra = connection.extra.get("assume_role_kwargs")
    arguments = {"RoleSessionName": "heavylift"} | (dict(extra) if isinstance(extra, Mapping) else {})
    make_client = partial(
        session.create_client,
        region_name=region_of(connection),
        endpoint_url=endpoint_setting(connection, "sts"),
    )
    fetcher = AssumeRoleCredentialFetcher(make_client, base, role, extra_args=arguments)
    return DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)
