"""Who we are to a registry: basic credentials, or bearer tokens that are fetched for a scope and renewed."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode, urlsplit

from heavylift.errors import ConnectionConfigError, CredentialError, HeavyliftError
from heavylift.platforms.http import Request
from heavylift.platforms.oci.challenges import Challenge, demand_safe_realm, may_travel, read_challenges

if TYPE_CHECKING:
    from heavylift.platforms.http import HttpClient

_DEFAULT_SECONDS, _EARLY_SECONDS, _MOST_TOKEN_BYTES = 60.0, 15.0, 2**20


@dataclass(frozen=True)
class Pair:
    """A name and what proves it. Its repr does not show the latter."""

    login: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.login}:{self.password}".encode()).decode()


class Login(Protocol):
    """Where a registry's credentials come from."""

    async def credentials(self) -> Pair | None:
        """Return name and password, fresh ones where they run out; None for nobody."""
        ...


@dataclass(frozen=True)
class FixedLogin:
    """Credentials that a connection itself has."""

    pair: Pair | None = None

    async def credentials(self) -> Pair | None:
        """Return them."""
        return self.pair


@dataclass(frozen=True)
class _Held:
    header: str = field(repr=False)
    until: float


class Authoriser:
    """Makes the Authorization headers for one registry.

    :param base: ``https://host[:port]`` of the registry.
    :param plain: its connection allows credentials over plain HTTP.
    """

    def __init__(self, base: str, login: Login, http: HttpClient, *, plain: bool) -> None:
        self._base, self._login, self._http, self._plain = base, login, http, plain
        self._held: dict[str, _Held] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._bearer: Challenge | None = None

    async def headers(self, scope: str) -> Mapping[str, str]:
        """Return what is known to be wanted for a scope; nothing before the registry has asked."""
        held = self._held.get(scope)
        if held is not None and time.monotonic() < held.until:
            return {"Authorization": held.header}
        if held is not None and self._bearer is not None:
            # It is about to run out: a body that is streamed must not be turned away for that.
            return {"Authorization": await self._renewed(scope, held.header, self._bearer)}
        return {}

    async def answer(self, asked: str, scope: str, refused: str) -> bool:
        """Meet a registry's demand; False where what it refused is all that there is.

        :param asked: its WWW-Authenticate header.
        :param refused: the Authorization header that it did not take; empty where there was none.
        :raises CredentialError: the realm refuses the credentials, or must not be shown them.
        """
        ways = {each.scheme: each for each in reversed(read_challenges(asked))}
        bearer = ways.get("bearer")
        if bearer is not None:
            self._bearer = bearer
            await self._renewed(scope, refused, bearer)
            return True
        if "basic" not in ways:
            return False
        pair = await self._login.credentials()
        if pair is None or pair.header == refused:
            return False
        self._demand_encrypted()
        self._held[scope] = _Held(pair.header, float("inf"))
        return True

    def _demand_encrypted(self) -> None:
        if self._plain or may_travel(self._base):
            return
        raise ConnectionConfigError(
            f"logging in to {self._base}",
            got="a registry over plain http://",
            expected="https:// where credentials are sent",
            state="no credential was sent",
            remedy="correct the connection's address, or set its extra field allow_plain_http to true",
            code="9148",
        )

    async def _renewed(self, scope: str, refused: str, bearer: Challenge) -> str:
        async with self._locks.setdefault(scope, asyncio.Lock()):
            held = self._held.get(scope)
            if held is not None and held.header != refused:
                return held.header  # somebody else was here before us
            made = await self._fetched(scope or bearer.scope, bearer)
            self._held[scope] = made
            return made.header

    async def _fetched(self, scope: str, bearer: Challenge) -> _Held:
        what = f"fetching a token for {scope or 'the registry'} of {urlsplit(self._base).netloc}"
        pair = await self._login.credentials()
        if pair is not None:
            demand_safe_realm(bearer.realm, self._base, plain=self._plain, what=what)
        fields = [("service", bearer.service)] if bearer.service else []
        fields += [("scope", each) for each in scope.split(" ") if each]
        joint = "&" if urlsplit(bearer.realm).query else "?"
        url = f"{bearer.realm}{joint}{urlencode(fields)}" if fields else bearer.realm
        headers = {"Accept": "application/json", **({"Authorization": pair.header} if pair else {})}
        try:
            answer = await self._http.send(Request("GET", url, what, headers), most_bytes=_MOST_TOKEN_BYTES)
        except CredentialError as error:
            raise _refused(what, error) from None
        return _token(bytes(answer.body), what)


def _refused(what: str, error: HeavyliftError) -> CredentialError:
    return CredentialError(
        what,
        got=error.got,
        expected="a token for the connection's credentials",
        state="nothing was changed",
        remedy="check the connection's login and password, and what they may do in this registry",
        code="9149",
    )


def _token(body: bytes, what: str) -> _Held:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    token = (found.get("token") or found.get("access_token")) if isinstance(found, dict) else None
    if not isinstance(token, str) or not token or not token.isprintable():
        raise CredentialError(
            what,
            got="an answer without a token",
            expected='JSON with "token" or "access_token"',
            state="nothing was changed",
            remedy="check the registry's token server",
            code="9150",
        )
    seconds = found.get("expires_in")
    lasts = float(seconds) if isinstance(seconds, int | float) and seconds > 0 else _DEFAULT_SECONDS
    early = min(_EARLY_SECONDS, lasts / 2)
    return _Held(f"Bearer {token}", time.monotonic() + lasts - early)
