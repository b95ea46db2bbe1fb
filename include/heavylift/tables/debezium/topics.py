"""Which topics hold a database's changes, and whether they still hold all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import ConnectionConfigError, PermanentError, UnsupportedError
from heavylift.kafka.cluster import Cluster, TopicView
from heavylift.kafka.ends import true_bounds
from heavylift.spec.sections_data import DatabaseEngine
from heavylift.tables.debezium.places import Mark
from heavylift.tables.model import TableName, is_chosen

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.requests import TablesRequest

PREFIX = "topic_prefix"
"""The field of the broker's connection that names the connector's ``topic.prefix``."""

_PARTS = {DatabaseEngine.SQLSERVER: 3}
"""Parts of a topic's name behind the prefix, where they are not schema and table alone."""
_CONNECTION = "kafka"


@dataclass(frozen=True)
class Topic:
    """One table's topic."""

    name: str
    table: TableName
    id: str
    partitions: int


@dataclass(frozen=True)
class Ends:
    """Where the topics begin and end now."""

    first: Mapping[str, int]
    end: Mapping[str, int]

    @property
    def position(self) -> int:
        """Return the ends as one number."""
        return sum(self.end.values())


def prefix_of(connection: Connection) -> str:
    """Return the connector's ``topic.prefix``.

    :raises ConnectionConfigError: the connection is none of a broker, or does not tell it.
    """
    prefix = connection.text(PREFIX)
    if connection.conn_type == _CONNECTION and prefix:
        return prefix
    raise ConnectionConfigError(
        f"opening connection {connection.conn_id!r} as the broker of Debezium's topics",
        got=f"the type {connection.conn_type!r}"
        if connection.conn_type != _CONNECTION
        else f"no {PREFIX} in its extra",
        expected=f"a connection of type {_CONNECTION}, whose extra tells the connector's topic.prefix",
        state="nothing was touched",
        remedy=f'with method: debezium the source\'s connection is the broker\'s: {{"conn_type": "kafka",'
        f' "extra": {{"bootstrap.servers": "host:9092", "{PREFIX}": "…"}}}}',
        code="6700",
    )


def where(connection: Connection) -> str:
    """Return which topics a connection means, for messages; nothing secret."""
    return f"{connection.conn_id} (topics {prefix_of(connection)}.*)"


def source_cluster(connection: Connection) -> Cluster:
    """Return the broker; nothing is asked of it yet."""
    prefix_of(connection)
    return Cluster(connection, "source")


def chosen_topics(request: TablesRequest, cluster: Cluster) -> dict[str, Topic]:
    """Return the topics of the chosen tables, by name.

    Topics of heartbeats, of transactions and of the schema's history have other names, and are none.
    """
    options, prefix = request.options, prefix_of(request.source.connection)
    parts = _PARTS.get(request.source.engine, 2)
    found: dict[str, TableName] = {}
    for name in cluster.topic_names():
        words = name.removeprefix(f"{prefix}.").split(".")
        if not name.startswith(f"{prefix}.") or len(words) != parts or not all(words):
            continue
        table = TableName(*words[-2:])
        if is_chosen(table, options.tables, options.exclude):
            found[name] = table
    views: dict[str, TopicView] = cluster.topics(sorted(found))
    return {name: Topic(name, found[name], view.id, view.partitions) for name, view in sorted(views.items())}


def ends_of(cluster: Cluster, topics: Mapping[str, Topic]) -> Ends:
    """Return where the topics begin and end."""
    bounds = true_bounds(cluster, [(name, 0) for name in topics])
    return Ends(
        {name: found.first for (name, _), found in bounds.items()},
        {name: found.end for (name, _), found in bounds.items()},
    )


def demand_whole(marks: Mapping[str, Mark], topics: Mapping[str, Topic], ends: Ends) -> None:
    """Refuse topics that no longer hold everything that has not been read.

    :raises LostRecordsError: one does not.
    :raises UnsupportedError: one has several partitions.
    """
    for name, topic in topics.items():
        if topic.partitions != 1:
            raise _split(topic)
        mark = marks.get(name)
        if mark is not None and mark.topic_id != topic.id:
            raise LostRecordsError(f"topic {name} is another one than the one that was read")
        offset = mark.offset if mark else 0
        if ends.first[name] > offset:
            raise LostRecordsError(f"topic {name} begins at offset {ends.first[name]}, not at {offset}")
        if ends.end[name] < offset:
            raise LostRecordsError(f"topic {name} ends at offset {ends.end[name]}, before {offset}")
    for name in sorted(marks.keys() - topics.keys()):
        raise LostRecordsError(f"topic {name} is gone, or no longer chosen")


class LostRecordsError(Exception):
    """The topics have lost records that were not read, or are others: the stream cannot go on."""


def lost(stream: str, error: LostRecordsError) -> PermanentError:
    """Return the error for people."""
    return PermanentError(
        f"going on with stream {stream!r}",
        got=str(error),
        expected="topics that have kept every record since the position",
        state="the stream is marked invalid; the target keeps its rows",
        remedy="give the topics a longer retention.ms, let the connector take its snapshot anew under another"
        " topic.prefix, then take the snapshot here anew (--anew); nothing is skipped quietly",
        retry_safe=False,
        code="6716",
    )


def _split(topic: Topic) -> UnsupportedError:
    return UnsupportedError(
        f"reading topic {topic.name}",
        got=f"{topic.partitions} partitions",
        expected="one partition, which keeps the order of all changes of a table",
        state="nothing was touched",
        remedy="set topic.creation.default.partitions=1 in the connector (or the broker's num.partitions),"
        " let it begin anew under another topic.prefix, then take the snapshot here anew (--anew)",
        code="6717",
    )
