"""Compares one partition of both sides record by record, along the offset map, in one pass and little memory.

The map only says which record to compare with which; that it is right is what the comparison shows. Records
that compaction may have taken from one side are told from lost ones: of a compacted topic a record may be
missing where a later one with the same key is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from heavylift.evidence.stream_records import MAX_DIFFERENCES, RecordDifference
from heavylift.streams.fingerprints import RollingHash
from heavylift.streams.offset_map import Span


class Entry(NamedTuple):
    """One record of either side.

    :param key: a digest of its key; None where it has none.
    :param tombstone: it has no value.
    """

    offset: int
    print_: bytes
    key: bytes | None = None
    tombstone: bool = False


@dataclass(frozen=True)
class Rules:
    """What may be missing without a loss.

    :param source_first: offsets of the source below it have expired since.
    """

    source_first: int
    compacted_source: bool = False
    compacted_target: bool = False


@dataclass
class Comparison:
    """What came of one partition."""

    topic: str
    partition: int
    equal: int = 0
    missing: int = 0
    different: int = 0
    extra: int = 0
    gone_from_source: int = 0
    compacted_away: int = 0
    source: RollingHash = field(default_factory=RollingHash)
    target: RollingHash = field(default_factory=RollingHash)
    differences: list[RecordDifference] = field(default_factory=list)

    def note(self, kind: str, source: int | None, target: int | None) -> None:
        """Count a difference, and name it while there is room."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.differences) < MAX_DIFFERENCES:
            self.differences.append(
                RecordDifference.model_validate(
                    {
                        "topic": self.topic,
                        "partition": self.partition,
                        "kind": kind,
                        "source_offset": source,
                        "target_offset": target,
                    }
                )
            )


class _Compacted:
    """Records of one side that the other lacks, until a later one with the same key shows why."""

    def __init__(self) -> None:
        self._open: dict[bytes, list[tuple[int | None, int | None]]] = {}
        self.explained = 0

    def lacks(self, entry: Entry, source: int | None, target: int | None) -> bool:
        """Take a record that may have been compacted away; false where it cannot have been."""
        if entry.key is None:
            return False
        if entry.tombstone:
            self.explained += 1
        else:
            self._open.setdefault(entry.key, []).append((source, target))
        return True

    def seen(self, entry: Entry) -> None:
        """Take any record of either side: it explains earlier ones with its key."""
        if self._open and entry.key is not None:
            self.explained += len(self._open.pop(entry.key, ()))

    def unexplained(self) -> list[tuple[int | None, int | None]]:
        """Return those for which no later record was found."""
        return sorted(
            (pair for pairs in self._open.values() for pair in pairs),
            key=lambda pair: pair[0] or pair[1] or 0,
        )


def compare(
    topic: str,
    partition: int,
    source: Iterable[Entry],
    target: Iterable[Entry],
    spans: Iterable[Span],
    rules: Rules,
) -> Comparison:
    """Compare the records of one partition.

    :param source: all records from the mirror's beginning up to the watermark.
    :param target: all records from the mirror's beginning up to the end.
    :param spans: the offset map.
    """
    return _Comparing(Comparison(topic, partition), rules).run(source, target, _Along(spans))


class _Along:
    """Walks the map on both sides; each side asks for rising offsets."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = list(spans)
        self._at_source = self._at_target = 0

    def target_of(self, source: int) -> int | None:
        """Return where a source offset is mapped to."""
        while self._at_source < len(self._spans) and self._spans[self._at_source].source_end <= source:
            self._at_source += 1
        span = self._spans[self._at_source] if self._at_source < len(self._spans) else None
        if span is None or source < span.source_first:
            return None
        return span.target_first + source - span.source_first

    def source_of(self, target: int) -> int | None:
        """Return which source offset is mapped to a target offset."""
        while self._at_target < len(self._spans) and self._spans[self._at_target].target_end <= target:
            self._at_target += 1
        span = self._spans[self._at_target] if self._at_target < len(self._spans) else None
        if span is None or target < span.target_first:
            return None
        return span.source_first + target - span.target_first


class _Comparing:
    def __init__(self, result: Comparison, rules: Rules) -> None:
        self._result, self._rules = result, rules
        self._missing, self._gone = _Compacted(), _Compacted()

    def run(self, source: Iterable[Entry], target: Iterable[Entry], along: _Along) -> Comparison:
        ours: Iterator[Entry] = iter(source)
        theirs: Iterator[Entry] = iter(target)
        here, there = next(ours, None), next(theirs, None)
        while here is not None or there is not None:
            wanted = along.target_of(here.offset) if here is not None else None
            if here is not None and (wanted is None or there is None or wanted < there.offset):
                self._only_source(here, wanted)
                here = next(ours, None)
            elif there is not None and (here is None or wanted is None or there.offset < wanted):
                self._only_target(there, along.source_of(there.offset))
                there = next(theirs, None)
            elif here is not None and there is not None:
                self._both(here, there)
                here, there = next(ours, None), next(theirs, None)
        return self._conclude()

    def _both(self, here: Entry, there: Entry) -> None:
        result = self._result
        self._seen(here)
        self._seen(there)
        result.source.add(here.print_)
        result.target.add(there.print_)
        if here.print_ == there.print_:
            result.equal += 1
        else:
            result.note("different", here.offset, there.offset)

    def _only_source(self, here: Entry, wanted: int | None) -> None:
        self._seen(here)
        # What was never mapped was never sent: compaction of the target cannot have taken it.
        if (
            wanted is not None
            and self._rules.compacted_target
            and self._missing.lacks(here, here.offset, wanted)
        ):
            return
        self._result.source.add(here.print_)
        self._result.note("missing", here.offset, wanted)

    def _only_target(self, there: Entry, source: int | None) -> None:
        self._seen(there)
        if source is not None and source < self._rules.source_first:
            self._result.gone_from_source += 1
        elif (
            source is None
            or not self._rules.compacted_source
            or not self._gone.lacks(there, source, there.offset)
        ):
            self._result.target.add(there.print_)
            self._result.note("extra", source, there.offset)

    def _seen(self, entry: Entry) -> None:
        self._missing.seen(entry)
        self._gone.seen(entry)

    def _conclude(self) -> Comparison:
        result = self._result
        for source, wanted in self._missing.unexplained():
            result.note("missing", source, wanted)
        for source, target in self._gone.unexplained():
            result.note("extra", source, target)
        result.compacted_away += self._missing.explained
        result.gone_from_source += self._gone.explained
        return result
