"""What a run has left behind about a registry: preflight, copies and syncs, verification.

Read by gates, summaries and reports, so that all of them judge the same files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from heavylift.evidence.parsing import RecordT
from heavylift.evidence.records import EvidenceRef, Finding, RunKey
from heavylift.evidence.registry_records import (
    RegistryLeftover,
    RegistryMoveRecord,
    RegistryPreflightRecord,
    RegistryVerificationRecord,
    registry_path,
)
from heavylift.evidence.run_evidence import CLOCK_SKEW, Kept, read_all
from heavylift.evidence.store import EvidenceStore


@dataclass(frozen=True)
class RegistryEvidence:
    """All of one registry in one run.

    :param preflight: the latest one, as is the verification.
    :param moves: all copies and syncs that were no dry runs, the latest last.
    """

    registry: str
    preflight: Kept[RegistryPreflightRecord] | None = None
    moves: tuple[Kept[RegistryMoveRecord], ...] = ()
    verification: Kept[RegistryVerificationRecord] | None = None

    @property
    def move(self) -> Kept[RegistryMoveRecord] | None:
        """The latest copy or sync."""
        return self.moves[-1] if self.moves else None

    @property
    def written(self) -> int:
        """Rows that this run has written to the target."""
        return sum(kept.record.written for kept in self.moves)

    @property
    def is_stale(self) -> bool:
        """Tell whether something was written to the target after the verification was made."""
        if self.verification is None:
            return False
        proved = self.verification.record.verified_at + CLOCK_SKEW
        return any(kept.record.written and kept.record.ended_at > proved for kept in self.moves)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the preflight and the moves have found."""
        records = (self.preflight, *self.moves)
        found = [finding for kept in records if kept for finding in kept.record.findings]
        return tuple(dict.fromkeys(found))

    @property
    def leftovers(self) -> tuple[RegistryLeftover, ...]:
        """Where the source's prefixes still stand in what was written."""
        return tuple(dict.fromkeys(each for kept in self.moves for each in kept.record.leftovers))

    @property
    def refs(self) -> tuple[EvidenceRef, ...]:
        """The files that all this was read from."""
        return tuple(kept.ref for kept in (self.preflight, *self.moves, self.verification) if kept)


async def read_registry(store: EvidenceStore, run: RunKey, registry: str) -> RegistryEvidence:
    """Read the records of ``registry`` in ``run``; what does not exist is None.

    :raises AuditError: a record is damaged.
    """

    async def each(kind: str, record: type[RecordT]) -> list[Kept[RecordT]]:
        return await read_all(store, partial(registry_path, run, registry, kind), record)

    preflights = await each("preflight", RegistryPreflightRecord)
    moves = [*await each("copy", RegistryMoveRecord), *await each("sync", RegistryMoveRecord)]
    verifications = await each("registry-verification", RegistryVerificationRecord)
    done = [kept for kept in moves if not kept.record.dry_run]
    return RegistryEvidence(
        registry,
        preflight=preflights[-1] if preflights else None,
        moves=tuple(sorted(done, key=lambda kept: kept.record.ended_at)),
        verification=verifications[-1] if verifications else None,
    )
