"""Copies one shard in a process of its own, as a worker of Airflow would.

``python -m tests.support.shard_worker SOURCE SOURCE_CONN TARGET TARGET_CONN EVIDENCE RUN SHARD ATTEMPT
SHARDS RATE``: connections come from the environment; the result is one line of JSON on standard output.
"""

from __future__ import annotations

import sys

from heavylift.aio import run
from heavylift.connections import connection_from_env
from heavylift.evidence.records import RunKey
from heavylift.locations import parse_location
from heavylift.objects.api import TransferOptions, TransferRequest, copy_shard
from heavylift.platforms.places import Place
from heavylift.spec.datasets import Limits


def request_of(arguments: list[str]) -> TransferRequest:
    source, source_conn, target, target_conn, evidence, run_id = arguments[:6]
    shards, rate = int(arguments[8]), int(arguments[9])
    return TransferRequest(
        run=RunKey(migration="m", phase="transfer", run=run_id),
        dataset="d",
        source=Place(parse_location(source), connection_from_env(source_conn)),
        target=Place(parse_location(target), connection_from_env(target_conn)),
        evidence_url=evidence,
        evidence_connection=None,
        options=TransferOptions(
            limits=Limits(max_bandwidth=rate or None, part_size=5 * 2**20), tasks_at_once=shards
        ),
    )


def main(arguments: list[str]) -> None:
    """Copy the shard that the arguments name."""
    result = run(copy_shard(request_of(arguments), int(arguments[6]), int(arguments[7])))
    print(result.model_dump_json())


if __name__ == "__main__":
    main(sys.argv[1:])
