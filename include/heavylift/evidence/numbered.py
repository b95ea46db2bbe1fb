"""Evidence of which a run can have several, numbered from 1: verifications, gate results, …

A task that runs again adds the next number and leaves the earlier ones as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from heavylift.errors import AlreadyExistsError
from heavylift.evidence.canonical import canonical_json
from heavylift.evidence.records import EvidenceRef
from heavylift.evidence.store import JSON, EvidenceStore

PathOf = Callable[[int], str]
"""From a number to the path of that piece of evidence."""


async def latest_number(store: EvidenceStore, path_of: PathOf, known: int = 0) -> int:
    """Return the highest number that exists, 0 where there is none; one request for each.

    :param known: up to here the numbers are known to exist, and are not asked for.
    """
    number = known
    while await store.exists(path_of(number + 1)):
        number += 1
    return number


async def write_next(
    store: EvidenceStore, path_of: PathOf, record: BaseModel | Mapping[str, Any], *, known: int = 0
) -> tuple[int, EvidenceRef]:
    """Write ``record`` under the next free number; safe against others doing the same."""
    return await write_next_bytes(store, path_of, canonical_json(record), JSON, known=known)


async def write_next_bytes(
    store: EvidenceStore, path_of: PathOf, data: bytes, content_type: str, *, known: int = 0
) -> tuple[int, EvidenceRef]:
    """Write ``data`` under the next free number; safe against others doing the same.

    :param known: up to here the numbers are known to exist.
    """
    number = await latest_number(store, path_of, known)
    while True:
        number += 1
        try:
            return number, await store.write_bytes(path_of(number), data, content_type)
        except AlreadyExistsError:
            continue
