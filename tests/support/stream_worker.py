"""Mirrors one topic in a process of its own, and dies where it is told to, as a lost worker does.

``python -m tests.support.stream_worker ARGUMENTS``, where ARGUMENTS is a JSON object: ``stream``, ``topic``,
``evidence``, ``lease``, ``checkpoint``, and ``die``: ``{"at": "before_map", "count": 3}``, with
``"freeze": true`` if it is not to die there but to stand still until somebody wakes it. Connections come
from the environment.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from heavylift.aio import run
from heavylift.connections import connection_from_env
from heavylift.evidence.records import RunKey
from heavylift.spec.sections_data import StreamEngine
from heavylift.streams.api import StreamOptions, StreamPlace, StreamRequest, mirror_stream
from heavylift.streams.kafka.map_topic import OwnedMap
from heavylift.streams.kafka.sending import PartitionSender


def end(by: signal.Signals) -> None:
    """End as by kill -9, or freeze, in the middle of whatever the other threads do."""
    os.kill(os.getpid(), by)


def counting(count: int, act: Callable[..., Any], by: signal.Signals, *, before: bool) -> Callable[..., Any]:
    """Return ``act``, which ends by a signal before or after its ``count``-th call that does something."""
    calls = 0

    def counted(self: Any, *arguments: Any) -> Any:
        nonlocal calls
        if not arguments or arguments[-1] == []:
            return act(self, *arguments)
        calls += 1
        if before and calls == count:
            end(by)
        result = act(self, *arguments)
        if not before and calls == count:
            self.settle()
            end(by)
        return result

    return counted


def arm(place: str, count: int, by: signal.Signals) -> None:
    """Put the death where it belongs."""
    if place == "before_map":
        OwnedMap.write = counting(count, OwnedMap.write, by, before=True)  # type: ignore[method-assign]
    elif place == "after_map":
        OwnedMap.write = counting(count, OwnedMap.write, by, before=False)  # type: ignore[method-assign]
    elif place == "sending":
        PartitionSender.send = counting(count, PartitionSender.send, by, before=True)  # type: ignore[method-assign]


def main(arguments: dict[str, Any]) -> None:
    """Mirror, or die."""
    if death := arguments.get("die"):
        by = signal.SIGSTOP if death.get("freeze") else signal.SIGKILL
        arm(death["at"], death["count"], by)
    request = StreamRequest(
        run=RunKey(migration="m", phase="sync", run="worker"),
        stream=arguments["stream"],
        source=StreamPlace(StreamEngine.KAFKA, connection_from_env("kafka_source")),
        target=StreamPlace(StreamEngine.KAFKA, connection_from_env("kafka_target")),
        evidence_url=arguments["evidence"],
        evidence_connection=None,
        options=StreamOptions(
            topics=(arguments["topic"],),
            lease_seconds=arguments["lease"],
            checkpoint_records=arguments["checkpoint"],
            max_records_per_second=arguments.get("max_records"),
        ),
    )
    record, _ = run(mirror_stream(request))
    print(json.dumps({"sent": record.sent, "found_there": record.found_there, "complete": record.complete}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
