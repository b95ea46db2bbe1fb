"""Consumer groups: where each goes on reading on the target, put there where that disturbs nobody."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import ConsumerGroupState, ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.stream_records import GroupPartition, StreamGroupsRecord
from heavylift.kafka.cluster import Cluster, PartitionKey
from heavylift.kafka.groups import committed, group_names
from heavylift.patterns import selector
from heavylift.streams.kafka.map_topic import map_topic_name, read_state, write_records
from heavylift.streams.kafka.preflight import chosen
from heavylift.streams.map_records import GroupPosition, MapState, Pair, group_record
from heavylift.streams.requests import StreamRequest

_FREE = frozenset({ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD})
_NONE = 0


def translate_groups(
    source: Cluster, target: Cluster, request: StreamRequest, *, write: bool
) -> StreamGroupsRecord:
    """Translate the positions of the groups that are meant.

    A position is written only where the group has no member on the target, and where it has no position there
    that Heavylift did not write.

    :param write: otherwise only say what would be written.
    """
    return _Translation(source, target, request).run(write=write)


class _Translation:
    def __init__(self, source: Cluster, target: Cluster, request: StreamRequest) -> None:
        self._source, self._target, self._request = source, target, request
        self._map_name = map_topic_name(request.run.migration, request.stream)
        self._findings: list[Finding] = []

    def run(self, *, write: bool) -> StreamGroupsRecord:
        state = read_state(self._target, self._map_name, stall_seconds=self._request.options.stall_seconds)
        options = self._request.options
        topics = set(chosen(self._source, options.topics, state.topics if options.known_only else None))
        groups = self._groups()
        positions: list[GroupPartition] = []
        for group in groups:
            positions += self._group(group, topics, state, write)
        done = {"written", "unchanged"} if write else {"write", "unchanged"}
        return StreamGroupsRecord(
            run=self._request.run,
            stream=self._request.stream,
            written=write,
            groups=len(groups),
            positions=tuple(positions),
            findings=tuple(self._findings),
            complete=all(position.action in done and position.exact for position in positions),
        )

    def _groups(self) -> list[str]:
        meant = selector(self._request.options.consumer_groups)
        return [name for name in group_names(self._source) if meant(name)]

    def _group(self, group: str, topics: set[str], state: MapState, write: bool) -> list[GroupPartition]:
        read = {key: offset for key, offset in committed(self._source, group).items() if key[0] in topics}
        if not read:
            return []
        there = committed(self._target, group)
        active = self._is_active(group)
        found = [
            self._position(group, key, offset, state, there, active) for key, offset in sorted(read.items())
        ]
        unmapped = [position for position in found if position is None]
        if unmapped:
            self._findings.append(_not_mirrored(group, len(unmapped)))
        positions = [position for position in found if position is not None]
        return self._write(group, positions) if write else positions

    def _position(
        self,
        group: str,
        key: PartitionKey,
        offset: int,
        state: MapState,
        there: dict[PartitionKey, int],
        active: bool,
    ) -> GroupPartition | None:
        known = state.maps.get(key)
        if known is None:
            return None
        translated = known.translate(offset)
        ours = state.groups.get((group, *key))
        action = "write"
        if there.get(key) == translated.target:
            action = "unchanged"
        elif active:
            action = "active"
        elif key in there and (ours is None or ours.target != there[key]):
            # The group's own from before it moved: it has read further since, on the side it comes from.
            follows = self._request.options.follow_groups and there[key] < translated.target
            action = "write" if follows else "foreign"
        return GroupPartition.model_validate(
            {
                "group": group,
                "topic": key[0],
                "partition": key[1],
                "source_position": offset,
                "target_position": translated.target,
                "exact": translated.exact,
                "behind": translated.behind,
                "action": action,
            }
        )

    def _is_active(self, group: str) -> bool:
        with self._target.asking(f"looking up group {group!r}"):
            answers = self._target.admin.describe_consumer_groups(
                [group], request_timeout=self._target.timeout
            )
            found = answers[group].result(self._target.timeout)
        return found.state not in _FREE or bool(found.members)

    def _write(self, group: str, positions: list[GroupPartition]) -> list[GroupPartition]:
        wanted = [position for position in positions if position.action == "write"]
        if not wanted:
            return positions
        places = [TopicPartition(each.topic, each.partition, each.target_position) for each in wanted]
        # Noted first: a position that was written and not noted would count as somebody else's.
        write_records(self._target, self._map_name, _noted(group, wanted))
        try:
            answers = self._target.admin.alter_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group, places)], request_timeout=self._target.timeout
            )
            results = answers[group].result(self._target.timeout).topic_partitions
        except KafkaException as error:
            self._findings.append(_not_written(group, error.args[0].name()))
            return [_with(position, "failed" if position in wanted else "") for position in positions]
        refused = {(at.topic, at.partition) for at in results if at.error is not None}
        return [
            _with(position, "failed" if (position.topic, position.partition) in refused else "written")
            if position in wanted
            else position
            for position in positions
        ]


def _noted(group: str, positions: Iterable[GroupPartition]) -> list[Pair]:
    return [
        group_record(group, at.topic, at.partition, GroupPosition(at.source_position, at.target_position))
        for at in positions
    ]


def _with(position: GroupPartition, action: str) -> GroupPartition:
    return position.model_copy(update={"action": action}) if action else position


def _not_mirrored(group: str, count: int) -> Finding:
    return Finding(
        rule="group_position_not_mirrored",
        severity=Severity.WARNING,
        subject=f"group {group}",
        detail=f"{count} positions lie in partitions that were never mirrored",
        remedy="mirror the stream first, then translate again",
    )


def _not_written(group: str, name: str) -> Finding:
    return Finding(
        rule="group_position_refused",
        severity=Severity.WARNING,
        subject=f"group {group}",
        detail=f"the target's broker refused the positions: {name}",
        remedy="look whether a member of the group has just joined, and for the right to write group offsets",
    )
