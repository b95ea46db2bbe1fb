"""Brings a model to this machine: every file with its digest, into a folder that nobody else changes.

What is looked at, and what is run afterwards, are these very bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heavylift.errors import IntegrityError, NotFoundError, ServerUnavailableError, UnsupportedError
from heavylift.locations import Location
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ListedObject, ObjectStore
from heavylift.platforms.wiring import open_store

TRIES = 4
MAX_FILES = 100_000


@dataclass(frozen=True)
class FetchedFile:
    """One file, by its path below the model's folder."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class FetchedModel:
    """A model on this machine."""

    url: str
    folder: Path
    files: tuple[FetchedFile, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The paths of its files."""
        return tuple(each.path for each in self.files)

    @property
    def digest(self) -> str:
        """One digest for all files, names included."""
        lines = [f"{each.sha256}  {each.path}\n" for each in self.files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


async def fetch_model(
    place: Place, folder: Path, *, max_bytes: int, told: Callable[[str], None] = lambda _line: None
) -> FetchedModel:
    """Fetch a folder, or one file.

    :param folder: an empty folder.
    :raises NotFoundError: nothing is there.
    :raises UnsupportedError: it is larger than ``max_bytes`` or than half of the free disk.
    """
    place, only = _as_file(place)
    async with open_store(place.location, place.connection) as store:
        items, prefix = await _listed(store, place.location, only)
        total = sum(each.size_bytes for each in items)
        _demand_room(str(place.location), total, max_bytes, folder)
        told(f"fetching {len(items)} files, {total:,} bytes, from {place.location}")
        files = [await _fetch(store, item, item.key[len(prefix) :], folder) for item in items]
    return FetchedModel(str(place.location) + (only or ""), folder, tuple(files))


def _as_file(place: Place) -> tuple[Place, str]:
    """Take a path to one local file apart: a store is a folder."""
    location = place.location
    path = Path(location.container)
    if location.scheme == "file" and path.is_file():
        parent = replace(location, container=str(path.parent))
        return Place(parent, place.connection), path.name
    return place, ""


async def _listed(store: ObjectStore, location: Location, only: str) -> tuple[list[ListedObject], str]:
    if only:
        return [(await store.head(only)).object], ""
    found: list[ListedObject] = []
    async for page in store.list_pages(location.prefix):
        found += [item for item in page if not item.key.endswith("/")]
        if len(found) > MAX_FILES:
            raise _too_large(str(location), f"more than {MAX_FILES} files", f"at most {MAX_FILES} files")
    if found:
        return sorted(found, key=lambda item: item.key), location.prefix
    key = location.prefix.rstrip("/")
    if key:
        # The URL of a single object looks like that of a folder.
        one = (await store.head(key)).object
        return [one], key.rpartition("/")[0] + "/" if "/" in key else ""
    raise NotFoundError(
        f"fetching the model at {location}",
        got="no file there",
        expected="a model's folder, or its file",
        state="nothing was run or changed",
        remedy="correct the URL; a model that is still to be moved is not there yet",
        code="7520",
    )


async def _fetch(store: ObjectStore, item: ListedObject, name: str, folder: Path) -> FetchedFile:
    path = _inside(store, item, name, folder)
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    digest, done = hashlib.sha256(), 0
    with await asyncio.to_thread(path.open, "xb") as sink:
        for attempt in range(1, TRIES + 1):
            try:
                async with store.get(item.key, version=item.version, offset=done) as stream:
                    async for chunk in stream.chunks():
                        await asyncio.to_thread(_take, sink, digest, chunk)
                        done += len(chunk)
                break
            except ServerUnavailableError:
                if attempt == TRIES:
                    raise
                await asyncio.sleep(0.2 * 2**attempt)
    if done != item.size_bytes:
        raise IntegrityError(
            f"download of {store.location.url_of(item.key)}",
            got=f"{done} bytes",
            expected=f"{item.size_bytes} bytes, as listed",
            state="nothing was run or changed",
            remedy="run this again; if it stays, look at the store or a proxy on the way",
            code="7521",
        )
    await asyncio.to_thread(path.chmod, 0o400)
    return FetchedFile(name, done, digest.hexdigest())


def _take(sink: Any, digest: Any, chunk: bytes) -> None:
    sink.write(chunk)
    digest.update(chunk)


def _inside(store: ObjectStore, item: ListedObject, name: str, folder: Path) -> Path:
    """Return where a file goes; a key may not lead out of the folder."""
    parts = name.split("/")
    if name.startswith("/") or any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise UnsupportedError(
            f"fetching {store.location.url_of(item.key)}",
            got=f"the path {name!r}",
            expected="a path that stays within the model's folder",
            state="nothing was run or changed",
            remedy="look who wrote this key; a model never needs it",
            code="7522",
        )
    return folder.joinpath(*parts)


def _demand_room(url: str, total: int, max_bytes: int, folder: Path) -> None:
    room = shutil.disk_usage(folder).free // 2
    if total > min(max_bytes, room):
        expected = (
            f"at most {max_bytes:,} bytes, and half of the {2 * room:,} bytes free under {folder.parent}"
        )
        raise _too_large(url, f"{total:,} bytes", expected)


def _too_large(url: str, got: str, expected: str) -> UnsupportedError:
    return UnsupportedError(
        f"fetching the model at {url}",
        got=got,
        expected=expected,
        state="nothing was run or changed",
        remedy="raise the model's limits.size, or set TMPDIR to a larger disk",
        code="7523",
    )
