"""Objects whose keys look like folders: some servers take them for such, and lose what they hold.

Tried on the target itself, as unusual keys are (``naming``), but by what lies beside such a key and in it:
an empty one alone is kept by servers that keep no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heavylift.checksums import Algorithm, digest
from heavylift.errors import HeavyliftError, TransientError
from heavylift.platforms.ports import ObjectAttributes, ObjectStore


@dataclass(frozen=True)
class Markers:
    """Relative keys ending in ``/`` that are to go to a target.

    :param full: those that hold bytes.
    :param beside: those whose key without the slash is an object too.
    """

    full: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def markers_of(database: Any, live: str) -> Markers:
    """Return the markers among the rows ``rel``, ``size_bytes`` and ``goes`` that a query gives."""
    rows = database.execute(
        f"WITH live AS ({live}) SELECT rel, size_bytes > 0, left(rel, -1) IN (SELECT rel FROM live)"  # noqa: S608
        " FROM live WHERE goes AND ends_with(rel, '/') ORDER BY rel"
    ).fetchall()
    return Markers(
        tuple(rel for rel, full, _ in rows if full), tuple(rel for rel, _, beside in rows if beside)
    )


FULL = "content under a key that ends in a slash"
BESIDE = "a key beside the same key with a slash"
PARENT = "a key that is also the folder of another"
_SAMPLES = {FULL: ("a/b", "a/"), BESIDE: ("a", "a/"), PARENT: ("a/b", "a")}
"""What is written, in this order."""


async def loses(target: ObjectStore, kind: str, word: str) -> str | None:
    """Return why the target does not keep such objects, None where it does; what is written goes again.

    :param word: a random word with which the keys begin.
    """
    keys = [f"{word}/{sample}" for sample in _SAMPLES[kind]]
    if any(target.key_problem(key) for key in keys):
        return None  # The documented rules have already refused each such key by name.
    try:
        for key in keys:
            body = key.encode()
            sums = digest(body, Algorithm.CRC32C, Algorithm.MD5)
            await target.put(key, body, ObjectAttributes(), sums)
        listed = {item.key async for page in target.list_pages(word) for item in page}
        lost = set(keys) - listed
        lost |= {key for key in listed.intersection(keys) if await _bytes(target, key) != key.encode()}
    except TransientError:
        raise
    except HeavyliftError as error:
        return f"this target does not hold {kind}: {error.got or error.what}"
    return f"this target loses {kind}" if lost else None


async def _bytes(target: ObjectStore, key: str) -> bytes:
    return bytes((await target.fetch(key)).body)
