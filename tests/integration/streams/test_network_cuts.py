"""Connections that are cut in the middle of a batch, at random moments."""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from heavylift.errors import TransientError
from heavylift.streams.api import mirror_stream
from sandbox import health
from sandbox.model import Place
from sandbox.ports import choose
from sandbox.servers import tansu
from tests.integration.streams.brokers import Brokers
from tests.integration.streams.relay import Relay
from tests.integration.streams.test_kill import PARTITIONS, SEEDS, proved

SERVER = tansu.server("kafka_target", "behind a relay")
MOST_CUTS = 12
"""A busy machine may need longer to connect than there is from one cut to the next, for ever."""


@pytest.fixture
def behind_relay(brokers: Brokers) -> Iterator[tuple[Brokers, Relay]]:
    """Return brokers of which the target names a relay as its address."""
    folder = brokers.folder / "relayed"
    place = Place("kafka_target", folder, choose("kafka_target", ("kafka",), before={}, taken=set()))
    relay = Relay(place.ports["kafka"])
    place.home.mkdir(parents=True)
    place.log.parent.mkdir(parents=True, exist_ok=True)
    tansu.prepare(place)
    command = tansu.command(place)
    command[command.index("--advertised-listener-url") + 1] = f"tcp://127.0.0.1:{relay.port}"
    with place.log.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        while (problem := health.trouble(SERVER, place)) is not None:
            assert process.poll() is None, f"{problem}: {health.log_tail(place)}"
        connection = {"conn_type": "kafka", "extra": {"bootstrap.servers": f"127.0.0.1:{relay.port}"}}
        brokers.env = {**brokers.env, "AIRFLOW_CONN_KAFKA_TARGET": json.dumps(connection)}
        brokers.lease_seconds = 5.0
        yield brokers, relay
    finally:
        relay.close()
        process.kill()
        process.wait()


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS if "HEAVYLIFT_STREAM_SEEDS" in os.environ else SEEDS[:1])
async def test_nothing_is_lost_or_repeated_where_connections_are_cut(
    behind_relay: tuple[Brokers, Relay], seed: int
) -> None:
    brokers, relay = behind_relay
    brokers.make("source", PARTITIONS)
    brokers.fill("source", 2_000, seed=seed, partitions=PARTITIONS)
    draw, done = random.Random(seed), threading.Event()

    def cut() -> None:
        while relay.cuts < MOST_CUTS and not done.wait(draw.uniform(0.2, 1.0)):
            relay.cut()

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        while True:
            # As Airflow does: an error that may go away by itself is tried again.
            with suppress(TransientError):
                await mirror_stream(brokers.request(max_records_per_second=600, transactions="never"))
                break
    finally:
        done.set()
        cutter.join()
    assert relay.cuts >= 3
    await proved(brokers)
