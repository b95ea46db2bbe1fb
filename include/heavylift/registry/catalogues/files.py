"""The files below a URI, wherever they lie: in an object store, or behind a tracking server."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from heavylift.checksums import Algorithm, digest
from heavylift.connections import Connection
from heavylift.errors import ConflictError, UnsupportedError
from heavylift.locations import parse_location
from heavylift.platforms.http import HttpSettings
from heavylift.platforms.ports import ObjectAttributes
from heavylift.platforms.wiring import open_store
from heavylift.registry.interface.copying import PART_BYTES, copy_object

if TYPE_CHECKING:
    from heavylift.platforms.ports import ListedObject, ObjectStore
    from heavylift.registry.interface.server import WritingServer

PROXY = "mlflow-artifacts"
_ROUTE = "api/2.0/mlflow-artifacts/artifacts"
MOST_BYTES = 512 * 2**20
"""The largest file that goes through a tracking server, whole."""


@dataclass(frozen=True)
class File:
    """One file.

    :param path: below the URI that was listed; empty where the URI is the file itself.
    :param listed: as its store lists it; None behind a server.
    """

    path: str
    key: str
    size_bytes: int
    listed: ListedObject | None = None


class Files(Protocol):
    """One place of files."""

    def below(self, uri: str) -> AsyncIterator[File]:
        """Yield the file that a URI names, and all below it."""
        ...

    async def digest(self, file: File) -> str:
        """Return the SHA-256 of a file."""
        ...

    async def whole(self, file: File) -> bytes:
        """Return a file."""
        ...

    async def put(self, uri: str, path: str, body: bytes, *, replaces: bool) -> None:
        """Write a file below a URI."""
        ...


@dataclass
class StoreFiles:
    """Files of an object store."""

    store: ObjectStore

    async def below(self, uri: str) -> AsyncIterator[File]:
        """Yield the object of a URI, and those below it."""
        start = key_of(uri)
        async for page in self.store.list_pages(start):
            for each in page:
                if each.key == start or each.key.startswith(f"{start}/"):
                    yield File(each.key[len(start) + 1 :], each.key, each.size_bytes, each)

    async def digest(self, file: File) -> str:
        """Return the SHA-256 of an object, read part by part."""
        found = hashlib.sha256()
        for start in range(0, file.size_bytes, PART_BYTES):
            length = min(PART_BYTES, file.size_bytes - start)
            found.update((await self.store.fetch(file.key, offset=start, length=length)).body)
        return found.hexdigest()

    async def whole(self, file: File) -> bytes:
        """Return an object."""
        _bounded(file)
        return bytes((await self.store.fetch(file.key)).body)

    async def put(self, uri: str, path: str, body: bytes, *, replaces: bool) -> None:
        """Write an object."""
        sums = digest(body, Algorithm.CRC32C, *self.store.traits.verifies)
        await self.store.put(
            _joined(key_of(uri), path), body, ObjectAttributes(), sums, create_only=not replaces
        )


@dataclass
class ServedFiles:
    """Files that a tracking server passes on."""

    server: WritingServer

    async def below(self, uri: str) -> AsyncIterator[File]:
        """Yield the files below a URI."""
        root = _served(uri)
        folders = [""]
        while folders:
            folder = folders.pop()
            async for page in self.server.pages(_ROUTE, "files", {"path": _joined(root, folder)}):
                for each in page:
                    # The server tells names below the folder that was asked for.
                    path = _joined(folder, str(each["path"]).rpartition("/")[2])
                    if each.get("is_dir"):
                        folders.append(path)
                    else:
                        yield File(path, _joined(root, path), int(each.get("file_size") or 0))

    async def digest(self, file: File) -> str:
        """Return the SHA-256 of a file."""
        return await self.server.digest(f"{_ROUTE}/{_quoted(file.key)}", {})

    def chunks(self, uri: str, path: str) -> AsyncIterator[bytes]:
        """Yield a file below a URI, chunk by chunk."""
        return self.server.chunks(f"{_ROUTE}/{_quoted(_joined(_served(uri), path))}", {})

    async def whole(self, file: File) -> bytes:
        """Return a file."""
        _bounded(file)
        return await self.server.content(f"{_ROUTE}/{_quoted(file.key)}", {}, most_bytes=MOST_BYTES)

    async def put(self, uri: str, path: str, body: bytes, *, replaces: bool) -> None:
        """Write a file; a server replaces what is there."""
        del replaces
        await self.server.upload("PUT", f"{_ROUTE}/{_joined(_served(uri), path)}", {}, body)


@dataclass
class Places:
    """Opens the places of one side's files, each once.

    :param connection: of its object store.
    :param server: for what only a tracking server passes on.
    """

    connection: Callable[[str], Connection | None]
    server: WritingServer | None
    parallel: int
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _opened: dict[str, Files] = field(default_factory=dict)

    async def at(self, uri: str) -> Files:
        """Return the place of a URI's files."""
        scheme, _, rest = uri.partition("://")
        if uri.startswith(f"{PROXY}:"):
            if self.server is None:
                raise _not_served(uri)
            return ServedFiles(self.server)
        name = f"{scheme}://{rest.partition('/')[0]}"
        if name not in self._opened:
            settings = HttpSettings(connections=self.parallel)
            opened = open_store(parse_location(name), self.connection(scheme), settings=settings)
            self._opened[name] = StoreFiles(await self._stack.enter_async_context(opened))
        return self._opened[name]

    async def close(self) -> None:
        """Close all."""
        await self._stack.aclose()


async def copy_files(
    source: Files,
    target: Files,
    source_uri: str,
    target_uri: str,
    *,
    overwrite: bool = False,
    exactly: bool = False,
) -> tuple[int, int]:
    """Make what lies below one URI lie below another, and leave what is there already.

    :param overwrite: another file of the same name gives way.
    :param exactly: a file is there already only if its bytes are the same, not where its size is.
    :return: how many files there are, and how many were written.
    :raises ConflictError: another file has a name; it is not touched.
    """
    there = {each.path: each async for each in target.below(target_uri)}
    files = written = 0
    async for each in source.below(source_uri):
        files += 1
        found = there.get(each.path)
        same_size = found is not None and found.size_bytes == each.size_bytes
        if found and same_size and (not exactly or await source.digest(each) == await target.digest(found)):
            continue
        if found is not None and not overwrite:
            raise _taken(_joined(target_uri, each.path), found.size_bytes, each.size_bytes)
        replaces = found is not None
        if isinstance(source, StoreFiles) and isinstance(target, StoreFiles) and each.listed is not None:
            key = _joined(key_of(target_uri), each.path)
            await copy_object(source.store, target.store, each.listed, key, replaces=replaces)
        else:
            await target.put(target_uri, each.path, await source.whole(each), replaces=replaces)
        written += 1
    return files, written


def key_of(uri: str) -> str:
    """Return the key, without a slash at its end, that a URI of an object store names."""
    return uri.partition("://")[2].partition("/")[2].rstrip("/")


def _served(uri: str) -> str:
    return uri.partition(":")[2].lstrip("/").rstrip("/")


def _joined(folder: str, path: str) -> str:
    return "/".join(each for each in (folder, path) if each)


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path)


def _bounded(file: File) -> None:
    if file.size_bytes > MOST_BYTES:
        raise UnsupportedError(
            f"copying the artifact {file.key!r} through a tracking server",
            got=f"{file.size_bytes:,} bytes",
            expected=f"at most {MOST_BYTES:,}",
            state="this file was not moved, and its version was not registered",
            remedy="move artifacts from store to store (heavylift objects), and run with --no-artifacts",
            code="7182",
        )


def _taken(uri: str, there: int, wanted: int) -> ConflictError:
    return ConflictError(
        f"copying an artifact to {uri}",
        got=f"another file there, of {there:,} bytes",
        expected=f"none, or the same of {wanted:,} bytes",
        state="it was not touched; this version and the later ones of the model were not registered",
        remedy="map the prefix to a free place, or let the source win with --overwrite",
        code="7180",
    )


def _not_served(uri: str) -> UnsupportedError:
    return UnsupportedError(
        f"reading artifacts at {uri}",
        got="a place that only a tracking server passes on, on a side that has none",
        expected="s3://, gs:// or az://",
        state="nothing was touched",
        remedy="map the prefix to an object store: --artifacts mlflow-artifacts:=s3://bucket/prefix",
        code="7183",
    )
