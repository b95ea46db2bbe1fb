"""What becomes of a thing's fields when the source has changed, and perhaps somebody on the target, too.

What was written last is noted on the thing itself, as short digests of each field and its value. So a value
of the target that we wrote is told from one that somebody else did.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from heavylift.registry.interface.names import NOTED

_CHUNK = 4800
_KEY, _VALUE = 6, 4
_PAIR = _KEY + _VALUE

Pair = tuple[bytes, bytes]


@dataclass(frozen=True)
class Noted:
    """What was written to a thing before: digests of fields and values; of one field perhaps several.

    :param also: what some of its fields are now in the terms of the other side, which may have noted them.
    """

    pairs: frozenset[Pair]
    also: Mapping[str, str] = field(default_factory=dict)

    def has(self, key: str, value: str) -> bool:
        """Tell whether a field's value was written by us."""
        other = self.also.get(key)
        return _pair(key, value) in self.pairs or (other is not None and _pair(key, other) in self.pairs)


@dataclass
class Merge:
    """What is to be done to a thing.

    :param kept: fields that have gone from the source and stay.
    :param conflicts: fields that somebody else has changed on the target, and that stay as they are.
    """

    put: dict[str, str] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.put or self.delete)


@dataclass(frozen=True)
class Policy:
    """What may be done to what is on the target.

    :param propagate: what has gone from the source goes from the target.
    :param overwrite: what others have changed gives way.
    """

    propagate: bool = False
    overwrite: bool = False

    def merge(self, source: Mapping[str, str], target: Mapping[str, str], noted: Noted | None) -> Merge:
        """Return what makes the target's fields what the source's are.

        :param noted: None where a thing was not finished: all that it has is ours.
        """
        found = Merge()
        for key, value in source.items():
            there = target.get(key)
            if there == value:
                continue
            if there is None or noted is None or self.overwrite or noted.has(key, there):
                found.put[key] = value
            else:
                found.conflicts.append(key)
        for key, value in target.items():
            if key in source or (noted is not None and not noted.has(key, value)):
                continue
            (found.delete if self.propagate else found.kept).append(key)
        return found


def note(fields: Mapping[str, str], earlier: Noted | None = None) -> dict[str, str]:
    """Return the tags that note what was written.

    :param earlier: pairs that stay noted, because what they tell of may still be there.
    """
    pairs = {_pair(key, value) for key, value in fields.items()} | (earlier.pairs if earlier else set())
    text = base64.b64encode(b"".join(key + value for key, value in sorted(pairs))).decode() or "-"
    chunks = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)]
    return {f"{NOTED}.{number}" if number else NOTED: chunk for number, chunk in enumerate(chunks)}


def pairs(fields: Mapping[str, str]) -> Noted:
    """Return fields as what is noted of them."""
    return Noted(frozenset(_pair(key, value) for key, value in fields.items()))


def united(tags: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that note what either of two notes does; none where neither notes anything."""
    notes = [each for each in (noted(tags), noted(others)) if each is not None]
    if not notes:
        return {}
    return note({}, Noted(frozenset().union(*(each.pairs for each in notes))))


def noted(tags: Mapping[str, str]) -> Noted | None:
    """Return what is noted on a thing; None where it was never finished."""
    if NOTED not in tags:
        return None
    chunks = [tags[NOTED]]
    while (more := tags.get(f"{NOTED}.{len(chunks)}")) is not None:
        chunks.append(more)
    return Noted(frozenset(_pairs(chunks)))


def _pairs(chunks: Iterable[str]) -> Iterable[Pair]:
    text = "".join(chunks)
    try:
        data = b"" if text == "-" else base64.b64decode(text)
    except ValueError:
        # Somebody has changed it: nothing counts as ours then.
        return
    for start in range(0, len(data) - _PAIR + 1, _PAIR):
        yield data[start : start + _KEY], data[start + _KEY : start + _PAIR]


def _pair(key: str, value: str) -> Pair:
    return _digest(key, _KEY), _digest(value, _VALUE)


def _digest(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=size).digest()
