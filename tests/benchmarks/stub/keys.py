"""The stub store's keys: sorted, paged, and added to as objects are put."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

PREFIXES = 100


def seed(objects: int) -> list[str]:
    """Return the source's keys in order: ``data/00/object-0000000`` and so on, under 100 prefixes."""
    each = -(-objects // PREFIXES) or 1
    return [f"data/{number // each:02d}/object-{number:07d}" for number in range(objects)]


@dataclass(frozen=True)
class Page:
    """One page of a listing.

    :param next_key: the first key that the next page looks at, None after the last page.
    """

    keys: list[str]
    prefixes: list[str] = field(default_factory=list)
    next_key: str | None = None


class Keys:
    """The keys of one bucket. Order is that of code points, which is that of their UTF-8 bytes."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._sorted = sorted(keys)
        self._all = set(self._sorted)
        self._new: list[str] = []
        self.plain = all(map(is_plain, self._sorted[:1]))
        """Whether no key needs escaping; a seed's keys are all of one form."""

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, key: str) -> bool:
        return key in self._all

    def add(self, key: str) -> None:
        """Note an object that was put; a second time changes nothing."""
        if key not in self._all:
            self._all.add(key)
            self._new.append(key)
            self.plain = self.plain and is_plain(key)

    def remove(self, key: str) -> None:
        """Forget an object, if it is there."""
        if key in self._all:
            self._settle()
            self._all.remove(key)
            del self._sorted[bisect_left(self._sorted, key)]

    def page(
        self, prefix: str, delimiter: str, limit: int, *, first: str = "", start_after: str = ""
    ) -> Page:
        """Return a page of what is under ``prefix``.

        :param first: the ``next_key`` of the page before.
        """
        self._settle()
        keys = self._sorted
        at = bisect_left(keys, max(first, prefix))
        if start_after:
            at = max(at, bisect_right(keys, start_after))
        end = bisect_left(keys, after_prefix(prefix)) if prefix else len(keys)
        if not delimiter:
            stop = max(at, min(end, at + limit))
            return Page(keys[at:stop], next_key=keys[stop] if stop < end else None)
        return self._grouped(prefix, delimiter, limit, at, end)

    def _grouped(self, prefix: str, delimiter: str, limit: int, at: int, end: int) -> Page:
        keys = self._sorted
        found: list[str] = []
        groups: list[str] = []
        while at < end and len(found) + len(groups) < limit:
            head, cut, _ = keys[at][len(prefix) :].partition(delimiter)
            if cut:
                groups.append(prefix + head + cut)
                at = bisect_left(keys, after_prefix(groups[-1]), at, end)
            else:
                found.append(keys[at])
                at += 1
        return Page(found, groups, keys[at] if at < end else None)

    def _settle(self) -> None:
        if self._new:
            self._sorted.extend(self._new)
            self._sorted.sort()
            self._new = []


def is_plain(key: str) -> bool:
    """Tell whether a key is the same in XML and in a URL."""
    return key.isascii() and key.replace("/", "").replace("-", "").replace(".", "").replace("_", "").isalnum()


def after_prefix(prefix: str) -> str:
    """Return the least text that is after all texts with this prefix, as far as keys can go."""
    last = ord(prefix[-1]) + 1
    # Surrogates are no characters of a key: the next one that is.
    return prefix[:-1] + chr(0xE000 if 0xD800 <= last < 0xE000 else last)
