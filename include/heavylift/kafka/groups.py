"""Consumer groups of a cluster, and what each has read."""

from __future__ import annotations

from confluent_kafka import ConsumerGroupTopicPartitions

from heavylift.kafka.cluster import NOBODY, Cluster, PartitionKey
from heavylift.kafka.faults import of


def group_names(cluster: Cluster) -> list[str]:
    """Return the groups that a cluster knows, but for our own reader's, sorted."""
    with cluster.asking("listing consumer groups"):
        listed = cluster.admin.list_consumer_groups(request_timeout=cluster.timeout).result()
    for error in listed.errors:
        raise of(error.args[0], f"listing consumer groups on the {cluster.side}", cluster.conn_id)
    return sorted({found.group_id for found in listed.valid} - {NOBODY})


def committed(cluster: Cluster, group: str) -> dict[PartitionKey, int]:
    """Return the positions that a group has noted."""
    with cluster.asking(f"reading the positions of group {group!r}"):
        answers = cluster.admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group)], request_timeout=cluster.timeout
        )
        found = answers[group].result(cluster.timeout).topic_partitions
    return {(at.topic, at.partition): at.offset for at in found if at.error is None and at.offset >= 0}
