"""Brokers that die and come back with their data, which lies in an S3 store."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from heavylift.errors import IntegrityError
from sandbox import health
from sandbox.model import Place
from sandbox.ports import choose
from sandbox.servers import seaweed, tansu
from sandbox.stack import Stack
from tests.integration.conftest import new_state_dir
from tests.integration.streams.brokers import Brokers, counted
from tests.integration.streams.test_kill import PARTITIONS, proved, watch_until, worker

pytestmark = pytest.mark.long


class DurableBroker:
    """A broker that keeps its records in a bucket, so that kill -9 takes none of them."""

    def __init__(self, name: str, folder: Path, store: dict[str, str], bucket: str) -> None:
        self.place = Place(name, folder, choose(name, ("kafka",), before={}, taken=set()))
        self._store, self._bucket = store, bucket
        self.place.home.mkdir(parents=True)
        self.place.log.parent.mkdir(parents=True, exist_ok=True)
        tansu.prepare(self.place)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it serves."""
        with self.place.log.open("ab") as log:
            self._process = subprocess.Popen(
                tansu.command(self.place, f"s3://{self._bucket}/"),
                env={"PATH": os.environ["PATH"], **self._store},
                stdout=log,
                stderr=log,
            )
        while (problem := health.trouble(SERVER, self.place)) is not None:
            assert self._process.poll() is None, f"{problem}: {health.log_tail(self.place)}"

    def kill(self) -> None:
        """End it as a lost machine ends."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


SERVER = tansu.server("kafka_target", "durable")


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """Return the environment in which a broker finds an S3 store."""
    folder = new_state_dir()
    stack = Stack.start(folder, ["aws_control"])
    connection = json.loads(stack.env["AIRFLOW_CONN_AWS_CONTROL"])
    try:
        yield {
            "AWS_ENDPOINT": connection["extra"]["endpoint_url"],
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": connection["login"],
            "AWS_SECRET_ACCESS_KEY": connection["password"],
            "AWS_DEFAULT_REGION": seaweed.REGION,
        }
    finally:
        stack.stop()


@pytest.fixture
def durable(brokers: Brokers, store: dict[str, str]) -> Iterator[tuple[Brokers, DurableBroker]]:
    """Return brokers whose target can be killed without losing anything."""
    bucket = f"broker-{brokers.mark}"
    boto3.client(
        "s3",
        endpoint_url=store["AWS_ENDPOINT"],
        aws_access_key_id=store["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=store["AWS_SECRET_ACCESS_KEY"],
        region_name=seaweed.REGION,
    ).create_bucket(Bucket=bucket)
    broker = DurableBroker("kafka_target", brokers.folder / "durable", store, bucket)
    broker.start()
    target = json.dumps(tansu.connection(broker.place))
    brokers.env = {**brokers.env, "AIRFLOW_CONN_KAFKA_TARGET": target}
    brokers.lease_seconds = 3.0
    try:
        yield brokers, broker
    finally:
        broker.kill()


async def test_a_target_that_is_killed_and_comes_back_misses_nothing_unnoticed(
    durable: tuple[Brokers, DurableBroker],
) -> None:
    """On a busy machine this broker loses now and then what it has acknowledged; that is refused then."""
    brokers, broker = durable
    brokers.make("source", PARTITIONS)
    brokers.make("target", PARTITIONS)
    brokers.fill("source", 2_000, partitions=PARTITIONS)
    process = worker(brokers, max_records=500)
    await asyncio.to_thread(watch_until, brokers, 300, process)
    broker.kill()
    broker.start()
    output, errors = await asyncio.to_thread(process.communicate, None, 120)
    assert process.returncode in {0, 1}, output + errors
    refused: IntegrityError | None = None
    try:
        await proved(brokers)
    except IntegrityError as error:
        refused = error
    there = brokers.rows("target", PARTITIONS)
    if refused is None:
        assert counted(there) == 2_000
    else:
        assert refused.code == "6527"
        pairs = zip(brokers.rows("source", PARTITIONS), there, strict=True)
        assert all(source[: len(target)] == target for source, target in pairs)
