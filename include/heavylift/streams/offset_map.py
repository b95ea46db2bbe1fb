"""Which offset of the target holds which offset of the source: exact, in spans, with gaps.

A span says that source offsets ``source_first + i`` lie at ``target_first + i`` for ``i < count``. Offsets
that a broker gave to no record (compaction, transaction markers) make a gap between two spans. Spans of a
partition rise on both sides, because a partition is written in the source's order by one writer.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from heavylift.errors import IntegrityError


@dataclass(frozen=True)
class Span:
    """Records that lie next to each other on both sides."""

    source_first: int
    target_first: int
    count: int

    @property
    def source_end(self) -> int:
        """The offset after the last one on the source."""
        return self.source_first + self.count

    @property
    def target_end(self) -> int:
        """The offset after the last one on the target."""
        return self.target_first + self.count

    def reaches(self, other: Span) -> bool:
        """Tell whether ``other`` begins on both sides exactly where this one ends."""
        return self.source_end == other.source_first and self.target_end == other.target_first


@dataclass(frozen=True)
class Translation:
    """A source position in the target's offsets.

    :param exact: the record at the source position, or the next one that exists, is at ``target``.
    :param behind: records of the source before the position that the target does not have yet.
    """

    target: int
    exact: bool
    behind: int = 0


class PartitionMap:
    """The spans of one partition, in order.

    :param source_begin: the first source offset that was to be mirrored.
    :param target_begin: the target's end when the mirror began.
    :param tail_only: forget all but the last span: all that a mirror needs, in constant memory.
    """

    def __init__(self, source_begin: int, target_begin: int, *, tail_only: bool = False) -> None:
        self.source_begin = source_begin
        self.target_begin = target_begin
        self._tail_only = tail_only
        self._source, self._target, self._count = array("q"), array("q"), array("q")
        self.records = 0

    @property
    def source_next(self) -> int:
        """The watermark: the first source offset that is not mapped yet."""
        return self._source[-1] + self._count[-1] if self._source else self.source_begin

    @property
    def target_next(self) -> int:
        """The first target offset after all that is mapped."""
        return self._target[-1] + self._count[-1] if self._source else self.target_begin

    @property
    def last(self) -> Span | None:
        """The last span."""
        return self._span(len(self._source) - 1) if self._source else None

    def __len__(self) -> int:
        return len(self._source)

    def spans(self) -> Iterator[Span]:
        """Yield the spans in order."""
        return (self._span(index) for index in range(len(self._source)))

    def add(self, span: Span) -> None:
        """Append a span; one that begins where the last begins is the same one grown longer.

        :raises IntegrityError: it lies before what is mapped: two writers were at work, or the map is
            damaged.
        """
        last = self.last
        if last is not None and (span.source_first, span.target_first) == (
            last.source_first,
            last.target_first,
        ):
            self.records += max(0, span.count - last.count)
            self._count[-1] = max(last.count, span.count)
        elif last is not None and last.reaches(span):
            self.records += span.count
            self._count[-1] += span.count
        elif span.source_first >= self.source_next and span.target_first >= self.target_next:
            self._append(span)
        else:
            raise IntegrityError(
                "reading the offset map",
                got=f"a span at source offset {span.source_first}, target offset {span.target_first}",
                expected=f"one from source offset {self.source_next} and target offset {self.target_next} on",
                state="nothing was written; the map contradicts itself, as after two mirrors at a time",
                remedy="verify the stream; where it differs, mirror into new topics under another name",
                retry_safe=False,
                code="6501",
            )

    def translate(self, position: int) -> Translation:
        """Return where on the target a consumer goes on that would read ``position`` of the source next.

        Never ahead of the true place: what is not mirrored yet lies behind the returned offset.
        """
        if position > self.source_next or not self._source:
            ahead = max(0, position - self.source_next)
            return Translation(self.target_next, exact=ahead == 0, behind=ahead)
        index = bisect_right(self._source, position) - 1
        if index >= 0 and position < self._source[index] + self._count[index]:
            return Translation(self._target[index] + position - self._source[index], exact=True)
        following = index + 1
        if following < len(self._source):
            return Translation(self._target[following], exact=True)
        return Translation(self.target_next, exact=True)

    def _append(self, span: Span) -> None:
        self.records += span.count
        if self._tail_only and self._source:
            self._source[0], self._target[0], self._count[0] = (
                span.source_first,
                span.target_first,
                span.count,
            )
            return
        self._source.append(span.source_first)
        self._target.append(span.target_first)
        self._count.append(span.count)

    def _span(self, index: int) -> Span:
        return Span(self._source[index], self._target[index], self._count[index])


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return ``spans`` with neighbours that touch on both sides made one."""
    found: list[Span] = []
    for span in spans:
        if found and found[-1].reaches(span):
            found[-1] = Span(found[-1].source_first, found[-1].target_first, found[-1].count + span.count)
        else:
            found.append(span)
    return found
