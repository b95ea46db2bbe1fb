"""Which topics are meant, and the topics that are made for them on the target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka.admin import NewTopic

from heavylift.evidence.records import Finding, Severity
from heavylift.kafka.cluster import Cluster, TopicView
from heavylift.patterns import selector
from heavylift.streams.kafka.map_topic import PREFIX

CARRIED = frozenset(
    {
        "cleanup.policy",
        "compression.type",
        "delete.retention.ms",
        "file.delete.delay.ms",
        "flush.messages",
        "flush.ms",
        "index.interval.bytes",
        "max.compaction.lag.ms",
        "max.message.bytes",
        "message.timestamp.after.max.ms",
        "message.timestamp.before.max.ms",
        "min.cleanable.dirty.ratio",
        "min.compaction.lag.ms",
        "min.insync.replicas",
        "preallocate",
        "retention.bytes",
        "retention.ms",
        "segment.bytes",
        "segment.index.bytes",
        "segment.jitter.ms",
        "segment.ms",
        "unclean.leader.election.enable",
    }
)
"""Settings of a topic that mean the same on any cluster."""

_STAMPED_BY = "message.timestamp.type"
_BROKERS_OWN = ("__consumer_offsets", "__transaction_state", PREFIX)
_WILD = "*?["


def chosen_topics(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return the topics that the patterns mean, sorted.

    The brokers' own topics and Heavylift's are never meant; other names that begin with ``__`` only by a
    pattern that begins so.
    """
    selected = selector(patterns)
    internal = any(pattern.startswith("__") for pattern in patterns)
    return sorted(
        name
        for name in names
        if selected(name) and not name.startswith(_BROKERS_OWN) and (internal or not name.startswith("__"))
    )


def without_topic(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return the patterns that name one topic, which does not exist."""
    known = set(names)
    return [
        pattern for pattern in patterns if not any(sign in pattern for sign in _WILD) and pattern not in known
    ]


def carried_configs(topic: str, configs: Mapping[str, str]) -> tuple[dict[str, str], list[Finding]]:
    """Return the settings for the new topic, and what of the source's cannot be carried."""
    carried = {name: value for name, value in sorted(configs.items()) if name in CARRIED}
    findings = [
        Finding(
            rule="topic_setting_not_carried",
            severity=Severity.WARNING,
            subject=f"{topic}: {name}",
            detail=f"the source has {name}={value}, which means something to that cluster only",
            remedy="set what corresponds to it on the target's topic by hand, before the cutover",
        )
        for name, value in sorted(configs.items())
        if name not in CARRIED and name != _STAMPED_BY
    ]
    if configs.get(_STAMPED_BY) == "LogAppendTime":
        findings.append(
            Finding(
                rule="timestamps_by_broker",
                severity=Severity.NOTE,
                subject=topic,
                detail="the source's broker stamps records as they arrive; the mirrored topic keeps those"
                " times and so must not stamp them itself",
                remedy=f"set {_STAMPED_BY}=LogAppendTime on the target after the cutover",
            )
        )
    return carried, findings


def make_topics(cluster: Cluster, wanted: Iterable[tuple[TopicView, Mapping[str, str]]]) -> None:
    """Make topics on the target with the source's number of partitions.

    :param wanted: the source's topics, and the settings for the new ones.
    """
    brokers = cluster.broker_count()
    made = [
        NewTopic(view.name, view.partitions, min(view.replicas or 1, max(1, brokers)), config=dict(configs))
        for view, configs in wanted
    ]
    if not made:
        return
    answers = cluster.admin.create_topics(made, request_timeout=cluster.timeout)
    for name, future in answers.items():
        with cluster.asking(f"making the topic {name}"):
            future.result(cluster.timeout)
