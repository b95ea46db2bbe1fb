"""Keys that a target cannot hold, found before anything moves.

Three sources of truth: the store's documented rules (``key_problem``), clashes between keys
on stores that have real folders, and, for classes of unusual keys, a probe of the target
itself: S3-compatible servers differ from S3 in just these, and rewrite keys silently.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from heavylift.checksums import Algorithm, digest
from heavylift.errors import HeavyliftError, TransientError
from heavylift.evidence.wording import size
from heavylift.objects.diff import Difference, Refused
from heavylift.objects.markers import BESIDE, FULL, PARENT, Markers, loses
from heavylift.platforms.ports import ObjectAttributes, ObjectStore

UNHOLDABLE = "key-not-holdable"
CLASH = "key-clashes-with-folder"
TOO_LARGE = "object-too-large"
_BATCH = 5_000
_PROBE = "heavylift-probe-"


@dataclass(frozen=True)
class KeyClass:
    """A kind of key that some servers rewrite or lose, with a sample of it.

    :param sample: made of a random word, so that it can meet nobody's object.
    """

    name: str
    matches: Callable[[str], bool]
    sample: Callable[[str], str]


KEY_CLASSES = (
    KeyClass("an empty segment (//)", lambda key: "//" in key, lambda word: f"{word}/a//b"),
    KeyClass("a leading slash", lambda key: key.startswith("/"), lambda word: f"/{word}"),
    KeyClass(
        "a . or .. segment",
        lambda key: any(segment in {".", ".."} for segment in key.split("/")),
        lambda word: f"{word}/./a/../b",
    ),
    KeyClass("a trailing slash", lambda key: key.endswith("/"), lambda word: f"{word}/a/"),
    KeyClass("a backslash", lambda key: "\\" in key, lambda word: f"{word}/a\\b"),
    KeyClass(
        "a control character",
        lambda key: any(ord(char) < 32 or ord(char) == 127 for char in key),
        lambda word: f"{word}/a\tb",
    ),
    KeyClass("a line break", lambda key: "\n" in key or "\r" in key, lambda word: f"{word}/a\nb"),
    KeyClass(
        "a segment of spaces alone",
        lambda key: any(segment and not segment.strip(" ") for segment in key.split("/")),
        lambda word: f"{word}/ ",
    ),
    KeyClass(
        "a segment of more than 255 bytes",
        lambda key: any(len(segment.encode()) > 255 for segment in key.split("/")),
        lambda word: f"{word}/" + "k" * 900,
    ),
    KeyClass(
        "more than 900 bytes",
        lambda key: len(key.encode()) > 900,
        lambda word: word + ("/" + "k" * 99) * 9,
    ),
)


_ORDINARY = re.compile(r"(?:[A-Za-z0-9_=-][A-Za-z0-9_=.-]{0,200}/)*[A-Za-z0-9_=-][A-Za-z0-9_=.-]{0,200}")
_MOST_ORDINARY = 900
"""A key of this form and so many characters is in none of the classes; one look instead of ten."""


def classes_of(key: str) -> list[KeyClass]:
    """Return the classes of unusual keys that ``key`` is in."""
    if len(key) <= _MOST_ORDINARY and _ORDINARY.fullmatch(key):
        return []
    return [key_class for key_class in KEY_CLASSES if key_class.matches(key)]


class Candidates(Protocol):
    """Keys that are to go to a target: a transfer's difference, or what is planned for devices."""

    def keys(self, *actions: str) -> Iterable[list[str]]:
        """Yield lists of relative keys that have one of ``actions``."""
        ...

    def refuse(self, refused: list[Refused]) -> None:
        """Take objects out of what will be moved."""
        ...

    def parents_that_are_objects(self, *, going: bool = False) -> list[str]:
        """Return keys that are also a folder of another key; only those to be written if ``going``."""
        ...

    def markers(self) -> Markers:
        """Return the keys that end in a slash and hold bytes, or lie beside the same key without it."""
        ...


async def refuse_unholdable(
    difference: Candidates, target: ObjectStore, prefix: str, *, may_probe: bool
) -> list[str]:
    """Take every key out of the plan that ``target`` cannot hold.

    :param may_probe: write and delete one tiny object for each unusual class of keys; its name
        starts with ``heavylift-probe-``.
    :return: names of the classes that occur but were not probed.
    """
    present: set[str] = set()
    for keys in difference.keys("copy", "replace", "compare"):
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            difference.refuse(_against_rules(batch, target, prefix))
            present.update(c.name for key in batch for c in classes_of(prefix + key))
    told: list[tuple[str, Sequence[str]]] = []
    if target.traits.hierarchical:
        difference.refuse([_clash(key) for key in difference.parents_that_are_objects()])
    elif parents := difference.parents_that_are_objects(going=True):
        told.append((PARENT, parents))
    classes = [c for c in KEY_CLASSES if c.name in present]
    markers = difference.markers()
    told += [(kind, alike) for kind, alike in ((FULL, markers.full), (BESIDE, markers.beside)) if alike]
    if not may_probe:
        return [c.name for c in classes] + [kind for kind, _ in told]
    for key_class in classes:
        reason = await _probe(target, key_class)
        if reason:
            _refuse_class(difference, key_class, prefix, reason)
    for kind, alike in told:
        if reason := await _probe_markers(target, kind):
            difference.refuse([Refused(key, UNHOLDABLE, reason) for key in alike])
    return []


def refuse_too_large(difference: Difference, target: ObjectStore) -> None:
    """Take objects out of the plan that are larger than the target's largest: days would show it else."""
    most = target.traits.max_object_bytes
    reason = f"the target holds objects of up to {size(most)}"
    difference.refuse(
        [
            Refused(rel, TOO_LARGE, f"it has {size(found)}, and {reason}")
            for rel, found in difference.larger_than(most)
        ]
    )


async def _probe_markers(target: ObjectStore, kind: str) -> str | None:
    word = f"{_PROBE}{uuid.uuid4().hex}"
    try:
        return await loses(target, kind, word)
    finally:
        await _clean(target, f"{word}/a/", word)


def _against_rules(keys: Iterable[str], target: ObjectStore, prefix: str) -> list[Refused]:
    found = ((key, target.key_problem(prefix + key)) for key in keys)
    return [Refused(key, UNHOLDABLE, problem) for key, problem in found if problem]


def _clash(key: str) -> Refused:
    return Refused(key, CLASH, "the target keeps folders: it cannot hold this key and keys below it")


def _refuse_class(difference: Candidates, key_class: KeyClass, prefix: str, reason: str) -> None:
    for keys in difference.keys("copy", "replace", "compare"):
        difference.refuse([Refused(k, UNHOLDABLE, reason) for k in keys if key_class.matches(prefix + k)])


async def _probe(target: ObjectStore, key_class: KeyClass) -> str | None:
    """Return why the target does not hold keys of this class, or None where it does."""
    word = f"{_PROBE}{uuid.uuid4().hex}"
    key = key_class.sample(word)
    body = b"heavylift"
    sums = digest(body, Algorithm.CRC32C, Algorithm.MD5)
    if target.key_problem(key):
        return None  # The documented rules have already refused each such key by name.
    try:
        await target.put(key, body, ObjectAttributes(), sums)
        seen = [item.key async for page in target.list_pages(key[: len(key) - 1]) for item in page]
        await target.head(key)
    except TransientError:
        raise
    except HeavyliftError as error:
        return f"this target does not hold keys with {key_class.name}: {error.got or error.what}"
    finally:
        await _clean(target, key, word)
    if key not in seen:
        return f"this target rewrites or hides keys with {key_class.name} (it listed {seen[:3]})"
    return None


async def _clean(target: ObjectStore, key: str, word: str) -> None:
    left = [item.key async for page in target.list_pages(word) for item in page]
    for name in {key, *left}:
        try:
            await target.delete(name)
        except TransientError:
            raise
        except HeavyliftError:
            # The server refused this very key above; the reason has been told there.
            continue
