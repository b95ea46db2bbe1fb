"""Brings a model to this machine: every file with its digest, into a folder that nobody else changes.

What is looked at, and what is run afterwards, are these very bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heavylift.errors import IntegrityError, NotFoundError, ServerUnavailableError, UnsupportedError
from heavylift.locations import Location, parse_location
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ListedObject, ObjectStore, PassesBy
from heavylift.platforms.registered import Found, ModelRegistry, OpenRegistry, Registered, ServedFile
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
    """A model on this machine.

    :param passed_by: what lies beside its files and is none, such as symbolic links: path → what it is.
    """

    url: str
    folder: Path
    files: tuple[FetchedFile, ...]
    passed_by: Mapping[str, str] = field(default_factory=dict)

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
        passed_by = {} if only or not isinstance(store, PassesBy) else _shown(store.unlisted, prefix)
    url = f"{str(place.location).rstrip('/')}/{only}" if only else str(place.location)
    return FetchedModel(url, folder, tuple(files), passed_by)


def _shown(unlisted: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return what a listing has passed by, by names that can be written down."""
    return {
        key[len(prefix) :].encode("utf-8", "backslashreplace").decode(): what
        for key, what in unlisted.items()
    }


async def fetch_registered(
    wanted: Registered,
    registries: OpenRegistry,
    folder: Path,
    *,
    max_bytes: int,
    told: Callable[[str], None] = lambda _line: None,
) -> FetchedModel:
    """Fetch what a name in a registry stands for, from wherever its files lie.

    :raises NotFoundError: nothing is called so, or it has no files.
    """
    async with registries(wanted) as registry:
        found = await registry.find(wanted)
        told(f"{wanted} is {found}, at {found.uri}")
        if registry.serves(found):
            files = await _served(registry, found, folder, max_bytes, told)
            return FetchedModel(f"{found} at {found.uri}", folder, files)
    # The registry's own connection opens its store where one product has both.
    place = Place(parse_location(found.uri), wanted.files() or wanted.connection)
    fetched = await fetch_model(place, folder, max_bytes=max_bytes, told=told)
    return replace(fetched, url=f"{found} at {fetched.url}")


async def _served(
    registry: ModelRegistry, found: Found, folder: Path, max_bytes: int, told: Callable[[str], None]
) -> tuple[FetchedFile, ...]:
    listed = sorted(await registry.listed(found), key=lambda each: each.path)
    if not listed:
        raise _nothing(f"{found} at {found.uri}")
    total = sum(each.size_bytes for each in listed)
    _demand_room(str(found), total, max_bytes, folder)
    told(f"fetching {len(listed)} files, {total:,} bytes, through the registry")
    return tuple([await _fetch_served(registry, found, each, folder) for each in listed])


async def _fetch_served(registry: ModelRegistry, found: Found, file: ServedFile, folder: Path) -> FetchedFile:
    url = f"{found.uri}/{file.path}"
    path = await _inside(url, file.path, folder)
    for attempt in range(1, TRIES + 1):
        digest = hashlib.sha256()
        try:
            done = await _write(path, digest, registry.content(found, file.path))
            break
        except ServerUnavailableError:
            if attempt == TRIES:
                raise
            await asyncio.to_thread(path.unlink)
            await asyncio.sleep(0.2 * 2**attempt)
    return await _whole(url, file.path, path, done, file.size_bytes, digest.hexdigest())


async def _write(path: Path, digest: Any, chunks: AsyncIterator[bytes]) -> int:
    done = 0
    with await asyncio.to_thread(path.open, "xb") as sink:
        async for chunk in chunks:
            await asyncio.to_thread(_take, sink, digest, chunk)
            done += len(chunk)
    return done


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
    raise _nothing(str(location))


def _nothing(url: str) -> NotFoundError:
    return NotFoundError(
        f"fetching the model at {url}",
        got="no file there",
        expected="a model's folder, or its file",
        state="nothing was run or changed",
        remedy="correct the URL; a model that is still to be moved is not there yet",
        code="7520",
    )


async def _fetch(store: ObjectStore, item: ListedObject, name: str, folder: Path) -> FetchedFile:
    url = store.location.url_of(item.key)
    path = await _inside(url, name, folder)
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
    return await _whole(url, name, path, done, item.size_bytes, digest.hexdigest())


async def _whole(url: str, name: str, path: Path, done: int, size_bytes: int, sha256: str) -> FetchedFile:
    """Return a file that has arrived whole, and that nobody writes to any more."""
    if done != size_bytes:
        raise IntegrityError(
            f"download of {url}",
            got=f"{done} bytes",
            expected=f"{size_bytes} bytes, as listed",
            state="nothing was run or changed",
            remedy="run this again; if it stays, look at the store or a proxy on the way",
            code="7521",
        )
    await asyncio.to_thread(path.chmod, 0o400)
    return FetchedFile(name, done, sha256)


def _take(sink: Any, digest: Any, chunk: bytes) -> None:
    sink.write(chunk)
    digest.update(chunk)


async def _inside(url: str, name: str, folder: Path) -> Path:
    """Return where a file goes, and make its folder; a key may not lead out of the model's."""
    parts = name.split("/")
    odd = any(part in {"", ".", ".."} for part in parts) or any(not _is_sign(sign) for sign in name)
    if name.startswith("/") or odd:
        raise UnsupportedError(
            f"fetching {_printable(url)}",
            got=f"the path {_printable(name)!r}",
            expected="a path that stays within the model's folder, in UTF-8 and without control characters",
            state="nothing was run or changed",
            remedy="look who wrote this key; a model never needs it",
            code="7522",
        )
    path = folder.joinpath(*parts)
    try:
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(path.lstat)
    except FileNotFoundError:
        return path
    except OSError as error:
        got = f"the path {name[:200]!r}: {error.strerror}"
    else:
        got = f"the path {name[:200]!r} a second time"
    raise UnsupportedError(
        f"fetching {url[:500]}",
        got=got,
        expected="paths that this machine's file system can hold, each once",
        state="nothing was run or changed",
        remedy="shorten the name, or rename the file that is called as another's folder; then save it again",
        code="9584",
    )


def _is_sign(sign: str) -> bool:
    """Tell whether a sign may stand in a name: lines of names become digests, and names are kept as UTF-8."""
    return sign >= " " and not "\x7f" <= sign <= "\x9f" and not "\ud800" <= sign <= "\udfff"


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()[:500]


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
