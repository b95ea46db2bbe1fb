"""The port of a registry of models, as whoever needs one version's files sees it.

What checks models and what moves registries do not know each other: both know this.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from heavylift.connections import Connection
from heavylift.locations import REGISTERED

FilesConnection = Callable[[], Connection | None]


def no_files() -> None:
    """Give no connection of an object store."""
    return


@dataclass(frozen=True)
class Registered:
    """A version of a model by its name in a registry.

    :param version: its number; empty where an alias stands for it.
    :param connection: the registry.
    :param files: looks up the object store of its artifacts, where that is needed; gives None where the
        registry passes them on itself, or its own connection opens it.
    :param copied_by: the move ``<migration>/<registry>`` that made the copy that is meant: name and version
        are then the source's.
    """

    name: str
    version: str
    alias: str
    connection: Connection
    files: FilesConnection = no_files
    copied_by: str = ""

    def __str__(self) -> str:
        return f"{REGISTERED}{self.name}" + (f"@{self.alias}" if self.alias else f"/{self.version}")


@dataclass(frozen=True)
class Found:
    """What a name in a registry stands for.

    :param number: the version's, also where an alias was asked for.
    :param uri: where its files lie, without a slash at its end.
    """

    name: str
    number: str
    uri: str

    def __str__(self) -> str:
        return f"{REGISTERED}{self.name}/{self.number}"


@dataclass(frozen=True)
class Publication:
    """What a new version tells of itself.

    :param identity: tags that no other version has.
    :param tags: further ones.
    """

    identity: Mapping[str, str]
    tags: Mapping[str, str]
    description: str


@dataclass(frozen=True)
class ServedFile:
    """A file that a registry passes on.

    :param path: below the version's folder.
    """

    path: str
    size_bytes: int


class ModelRegistry(Protocol):
    """A registry that is open."""

    async def find(self, wanted: Registered) -> Found:
        """Return what a name stands for.

        :raises NotFoundError: nothing there is called so.
        """
        ...

    def serves(self, found: Found) -> bool:
        """Tell whether the files come through the registry, and from no object store."""
        ...

    async def listed(self, found: Found) -> list[ServedFile]:
        """Return the files of a version that the registry passes on."""
        ...

    def content(self, found: Found, path: str) -> AsyncIterator[bytes]:
        """Yield a file, chunk by chunk."""
        ...

    async def tagged(self, name: str, tags: Mapping[str, str]) -> Found | None:
        """Return the version of a model that bears all these tags; None where there is none."""
        ...

    async def publish(self, name: str, folder: Path, files: Sequence[str], publication: Publication) -> Found:
        """Upload a folder and make it a new version of a model, which is made where it is not there.

        Safe to repeat: what an earlier call with the same identity has made is found and completed.

        :raises UnsupportedError: versions are not made there.
        """
        ...


OpenRegistry = Callable[[Registered], AbstractAsyncContextManager[ModelRegistry]]
"""Opens the registry that holds a version; given by whoever combines models with registries."""
