"""What a run did with streams, as rows for report and status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from heavylift.evidence.stream_evidence import StreamEvidence
from heavylift.evidence.stream_records import PartitionProof, RecordDifference
from heavylift.evidence.wording import counted, differ, duration
from heavylift.gates.summary import stream_reasons
from heavylift.report.story import RunStory

MOST_PARTITIONS = 500


@dataclass(frozen=True)
class StreamRow:
    """One stream of a run.

    :param reasons: why it does not count as mirrored and proved; empty where it does.
    """

    evidence: StreamEvidence
    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """The stream's name in the spec."""
        return self.evidence.stream

    @property
    def ends(self) -> tuple[str, str]:
        """Source and target as the latest record calls them; empty where there is none."""
        for kept in (self.evidence.verification, self.evidence.mirror, self.evidence.plan):
            if kept:
                return (kept.record.source, kept.record.target)
        return ("", "")

    @property
    def lag(self) -> str:
        """How far the target was behind after the last attempt, in words."""
        if self.evidence.mirror is None:
            return "–"
        record = self.evidence.mirror.record
        seconds = timedelta(seconds=record.lag_seconds)
        return f"{duration(seconds)}, {counted(record.lag_records, 'record')}"

    @property
    def partitions(self) -> tuple[PartitionProof, ...]:
        """The partitions of the last verification, those that differ first."""
        proof = self.evidence.verification
        found = proof.record.partitions if proof else ()
        ranked = sorted(found, key=lambda each: (_is_sound(each), each.topic, each.partition))
        return tuple(ranked[:MOST_PARTITIONS])

    @property
    def partitions_left_out(self) -> int:
        """Partitions that are not among :attr:`partitions`."""
        proof = self.evidence.verification
        return max(0, len(proof.record.partitions) - MOST_PARTITIONS) if proof else 0

    @property
    def differences(self) -> tuple[RecordDifference, ...]:
        """The records that differ, by their offsets, as far as the evidence lists them."""
        return self.evidence.verification.record.differences if self.evidence.verification else ()

    @property
    def document(self) -> dict[str, Any]:
        """The row as ``heavylift status --json`` gives it."""
        mirror = self.evidence.mirror.record if self.evidence.mirror else None
        proof = self.evidence.verification.record if self.evidence.verification else None
        return {
            "stream": self.name,
            "records_sent": self.evidence.sent,
            "size_bytes": self.evidence.size_bytes,
            "complete": mirror.complete if mirror else None,
            "lag_records": mirror.lag_records if mirror else None,
            "lag_seconds": mirror.lag_seconds if mirror else None,
            "verified": proof.passed if proof else None,
            "verified_at": proof.verified_at if proof else None,
            "records_equal": proof.equal if proof else None,
            "differences": _wrong(self.evidence) if proof else None,
            "reasons": list(self.reasons),
        }


def _is_sound(proof: PartitionProof) -> bool:
    return not (proof.missing or proof.different or proof.extra)


def _wrong(evidence: StreamEvidence) -> int:
    if evidence.verification is None:
        return 0
    record = evidence.verification.record
    return record.missing + record.different + record.extra


def stream_rows(story: RunStory) -> tuple[StreamRow, ...]:
    """Return a row for each stream of the run."""
    return tuple(StreamRow(each, tuple(stream_reasons(each))) for each in story.streams)


def stream_line(row: StreamRow) -> str:
    """Return one line about a stream, for ``heavylift status``."""
    evidence = row.evidence
    parts = []
    if evidence.mirrors:
        parts.append(f"{counted(evidence.sent, 'record')} mirrored, {row.lag} behind")
    if evidence.verification:
        record = evidence.verification.record
        result = "equal" if record.passed else differ(_wrong(evidence), "record")
        parts.append(f"verified {counted(len(record.partitions), 'partition')}: {result}")
    return f"{row.name}: {'; '.join(parts) or 'nothing was mirrored'}"


def streams_so_far(story: RunStory) -> str:
    """Return what has been mirrored, for the headline of a run that is not proved."""
    return f"{counted(sum(each.sent for each in story.streams), 'record')} mirrored in streams"


def streams_proof(story: RunStory) -> str:
    """Return the sentence that says what was proved of streams; empty where there are none."""
    records = [each.verification.record for each in story.streams if each.verification]
    if not records:
        return ""
    equal = sum(record.equal for record in records)
    partitions = sum(len(record.partitions) for record in records)
    return (
        f"{counted(equal, 'record')} in {counted(partitions, 'partition')} of"
        f" {counted(len(records), 'stream')} were read from both sides and proved equal."
    )


def is_dry_run_of_streams(story: RunStory) -> bool:
    """Tell whether streams were only looked at."""
    plans = [each.plan.record for each in story.streams if each.plan]
    return bool(plans) and all(plan.dry_run for plan in plans) and not any(e.mirrors for e in story.streams)


def streams_dry(story: RunStory) -> str:
    """Return what a dry run found of streams."""
    plans = [each.plan.record for each in story.streams if each.plan]
    records = sum(plan.to_mirror for plan in plans)
    words = f"About {counted(records, 'record')} in {counted(len(plans), 'stream')} would be mirrored."
    refusals = sum(len(plan.refusals) for plan in plans)
    return words + (f" {counted(refusals, 'refusal')} would stop it." if refusals else "")


def stream_advice(row: StreamRow, dag: str) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with a stream and what mends it."""
    evidence, group = row.evidence, f"stream_{row.name}"
    proof = evidence.verification
    if proof is not None and not proof.record.passed:
        first = f", the first: {_named(proof.record.differences[0])}" if proof.record.differences else ""
        yield (
            f"{row.name}: {differ(_wrong(evidence), 'record')}{first}",
            f"see {proof.ref.path}; find out who else writes to the target's topic",
        )
    elif row.reasons:
        yield row.reasons[0], f"look at the first failed task of group {group} in DAG {dag}"


def _named(difference: RecordDifference) -> str:
    offset = difference.source_offset if difference.source_offset is not None else difference.target_offset
    return f"{difference.kind} {difference.topic}, partition {difference.partition}, offset {offset}"
