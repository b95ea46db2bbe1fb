"""What a platform's own registry needs beside the OCI distribution API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from heavylift.connections import Connection
from heavylift.errors import ConnectionConfigError
from heavylift.platforms.oci.authorising import FixedLogin, Login, Pair


class RegistryAccount(Login, Protocol):
    """A platform's registry: who we are to it, and what its own API must do."""

    async def repositories(self) -> list[str] | None:
        """Return all repositories; None where the registry's own catalogue tells."""
        ...

    async def prepare(self, repository: str) -> None:
        """See to it that a repository can be pushed to: some registries make none by themselves.

        Idempotency: one that is there is left as it is.
        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True)
class PlainAccount(FixedLogin):
    """A registry that speaks the distribution API and needs nothing else."""

    async def repositories(self) -> list[str] | None:
        """Return None: the registry's own catalogue tells."""
        return None

    async def prepare(self, repository: str) -> None:
        """Do nothing: a push makes the repository."""

    async def close(self) -> None:
        """Do nothing."""


def plain_account(connection: Connection) -> PlainAccount:
    """Return the account of a connection that has a registry's login and password itself."""
    if not connection.login:
        return PlainAccount()
    return PlainAccount(Pair(connection.login, connection.password or ""))


def demand_own_host(connection: Connection, host: str, *, fits: bool, expected: str) -> None:
    """Do nothing where a connection's credentials are for a registry.

    :raises ConnectionConfigError: they are another's, and must not be shown to this one.
    """
    if not fits:
        raise ConnectionConfigError(
            f"logging in to {host} with connection {connection.conn_id!r}",
            got=f"the registry {host}",
            expected=expected,
            state="nothing was touched and no credential was sent",
            remedy="name the right registry in the section containers, or the right connection",
            code="9162",
        )
