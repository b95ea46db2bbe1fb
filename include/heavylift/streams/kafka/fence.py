"""The fence of one side of a stream: its log, and with ``acl`` the brokers' own rules on its producers."""

from __future__ import annotations

from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from heavylift.errors import ConnectionConfigError
from heavylift.fencing import WriteState, superseded
from heavylift.kafka.cluster import Cluster
from heavylift.kafka.ends import true_bounds
from heavylift.streams.fence_log import FenceLog, fence_record
from heavylift.streams.kafka.map_topic import ensure_map_topic, map_topic_name, write_records
from heavylift.streams.kafka.reading import read_range
from heavylift.streams.kafka.topics import chosen_topics
from heavylift.streams.requests import StreamRequest

_ANY_HOST = "*"
_ANY: Any = None
"""librdkafka's word for whatever there is; its Python types know only text."""


def fence_topic_name(migration: str, stream: str) -> str:
    """Return the name of a stream's fence topic; each side has one."""
    return map_topic_name(migration, stream, "fence")


class Fence:
    """One side's fence.

    :param cluster: the brokers of that side.
    """

    def __init__(self, cluster: Cluster, request: StreamRequest) -> None:
        self._cluster, self._request = cluster, request
        self._name = fence_topic_name(request.run.migration, request.stream)

    def state(self) -> WriteState:
        """Tell whether producers may write; changes nothing."""
        log = self._read()
        return log.state(self._otherwise(log))

    def put(self, epoch: int, *, frozen: bool) -> None:
        """Freeze the side, or open it. Idempotent.

        :raises ConflictError: the side has seen a higher epoch (code 8701).
        :raises ConnectionConfigError: the rules would keep Heavylift's own mirror from writing.
        """
        self._demand_others()
        self._admit(epoch, frozen=frozen)
        log = self._read()
        self._refuse_lower(log, epoch)
        if self._request.fence.kind == "acl":
            self._follow(log)

    def _demand_others(self) -> None:
        user = self._cluster.user
        if user and f"User:{user}" in self._request.fence.principals:
            raise ConnectionConfigError(
                f"fencing stream {self._request.stream!r} on the {self._cluster.side}",
                got=f"User:{user} among the producers, with which Heavylift mirrors, too",
                expected="a user of Heavylift's own in the connection",
                state="nothing was changed",
                remedy=f"give connection {self._cluster.conn_id!r} another user, or take it out of"
                " cutover.streams[].principals",
                code="9639",
            )

    def _admit(self, epoch: int, *, frozen: bool) -> None:
        log = self._read()
        self._refuse_lower(log, epoch)
        if log.epoch == epoch and log.frozen == frozen:
            return
        ensure_map_topic(self._cluster, self._name)
        write_records(self._cluster, self._name, [fence_record(epoch, frozen=frozen)])

    def _refuse_lower(self, log: FenceLog, epoch: int) -> None:
        if log.epoch > epoch:
            what = f"the fence of stream {self._request.stream!r} on the {self._cluster.side}"
            raise superseded(what, log.epoch, epoch)

    def _follow(self, log: FenceLog) -> None:
        """Have the brokers do what the log says, and look whether it still says so."""
        while True:
            if log.frozen:
                self._deny(self._topics())
            else:
                self._allow()
            after = self._read()
            if (after.epoch, after.frozen) == (log.epoch, log.frozen):
                return
            # Somebody's later turn began while the rules were changed: they must be as that one wants them.
            log = after

    def _read(self) -> FenceLog:
        log = FenceLog()
        if not self._cluster.topics([self._name]):
            return log
        key = (self._name, 0)
        bounds = true_bounds(self._cluster, [key])[key]
        for message in read_range(self._cluster, key, bounds.first, bounds.end, stall_seconds=30.0):
            log.apply(message.key(), message.value())
        return log

    def _otherwise(self, log: FenceLog) -> tuple[str, ...]:
        """Return the topics whose rules do not say what the log does."""
        if self._request.fence.kind != "acl" or not log.epoch:
            return ()
        denied = self._denied()
        whom = set(self._request.fence.principals)
        if log.frozen:
            return tuple(name for name in self._topics() if denied.get(name, set()) < whom)
        return tuple(sorted(name for name, found in denied.items() if found & whom))

    def _topics(self) -> list[str]:
        return chosen_topics(self._cluster.topic_names(), self._request.options.topics)

    def _deny(self, topics: list[str]) -> None:
        rules = [self._rule(topic, whom) for topic in topics for whom in self._request.fence.principals]
        if not rules:
            return
        with self._cluster.asking("denying producers"):
            answers = self._cluster.admin.create_acls(rules, request_timeout=self._cluster.timeout)
            for answer in answers.values():
                answer.result(self._cluster.timeout)

    def _allow(self) -> None:
        filters = [
            self._filter(topic, whom)
            for topic in sorted(self._denied())
            for whom in self._request.fence.principals
        ]
        if not filters:
            return
        with self._cluster.asking("letting producers write"):
            answers = self._cluster.admin.delete_acls(filters, request_timeout=self._cluster.timeout)
            for answer in answers.values():
                answer.result(self._cluster.timeout)

    def _denied(self) -> dict[str, set[str]]:
        """Return, by topic of ours, whom the brokers refuse to write."""
        wanted = AclBindingFilter(
            ResourceType.TOPIC,
            _ANY,
            ResourcePatternType.LITERAL,
            _ANY,
            _ANY_HOST,
            AclOperation.WRITE,
            AclPermissionType.DENY,
        )
        with self._cluster.asking("reading who may write"):
            found = self._cluster.admin.describe_acls(wanted, request_timeout=self._cluster.timeout).result()
        ours = set(self._topics())
        denied: dict[str, set[str]] = {}
        for rule in found:
            if rule.name in ours:
                denied.setdefault(rule.name, set()).add(rule.principal)
        return denied

    def _rule(self, topic: str, whom: str) -> AclBinding:
        return AclBinding(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            whom,
            _ANY_HOST,
            AclOperation.WRITE,
            AclPermissionType.DENY,
        )

    def _filter(self, topic: str, whom: str) -> AclBindingFilter:
        return AclBindingFilter(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            whom,
            _ANY_HOST,
            AclOperation.WRITE,
            AclPermissionType.DENY,
        )
