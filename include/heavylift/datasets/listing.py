"""Finding a table's files on one side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from heavylift.patterns import compile_pattern, literal_folder, selector
from heavylift.platforms.ports import ListedObject, ObjectStore


async def table_files(
    store: ObjectStore, prefix: str, path: str, include: Iterable[str], exclude: Iterable[str]
) -> list[ListedObject]:
    """Return the objects below ``prefix`` that belong to the table, in the order of their keys.

    Folder markers (0 bytes, key ending in ``/``) are no files.
    """
    in_dataset, table = selector(include, exclude), compile_pattern(path)
    found = [
        item
        async for page in store.list_pages(prefix + literal_folder(path))
        for item in page
        if _is_file(item.key[len(prefix) :], table, in_dataset)
    ]
    return sorted(found, key=lambda item: item.key)


def _is_file(key: str, table: re.Pattern[str], in_dataset: Callable[[str], bool]) -> bool:
    return not key.endswith("/") and table.fullmatch(key) is not None and in_dataset(key)


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
