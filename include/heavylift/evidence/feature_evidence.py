"""What a run has left behind about a feature store: preflight, copies, verification."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from heavylift.evidence.feature_records import FeatureVerificationRecord, feature_path
from heavylift.evidence.records import EvidenceRef, Finding, RunKey
from heavylift.evidence.registry_records import RegistryMoveRecord, RegistryPreflightRecord
from heavylift.evidence.run_evidence import CLOCK_SKEW, Kept, read_all
from heavylift.evidence.store import EvidenceStore


@dataclass(frozen=True)
class FeatureEvidence:
    """All of one feature store in one run; of preflight and verification the latest."""

    store: str
    preflight: Kept[RegistryPreflightRecord] | None = None
    moves: tuple[Kept[RegistryMoveRecord], ...] = ()
    verification: Kept[FeatureVerificationRecord] | None = None

    @property
    def written(self) -> int:
        """Rows that this run has written to the target."""
        return sum(kept.record.written for kept in self.moves)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the preflight and the moves have found."""
        records = (self.preflight, *self.moves)
        return tuple(dict.fromkeys(each for kept in records if kept for each in kept.record.findings))

    @property
    def refs(self) -> tuple[EvidenceRef, ...]:
        """The files that all of this is read from."""
        return tuple(kept.ref for kept in (self.preflight, *self.moves, self.verification) if kept)

    @property
    def is_stale(self) -> bool:
        """Tell whether something was written to the target after the verification was made."""
        if self.verification is None:
            return False
        proved = self.verification.record.verified_at + CLOCK_SKEW
        return any(kept.record.written and kept.record.ended_at > proved for kept in self.moves)


async def read_feature_store(store: EvidenceStore, run: RunKey, name: str) -> FeatureEvidence:
    """Read the records of a feature store in ``run``; what does not exist is None.

    :raises AuditError: a record is damaged.
    """
    preflights = await read_all(store, partial(feature_path, run, name, "preflight"), RegistryPreflightRecord)
    moves = await read_all(store, partial(feature_path, run, name, "copy"), RegistryMoveRecord)
    proofs = await read_all(
        store, partial(feature_path, run, name, "verification"), FeatureVerificationRecord
    )
    return FeatureEvidence(
        name,
        preflight=preflights[-1] if preflights else None,
        moves=tuple(kept for kept in moves if not kept.record.dry_run),
        verification=proofs[-1] if proofs else None,
    )
