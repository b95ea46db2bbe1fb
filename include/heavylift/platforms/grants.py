"""An optional port: stores whose objects may have access lists of their own, which do not move with them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

EVERYONE = "everyone"
"""Who needs no account at all."""


class AccessLists(Protocol):
    """Tells what single objects grant to others than their owner; changes nothing."""

    async def in_use(self) -> bool:
        """Tell whether single objects have such lists at all.

        :raises HeavyliftError: the identity may not be told.
        """
        ...

    async def granted(self, key: str) -> tuple[str, ...]:
        """Return what an object's own list grants to others than its owner, such as ``READ to everyone``.

        :raises HeavyliftError: it is gone, or the identity may not be told.
        """
        ...


@runtime_checkable
class HasAccessLists(Protocol):
    """A store that knows of such lists."""

    def access_lists(self) -> AccessLists:
        """Return who tells of them."""
        ...
