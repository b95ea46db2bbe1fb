"""What is known of one envelope of a migration: how it was sealed last, and verified last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.evidence.envelope_records import Act, EnvelopeRecord, envelope_path
from heavylift.evidence.run_evidence import Kept, read_latest

if TYPE_CHECKING:
    from heavylift.evidence.store import EvidenceStore


@dataclass(frozen=True)
class EnvelopeEvidence:
    """The newest records of one envelope; they hold for all runs of a migration."""

    name: str
    sealed: Kept[EnvelopeRecord] | None = None
    verified: Kept[EnvelopeRecord] | None = None

    @property
    def unproved(self) -> str:
        """Why it is not proved to hold what was sealed; empty where it is."""
        if self.sealed is None or self.verified is None:
            return f"not {'sealed' if self.sealed is None else 'verified'}"
        sealed, verified = self.sealed.record, self.verified.record
        if not (sealed.passed and verified.passed):
            return (verified if sealed.passed else sealed).statement
        return "sealed again since it was verified" if verified.started_at < sealed.ended_at else ""


async def read_envelope(store: EvidenceStore, migration: str, name: str) -> EnvelopeEvidence:
    """Read the newest sealing and verification of an envelope; what does not exist is None.

    :raises AuditError: a record is damaged.
    """
    sealed, verified = [await _newest(store, migration, name, act) for act in ("seal", "verify")]
    return EnvelopeEvidence(name, sealed, verified)


async def _newest(store: EvidenceStore, migration: str, name: str, act: Act) -> Kept[EnvelopeRecord] | None:
    return await read_latest(
        store, lambda number: envelope_path(migration, name, act, number), EnvelopeRecord
    )
