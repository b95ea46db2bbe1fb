"""The independent proof: fresh consumers read both sides; what could not be read proves nothing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping

from confluent_kafka import Message

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.stream_records import (
    MAX_DIFFERENCES,
    PartitionProof,
    RecordDifference,
    StreamVerificationRecord,
)
from heavylift.kafka.cluster import Cluster, PartitionKey
from heavylift.kafka.ends import Bounds, true_bounds
from heavylift.streams.comparing import Comparison, Entry, Rules, compare
from heavylift.streams.fingerprints import fingerprint
from heavylift.streams.kafka.map_topic import map_topic_name, read_state
from heavylift.streams.kafka.pace import Pace
from heavylift.streams.kafka.preflight import chosen
from heavylift.streams.kafka.reading import read_range
from heavylift.streams.map_records import MapState
from heavylift.streams.offset_map import PartitionMap
from heavylift.streams.ports import Watch
from heavylift.streams.requests import StreamRequest

_TELL_EVERY = 2_000


def verify(
    source: Cluster, target: Cluster, request: StreamRequest, watch: Watch
) -> StreamVerificationRecord:
    """Read both sides of every partition and compare them.

    :raises NotFoundError: no topic is meant, or one is missing on the source.
    :raises ServerUnavailableError: something could not be read to its end.
    """
    return _Verification(source, target, request, watch).run()


class _Verification:
    def __init__(self, source: Cluster, target: Cluster, request: StreamRequest, watch: Watch) -> None:
        self._source, self._target, self._request, self._watch = source, target, request, watch
        self._options = request.options
        self._findings: list[Finding] = []
        self._pace = Pace("verify", 0, watch)

    def run(self) -> StreamVerificationRecord:
        began = time.monotonic()
        name = map_topic_name(self._request.run.migration, self._request.stream)
        state = read_state(self._target, name, stall_seconds=self._options.stall_seconds)
        views = chosen(self._source, self._options.topics, state.topics if self._options.known_only else None)
        there = self._target.topics(views)
        keys = [(topic, number) for topic, view in sorted(views.items()) for number in range(view.partitions)]
        on_target = [key for key in keys if key[0] in there and key[1] < there[key[0]].partitions]
        here_bounds = self._bounds(self._source, keys)
        there_bounds = self._bounds(self._target, on_target)
        self._pace = Pace("verify", self._total(state, here_bounds, there_bounds), self._watch)
        compacted = {topic: self._compacted(topic, topic in there) for topic in views}
        results = []
        for key in keys:
            bounds = there_bounds.get(key, Bounds(0, 0))
            results.append(
                self._partition(key, state.maps.get(key), here_bounds[key], bounds, compacted[key[0]])
            )
        if state.lease.held:
            self._findings.append(_mirror_at_work(state))
        return self._record(results, len(views), began)

    def _partition(
        self,
        key: PartitionKey,
        known: PartitionMap | None,
        here: Bounds,
        there: Bounds,
        compacted: tuple[bool, bool],
    ) -> tuple[PartitionProof, Comparison]:
        # Nothing mapped: all that the source has is missing, and all that the target has is extra.
        begin, until = (known.source_begin, known.source_next) if known else (here.first, here.end)
        target_begin = known.target_begin if known else there.first
        compared = self._options.verified.get(key, begin)
        if known and begin < compared <= until:
            # An earlier comparison has shown that both sides are equal up to there.
            begin, target_begin = compared, known.translate(compared).target
        target_begin = max(target_begin, there.first)
        first = max(begin, here.first)
        result = compare(
            *key,
            self._entries(self._source, key, first, until, with_key=any(compacted)),
            self._entries(self._target, key, target_begin, there.end, with_key=any(compacted)),
            known.spans() if known else (),
            Rules(here.first, *compacted),
        )
        proof = PartitionProof(
            topic=key[0],
            partition=key[1],
            source_from=first,
            source_to=until,
            target_from=target_begin,
            target_to=there.end,
            source_records=result.equal + result.different + result.missing + result.compacted_away,
            target_records=result.equal + result.different + result.extra + result.gone_from_source,
            equal=result.equal,
            missing=result.missing,
            different=result.different,
            extra=result.extra,
            gone_from_source=result.gone_from_source,
            compacted_away=result.compacted_away,
            newer=max(0, here.end - max(until, here.first)),
            source_digest=result.source.hexdigest(),
            target_digest=result.target.hexdigest(),
        )
        return proof, result

    def _entries(
        self, cluster: Cluster, key: PartitionKey, first: int, end: int, *, with_key: bool
    ) -> Iterator[Entry]:
        pace = self._pace
        read = read_range(
            cluster,
            key,
            first,
            end,
            stall_seconds=self._options.stall_seconds,
            stopped=self._watch.stop.is_set,
        )
        for message in read:
            pace.records += 1
            pace.size_bytes += len(message)
            if pace.records % _TELL_EVERY == 0:
                pace.tell()
            yield _entry(message, with_key=with_key)

    def _bounds(self, cluster: Cluster, keys: list[PartitionKey]) -> dict[PartitionKey, Bounds]:
        return true_bounds(
            cluster,
            keys,
            settle_seconds=self._options.settle_seconds,
            stall_seconds=self._options.stall_seconds,
        )

    def _total(
        self, state: MapState, here: Mapping[PartitionKey, Bounds], there: Mapping[PartitionKey, Bounds]
    ) -> int:
        total = 0
        for key, bounds in here.items():
            known, other = state.maps.get(key), there.get(key, Bounds(0, 0))
            until = known.source_next if known else bounds.end
            total += max(0, until - bounds.first) + max(0, other.end - other.first)
        return total

    def _compacted(self, topic: str, on_target: bool) -> tuple[bool, bool]:
        sides = [self._source.configs(topic), self._target.configs(topic) if on_target else {}]
        compacted = ["compact" in configs.get("cleanup.policy", "") for configs in sides]
        return compacted[0], compacted[1]

    def _record(
        self, results: list[tuple[PartitionProof, Comparison]], topics: int, began: float
    ) -> StreamVerificationRecord:
        proofs = [proof for proof, _ in results]
        totals = {
            name: sum(getattr(proof, name) for proof in proofs)
            for name in (
                "source_records",
                "target_records",
                "equal",
                "missing",
                "different",
                "extra",
                "newer",
            )
        }
        drained = not totals["newer"] or not self._options.drained
        equal = not (totals["missing"] or totals["different"] or totals["extra"])
        alike = all(proof.source_digest == proof.target_digest for proof in proofs)
        passed = bool(proofs) and equal and alike and drained
        differences: list[RecordDifference] = [each for _, result in results for each in result.differences]
        return StreamVerificationRecord(
            run=self._request.run,
            stream=self._request.stream,
            source=self._source.address,
            target=self._target.address,
            partitions=tuple(proofs),
            topics=topics,
            **totals,
            drained_demanded=self._options.drained,
            differences=tuple(differences[:MAX_DIFFERENCES]),
            findings=tuple(self._findings),
            statement=_statement(totals, topics, len(proofs), equal=equal, drained=drained),
            passed=passed,
            seconds=round(time.monotonic() - began, 3),
        )


def _entry(message: Message, *, with_key: bool) -> Entry:
    # Keys matter only where compaction may have taken a record.
    key = message.key() if with_key else None
    digest = None if key is None else hashlib.blake2b(key, digest_size=12).digest()
    return Entry(message.offset() or 0, fingerprint(message), digest, message.value() is None)


def _statement(totals: Mapping[str, int], topics: int, partitions: int, *, equal: bool, drained: bool) -> str:
    if not equal:
        return (
            f"{totals['missing']:,} records missing, {totals['different']:,} different,"
            f" {totals['extra']:,} extra on the target, {totals['equal']:,} equal"
        )
    read = f"{topics:,} topics, {partitions:,} partitions: "
    if not totals["equal"]:
        read += "nothing is mirrored, and what is to be compared is empty on both sides"
    else:
        read += f"{totals['equal']:,} records equal in key, value, headers, timestamp and order"
    if totals["newer"]:
        read += f"; the source has {totals['newer']:,} offsets that are not mirrored yet"
    return read if drained else f"{read}, where none was to be left"


def _mirror_at_work(state: MapState) -> Finding:
    return Finding(
        rule="mirror_at_work",
        severity=Severity.NOTE,
        subject=f"epoch {state.lease.epoch}",
        detail="a mirror held the lease while this was compared: records on their way count as extra",
        remedy="verify again when no mirror runs",
    )
