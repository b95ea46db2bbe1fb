"""kill -9 in the middle of a batch: nothing is lost, nothing is there twice, and the order is kept."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from heavylift.errors import ConflictError
from heavylift.streams.api import mirror_stream, verify_stream
from tests.integration.streams.brokers import Brokers, counted
from tests.support.frozen import wait_until_frozen
from tests.support.longer import first_then_long

REPOSITORY = Path(__file__).parents[3]
SEEDS = [int(seed) for seed in os.environ.get("HEAVYLIFT_STREAM_SEEDS", "11,12").split(",")]
RECORDS = 4_000
PARTITIONS = 3


def worker(brokers: Brokers, **arguments: Any) -> subprocess.Popen[str]:
    settings = {
        "stream": brokers.mark,
        "topic": brokers.topic,
        "evidence": (brokers.folder / "evidence").as_uri(),
        "lease": brokers.lease_seconds,
        "checkpoint": 200,
        **arguments,
    }
    path = os.pathsep.join([str(REPOSITORY / "include"), str(REPOSITORY)])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.stream_worker", json.dumps(settings)],
        env=os.environ | brokers.env | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def proved(brokers: Brokers) -> None:
    """Finish the mirror, then let plain consumers and the verification judge."""
    record, _ = await mirror_stream(brokers.request())
    assert record.complete
    proof, _ = await verify_stream(brokers.request(drained=True))
    source = brokers.rows("source", PARTITIONS)
    target = brokers.rows("target", PARTITIONS, at_least=[len(rows) for rows in source])
    assert counted(source) == counted(target), proof.statement
    assert target == source
    assert proof.passed, proof.statement
    assert proof.equal == counted(source)


@pytest.mark.parametrize(
    ("place", "count"),
    first_then_long(
        [
            ("before_map", 2),
            ("before_map", 4),
            ("after_map", 1),
            ("after_map", 4),
            ("sending", 1),
            ("sending", 900),
        ]
    ),
)
async def test_death_at_each_step_of_a_batch(brokers: Brokers, place: str, count: int) -> None:
    brokers.make("source", PARTITIONS)
    brokers.fill("source", RECORDS, partitions=PARTITIONS)
    done = worker(brokers, die={"at": place, "count": count})
    output, errors = done.communicate(timeout=120)
    assert done.returncode == -signal.SIGKILL, output + errors
    await proved(brokers)


@pytest.mark.long
@pytest.mark.parametrize("seed", first_then_long(SEEDS))
async def test_death_at_random_moments(brokers: Brokers, seed: int) -> None:
    draw = random.Random(seed)
    brokers.make("source", PARTITIONS)
    brokers.make("target", PARTITIONS)
    brokers.fill("source", RECORDS, seed=seed, partitions=PARTITIONS)
    deaths = 0
    for part in range(1, 5):
        process = worker(brokers, max_records=3_000, checkpoint=draw.choice([50, 500, 5_000]))
        wanted = draw.randrange(RECORDS * (part - 1) // 5 + 1, RECORDS * part // 5)
        watch_until(brokers, wanted, process)
        process.kill()
        process.communicate()
        deaths += process.returncode == -signal.SIGKILL
    assert deaths, "no worker was killed before it had done all: the records are too few"
    await proved(brokers)


def watch_until(brokers: Brokers, wanted: int, process: subprocess.Popen[str]) -> None:
    """Read the target until it holds so many records, or the worker has ended."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers.address("target"),
            "group.id": "watcher",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
        }
    )
    try:
        consumer.assign([TopicPartition(brokers.topic, number, 0) for number in range(PARTITIONS)])
        seen = 0
        while seen < wanted and process.poll() is None:
            seen += sum(message.error() is None for message in consumer.consume(100, 0.01))
    finally:
        consumer.close()


@pytest.mark.long
async def test_of_two_runners_the_second_is_refused(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.fill("source", 3_000, partitions=1)
    first = worker(brokers, max_records=500)
    try:
        brokers.make("target", 1)
        one = threading.Thread(target=watch_one, args=(brokers, first))
        one.start()
        one.join(60)
        with pytest.raises(ConflictError, match=r"another runner at work.*HL-6516"):
            await mirror_stream(brokers.request())
        assert first.poll() is None
    finally:
        output, errors = first.communicate(timeout=120)
    assert json.loads(output)["sent"] == 3_000, errors
    assert brokers.rows("target", 1) == brokers.rows("source", 1)


async def test_a_runner_that_was_taken_for_dead_stops_before_its_next_batch(brokers: Brokers) -> None:
    brokers.make("source", 1)
    brokers.make("target", 1)
    brokers.fill("source", 3_000, partitions=1)
    # Between two batches: what was on the network when it froze may arrive late, and is found, not prevented.
    first = worker(brokers, die={"at": "after_map", "count": 2, "freeze": True})
    wait_until_frozen(first)
    record, _ = await mirror_stream(brokers.request())
    assert (record.complete, record.epoch) == (True, 2)
    first.send_signal(signal.SIGCONT)
    _, errors = first.communicate(timeout=120)
    assert first.returncode == 1
    assert "HL-6517" in errors
    source = brokers.rows("source", 1)
    assert brokers.rows("target", 1, at_least=[len(rows) for rows in source]) == source


def watch_one(brokers: Brokers, process: subprocess.Popen[str]) -> None:
    consumer = Consumer({"bootstrap.servers": brokers.address("target"), "group.id": "watcher"})
    try:
        consumer.assign([TopicPartition(brokers.topic, 0, 0)])
        while process.poll() is None:
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                return
    finally:
        consumer.close()
    raise AssertionError(process.communicate())
