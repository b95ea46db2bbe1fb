"""Writes the evidence of a run with everything in it: retries, hostile names, gates, approvals."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from heavylift.evidence import paths
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.records import (
    Approval,
    ColumnComparison,
    DatasetCheckRecord,
    Difference,
    EvidenceRef,
    ExpectationOutcome,
    Failure,
    Finding,
    PhaseSummary,
    PlanRecord,
    ProgressSample,
    RunKey,
    Severity,
    ShardResult,
    ShardSummary,
    Tally,
    VerificationRecord,
)
from heavylift.evidence.store import EvidenceStore
from heavylift.gates.approval import record_approval
from heavylift.gates.evaluate import evaluate_gate
from heavylift.gates.summary import summarise, write_summary
from heavylift.spec.gates import Approval as ApprovalSpec
from heavylift.spec.gates import Gate
from heavylift.spec.vocabulary import Check, Phase

RUN = RunKey(
    migration="fraud-scoring", phase="transfer", run=paths.safe_segment("manual__2026-11-22T09:14:03+00:00")
)
SCRIPT = "<script>alert('key')</script>"
HOSTILE = f"logs/{SCRIPT}/\u202egpj.exe\x07&amp;\"'"
KIB = 1024

GATES = (
    Gate(
        name="transfer-verified",
        phase=Phase.TRANSFER,
        checks=(Check.COUNTS_EQUAL, Check.CHECKSUMS_EQUAL),
        approval=ApprovalSpec(required=True),
    ),
    Gate(
        name="tables-sound",
        phase=Phase.TRANSFER,
        checks=(Check.EXPECTATIONS_PASS, Check.PROFILES_EQUAL),
    ),
)


class RichRun:
    """Builds the run on ``store``; ``began`` is the moment it started.

    :param objects: of the largest dataset.
    """

    def __init__(
        self, store: EvidenceStore, objects: int = 100_000, *, began: datetime | None = None
    ) -> None:
        self.store = store
        self.objects = objects
        self.began = began or datetime.now(UTC) - timedelta(minutes=4)
        self.datasets = ("transactions", "embeddings", "empty-yet")

    def at(self, seconds: float) -> datetime:
        return self.began + timedelta(seconds=seconds)

    async def write(self, *, broken: bool = False) -> PhaseSummary:
        """Write the whole run; ``broken`` leaves failures, differences and a closed gate."""
        await self._act("run.started", "")
        await self._large(broken=broken)
        await self._small()
        await self._empty()
        for gate in GATES:
            result, ref = await evaluate_gate(self.store, RUN, gate, self.datasets, tabular=["embeddings"])
            await self._act("gate.evaluated", gate.name, ref)
            if gate.approval.required and result.passed:
                await record_approval(self.store, self._approval(ref))
        summary = await summarise(self.store, RUN, self.datasets, GATES)
        ref = await write_summary(self.store, summary)
        await self._act("run.finished", "", ref)
        return summary

    def _approval(self, ref: EvidenceRef) -> Approval:
        return Approval(
            run=RUN, gate="transfer-verified", gate_result=ref, approved=True, approver_id="ada",
            approver_name="Ada Lovelace <ada@example.org>", responded_at=self.at(9_300),
            comment=f"Compared two samples by hand.\n{SCRIPT}",
        )  # fmt: skip

    async def _act(self, action: str, subject: str, *evidence: EvidenceRef) -> None:
        act = Act(
            actor="airflow:fraud-scoring.transfer", action=action, phase=RUN.phase, run=RUN.run,
            subject=subject, evidence=evidence,
        )  # fmt: skip
        await AuditTrail(self.store, RUN.migration).append(act)

    async def _plan(self, dataset: str, found: Tally, **changes: Any) -> None:
        values: dict[str, Any] = {
            "run": RUN, "dataset": dataset, "created_at": self.at(9), "seconds": 8.4,
            "source_url": f"s3://fraud-data/{dataset}/", "target_url": f"gs://fraud-data-eu/{dataset}/",
            "found": found, "to_copy": found, "unchanged": Tally(), "refused": Tally(),
            "only_on_target": Tally(),
        }  # fmt: skip
        record = PlanRecord(**values | changes)
        ref = await self.store.write_json(paths.plan_path(RUN, dataset), record)
        await self._act("dataset.planned", dataset, ref)

    async def _shard(
        self, dataset: str, number: int, found: Tally, start: float, took: float, **more: Any
    ) -> None:
        values: dict[str, Any] = {
            "run": RUN, "dataset": dataset, "shard": number, "attempt": 1,
            "started_at": self.at(start), "ended_at": self.at(start + took),
            "found": found, "moved": found, "unchanged": Tally(), "failed": Tally(),
            "samples": _samples(found, took),
        }  # fmt: skip
        record = ShardResult(**values | more)
        manifest = await self.store.write_bytes(
            paths.manifest_path(RUN, dataset, number, record.attempt, 1), b"PAR1", "application/octet-stream"
        )
        record = record.model_copy(update={"manifests": (manifest,)})
        path = paths.shard_result_path(RUN, dataset, number, record.attempt)
        ref = await self.store.write_json(path, record)
        await self._act("shard.copied", f"{dataset} shard {number}", ref)

    async def _verified(self, dataset: str, tally: Tally, at: float, **changes: Any) -> None:
        values: dict[str, Any] = {
            "run": RUN, "dataset": dataset, "verified_at": self.at(at), "seconds": 14.2,
            "source_url": f"s3://fraud-data/{dataset}/", "target_url": f"gs://fraud-data-eu/{dataset}/",
            "source": tally, "target": tally, "equal": tally, "methods": {"crc32c": tally.objects},
            "attributes_compared": min(tally.objects, 20_000), "statement": "every object was compared",
            "passed": True,
        }  # fmt: skip
        record = VerificationRecord(**values | changes)
        ref = await self.store.write_json(paths.verification_path(RUN, dataset, 1), record)
        await self._act("dataset.verified", dataset, ref)

    async def _large(self, *, broken: bool) -> None:
        dataset, count = "transactions", 12
        each = Tally(objects=self.objects // count, size_bytes=self.objects // count * 180 * KIB)
        total = Tally(objects=each.objects * count + 40, size_bytes=each.size_bytes * count + 40 * KIB)
        moved = Tally(objects=each.objects * count, size_bytes=each.size_bytes * count)
        shards = tuple(
            ShardSummary(index=i, objects=each.objects, size_bytes=each.size_bytes) for i in range(count)
        )
        await self._plan(
            dataset, total, to_copy=moved, unchanged=Tally(objects=40, size_bytes=40 * KIB), shards=shards,
            findings=_findings(), finding_count=3,
        )  # fmt: skip
        for number in range(count):
            start, took = 12 + number % 4 + number // 4 * 24, 21 + number % 3 * 2
            if number == 5:
                half = Tally(objects=each.objects // 2, size_bytes=each.size_bytes // 2)
                rest = Tally(
                    objects=each.objects - half.objects, size_bytes=each.size_bytes - half.size_bytes
                )
                await self._shard(dataset, number, each, start, took / 2, moved=half, left=rest)
                await self._shard(
                    dataset, number, each, start + 14, took, attempt=2, moved=rest, unchanged=half
                )
                continue
            failed = _failed(each) if broken and number == 7 else {}
            await self._shard(dataset, number, each, start, took, rejected_reads=number % 5 == 0, **failed)
        wrong: dict[str, Any] = {}
        if broken:
            equal = Tally(objects=total.objects - 2, size_bytes=total.size_bytes - 2 * KIB)
            wrong = {
                "passed": False, "missing": 1, "different": 1, "equal": equal,
                "methods": {"crc32c": equal.objects}, "statement": "the two sides are not equal",
                "differences": (
                    Difference(key=HOSTILE, kind="missing"),
                    Difference(key="part-7.parquet", kind="different", source="3f2a91c0", target="9be01d77"),
                ),
            }  # fmt: skip
        else:
            wrong = {
                "methods": {"crc32c": total.objects - 41, "read_back:md5_parts": 37, "read_both:crc32c": 4}
            }
        await self._verified(dataset, total, 108, **wrong)

    async def _small(self) -> None:
        tally = Tally(objects=1_204, size_bytes=1_204 * 2_400 * KIB)
        shard = ShardSummary(index=0, objects=tally.objects, size_bytes=tally.size_bytes)
        await self._plan("embeddings", tally, shards=(shard,))
        await self._shard("embeddings", 0, tally, 13, 62)
        await self._verified(
            "embeddings", tally, 92, newer_on_source=0, methods={"read_source:crc32c": 1_204}
        )
        outcomes = [
            ExpectationOutcome.model_validate(
                {
                    "side": side,
                    "expectation": name,
                    "kwargs": {"column": "score"},
                    "passed": True,
                    "observed": "ok",
                }
            )
            for name in ("expect_column_values_to_not_be_null", "expect_column_values_to_be_between")
            for side in ("source", "target")
        ]
        figures = tuple(
            ColumnComparison(column="score", figure=figure, source="0.5", target="0.5", equal=True)
            for figure in ("nulls", "distinct", "min", "max", "mean")
        )
        record = DatasetCheckRecord(
            run=RUN, dataset="embeddings", checked_at=self.at(112), seconds=11, files=8,
            source_rows=2_000_000, target_rows=2_000_000, sampled_rows=50_000,
            expectations=tuple(outcomes), columns=figures,
            expectations_passed=True, profiles_equal=True,
        )  # fmt: skip
        ref = await self.store.write_json(paths.check_record_path(RUN, "embeddings", 1), record)
        await self._act("dataset.checked", "embeddings", ref)

    async def _empty(self) -> None:
        await self._plan("empty-yet", Tally())
        await self._verified("empty-yet", Tally(), 24, methods={}, seconds=0.8)


def _samples(found: Tally, took: float) -> tuple[ProgressSample, ...]:
    points = [step / 40 for step in range(41)]
    # A slow start, then steady: so a plot shows a shape that can be recognised.
    done = [(point - math.sin(2 * math.pi * point) / 9) for point in points]
    return tuple(
        ProgressSample(
            seconds=round(point * took, 3),
            objects=int(found.objects * share),
            size_bytes=int(found.size_bytes * share),
        )
        for point, share in zip(points, done, strict=True)
    )


def _failed(each: Tally) -> dict[str, Any]:
    error = {
        "type": "ServerUnavailableError", "code": "HL-3002", "what": f"put of gs://fraud-data-eu/{HOSTILE}",
        "got": "HTTP 503", "expected": "success", "state": "nothing of this object is on the target",
        "remedy": "run again later", "retry_safe": True,
    }  # fmt: skip
    two = Tally(objects=2, size_bytes=2 * 180 * KIB)
    rest = Tally(objects=each.objects - 2, size_bytes=each.size_bytes - two.size_bytes)
    failures = (Failure(key=HOSTILE, error=error), Failure(key="k" * 1_000, error=error))
    return {"moved": rest, "failed": two, "failures": failures}


def _findings() -> tuple[Finding, ...]:
    return (
        Finding(
            rule="unprobed-keys", severity=Severity.NOTE, subject="transactions",
            detail="keys with trailing dots occur; a dry run does not try whether the target holds them",
        ),
        Finding(
            rule="key-with-control", severity=Severity.WARNING, subject=f"s3://fraud-data/{HOSTILE}",
            detail="the key holds control characters, which many tools cannot show",
            remedy="rename the object on the source",
        ),
        Finding(
            rule="attribute", severity=Severity.NOTE, subject="transactions: a.csv",
            detail="tag team is kept as metadata",
        ),
    )  # fmt: skip
