"""Listing one place into a file, without a migration around it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from heavylift.evidence.records import Tally
from heavylift.objects.listing import list_to_file
from heavylift.platforms.places import Place
from heavylift.platforms.wiring import open_store


async def list_place(place: Place, selected: Callable[[str], bool], output: Path) -> Tally:
    """List ``place`` into the Parquet file ``output`` and return how much is there.

    Changes nothing on the store. The file appears whole or not at all: a listing that was cut
    off leaves what was there before.

    :param selected: told each key relative to the place's prefix.
    """
    draft = output.with_name(f".{output.name}.{os.getpid()}.draft")
    try:
        async with open_store(place.location, place.connection) as store:
            await store.check()
            listing = await list_to_file(store, place.location.prefix, selected, draft)
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
    return listing.total
