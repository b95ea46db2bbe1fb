"""Writes the evidence of a small run that went well; tests then change what they are about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from heavylift.evidence import paths
from heavylift.evidence.records import (
    ColumnComparison,
    DatasetCheckRecord,
    ExpectationOutcome,
    PlanRecord,
    RunKey,
    ShardResult,
    ShardSummary,
    Tally,
    VerificationRecord,
    utc_now,
)
from heavylift.evidence.store import EvidenceStore
from heavylift.spec.gates import Approval as ApprovalSpec
from heavylift.spec.gates import Gate
from heavylift.spec.vocabulary import Check, Phase

RUN = RunKey(migration="fraud", phase="transfer", run="manual-1")
EARLIER = timedelta(minutes=5)


def tally(objects: int) -> Tally:
    return Tally(objects=objects, size_bytes=objects * 1000)


def gate(*checks: Check, approval: bool = False, users: tuple[str, ...] = (), max_age: int = 86_400) -> Gate:
    return Gate(
        name="complete",
        phase=Phase.TRANSFER,
        checks=checks or (Check.COUNTS_EQUAL, Check.CHECKSUMS_EQUAL, Check.NO_FINDINGS),
        approval=ApprovalSpec(required=approval, assigned_users=users),
        max_age=max_age,
    )


def plan(dataset: str = "train", **changes: Any) -> PlanRecord:
    values: dict[str, Any] = {
        "run": RUN, "dataset": dataset, "created_at": utc_now() - 2 * EARLIER,
        "source_url": "s3://source/train/", "target_url": "gs://target/train/",
        "found": tally(10), "to_copy": tally(8), "unchanged": tally(2), "refused": tally(0),
        "only_on_target": tally(0),
        "shards": tuple(ShardSummary(index=i, objects=n, size_bytes=n * 1000) for i, n in enumerate((5, 3))),
    }  # fmt: skip
    return PlanRecord(**values | changes)


def shard(number: int, objects: int, attempt: int = 1, dataset: str = "train", **changes: Any) -> ShardResult:
    began = utc_now() - EARLIER
    values: dict[str, Any] = {
        "run": RUN, "dataset": dataset, "shard": number, "attempt": attempt,
        "started_at": began, "ended_at": began + timedelta(seconds=20),
        "found": tally(objects), "moved": tally(objects), "unchanged": tally(0), "failed": tally(0),
    }  # fmt: skip
    return ShardResult(**values | changes)


def verification(dataset: str = "train", **changes: Any) -> VerificationRecord:
    values: dict[str, Any] = {
        "run": RUN, "dataset": dataset, "source_url": "s3://source/train/", "target_url": "gs://target/train/",
        "source": tally(10), "target": tally(10), "equal": tally(10),
        "methods": {"crc32c": 8, "read_back": 2}, "attributes_compared": 8,
        "statement": "every object was compared", "passed": True,
    }  # fmt: skip
    return VerificationRecord(**values | changes)


def empty_verification(dataset: str = "train", **changes: Any) -> VerificationRecord:
    none = tally(0)
    return verification(dataset, source=none, target=none, equal=none, methods={}, **changes)


def table_check(dataset: str = "train", **changes: Any) -> DatasetCheckRecord:
    met = [
        ExpectationOutcome.model_validate(
            {
                "side": side,
                "expectation": "expect_column_to_exist",
                "kwargs": {"column": "amount"},
                "passed": True,
            }
        )
        for side in ("source", "target")
    ]
    figure = ColumnComparison(column="amount", figure="mean", source="3.5", target="3.5", equal=True)
    values: dict[str, Any] = {
        "run": RUN, "dataset": dataset, "files": 2, "source_rows": 100, "target_rows": 100,
        "expectations": tuple(met), "columns": (figure,), "expectations_passed": True, "profiles_equal": True,
    }  # fmt: skip
    return DatasetCheckRecord(**values | changes)


async def write(store: EvidenceStore, *records: Any) -> None:
    """Write records to where they belong; numbered ones as the first."""
    places: dict[type, Callable[[Any], str]] = {
        PlanRecord: lambda r: paths.plan_path(r.run, r.dataset),
        ShardResult: lambda r: paths.shard_result_path(r.run, r.dataset, r.shard, r.attempt),
        VerificationRecord: lambda r: paths.verification_path(r.run, r.dataset, 1),
        DatasetCheckRecord: lambda r: paths.check_record_path(r.run, r.dataset, 1),
    }
    for record in records:
        await store.write_json(places[type(record)](record), record)


async def write_good_run(store: EvidenceStore, dataset: str = "train") -> None:
    await write(
        store,
        plan(dataset),
        shard(0, 5, dataset=dataset),
        shard(1, 3, dataset=dataset),
        verification(dataset),
        table_check(dataset),
    )


def long_ago() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)
