"""An optional port: stores that change what belongs to an object without its bytes being written again."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from heavylift.platforms.ports import ObjectAttributes


@runtime_checkable
class DescribesInPlace(Protocol):
    """A store that can give an object other attributes in one request, its content untouched."""

    async def describe(self, key: str, attributes: ObjectAttributes, *, version: str) -> str:
        """Add ``attributes`` to an object if it still is ``version``, and return its version then.

        :raises PreconditionError: it is another version.
        """
        ...
