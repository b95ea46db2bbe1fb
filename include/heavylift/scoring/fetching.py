"""Brings golden inputs to this machine: one file or object, with its digest."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from heavylift.errors import SpecError
from heavylift.platforms.places import Place
from heavylift.platforms.wiring import open_store

MOST_BYTES = 2 * 2**30


async def fetch_golden(place: Place, folder: Path) -> tuple[Path, str, str]:
    """Return the file, the name whose ending tells its form, and its SHA-256.

    :param folder: where an object is put.
    :raises SpecError: there is no such file, or it is too large.
    :raises NotFoundError: there is no such object.
    """
    location = place.location
    if location.scheme == "file":
        path = Path(location.container)
        return path, path.name, await asyncio.to_thread(_digest, path)
    path, digest = folder / "golden", hashlib.sha256()
    async with open_store(location, place.connection) as store:
        item = (await store.head(location.prefix.rstrip("/"))).object
        if item.size_bytes > MOST_BYTES:
            raise _unusable(str(location), f"{item.size_bytes:,} bytes")
        with await asyncio.to_thread(path.open, "wb") as sink:
            async with store.get(item.key, version=item.version) as stream:
                async for chunk in stream.chunks():
                    await asyncio.to_thread(_take, sink, digest, chunk)
    return path, item.key, digest.hexdigest()


def _take(sink: Any, digest: Any, chunk: bytes) -> None:
    sink.write(chunk)
    digest.update(chunk)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unusable(str(path), error.strerror or type(error).__name__) from error


def _unusable(shown: str, got: str) -> SpecError:
    return SpecError(
        f"reading golden inputs {shown}",
        got=got,
        expected=f"a file or object of at most {MOST_BYTES:,} bytes",
        state="nothing was sent",
        remedy="correct where the golden inputs lie, or take a sample of them",
        code="9119",
    )
