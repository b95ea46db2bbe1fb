"""The fence that brokers keep themselves: two with users and ACLs, and a producer that knows of nothing."""

from __future__ import annotations

import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from heavylift.connections import Connection
from heavylift.cutover.api import SwitchRequest, bring_to
from heavylift.cutover.ports import Side, Writes
from heavylift.cutover.world import Parts
from heavylift.errors import ConflictError, ConnectionConfigError, CredentialError
from heavylift.evidence.records import RunKey
from heavylift.evidence.store import open_evidence
from heavylift.kafka.cluster import Cluster
from heavylift.spec.sections_data import StreamEngine
from heavylift.streams.api import (
    StreamOptions,
    StreamPlace,
    StreamRequest,
    fence_producers,
    mirror_stream,
    producers_state,
)
from heavylift.streams.requests import FenceOptions
from heavylift.switching.streams import SwitchedStream
from sandbox.model import Place
from sandbox.servers import tansu
from sandbox.waiting import until
from tests.support.acl_gate import AclGate

SOURCE, TARGET = Side.SOURCE, Side.TARGET
TOPIC = "orders"
USERS = {"heavylift": "h", "orders": "o", "billing": "b"}


@dataclass
class GuardedBroker:
    """A broker behind its gate."""

    gate: AclGate
    process: subprocess.Popen[bytes]

    def connection(self, user: str) -> Connection:
        extra = {
            "bootstrap.servers": f"127.0.0.1:{self.gate.port}",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": user,
            "sasl.password": USERS[user],
        }
        return Connection(f"kafka_{self.gate.port}", "kafka", extra=extra)

    def send(self, user: str, numbers: range) -> list[str]:
        """Write records as a user does, and return what became of each."""
        told: list[str] = []

        def noted(error: KafkaError | None, _message: Message) -> None:
            told.append(error.name() if error else "")

        settings = {**self.connection(user).extra, "message.timeout.ms": 20_000, "log_level": 0}
        producer = Producer(settings)
        for number in numbers:
            producer.produce(TOPIC, str(number), partition=number % 2, on_delivery=noted)
        assert producer.flush(30) == 0
        return told

    def numbers(self, count: int) -> Counter[int]:
        """Return what the topic holds, once it holds so many."""
        settings = {**self.connection("heavylift").extra, "group.id": "judge", "enable.auto.commit": False}
        consumer = Consumer(settings)
        try:
            consumer.assign([TopicPartition(TOPIC, number, 0) for number in (0, 1)])
            found: Counter[int] = Counter()
            while sum(found.values()) < count:
                message = consumer.poll(20.0)
                assert message is not None, f"silent after {found}"
                assert message.error() is None
                found[int(message.value() or b"")] += 1
            return found
        finally:
            consumer.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def guarded(folder: Path) -> GuardedBroker:
    behind, front = free_port(), free_port()
    place = Place("kafka", folder, {"kafka": behind})
    place.home.mkdir(parents=True)
    tansu.prepare(place)
    command = [str(place.home / "tansu"), "broker", "--cluster-id", folder.name]
    command += ["--listener-url", f"tcp://127.0.0.1:{behind}"]
    command += ["--advertised-listener-url", f"tcp://127.0.0.1:{front}"]
    command += ["--storage-engine", "memory://tansu/"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens() -> bool:
        with socket.socket() as asked:
            return asked.connect_ex(("127.0.0.1", behind)) == 0

    assert until(listens, seconds=30)
    return GuardedBroker(AclGate(front, USERS, behind=behind), process)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GuardedBroker, GuardedBroker]]:
    folder = tmp_path_factory.mktemp("guarded")
    brokers = guarded(folder / "source"), guarded(folder / "target")
    admin = Cluster(brokers[0].connection("heavylift"), "source").admin
    admin.create_topics([NewTopic(TOPIC, 2, 1)])[TOPIC].result(10)
    try:
        yield brokers
    finally:
        for each in brokers:
            each.gate.close()
            each.process.kill()
            each.process.wait()


def asked(pair: tuple[GuardedBroker, GuardedBroker], folder: Path, stream: str) -> StreamRequest:
    places = [StreamPlace(StreamEngine.KAFKA, each.connection("heavylift")) for each in pair]
    run = RunKey(migration="m", phase="cutover", run="r")
    url = (folder / "evidence").as_uri()
    options = StreamOptions(topics=(TOPIC,), consumer_groups=("none-*",), lease_seconds=1.0)
    fence = FenceOptions("acl", ("User:orders",), settle_seconds=0.2)
    return StreamRequest(run, stream, *places, url, None, options, fence)


async def switch(request: StreamRequest, side: Side, run: str) -> str:
    async with open_evidence(request.evidence_url, None) as store:
        key = RunKey(migration="m", phase="cutover", run=run)
        parts = Parts([SwitchedStream(request)])
        record, _ref = await bring_to(SwitchRequest(store, key, parts, "test", 60.0), side)
        return record.outcome


async def test_the_brokers_refuse_the_producer_on_the_side_that_is_left_and_nobody_else(
    pair: tuple[GuardedBroker, GuardedBroker], tmp_path: Path
) -> None:
    source, target = pair
    request = asked(pair, tmp_path, "orders")
    assert source.send("orders", range(10)) == [""] * 10
    await mirror_stream(request)
    assert await switch(request, TARGET, "over") == "switched"
    denied = ["TOPIC_AUTHORIZATION_FAILED"] * 2
    assert source.send("orders", range(100, 102)) == denied
    assert target.send("orders", range(10, 16)) == [""] * 6
    # The mirror's own user writes there on the way back.
    assert await switch(request, SOURCE, "back") == "switched"
    assert target.send("orders", range(102, 104)) == denied
    assert source.send("orders", range(16, 20)) == [""] * 4
    assert source.numbers(20) == Counter(range(20))

    # Somebody takes a rule away by hand: the side counts as open, and an act at the same epoch mends it.
    state = await producers_state(request, TARGET)
    assert state.is_frozen
    target.gate.rules.clear()
    after = await producers_state(request, TARGET)
    assert (after.writes, after.partly, after.is_frozen) == (Writes.FROZEN, (TOPIC,), False)
    await fence_producers(request, TARGET, after.epoch, frozen=True)
    assert (await producers_state(request, TARGET)).is_frozen
    assert target.send("orders", range(104, 106)) == denied
    assert target.send("billing", range(20, 22)) == ["", ""]

    # A turn that is over leaves the rules as they are.
    with pytest.raises(ConflictError, match="HL-8701"):
        await fence_producers(request, TARGET, after.epoch - 1, frozen=False)
    assert (await producers_state(request, TARGET)).is_frozen


async def test_a_wrong_password_is_told_and_not_shown(
    pair: tuple[GuardedBroker, GuardedBroker], tmp_path: Path
) -> None:
    request = asked(pair, tmp_path, "other")
    ourselves = replace(request, fence=replace(request.fence, principals=("User:heavylift",)))
    with pytest.raises(ConnectionConfigError, match="HL-9639"):
        await fence_producers(ourselves, SOURCE, 1, frozen=True)
    extra = {**request.source.connection.extra, "sasl.password": "wrong-secret"}
    wrong = replace(request.source, connection=replace(request.source.connection, extra=extra))
    with pytest.raises(CredentialError) as refused:
        await fence_producers(replace(request, source=wrong), SOURCE, 1, frozen=True)
    assert "wrong-secret" not in str(refused.value)
