"""Judges what two servers differ in: what teams changed meanwhile, what is kept on purpose, what is wrong.

A source that is written to is never equal to its copy for long. So it is read, synced and read again: a
thing that still differs, although the source shows it unchanged in both readings, is wrong; one that the
source shows changed is newer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from heavylift.evidence.registry_records import RegistryCompared
from heavylift.registry.rest.comparing import Kind, Result
from heavylift.registry.rest.translating import ORIGIN

T = TypeVar("T")

Seen = dict[str, dict[str, int]]
"""What one reading of the source showed: sort of things, id, digest of all that is compared."""


@dataclass
class Judgement(Result):
    """What a comparison found, with what speaks for it.

    :param keep: what has gone from the source may stay on the target.
    :param noting: note what the source shows, for a later reading.
    :param earlier: an earlier reading, after which the target was brought up to date.
    :param failed: sorts of which something could not be read.
    :param unseen: things that count as newer only because the earlier reading did not come to them.
    """

    keep: bool = False
    noting: bool = False
    earlier: Judgement | None = None
    seen: Seen = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    unseen: int = 0
    _source: Mapping[str, object] = field(default_factory=dict)
    _target: Mapping[str, object] = field(default_factory=dict)

    def compare(self, what: str, source: Mapping[str, T], target: Mapping[str, T]) -> list[str]:
        """Compare things of one sort by id; return the ids that both sides have."""
        self._source, self._target = source, target
        if self.noting:
            noted = self.seen.setdefault(what, {})
            noted.update((name, _print(thing)) for name, thing in source.items())
        return super().compare(what, source, target)

    def stays(self, what: str, number: int) -> None:
        """Count things of the target that have gone from the source, and that were never to be deleted."""
        for name in ("target", "extra", "kept"):
            self.counts.setdefault(what, Counter())[name] += number

    def without_place(self, what: str, number: int) -> None:
        """Count things of the source that the target has no place for: a loss that was listed."""
        self.counts.setdefault(what, Counter())["without place"] += number

    def unreadable(self, what: str, place: str) -> None:
        """Note that a sort of things could not be read: nothing of it is called equal, or newer."""
        self.failed.add(what)
        super().unreadable(what, place)

    def compared(self) -> tuple[RegistryCompared, ...]:
        """Return the counts of each sort."""
        return tuple(
            each.model_copy(update={name: self.counts[each.what][name] for name in ("newer", "kept")})
            for each in super().compared()
        )

    @property
    def is_settled(self) -> bool:
        """Tell whether another look would change nothing."""
        return not (self.difference_count if self.earlier is None else self.unseen)

    def total(self, name: str) -> int:
        """Return a count over all sorts."""
        return sum(count[name] for count in self.counts.values())

    def _differs(self, what: str, name: str, kind: Kind, fields: tuple[str, ...] = ()) -> None:
        excuse = "newer" if self._is_newer(what, name) else "kept" if self._is_kept(name) else ""
        if not excuse:
            super()._differs(what, name, kind, fields)
            return
        self._count(what, kind)
        self._count(what, excuse)

    def _is_newer(self, what: str, name: str) -> bool:
        if self.earlier is None or what in self.failed | self.earlier.failed:
            return False
        there = self._source.get(name)
        before = self.earlier.seen.get(what, {}).get(name)
        self.unseen += before is None and there is not None
        return before != (None if there is None else _print(there))

    def _is_kept(self, name: str) -> bool:
        """Tell whether the target has all that the source has, and more."""
        if not self.keep or name not in self._target:
            return False
        ours, theirs = self._source.get(name), self._target[name]
        if ours is None:
            # Through the interface others' things are known by having no origin; these came from nowhere.
            return not (isinstance(theirs, Mapping) and ORIGIN in theirs)
        if not isinstance(ours, Mapping) or not isinstance(theirs, Mapping):
            return False
        return all(field in theirs and theirs[field] == value for field, value in ours.items())


def _print(thing: object) -> int:
    # Within one process only, so its own hash does.
    return hash(frozenset(thing.items())) if isinstance(thing, Mapping) else hash(thing)
