"""The port of a key that wraps data keys: it never leaves its service, or the backend of secrets."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from heavylift.errors import ConnectionConfigError

if TYPE_CHECKING:
    from heavylift.connections import Connection

CONTEXT = "heavylift-envelope"
"""Under this name services of keys get what a wrapped key is bound to."""


@dataclass(frozen=True)
class Wrapped:
    """A data key, wrapped. It is no secret.

    :param kind: of the wrapping key: ``aws_kms``, ``google_kms``, ``azure_key_vault`` or ``local``.
    :param key: which wrapping key, as its service names it, with its version where it tells one.
    """

    kind: str
    key: str
    data: bytes


class WrappingKey(Protocol):
    """One key that wraps others.

    Every method raises ``CredentialError`` for refused credentials or a missing permission, and
    ``TransientError`` where there was no usable answer after several tries. No error shows a key.
    """

    @property
    def kind(self) -> str:
        """Which kind of service has it."""
        ...

    async def wrap(self, data_key: bytes, context: str) -> Wrapped:
        """Return the data key, wrapped and, where the service can, bound to ``context``.

        :raises NotFoundError: there is no such key.
        """
        ...

    async def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Return the data key.

        :raises IntegrityError: another key wrapped it, or what is wrapped was altered; names the keys.
        """
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...


_KINDS = {
    "aws": ("heavylift.platforms.aws.keys", "KmsKey"),
    "google_cloud_platform": ("heavylift.platforms.gcp.keys", "CloudKmsKey"),
    "azure": ("heavylift.platforms.azure.keys", "KeyVaultKey"),
    "azure_key_vault": ("heavylift.platforms.azure.keys", "KeyVaultKey"),
    "envelope_key": ("heavylift.platforms.local.keys", "LocalKey"),
}
"""Type of the connection → what wraps with it; none costs an import before it is asked for."""


def open_key(connection: Connection, name: str = "") -> WrappingKey:
    """Return the key that a connection leads to; nothing is asked yet.

    :param name: the key's name in its service; none where the connection holds the key itself.
    :raises ConnectionConfigError: the connection is of another type, or lacks a field.
    """
    if connection.conn_type not in _KINDS:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for a wrapping key",
            got=f"the type {connection.conn_type!r}",
            expected=f"one of {', '.join(sorted(_KINDS))}",
            state="nothing was touched",
            remedy="name a connection of a service of keys, or one of type envelope_key with the key in it",
            code="9340",
        )
    if (connection.conn_type == "envelope_key") == bool(name):
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for a wrapping key",
            got=f"the key's name {name!r}" if name else "no name of a key",
            expected="no name: the connection holds the key" if name else "the key's name in its service",
            state="nothing was touched",
            remedy="correct --key, or key.name in the spec",
            code="9341",
        )
    module, made = _KINDS[connection.conn_type]
    make: Any = getattr(import_module(module), made)
    key: WrappingKey = make(connection, name) if name else make(connection)
    return key
