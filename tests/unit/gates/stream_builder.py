"""Evidence of a stream that was mirrored well, to be bent by tests."""

from __future__ import annotations

from typing import Any

from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import utc_now
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.stream_paths import (
    stream_mirror_path,
    stream_plan_path,
    stream_verification_path,
)
from heavylift.evidence.stream_records import (
    PartitionProof,
    RecordDifference,
    StreamMirrorRecord,
    StreamPlanRecord,
    StreamVerificationRecord,
)
from tests.unit.gates.run_builder import RUN

NAME = "events"
_COMMON: dict[str, Any] = {"run": RUN, "stream": NAME, "source": "old:9092", "target": "new:9092"}
_PATHS: dict[type, Any] = {
    StreamPlanRecord: stream_plan_path,
    StreamMirrorRecord: stream_mirror_path,
    StreamVerificationRecord: stream_verification_path,
}


def plan(**changes: Any) -> StreamPlanRecord:
    return StreamPlanRecord(**_COMMON | {"to_mirror": 7} | changes)


def mirror(**changes: Any) -> StreamMirrorRecord:
    values: dict[str, Any] = {
        "offset_map": "m", "epoch": 1, "exactly_once": "tail", "started_at": utc_now(), "partitions": (),
        "sent": 7, "found_there": 0, "size_bytes": 700, "records_per_second": 1.0, "complete": True,
        "caught_up": True, "seconds": 0.1, "lag_records": 2, "lag_seconds": 3.0,
    }  # fmt: skip
    return StreamMirrorRecord(**_COMMON | values | changes)


def verification(*, missing: int = 0, **changes: Any) -> StreamVerificationRecord:
    part = PartitionProof(
        topic="orders", partition=0, source_from=0, source_to=7, target_from=0, target_to=7,
        source_records=7, target_records=7 - missing, equal=7 - missing, missing=missing,
        source_digest="a", target_digest="a",
    )  # fmt: skip
    lost = tuple(
        RecordDifference(topic="orders", partition=0, kind="missing", source_offset=offset)
        for offset in range(missing)
    )
    values: dict[str, Any] = {
        "partitions": (part,), "topics": 1, "source_records": 7, "target_records": 7 - missing,
        "equal": 7 - missing, "missing": missing, "different": 0, "extra": 0, "newer": 0,
        "differences": lost, "statement": "every record was compared", "passed": not missing,
    }  # fmt: skip
    return StreamVerificationRecord(**_COMMON | values | changes)


async def write_stream(store: EvidenceStore, *records: Any) -> None:
    """Write records in their order, each as the next of its kind."""
    for record in records:
        path_of = _PATHS[type(record)]
        await write_next(store, lambda number, path_of=path_of: path_of(RUN, NAME, number), record)
