"""The lane that mirrors one topic between two brokers."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.benchmarks.goals import Goal
from tests.benchmarks.lanes import Result
from tests.benchmarks.measure import Contender, NoFigureError, Step, alternate
from tests.benchmarks.objects.servers import REPOSITORY, Bench
from tests.benchmarks.streams import PLAIN, US

RECORDS = 1_000_000
SIZE = 200
PARTITIONS = 4
LEAST_PER_SECOND = 20_000
LEAST_SHARE = 0.7
TOPIC = "bench"


def mirror(bench: Bench, runs: int, scale: float) -> Result:
    """Fill a topic, then let both move it into an empty one of the same name."""
    records = max(5_000, int(RECORDS * scale))
    env = bench.stack("kafka_source", "kafka_target").env
    source, target = (_address(env, side) for side in ("source", "target"))
    bench.say(f"  filling the source: {records:,} records of {SIZE} B")
    _make(source)
    _fill(source, records)
    wanted = _digests(source)

    def ours(number: int) -> list[Step]:
        # A stream of each run's own: an offset map tells of one topic, and this one is made anew.
        return [_step("ours", env, TOPIC, f"bench-{number}", (bench.folder / f"streams-{number}").as_uri())]

    def plain(_number: int) -> list[Step]:
        return [_step("plain", env, source, target, TOPIC, str(PARTITIONS), str(records))]

    def check(_number: int, _printed: object) -> Mapping[str, float]:
        found = _digests(target)
        if found != wanted:
            told = sum(count for count, _ in found)
            raise NoFigureError(f"the {told:,} records of the target are not the source's")
        return {}

    def prepare(_number: int) -> None:
        _make(target)

    def clean(_number: int) -> None:
        _delete(target)

    contenders = [Contender(US, ours, check, prepare, clean), Contender(PLAIN, plain, check, prepare, clean)]
    found = alternate(contenders, runs, bench.say)
    goals = (
        Goal("wall_seconds", 1 / LEAST_SHARE, (PLAIN,)),
        Goal("wall_seconds", records / LEAST_PER_SECOND),
    )
    return Result(f"{records:,} records of {SIZE} B in {PARTITIONS} partitions", US, found, goals)


def _address(env: Mapping[str, str], side: str) -> str:
    return str(json.loads(env[f"AIRFLOW_CONN_KAFKA_{side.upper()}"])["extra"]["bootstrap.servers"])


def _step(module: str, env: Mapping[str, str], *arguments: str) -> Step:
    path = os.pathsep.join([str(REPOSITORY / "include"), str(REPOSITORY)])
    command = [sys.executable, "-m", f"tests.benchmarks.streams.{module}", *arguments]
    return Step(command, {**env, "PYTHONPATH": path})


def _make(address: str) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(10)


def _delete(address: str) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    admin.delete_topics([TOPIC])[TOPIC].result(30)


def _fill(address: str, records: int) -> None:
    producer = Producer({"bootstrap.servers": address, "queue.buffering.max.messages": 1_000_000})
    body = b"x" * (SIZE - 12)
    for number in range(records):
        producer.produce(TOPIC, b"%012d" % number + body, b"%d" % (number % 1009), number % PARTITIONS)
        if number % 1_000 == 0:
            producer.poll(0)
    producer.flush()


def _digests(address: str) -> list[tuple[int, str]]:
    """Return count and digest of each partition."""
    return [_digest(address, partition) for partition in range(PARTITIONS)]


def _digest(address: str, partition: int) -> tuple[int, str]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "judge", "enable.partition.eof": True})
    consumer.assign([TopicPartition(TOPIC, partition, 0)])
    digest, count = hashlib.sha256(), 0
    try:
        while True:
            for message in consumer.consume(10_000, 0.1):
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        return count, digest.hexdigest()
                    raise NoFigureError(f"partition {partition} could not be read: {error.name()}")
                count += 1
                digest.update(repr((message.key(), message.value(), message.timestamp()[1])).encode())
    finally:
        consumer.close()
