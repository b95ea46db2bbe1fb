"""What a store keeps besides the current objects: older versions, delete markers, and what was deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object, or the marker that hides all of them.

    :param version: as a listing of objects tells it: ETag, generation.
    :param version_id: what names exactly this one when it is deleted.
    """

    key: str
    version: str
    version_id: str
    size_bytes: int
    modified_us: int
    current: bool
    marker: bool = False


@runtime_checkable
class KeepsVersions(Protocol):
    """A store whose containers may keep older versions."""

    async def keeps_versions(self) -> bool:
        """Tell whether this container keeps, or has kept, older versions; one request."""
        ...

    def list_versions(self, prefix: str) -> AsyncIterator[list[ObjectVersion]]:
        """Yield all versions under ``prefix`` in pages, markers included."""
        ...

    async def delete_exactly(self, key: str, version_id: str) -> None:
        """Delete one version for good, whether it is the current one; no error if it is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Afterlife:
    """For how long a store keeps what was deleted from it.

    :param seconds: None where that could not be read; 0 where it keeps nothing.
    :param detail: for people.
    """

    seconds: int | None
    detail: str


@runtime_checkable
class TellsAfterlife(Protocol):
    """A store that can tell whether what is deleted may be brought back by its owner."""

    async def afterlife(self) -> Afterlife:
        """Read the container's setting; changes nothing."""
        ...
