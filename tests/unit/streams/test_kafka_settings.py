"""Which settings of a connection reach the client, and which topics a pattern means."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from heavylift.connections import Connection
from heavylift.errors import (
    ConnectionConfigError,
    CredentialError,
    NotFoundError,
    PermanentError,
    ServerUnavailableError,
    ThrottledError,
)
from heavylift.kafka import faults
from heavylift.kafka.settings import bootstrap, client_settings, ignored_settings
from heavylift.streams.kafka.map_topic import map_topic_name
from heavylift.streams.kafka.topics import carried_configs, chosen_topics, without_topic


def connection(conn_type: str = "kafka", **fields: object) -> Connection:
    return Connection("k", conn_type, **fields)  # type: ignore[arg-type]


def test_only_named_settings_are_passed_on() -> None:
    extra = {
        "bootstrap.servers": "b:9092",
        "security.protocol": "SASL_SSL",
        "sasl.password": "pw",
        "socket.keepalive.enable": True,
        "plugin.library.paths": "/tmp/evil.so",
        "sasl.kerberos.kinit.cmd": "rm -rf /",
        "acks": "0",
        "isolation.level": "read_uncommitted",
        "enable.auto.commit": True,
        "group.id": "mine",
    }
    found = connection(extra=extra)
    assert client_settings(found) == {
        "bootstrap.servers": "b:9092",
        "security.protocol": "SASL_SSL",
        "sasl.password": "pw",
        "socket.keepalive.enable": "true",
    }
    assert "plugin.library.paths" in ignored_settings(found)
    assert "pw" not in repr(found)


def test_the_fields_stand_in_for_what_the_extra_leaves_out() -> None:
    found = connection(
        host="b",
        login="u",
        password="pw",
        extra={"security.protocol": "SASL_PLAINTEXT", "sasl.username": "x"},
    )
    assert bootstrap(found) == "b:9092"
    assert client_settings(found)["sasl.username"] == "x"
    assert client_settings(found)["sasl.password"] == "pw"


@pytest.mark.parametrize(("found", "code"), [(connection("aws"), "6504"), (connection(), "6505")])
def test_a_connection_that_names_no_broker_is_refused(found: Connection, code: str) -> None:
    with pytest.raises(ConnectionConfigError, match=code):
        client_settings(found)


def test_patterns_mean_no_internal_topics() -> None:
    names = ["orders", "orders.dead", "__consumer_offsets", "__heavylift.m.s.offsets", "__audit", "a/b"]
    assert chosen_topics(names, ("*",)) == ["a/b", "orders", "orders.dead"]
    assert chosen_topics(names, ("orders*",)) == ["orders", "orders.dead"]
    assert chosen_topics(names, ("__*",)) == ["__audit"]
    assert without_topic(names, ("orders", "gone", "x*")) == ["gone"]


def test_settings_that_mean_something_to_one_cluster_only_are_told() -> None:
    configs = {
        "cleanup.policy": "compact",
        "follower.replication.throttled.replicas": "0:1",
        "message.timestamp.type": "LogAppendTime",
    }
    carried, findings = carried_configs("t", configs)
    assert carried == {"cleanup.policy": "compact"}
    assert [finding.rule for finding in findings] == ["topic_setting_not_carried", "timestamps_by_broker"]


def test_names_of_map_topics_are_short_and_safe() -> None:
    assert map_topic_name("fraud", "events") == "__heavylift.fraud.events.offsets"
    assert map_topic_name("a b", "é") == "__heavylift.a-b.-.offsets"
    assert len(map_topic_name("m" * 300, "s")) <= 249
    assert map_topic_name("m" * 300, "a") != map_topic_name("m" * 300, "b")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, CredentialError),
        (KafkaError._TIMED_OUT, ServerUnavailableError),
        (KafkaError.NOT_LEADER_FOR_PARTITION, ServerUnavailableError),
        (KafkaError.THROTTLING_QUOTA_EXCEEDED, ThrottledError),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, NotFoundError),
        (KafkaError._INVALID_ARG, ConnectionConfigError),
        (KafkaError.MSG_SIZE_TOO_LARGE, PermanentError),
    ],
)
def test_each_answer_of_a_broker_has_its_error(code: int, kind: type[Exception]) -> None:
    error = faults.of(KafkaError(code), "moving", "k")
    assert type(error) is kind
    assert error.remedy


def test_a_client_that_cannot_connect_since_it_is_refused_says_so() -> None:
    complaints = faults.Complaints()
    complaints(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    assert type(faults.of(KafkaError(KafkaError._TIMED_OUT), "x", "k", complaints)) is ServerUnavailableError
    complaints(KafkaError(KafkaError._AUTHENTICATION))
    assert type(faults.of(KafkaError(KafkaError._TIMED_OUT), "x", "k", complaints)) is CredentialError
