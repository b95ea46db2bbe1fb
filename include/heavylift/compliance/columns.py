"""Counts what is found, column by column, in memory that does not grow with the data."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from heavylift.compliance.detector import find, masked
from heavylift.compliance.entities import KINDS, Entity
from heavylift.compliance.headings import MIN_SHARE, Heading, heading_of

MOST_PLACES = 5
"""Places that are told of one kind in one column."""
MOST_SAMPLES = 10
"""Candidates of one column that a second opinion is asked about: the first."""
_AROUND = 60
_ENOUGH = 20
"""Candidates from which on chance is told from intent."""
_DEMOTED = 0.3


@dataclass
class Seen:
    """One entity in one column.

    :param candidates: values of its shape; ``hits`` of them held.
    :param by_heading: hits that rest on the column's name.
    :param places: first rows in which it was found, as ``<unit>:<row>``.
    """

    candidates: int = 0
    hits: int = 0
    rows: int = 0
    by_heading: int = 0
    mask: str = ""
    places: list[str] = field(default_factory=list)


@dataclass
class ColumnSeen:
    """One column: how many values were looked at, and what was found in them.

    :param samples: texts around candidates, for a second opinion; None where nobody asks for one. They are
        in memory alone.
    """

    name: str
    heading: Heading | None
    values: int = 0
    heading_fits: int = 0
    entities: dict[Entity, Seen] = field(default_factory=dict)
    samples: list[str] | None = field(default=None, repr=False)

    def take(self, values: Sequence[bytes], unit: str, first_row: int) -> None:
        """Take in values that follow each other; an empty one is none."""
        joined = b"\n".join(values)
        self.values += len(values) - values.count(b"")
        starts: list[int] = []
        found_in: set[tuple[int, Entity]] = set()
        for hit in find(joined):
            starts = starts or _starts(values)
            seen = self._seen(hit.entity)
            seen.candidates += 1
            if self.samples is not None and len(self.samples) < MOST_SAMPLES:
                self.samples.append(_around(joined, hit.start, hit.end))
            if hit.valid:
                row = bisect_right(starts, hit.start) - 1
                # A shape is made once: only the first is told.
                mask = seen.mask or masked(joined[hit.start : hit.end].decode("utf-8", "replace"))
                self._count(seen, mask, unit, first_row + row, (row, hit.entity) not in found_in)
                found_in.add((row, hit.entity))
        if self.heading is not None:
            self._by_heading(self.heading, values, unit, first_row, found_in)

    def _by_heading(
        self,
        heading: Heading,
        values: Sequence[bytes],
        unit: str,
        first_row: int,
        found_in: set[tuple[int, Entity]],
    ) -> None:
        for row, raw in enumerate(values):
            text = raw.decode("utf-8", "replace").strip()
            if not text or not heading.check(text):
                continue
            self.heading_fits += 1
            if (row, heading.entity) in found_in:
                continue
            seen = self._seen(heading.entity)
            seen.by_heading += 1
            self._count(seen, seen.mask or masked(text), unit, first_row + row, new_row=True)

    def _seen(self, entity: Entity) -> Seen:
        seen = self.entities.get(entity)
        if seen is None:
            seen = self.entities[entity] = Seen()
        return seen

    @staticmethod
    def _count(seen: Seen, mask: str, unit: str, row: int, new_row: bool) -> None:
        seen.hits += 1
        seen.rows += new_row
        seen.mask = mask
        if new_row and len(seen.places) < MOST_PLACES:
            seen.places.append(f"{unit}:{row}")

    def merge(self, other: ColumnSeen) -> None:
        """Add what was seen of the same column elsewhere."""
        self.values += other.values
        self.heading_fits += other.heading_fits
        if self.samples is not None and other.samples:
            self.samples = (self.samples + other.samples)[:MOST_SAMPLES]
        for entity, theirs in other.entities.items():
            mine = self.entities.setdefault(entity, Seen())
            mine.candidates += theirs.candidates
            mine.hits += theirs.hits
            mine.rows += theirs.rows
            mine.by_heading += theirs.by_heading
            mine.mask = mine.mask or theirs.mask
            mine.places = (mine.places + theirs.places)[:MOST_PLACES]

    def confidence(self, entity: Entity) -> float:
        """Return how sure it is that the column holds ``entity``; 0 where it does not.

        Among values that have the shape but mostly fail the check, as many as chance lets through prove
        nothing: order numbers pass Luhn's check one time in ten. A heading raises what it agrees with, and
        what rests on it alone needs most of the column's values.
        """
        seen, kind = self.entities[entity], KINDS[entity]
        agrees = self.heading is not None and self.heading.entity is entity
        if agrees and self.heading_fits >= MIN_SHARE * max(1, self.values):
            return min(0.99, kind.confidence + 0.1)
        strong = seen.hits - seen.by_heading
        if not strong:
            return 0.0
        expected = kind.chance * seen.candidates
        spread = 3 * math.sqrt(max(0.0, expected * (1 - kind.chance)))
        by_chance = kind.chance and seen.candidates >= _ENOUGH and strong <= expected + spread
        return _DEMOTED if by_chance and self.name and not agrees else kind.confidence


def column_seen(name: str, *, sampled: bool = False) -> ColumnSeen:
    """Return the empty count of a column; an empty name stands for text without columns."""
    return ColumnSeen(name, heading_of(name) if name else None, samples=[] if sampled else None)


def _around(data: bytes, start: int, end: int) -> str:
    """Return a candidate with what stands beside it on its line."""
    first = max(data.rfind(b"\n", 0, start) + 1, start - _AROUND)
    last = data.find(b"\n", end)
    return data[first : min(len(data) if last < 0 else last, end + _AROUND)].decode("utf-8", "replace")


def _starts(values: Sequence[bytes]) -> list[int]:
    starts, position = [], 0
    for each in values:
        starts.append(position)
        position += len(each) + 1
    return starts
