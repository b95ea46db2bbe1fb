"""Looks at both sides before a run: topics, ends, the offset map, and what stands in the way."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.stream_records import PartitionLag, StreamTopic
from heavylift.kafka.cluster import Cluster, PartitionKey, TopicView
from heavylift.kafka.ends import Bounds, true_bounds
from heavylift.kafka.settings import ignored_settings
from heavylift.streams.kafka.map_topic import map_topic_name, read_state
from heavylift.streams.kafka.preflight import Sides, check_settings, chosen, judge
from heavylift.streams.kafka.reading import read_range
from heavylift.streams.kafka.topics import carried_configs
from heavylift.streams.map_records import MapState
from heavylift.streams.requests import StreamOptions, StreamRequest

_AGAIN = 0.2


def look(source: Cluster, target: Cluster, request: StreamRequest, state: MapState | None = None) -> Sides:
    """Read both sides and judge them; changes nothing.

    :param state: the offset map, where the caller has read it.
    """
    options = request.options
    if state is None:
        name = map_topic_name(request.run.migration, request.stream)
        state = read_state(target, name, tail_only=True, stall_seconds=options.stall_seconds)
    views = chosen(source, options.topics, state.topics if options.known_only else None)
    sides = Sides(views, target.topics(views), state)
    there = [key for key in sides.partitions() if key[0] in sides.target]
    waits = {"settle_seconds": options.settle_seconds, "stall_seconds": options.stall_seconds}
    sides.source_bounds = true_bounds(source, sides.partitions(), **waits)
    sides.target_bounds = true_bounds(
        target, [key for key in there if key[1] < sides.target[key[0]].partitions], **waits
    )
    _look_again(target, sides, options)
    judge(sides, options, _same(source, target))
    check_settings(sides, target.configs)
    sides.findings += _ignored(request) + _unsettled(sides.source_bounds)
    return sides


def _look_again(target: Cluster, sides: Sides, options: StreamOptions) -> None:
    """Give a target that lacks what it acknowledged some time: a broker that came back may tell late."""
    until = time.monotonic() + options.settle_seconds
    while time.monotonic() < until:
        short = [
            key
            for key, bounds in sides.target_bounds.items()
            if (known := sides.state.maps.get(key)) is not None and bounds.end < known.target_next
        ]
        if not short:
            return
        time.sleep(_AGAIN)
        sides.target_bounds |= true_bounds(
            target, short, settle_seconds=options.settle_seconds, stall_seconds=options.stall_seconds
        )


def settings_for(source: Cluster, sides: Sides) -> list[tuple[TopicView, Mapping[str, str]]]:
    """Return the topics that the target lacks and their settings; what cannot be carried is a finding."""
    found: list[tuple[TopicView, Mapping[str, str]]] = []
    for name, view in sorted(sides.source.items()):
        if name not in sides.target:
            carried, findings = carried_configs(name, source.configs(name))
            sides.findings += findings
            found.append((view, carried))
    return found


def planned_topics(sides: Sides, missing: Iterable[tuple[TopicView, Mapping[str, str]]]) -> list[StreamTopic]:
    """Return what will become of each topic."""
    configs = {view.name: dict(settings) for view, settings in missing}
    planned = []
    for name, view in sorted(sides.source.items()):
        known = name in sides.state.topics
        planned.append(
            StreamTopic(
                topic=name,
                partitions=view.partitions,
                action="create" if name in configs else "continue" if known else "begin",
                configs=configs.get(name, {}),
            )
        )
    return planned


def lags(source: Cluster, sides: Sides, *, ages: bool, stall_seconds: float = 60.0) -> list[PartitionLag]:
    """Return how far each partition is.

    :param ages: read the oldest record that is not mirrored, to tell its age.
    """
    return [_lag(source, sides, key, ages, stall_seconds) for key in sides.partitions()]


def _lag(source: Cluster, sides: Sides, key: PartitionKey, ages: bool, stall_seconds: float) -> PartitionLag:
    bounds, there = sides.source_bounds[key], sides.target_bounds.get(key, Bounds(0, 0))
    known = sides.state.maps.get(key)
    begin = max(known.source_next, bounds.first) if known else bounds.first
    left = max(0, bounds.end - begin)
    age = None
    if ages and left:
        age = oldest_age(source, key, begin, bounds.end, stall_seconds)
    return PartitionLag(
        topic=key[0],
        partition=key[1],
        source_first=bounds.first,
        source_end=bounds.end,
        mirrored_to=begin,
        target_end=there.end,
        lag_records=left,
        lag_seconds=age,
        settled=bounds.settled,
    )


def oldest_age(
    source: Cluster, key: PartitionKey, first: int, end: int, stall_seconds: float
) -> float | None:
    """Return how many seconds ago the first record of a range was written; None where it holds none."""
    for message in read_range(source, key, first, end, stall_seconds=stall_seconds):
        return round(max(0.0, time.time() - message.timestamp()[1] / 1000), 3)
    return None


def _same(source: Cluster, target: Cluster) -> bool:
    return source.address == target.address or (
        source.cluster_id() == target.cluster_id() and _brokers(source) == _brokers(target)
    )


def _brokers(cluster: Cluster) -> set[tuple[str, int]]:
    with cluster.asking("looking the brokers up"):
        listed = cluster.admin.list_topics(timeout=cluster.timeout).brokers
    return {(str(broker.host), broker.port) for broker in listed.values()}


def _ignored(request: StreamRequest) -> list[Finding]:
    findings = []
    for place in (request.source, request.target):
        names = ignored_settings(place.connection)
        if names:
            findings.append(
                Finding(
                    rule="connection_setting_ignored",
                    severity=Severity.NOTE,
                    subject=f"connection {place.connection.conn_id}",
                    detail=f"not passed to the Kafka client: {', '.join(names)}",
                    remedy="nothing, unless the brokers cannot be reached without them",
                )
            )
    return findings


def _unsettled(bounds: Mapping[PartitionKey, Bounds]) -> list[Finding]:
    moving = sorted(key for key, found in bounds.items() if not found.settled)
    if not moving:
        return []
    return [
        Finding(
            rule="end_not_settled",
            severity=Severity.NOTE,
            subject=", ".join(f"{topic}[{partition}]" for topic, partition in moving[:5]),
            detail=f"{len(moving)} partitions were written to while their end was looked up; the run ends at"
            " one of their latest records",
            remedy="nothing while the source is in use; stop its producers before a drain",
        )
    ]
