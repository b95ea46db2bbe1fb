"""What is switched beside databases and requests: a stream with its producer, and a schedule.

The producer follows the fence topics and keeps a ledger of what was acknowledged; the schedule is held by two
small servers of Airflow's interface, which note if both were ever let run.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.evidence.records import RunKey
from heavylift.fencing import Side
from heavylift.spec.load import load_spec
from heavylift.streams.api import mirror_stream, stream_request
from heavylift.streams.kafka.fence import fence_topic_name
from sandbox.stack import Stack
from tests.integration.streams.brokers import Brokers
from tests.support.marked_producer import MarkedProducer
from tests.support.schedule_servers import NAME, AirflowServer
from tests.support.traffic_servers import Reply

PARTITIONS = 2
BROKERS = {Side.SOURCE: "kafka_source", Side.TARGET: "kafka_target"}


class OneOfTwo(AirflowServer):
    """A scheduler that notes when it was let run while the other one ran."""

    def __init__(self) -> None:
        super().__init__()
        self.other: OneOfTwo | None = None
        self.both = 0

    def _dag(self, method: str, body: Any) -> Reply:
        answer = super()._dag(method, body)
        self.both += self.enabled and self.other is not None and self.other.enabled
        return answer


class Beside:
    """A stream and a schedule of one workload."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        stack.ensure(*BROKERS.values())
        self.brokers = Brokers(stack.env, folder, secrets.token_hex(4))
        self.schedulers = {side: OneOfTwo() for side in Side}
        self.schedulers[Side.SOURCE].other = self.schedulers[Side.TARGET]
        self.schedulers[Side.TARGET].other = self.schedulers[Side.SOURCE]
        self.schedulers[Side.SOURCE].paused = False
        self._producer: MarkedProducer | None = None

    @property
    def env(self) -> dict[str, str]:
        """The connections of both schedulers, as the processes of a switch read them."""
        return {
            f"AIRFLOW_CONN_AIRFLOW_{side.value.upper()}": _as_json(server.connection)
            for side, server in self.schedulers.items()
        }

    @property
    def stream(self) -> str:
        """The stream's name."""
        return f"stream-{self.brokers.mark}"

    def with_it(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Return a spec with the stream and the schedule in it."""
        sides = {side.value: {"engine": "kafka", "connection": name} for side, name in BROKERS.items()}
        stream = {"name": self.stream, **sides, "topics": [self.brokers.topic], "consumer_groups": ["none-*"]}
        schedule = {
            "name": NAME,
            **{
                side.value: {"adapter": "airflow", "connection": f"airflow_{side.value}", "id": NAME}
                for side in Side
            },
            "cron": "0 2 * * *",
        }
        cutover = {
            **spec["cutover"],
            "streams": [{"stream": self.stream, "fence": "marker", "settle": 1}],
            "schedules": [schedule],
        }
        return {**spec, "streams": [stream], "cutover": cutover}

    def begin(self, spec_file: Path, connection: Callable[[str], Connection]) -> None:
        """Make the topic, let the producer write, and mirror what there is."""
        spec = load_spec(spec_file)
        self.brokers.make("source", PARTITIONS)
        fence = fence_topic_name(spec.migration, self.stream)
        addresses = (self.brokers.address("source"), self.brokers.address("target"))
        self._producer = MarkedProducer(addresses, self.brokers.topic, fence, PARTITIONS)
        self._producer.start()
        run = RunKey(migration=spec.migration, phase="transfer", run="first")
        asyncio.run(mirror_stream(stream_request(spec, self.stream, run, connection)))

    @property
    def producer(self) -> MarkedProducer:
        """What writes to the stream."""
        assert self._producer is not None
        return self._producer

    def on(self, side: Side) -> int:
        """Return how many records a side has acknowledged."""
        wanted = 0 if side is Side.SOURCE else 1
        return sum(each == wanted for each in list(self.producer.acknowledged.values()))

    def stop(self) -> None:
        """End the producer, once its last record is acknowledged."""
        if self._producer is not None and not self._producer.stopped:
            self._producer.stop()

    def close(self) -> None:
        """End everything."""
        self.stop()
        for server in self.schedulers.values():
            server.close()

    def wrong_at(self, goal: Side) -> list[str]:
        """Return what is not as it must be once everything is on one side; the producer has stopped."""
        acknowledged = set(self.producer.acknowledged)
        there = self._numbers(goal, acknowledged)
        lost = sorted(acknowledged - set(there))
        doubled = sorted(number for number, count in there.items() if count > 1)
        unknown = sorted(set(there) - acknowledged)
        found = [f"{len(lost)} acknowledged records are lost, such as {lost[:5]}"] if lost else []
        found += [f"{len(doubled)} records are doubled, such as {doubled[:5]}"] if doubled else []
        found += [f"{len(unknown)} records nobody has acknowledged, such as {unknown[:5]}"] if unknown else []
        enabled = [side.value for side, server in self.schedulers.items() if server.enabled]
        found += [f"the schedule runs on: {enabled}"] if enabled != [goal.value] else []
        both = sum(server.both for server in self.schedulers.values())
        found += [f"the schedule ran on both sides {both} times"] if both else []
        return found

    def _numbers(self, side: Side, acknowledged: set[int]) -> Counter[int]:
        """Return how often each number lies on a side; a slow broker tells its last batch late."""
        end = time.monotonic() + 60
        while True:
            rows = self.brokers.rows(side.value, PARTITIONS)
            found = Counter(int(row[1] or b"") for part in rows for row in part)
            if acknowledged <= set(found) or time.monotonic() > end:
                return found


def _as_json(connection: Connection) -> str:
    names = ("conn_type", "host", "port", "login", "password")
    return json.dumps({name: getattr(connection, name) for name in names})
