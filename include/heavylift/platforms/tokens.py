"""Bearer tokens: fetched in a thread, kept until shortly before they expire, renewed once on 401."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from heavylift.platforms.http import Request

_EARLY_SECONDS = 225.0
"""Renewed so long before expiry; the margin that google-auth keeps too."""


def may_carry_tokens(endpoint: str) -> bool:
    """Tell whether a token may be sent to an endpoint: encrypted, or never leaving this machine."""
    parts = urlsplit(endpoint)
    return parts.scheme == "https" or parts.hostname in {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Token:
    """An access token. Its repr does not show it.

    :param expires_at: seconds since 1970.
    """

    value: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, eq=False)
class CloudRequest(Request):
    """A request that remembers its attempts, so that an answer can be read in their light.

    :param creates: fails where something is already there.
    :param sent_with: the token of each attempt.
    :param refused: tokens with which it was refused and that were dropped for it.
    """

    creates: bool = False
    sent_with: list[Token | None] = field(default_factory=list, repr=False)
    refused: list[Token] = field(default_factory=list, repr=False)


class TokenCache:
    """The current token of one identity, shared by all requests of a store.

    :param fetch: blocking; asks the identity provider for a fresh token. Raises our errors.
    :param clock: seconds since 1970; injected in tests.
    """

    def __init__(self, fetch: Callable[[], Token], *, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._token: Token | None = None
        self._lock = asyncio.Lock()

    async def get(self) -> Token:
        """Return a token that is still good for a while."""
        token = self._token
        if token is not None and self._is_good(token):
            return token
        async with self._lock:
            if self._token is None or not self._is_good(self._token):
                self._token = await asyncio.to_thread(self._fetch)
            return self._token

    def _is_good(self, token: Token) -> bool:
        return self._clock() < token.expires_at - _EARLY_SECONDS

    def renew_after(self, request: Request) -> bool:
        """Drop the token with which ``request`` was refused; True if asking again may help.

        It may help once: a second refusal, of a token fetched since, is final.
        """
        if not isinstance(request, CloudRequest) or not request.sent_with or request.refused:
            return False
        token = request.sent_with[-1]
        if token is None:
            return False
        request.refused.append(token)
        if self._token is token:
            self._token = None
        return True
