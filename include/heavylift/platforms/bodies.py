"""The golden or recorded requests: a file or object with one JSON document a line, or one document."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from heavylift.errors import SpecError
from heavylift.platforms.places import Place
from heavylift.platforms.wiring import open_store

MOST_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Bodies:
    """The bodies that are sent.

    :param sha256: of all bodies, in their order: measurements are comparable where it is the same.
    """

    bodies: tuple[bytes, ...]
    sha256: str


def read_bodies(path: Path) -> Bodies:
    """Read a file of requests.

    :raises SpecError: it can't be read, is empty, too long, or no JSON; its content is never shown.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise unusable(str(path), error.strerror or type(error).__name__, "7670") from error
    if size > MOST_BYTES:
        raise unusable(str(path), f"{size:,} bytes; at most {MOST_BYTES:,} are held in memory", "7671")
    return bodies_of(str(path), content)


def bodies_of(shown: str, content: bytes) -> Bodies:
    """Return the bodies that a file or object has.

    :param shown: what errors call it.
    :raises SpecError: it is empty or no JSON.
    """
    bodies = _bodies(shown, content)
    if not bodies:
        raise unusable(shown, "no request in it", "7672")
    digest = hashlib.sha256()
    for body in bodies:
        digest.update(len(body).to_bytes(8, "big") + body)
    return Bodies(bodies, digest.hexdigest())


def _bodies(shown: str, content: bytes) -> tuple[bytes, ...]:
    try:
        json.loads(content)
    except ValueError:
        pass  # not one document: then one a line, each checked below
    else:
        return (content.strip(),)
    lines = [(number, line.strip()) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    for number, line in lines:
        try:
            json.loads(line)
        except ValueError:
            raise unusable(shown, f"line {number} is no JSON document", "7673") from None
    return tuple(line for _, line in lines)


def unusable(shown: str, got: str, code: str) -> SpecError:
    """Return the error that tells why requests cannot be used."""
    return SpecError(
        f"reading the requests in {shown}",
        got=got,
        expected="a file with one JSON document a line, each the body of a request",
        state="nothing was sent",
        remedy="correct --requests, or the field requests in the spec",
        code=code,
    )


async def fetch_bodies(place: Path | Place) -> Bodies:
    """Return the bodies in a file, or in the one object that a place's URL names.

    :raises SpecError: it can't be read, is empty, too long, or no JSON; its content is never shown.
    :raises NotFoundError: there is no such object.
    """
    if isinstance(place, Path):
        return await asyncio.to_thread(read_bodies, place)
    if place.location.scheme == "file":
        return await asyncio.to_thread(read_bodies, Path(place.location.container))
    shown, content = str(place.location), bytearray()
    async with open_store(place.location, place.connection) as store:
        item = (await store.head(place.location.prefix.rstrip("/"))).object
        if item.size_bytes > MOST_BYTES:
            raise unusable(shown, f"{item.size_bytes:,} bytes; at most {MOST_BYTES:,} are held", "7697")
        async with store.get(item.key, version=item.version) as stream:
            async for chunk in stream.chunks():
                content += chunk
    return await asyncio.to_thread(bodies_of, shown.rstrip("/"), bytes(content))
