"""The port of a store of secrets, and what all its adapters must keep to themselves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from heavylift.errors import HeavyliftError, TransientError
from heavylift.secret_values import SecretValue

MARK = "heavylift"
"""Names what Heavylift wrote: a label, the beginning of a version's name, a field manager."""

_REASON = re.compile(r"HTTP \d{3}(?: [A-Za-z_]{1,40}$)?|[A-Z][A-Za-z]{1,60}(?=:|$)")
"""A status with one word, or the name of an exception."""


@dataclass(frozen=True)
class SecretInfo:
    """What a store tells of a secret without its value.

    :param name: as the store's own API calls it.
    :param store: the product, such as ``secrets_manager``.
    :param version: of the current value; empty where it has none.
    :param ours: the current value was written by Heavylift.
    :param refused: why it cannot be read or moved, as far as its description tells; empty where it can.
    :param key: the customer's own key that encrypts it; empty: the platform's.
    :param rotation: how it is rotated, in words; empty: it is not.
    :param expires: when it expires; empty: never.
    :param kind: the store's own type of it, such as ``kubernetes.io/tls``.
    """

    name: str
    store: str
    version: str = ""
    ours: bool = False
    refused: str = ""
    key: str = ""
    rotation: str = ""
    expires: str = ""
    kind: str = ""
    description: str = field(default="", repr=False)
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Held:
    """A secret together with its current value; ``value`` is None where it has none yet (a shell)."""

    info: SecretInfo
    value: SecretValue | None


@dataclass(frozen=True)
class Dressing:
    """What a new secret carries beside its value.

    :param key: the target's key that encrypts it; empty: the platform's own.
    :param regions: where its value is kept, for stores that ask; empty: the store decides.
    """

    migration: str
    description: str = field(default="", repr=False)
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: str = ""
    regions: tuple[str, ...] = ()


class SecretStore(Protocol):
    """An open store of secrets. No error of it shows more of a refusal than one word of the vendor's.

    Every method raises ``CredentialError`` for refused credentials and (code 7601) for a missing permission,
    and ``TransientError`` where there was no usable answer after several tries.
    """

    @property
    def store(self) -> str:
        """The product: a key of :data:`heavylift.secrets.naming.GRAMMARS`."""
        ...

    def listed(self) -> AsyncIterator[SecretInfo]:
        """Yield all secrets; reads no value."""
        ...

    async def read(self, name: str) -> Held | None:
        """Return one secret with its value, or None where there is none of the name."""
        ...

    async def create(self, name: str, value: SecretValue, dressing: Dressing) -> str:
        """Make a secret and return its version.

        :raises AlreadyExistsError: there is one by now.
        """
        ...

    async def replace(self, held: Held, value: SecretValue, dressing: Dressing) -> str:
        """Give a secret a new current value and return its version; older versions stay where there are any.

        :raises ConflictError: it was changed since it was read, where the store can tell.
        """
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...


def quiet(error: HeavyliftError) -> HeavyliftError:
    """Return an error without the vendor's message, which may echo what was sent: one word of it is left."""
    shown = _REASON.match(error.got)
    found = type(error)(
        error.what,
        got=shown[0].strip() if shown else "a refusal",
        expected=error.expected,
        state=error.state,
        remedy=error.remedy,
        retry_safe=error.retry_safe,
        code=error.code,
    )
    if isinstance(error, TransientError) and isinstance(found, TransientError):
        found.retry_after = error.retry_after
    return found
