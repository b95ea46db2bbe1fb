"""Azure Container Registry: a token of Microsoft's is exchanged for one of the registry's."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from heavylift.connections import Connection
from heavylift.errors import CredentialError, HeavyliftError
from heavylift.platforms.azure.credentials import token_fetcher
from heavylift.platforms.azure.settings import extra_field
from heavylift.platforms.http import HttpClient, HttpSettings, Request
from heavylift.platforms.http_errors import error_for_status
from heavylift.platforms.oci.authorising import Pair
from heavylift.platforms.oci.catalogues import PlainAccount, demand_own_host
from heavylift.platforms.tokens import Token, TokenCache

HOST = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)?\.azurecr\.(?:io|cn|us)")
_SCOPE = "https://containerregistry.azure.net/.default"
_NAME = "00000000-0000-0000-0000-000000000000"
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_LASTS_SECONDS = 3600.0
"""A refresh token lasts three hours; it is exchanged anew long before."""
_MOST_BYTES = 2**20


class ContainerRegistryAccount(PlainAccount):
    """One registry of Azure's.

    :param base: ``https://host`` of the registry.
    :param fetch: fetches Microsoft's token; the connection's own way where None.
    :raises ConnectionConfigError: the host is none of Azure's: its tokens are for no other.
    """

    def __init__(
        self, connection: Connection, host: str, base: str, fetch: Callable[[], Token] | None = None
    ) -> None:
        super().__init__()
        fits = HOST.fullmatch(host) is not None or connection.text("registry_host") == host
        demand_own_host(connection, host, fits=fits, expected="NAME.azurecr.io")
        self._host, self._base = host, base
        self._tenant = extra_field(connection, "tenant_id") or extra_field(connection, "tenantId") or ""
        self._microsoft = TokenCache(fetch or token_fetcher(connection, _SCOPE))
        self._http = HttpClient(_as_given, _read_error, settings=HttpSettings(connections=2))
        self._kept: tuple[str, float] | None = None

    async def credentials(self) -> Pair | None:
        """Return the name that stands for tokens, and a refresh token of the registry's.

        :raises CredentialError: the registry does not take Microsoft's token.
        """
        if self._kept is None or time.monotonic() > self._kept[1]:
            self._kept = await self._exchanged(), time.monotonic() + _LASTS_SECONDS
        return Pair(_NAME, self._kept[0])

    async def _exchanged(self) -> str:
        what = f"exchanging a token with {self._host}"
        token = await self._microsoft.get()
        fields = {"grant_type": "access_token", "service": self._host, "access_token": token.value}
        if self._tenant:
            fields["tenant"] = self._tenant
        request = _Quiet("POST", f"{self._base}/oauth2/exchange", what, _FORM, urlencode(fields).encode())
        answer = await self._http.send(request, most_bytes=_MOST_BYTES)
        try:
            found = json.loads(bytes(answer.body)).get("refresh_token")
        except (ValueError, AttributeError):
            found = None
        if not isinstance(found, str) or not found:
            raise CredentialError(
                what,
                got="an answer without a refresh_token",
                expected="one",
                state="nothing was touched",
                remedy="check that the registry's address is right",
                code="9164",
            )
        return found

    async def close(self) -> None:
        """Close connections."""
        await self._http.close()


class _Quiet(Request):
    """A request that does not show its body, which is a token."""

    def __repr__(self) -> str:
        return self.what


async def _as_given(request: Request) -> Mapping[str, str]:
    return request.headers


def _read_error(
    request: Request, status: int, headers: Mapping[str, str], body: bytes
) -> HeavyliftError | None:
    del headers, body  # an answer may repeat what was sent
    return error_for_status(request.what, status, "")
