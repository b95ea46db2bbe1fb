"""Getting objects' bytes whole, into files."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from heavylift.datasets.concurrency import in_thread
from heavylift.errors import IntegrityError, ServerUnavailableError, UnsupportedError
from heavylift.platforms.ports import ListedObject, ObjectStore

TRIES = 5


async def fetch(store: ObjectStore, item: ListedObject, path: Path) -> None:
    """Download one object, pinned to its listed version; a cut body goes on where it stopped.

    :raises UnsupportedError: it would take more than half of the free disk.
    :raises PreconditionError: it changed since it was listed.
    """
    _demand_room(store, item, path.parent)
    done = 0
    with await asyncio.to_thread(path.open, "wb") as sink:
        for attempt in range(1, TRIES + 1):
            try:
                async with store.get(item.key, version=item.version, offset=done) as stream:
                    async for chunk in stream.chunks():
                        await in_thread(sink.write, chunk)
                        done += len(chunk)
                break
            except ServerUnavailableError:
                if attempt == TRIES:
                    raise
                await asyncio.sleep(0.1 * 2**attempt)
    if done != item.size_bytes:
        raise IntegrityError(
            f"download of {store.location.url_of(item.key)}",
            got=f"{done} bytes",
            expected=f"{item.size_bytes} bytes, as listed",
            state="nothing was changed; the check has no result",
            remedy="run the check again; if it stays, look at the store or a proxy on the way",
            code="4311",
        )


def _demand_room(store: ObjectStore, item: ListedObject, folder: Path) -> None:
    room = shutil.disk_usage(folder).free // 2
    if item.size_bytes <= room:
        return
    raise UnsupportedError(
        f"check of {store.location.url_of(item.key)}",
        got=f"an object of {item.size_bytes} bytes",
        expected=f"at most {room} bytes, half of what is free under {folder.parent}",
        state="nothing was changed; the check has no result",
        remedy="set TMPDIR to a larger disk, or leave the object out of the table's path in the spec",
        code="4310",
    )
