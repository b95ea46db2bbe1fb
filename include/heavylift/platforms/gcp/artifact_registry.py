"""Google Artifact Registry: an access token of the connection's identity is its password."""

from __future__ import annotations

import re
from collections.abc import Callable

from heavylift.connections import Connection
from heavylift.platforms.gcp.credentials import is_anonymous, token_fetcher
from heavylift.platforms.oci.authorising import Pair
from heavylift.platforms.oci.catalogues import PlainAccount, demand_own_host
from heavylift.platforms.tokens import Token, TokenCache

HOST = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev|(?:(?:us|eu|asia)\.)?gcr\.io")
_NAME = "oauth2accesstoken"


class ArtifactRegistryAccount(PlainAccount):
    """Registries of Google's; the repository of Artifact Registry, host/project/NAME, must exist.

    :param fetch: fetches a token; the connection's own way where None.
    :raises ConnectionConfigError: the host is none of Google's: its tokens are for no other.
    """

    def __init__(self, connection: Connection, host: str, fetch: Callable[[], Token] | None = None) -> None:
        super().__init__()
        own = connection.text("registry_host") == host
        fits = HOST.fullmatch(host) is not None or own
        demand_own_host(connection, host, fits=fits, expected="LOCATION-docker.pkg.dev")
        anonymous = is_anonymous(connection)
        self._tokens = None if anonymous else TokenCache(fetch or token_fetcher(connection))

    async def credentials(self) -> Pair | None:
        """Return Google's name for tokens and a token, fetched anew before it runs out."""
        return None if self._tokens is None else Pair(_NAME, (await self._tokens.get()).value)
