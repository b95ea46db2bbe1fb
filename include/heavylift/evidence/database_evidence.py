"""What a run has left behind about a database: preflight, snapshot, syncs, drain, verification.

Read by gates, summaries and reports, so that all three judge the same files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from heavylift.evidence.parsing import RecordT
from heavylift.evidence.paths import database_path
from heavylift.evidence.records import EvidenceRef, Finding, RunKey
from heavylift.evidence.run_evidence import CLOCK_SKEW, Kept, read_all
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.table_records import (
    DrainRecord,
    PreflightRecord,
    SnapshotRecord,
    SyncRecord,
    TableVerificationRecord,
)

FORWARD, REVERSE = "forward", "reverse"
_TURNING = frozenset({"sync", "registry"})
"""The phases whose runs follow the direction of the switch."""
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


@dataclass(frozen=True)
class DatabaseEvidence:
    """All of one database in one run, in the direction in which it carried changes.

    :param direction: ``forward`` but for a sync that has carried changes back, because applications wrote to
        the target then: its records' source is the migration's target.
    :param preflight: the latest one; so are snapshot, drain and verification.
    :param syncs: all of them, in their order.
    """

    database: str
    preflight: Kept[PreflightRecord] | None = None
    snapshot: Kept[SnapshotRecord] | None = None
    syncs: tuple[Kept[SyncRecord], ...] = ()
    drain: Kept[DrainRecord] | None = None
    verification: Kept[TableVerificationRecord] | None = None
    direction: str = FORWARD

    @property
    def flows_back(self) -> bool:
        """Tell whether the run carried changes to the source."""
        return self.direction == REVERSE

    @property
    def sync(self) -> Kept[SyncRecord] | None:
        """The latest sync."""
        return self.syncs[-1] if self.syncs else None

    @property
    def changes(self) -> int:
        """Changes applied by all syncs of the run."""
        return sum(kept.record.changes for kept in self.syncs)

    @property
    def is_moved(self) -> bool:
        """Tell whether a snapshot, a sync or a drain of this run has come to its end."""
        return bool(self.snapshot or self.syncs or self.drain)

    @property
    def is_stale(self) -> bool:
        """Tell whether something was written to the target after the verification was made."""
        if self.verification is None:
            return False
        proof = self.verification.record
        return any(
            _is_later(position, at, proof.position, proof.verified_at) for position, at in self._writes()
        )

    def _writes(self) -> list[tuple[str, datetime]]:
        """Return up to which position, and when, the target was last written to."""
        found = []
        if self.snapshot and not self.snapshot.record.already_complete:
            found.append((self.snapshot.record.settled_position, self.snapshot.record.ended_at))
        records = [kept.record for kept in self.syncs]
        return found + [
            (each.applied_position, each.ended_at) for each in records if each.changes or each.schema_changes
        ]

    @property
    def spans(self) -> tuple[tuple[datetime, datetime], ...]:
        """From when to when the snapshot and each sync were at work."""
        found = [(kept.record.started_at, kept.record.ended_at) for kept in self.syncs]
        if self.snapshot:
            found.append((self.snapshot.record.started_at, self.snapshot.record.ended_at))
        return tuple(found)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the records that count have found."""
        records = (self.preflight, self.snapshot, *self.syncs, self.drain)
        found = [finding for kept in records if kept for finding in kept.record.findings]
        return tuple(dict.fromkeys(found))

    @property
    def refs(self) -> tuple[EvidenceRef, ...]:
        """The files that all this was read from."""
        records = (self.preflight, self.snapshot, *self.syncs, self.drain, self.verification)
        refs = [kept.ref for kept in records if kept]
        if self.verification and self.verification.record.rows:
            refs.append(self.verification.record.rows)
        return tuple(refs)


def _is_later(position: str, at: datetime, proved_position: str, proved_at: datetime) -> bool:
    """Tell whether a write came after a proof: by the log's own order, else by the workers' clocks."""
    written, proved = _log_position(position), _log_position(proved_position)
    if written is not None and proved is not None:
        return written > proved
    return at > proved_at + CLOCK_SKEW


def _log_position(text: str) -> int | None:
    found = _LSN.fullmatch(text)
    return (int(found[1], 16) << 32) | int(found[2], 16) if found else None


@dataclass
class DatabaseCounts:
    """Rows and changes of databases, to be added up."""

    tables: int = 0
    rows: int = 0
    changes: int = 0
    differences: int = 0
    names: list[str] = field(default_factory=list)


def database_counts(found: tuple[DatabaseEvidence, ...]) -> DatabaseCounts:
    """Return what was copied, applied and found different, over all databases."""
    total = DatabaseCounts()
    for each in found:
        total.names.append(each.database)
        if each.snapshot:
            total.rows += each.snapshot.record.rows
        if each.verification:
            total.tables += len(each.verification.record.tables)
            total.differences += each.verification.record.difference_count
        total.changes += each.changes
    return total


async def read_database(store: EvidenceStore, run: RunKey, database: str) -> DatabaseEvidence:
    """Read all records of ``database`` in ``run``; what does not exist is None or empty.

    :raises AuditError: a record is damaged.
    """
    syncs = await read_all(store, partial(database_path, run, database, "sync"), SyncRecord)
    # A switch or rollback may have turned it round between two attempts: the last one counts.
    turned = run.phase in _TURNING and bool(syncs) and syncs[-1].record.direction == REVERSE
    direction = REVERSE if turned else FORWARD

    async def latest(kind: str, model: type[RecordT]) -> Kept[RecordT] | None:
        found = await read_all(store, partial(database_path, run, database, kind), model)
        ours = [kept for kept in found if getattr(kept.record, "direction", FORWARD) == direction]
        return ours[-1] if ours else None

    return DatabaseEvidence(
        database=database,
        preflight=await latest("preflight", PreflightRecord),
        snapshot=await latest("snapshot", SnapshotRecord),
        syncs=tuple(kept for kept in syncs if kept.record.direction == direction),
        drain=await latest("drain", DrainRecord),
        verification=await latest("verification", TableVerificationRecord),
        direction=direction,
    )
