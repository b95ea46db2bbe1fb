"""Finds out, after a crash, which source records the target already holds beyond the offset map.

Nobody but this mirror writes to the topic, in order, so what lies on the target after the last mapped offset
is what was sent after the last mapped source offset. Comparing the two needs no mark in the records:
consumers see them unaltered, and a record of somebody else's is found too, where a header would only be
missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from heavylift.streams.offset_map import Span, joined


class Seen(NamedTuple):
    """One record of either side: its offset and fingerprint."""

    offset: int
    print_: bytes


@dataclass(frozen=True)
class Tail:
    """What the target holds beyond the map.

    :param spans: source records that are there already.
    :param gone: target records whose source record has been compacted away or has expired since.
    :param foreign: the first target record that is none of ours; None where all are.
    """

    spans: tuple[Span, ...] = ()
    gone: int = 0
    foreign: int | None = None

    @property
    def records(self) -> int:
        """How many source records need not be sent again."""
        return sum(span.count for span in self.spans)


def match_tail(source: Iterable[Seen], target: Iterable[Seen], source_next: int, target_next: int) -> Tail:
    """Pair the target's records after the map with the source's.

    A hole in the target's offsets may be a record that was compacted away there: as many source records may
    be passed over. A hole in the source's may be one that was sent before it vanished: as many target records
    may have no partner.

    :param source: records from ``source_next`` on; read only as far as needed.
    :param target: all records from ``target_next`` on.
    """
    ahead = _Ahead(source, source_next)
    spans: list[Span] = []
    gone, expected = 0, target_next
    for there in target:
        skippable = there.offset - expected
        expected = there.offset + 1
        partner = ahead.take(there.print_, skippable)
        if partner is not None:
            spans.append(Span(partner.offset, there.offset, 1))
        elif ahead.vanished(skippable):
            gone += 1
        else:
            return Tail(tuple(joined(spans)), gone, there.offset)
    return Tail(tuple(joined(spans)), gone)


class _Ahead:
    """The source's records that have no partner yet."""

    def __init__(self, source: Iterable[Seen], begin: int) -> None:
        self._source: Iterator[Seen] = iter(source)
        self._waiting: deque[Seen] = deque()
        self._end = begin  # after the last record taken, with those that vanished counted in

    def take(self, print_: bytes, skippable: int) -> Seen | None:
        """Return the partner, dropping up to ``skippable`` records before it; None where there is none."""
        # Where the offsets say that it is; else, for the source may have had holes when it was sent, as far
        # ahead as the target's hole is long; else anywhere before, for that hole need not have been a record.
        for index in chain((self._index_of(self._end + skippable), skippable), range(skippable)):
            found = self._at(index)
            if found is not None and found.print_ == print_:
                self._drop(index + 1)
                self._end = found.offset + 1
                return found
        return None

    def vanished(self, skippable: int) -> bool:
        """Tell whether the source has a hole where the record would have been; it is used up."""
        for offset in (self._end + skippable, self._end):
            index = self._index_of(offset)
            following = self._at(index)
            if following is not None and following.offset > offset:
                self._drop(index)
                self._end = offset + 1
                return True
        return False

    def _index_of(self, offset: int) -> int:
        """Return the place of the first waiting record that is not before ``offset``."""
        index = 0
        while (found := self._at(index)) is not None and found.offset < offset:
            index += 1
        return index

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._waiting.popleft()

    def _at(self, index: int) -> Seen | None:
        while len(self._waiting) <= index:
            following = next(self._source, None)
            if following is None:
                return None
            self._waiting.append(following)
        return self._waiting[index]
