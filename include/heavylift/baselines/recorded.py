"""Fetches the recorded requests from where they lie: a file of this machine, or an object in a store."""

from __future__ import annotations

import asyncio
from pathlib import Path

from heavylift.baselines.bodies import MOST_BYTES, Bodies, bodies_of, read_bodies, unusable
from heavylift.platforms.places import Place
from heavylift.platforms.wiring import open_store


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
