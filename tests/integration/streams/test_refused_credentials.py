"""A broker that demands credentials: what it refuses is said, and no secret with it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from heavylift.errors import ConnectionConfigError, CredentialError, HeavyliftError, ServerUnavailableError
from heavylift.kafka import cluster
from heavylift.streams.api import plan_stream
from sandbox import groups
from sandbox.launcher import Owner
from sandbox.model import Launch, Place, Server
from sandbox.ports import choose
from sandbox.servers import tansu
from tests.integration.streams.brokers import Brokers

PASSWORD = "s3cr3t-of-nobody"


@pytest.fixture
def strict(brokers: Brokers) -> Iterator[Brokers]:
    """Return brokers whose target knows no user and demands one."""
    folder = brokers.folder / "strict"
    place = Place("kafka_strict", folder, choose("kafka_strict", ("kafka",), before={}, taken=set()))

    def launch(place: Place) -> Launch:
        return Launch(
            place.name, [*tansu.command(place), "--authentication"], str(place.log), str(place.home)
        )

    server = Server(
        name=place.name,
        title="strict",
        ports=("kafka",),
        launch=launch,
        probe=listens,
        connection=tansu.connection,
        prepare=tansu.prepare,
    )
    owner = Owner(folder, detached=False)
    groups.start([(server, place)], "strict", owner, lambda *_: None)
    connection = {
        "conn_type": "kafka",
        "extra": {
            "bootstrap.servers": tansu.address(place),
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": "nobody",
            "sasl.password": PASSWORD,
        },
    }
    brokers.env = {**brokers.env, "AIRFLOW_CONN_KAFKA_TARGET": json.dumps(connection)}
    yield brokers
    owner.stop()


def listens(place: Place) -> None:
    socket.create_connection(("127.0.0.1", place.ports["kafka"]), timeout=1).close()


async def test_refused_credentials_are_told_without_them(
    strict: Brokers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cluster.Cluster.__init__, "__defaults__", (3.0,))
    strict.make("source", 1)
    with pytest.raises(CredentialError, match=r"connection 'kafka_target'.*HL-6508") as caught:
        await plan_stream(strict.request())
    assert PASSWORD not in str(caught.value) + caplog.text


async def test_nobody_there_is_no_matter_of_credentials(
    brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.Cluster.__init__, "__defaults__", (1.0,))
    connection = {"conn_type": "kafka", "extra": {"bootstrap.servers": "127.0.0.1:9"}}
    brokers.env = {**brokers.env, "AIRFLOW_CONN_KAFKA_SOURCE": json.dumps(connection)}
    with pytest.raises(ServerUnavailableError, match=r"127\.0\.0\.1:9.*HL-6510"):
        await plan_stream(brokers.request())


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        (
            {"bootstrap.servers": "127.0.0.1:9", "security.protocol": "bogus", "sasl.password": PASSWORD},
            "6511",
        ),
        ({"group.id": "a-group-of-mine"}, "6505"),
    ],
)
async def test_settings_that_cannot_be_used_are_named_without_their_values(
    brokers: Brokers, extra: dict[str, str], code: str
) -> None:
    connection = {"conn_type": "kafka", "extra": extra}
    brokers.env = {**brokers.env, "AIRFLOW_CONN_KAFKA_SOURCE": json.dumps(connection)}
    with pytest.raises(ConnectionConfigError, match=code) as caught:
        await plan_stream(brokers.request())
    error: HeavyliftError = caught.value
    assert not any(value in str(error) for value in extra.values() if value != "127.0.0.1:9")
