"""Finding a table's files on one side."""

from __future__ import annotations

from collections.abc import Iterable

from heavylift.datasets.patterns import literal_folder, matcher
from heavylift.platforms.ports import ListedObject, ObjectStore


async def table_files(
    store: ObjectStore, prefix: str, path: str, include: Iterable[str], exclude: Iterable[str]
) -> list[ListedObject]:
    """Return the objects below ``prefix`` that belong to the table, in the order of their keys.

    Folder markers (0 bytes, key ending in ``/``) are no files.
    """
    belongs = matcher(path, include, exclude)
    found = [
        item
        async for page in store.list_pages(prefix + literal_folder(path))
        for item in page
        if belongs(item.key[len(prefix) :]) and not item.key.endswith("/")
    ]
    return sorted(found, key=lambda item: item.key)


def batches(files: Iterable[ListedObject], most_bytes: int) -> Iterable[list[ListedObject]]:
    """Yield the files in groups of at most ``most_bytes``; a larger file is alone in its group."""
    group: list[ListedObject] = []
    total = 0
    for item in files:
        if group and total + item.size_bytes > most_bytes:
            yield group
            group, total = [], 0
        group.append(item)
        total += item.size_bytes
    if group:
        yield group
