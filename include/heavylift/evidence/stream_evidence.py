"""What a run has left behind about a stream: plan, mirror, verification.

Read by gates and summaries, so that both judge the same files.
"""

from __future__ import annotations

from dataclasses import dataclass

from heavylift.evidence.records import EvidenceRef, Finding, RunKey
from heavylift.evidence.run_evidence import CLOCK_SKEW, Kept, read_all, read_latest
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.stream_paths import (
    stream_mirror_path,
    stream_plan_path,
    stream_verification_path,
)
from heavylift.evidence.stream_records import (
    StreamMirrorRecord,
    StreamPlanRecord,
    StreamVerificationRecord,
)


@dataclass(frozen=True)
class StreamEvidence:
    """The latest records of one stream in one run.

    :param mirrors: all attempts, the latest last.
    """

    stream: str
    plan: Kept[StreamPlanRecord] | None = None
    mirrors: tuple[Kept[StreamMirrorRecord], ...] = ()
    verification: Kept[StreamVerificationRecord] | None = None

    @property
    def mirror(self) -> Kept[StreamMirrorRecord] | None:
        """The latest attempt."""
        return self.mirrors[-1] if self.mirrors else None

    @property
    def sent(self) -> int:
        """Records that this run has sent to the target, in all its attempts."""
        return sum(kept.record.sent for kept in self.mirrors)

    @property
    def size_bytes(self) -> int:
        """Bytes of these records."""
        return sum(kept.record.size_bytes for kept in self.mirrors)

    @property
    def is_stale(self) -> bool:
        """Tell whether something was mirrored after the verification was made."""
        if self.verification is None or self.mirror is None:
            return False
        return self.mirror.record.ended_at > self.verification.record.verified_at + CLOCK_SKEW

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the records that count have found."""
        found = [
            finding
            for kept in (self.plan, self.mirror, self.verification)
            if kept
            for finding in kept.record.findings
        ]
        return tuple(dict.fromkeys(found))

    @property
    def refs(self) -> tuple[EvidenceRef, ...]:
        """The files that all this was read from."""
        return tuple(kept.ref for kept in (self.plan, *self.mirrors, self.verification) if kept)


async def read_stream_evidence(store: EvidenceStore, run: RunKey, stream: str) -> StreamEvidence:
    """Read the latest records of ``stream`` in ``run``; what does not exist is None.

    :raises AuditError: a record is damaged.
    """
    return StreamEvidence(
        stream,
        plan=await read_latest(store, lambda n: stream_plan_path(run, stream, n), StreamPlanRecord),
        mirrors=tuple(
            await read_all(store, lambda n: stream_mirror_path(run, stream, n), StreamMirrorRecord)
        ),
        verification=await read_latest(
            store, lambda n: stream_verification_path(run, stream, n), StreamVerificationRecord
        ),
    )
