"""Makes the profile of a place's table, each file read once."""

from __future__ import annotations

import asyncio
import fnmatch
import threading
from collections.abc import Callable, Iterable

from heavylift.aio import in_thread
from heavylift.monitor.profiles import TableProfile
from heavylift.monitor.tables_read import Wanted, batches, listing_digest, place_of_file, table_files
from heavylift.platforms.places import Place
from heavylift.platforms.ports import ListedObject, ObjectStore
from heavylift.platforms.range_files import range_file
from heavylift.platforms.wiring import open_store

Tell = Callable[[str], None]


async def profile_place(place: Place, wanted: Wanted, tell: Tell = lambda _: None) -> TableProfile:
    """Return the profile of all files of a table; the store is only read, and memory is bounded.

    :raises NotFoundError: no such container, or no table in it.
    :raises IntegrityError: a file cannot be read by its format.
    :raises PreconditionError: a file was written to meanwhile.
    """
    folder, one = place_of_file(place)
    async with open_store(folder.location, folder.connection) as store:
        await store.check()
        files, others = await table_files(store, folder, one, wanted)
        loop = asyncio.get_running_loop()

        def work(stop: threading.Event, relay: Tell) -> TableProfile:
            return _read(store, loop, files, wanted, stop, relay)

        profile = await in_thread(work, tell)
    profile.url = str(place.location)
    profile.left_out = others
    return profile


def _read(
    store: ObjectStore,
    loop: asyncio.AbstractEventLoop,
    files: list[ListedObject],
    wanted: Wanted,
    stop: threading.Event,
    tell: Tell,
) -> TableProfile:
    profile = TableProfile(
        "", len(files), sum(item.size_bytes for item in files), digest=listing_digest(files)
    )
    for number, item in enumerate(files, start=1):
        with range_file(store, item, loop) as file:
            for batch in batches(file, item.key, store.location.url_of(item.key), wanted):
                if stop.is_set():
                    return profile
                profile.take(batch.names, batch.arrays, batch.rows, csv=batch.csv)
        tell(f"{store.location.container}: {number:,} of {len(files):,} files, {profile.rows:,} rows")
    profile.close()
    return profile


def chooser(columns: Iterable[str], ignore: Iterable[str]) -> Callable[[str], bool] | None:
    """Return what tells by its name whether a column is compared; ``*`` and ``?`` stand for any letters."""
    wanted, unwanted = tuple(columns), tuple(ignore)
    if not wanted and not unwanted:
        return None

    def chosen(name: str) -> bool:
        if wanted and not any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted):
            return False
        return not any(fnmatch.fnmatchcase(name, pattern) for pattern in unwanted)

    return chosen
