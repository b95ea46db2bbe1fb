"""Making a container, or a part of one, unusable without changing what lies in it, and taking that back."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class ShutsPrefixes(Protocol):
    """A store whose objects can be made unreachable for everybody else, and reachable again."""

    async def shut(self, prefix: str, note: str) -> str:
        """Make what lies under ``prefix`` unreachable; idempotent. Return how, in words.

        :param note: marks the act as this migration's own, and nobody else's.
        :raises ConflictError: somebody else's setting is in the way; nothing was changed.
        """
        ...

    async def open_again(self, prefix: str, note: str) -> str:
        """Take exactly that back; idempotent. Return what was done, in words."""
        ...

    async def is_shut(self, prefix: str, note: str) -> bool:
        """Tell whether it is so now."""
        ...
