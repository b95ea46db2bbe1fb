"""The records that prove the move of a database: preflight, snapshot, sync, drain, verification.

Each run's lie under ``<run>/databases/<database>/``. No value of a row is in them but the keys of rows
that differ.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.records import EvidenceRef, Finding, RunKey, utc_now


class PreflightRecord(Record):
    """What stands in the way of moving a database; nothing has been changed.

    :param engine: how changes will be captured: ``changes``, ``native``, ``binlog``.
    :param engine_reason: why, in a sentence.
    :param tables: how many tables are chosen.
    """

    schema_version: Literal["heavylift/tables-preflight/v1"] = "heavylift/tables-preflight/v1"
    run: RunKey
    database: str
    direction: str
    checked_at: datetime = Field(default_factory=utc_now)
    source: str
    target: str
    source_version: str
    target_version: str
    engine: str
    engine_reason: str
    tables: int
    row_estimate: int
    size_bytes: int
    findings: tuple[Finding, ...] = ()
    passed: bool


class TableCount(Record):
    """One table's part in a snapshot.

    :param ranges: into which it was cut; ``ranges_reused`` were there from an earlier attempt.
    """

    table: str
    rows: int
    size_bytes: int
    ranges: int
    ranges_reused: int = 0


class SnapshotRecord(Record):
    """A snapshot that is complete: every chosen table as it was at ``consistent_position``.

    :param consistent_position: where the stream of changes goes on.
    :param settled_position: after a resumed snapshot, where the tables are exact again.
    """

    schema_version: Literal["heavylift/tables-snapshot/v1"] = "heavylift/tables-snapshot/v1"
    run: RunKey
    database: str
    direction: str
    engine: str
    started_at: datetime
    ended_at: datetime
    consistent_position: str
    settled_position: str
    tables: tuple[TableCount, ...]
    rows: int
    size_bytes: int
    sequences: int = 0
    already_complete: bool = False
    findings: tuple[Finding, ...] = ()


class SyncRecord(Record):
    """One bounded run that applied changes.

    Adds up: ``inserts + updates + deletes + truncates`` are the changes that the source's log gave for
    chosen tables; ``skipped`` of them were on the target already.

    :param upto_position: the source's position when the run began; a run that ``caught_up`` reached it.
    :param lag_bytes: log between the applied and the source's position at the end.
    :param lag_seconds: age of the oldest change not yet applied at the end; 0 where there is none.
    :param schema_changes: what was changed on the target to follow the source, a statement each.
    """

    schema_version: Literal["heavylift/tables-sync/v1"] = "heavylift/tables-sync/v1"
    run: RunKey
    database: str
    direction: str
    engine: str
    started_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    from_position: str
    upto_position: str
    applied_position: str
    caught_up: bool
    transactions: int = 0
    transactions_skipped: int = 0
    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    truncates: int = 0
    skipped: int = 0
    batches: int = 0
    batches_retried: int = 0
    lag_bytes: int = 0
    lag_seconds: float = 0.0
    retained_bytes: int = 0
    schema_changes: tuple[str, ...] = ()
    tables: dict[str, int] = Field(default_factory=dict)
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()

    @property
    def changes(self) -> int:
        """Rows changed and truncates applied."""
        return self.inserts + self.updates + self.deletes + self.truncates


class TableDifference(Record):
    """One row that is not the same on both sides; ``key`` is its key's columns as text."""

    table: str
    kind: Literal["missing", "extra", "different"]
    key: dict[str, str | None]


class TableComparison(Record):
    """The verification of one table.

    ``equal`` counts rows; ``missing`` are only on the source, ``extra`` only on the target.

    :param method: how rows were compared, for people.
    :param unsettled: rows that kept changing while they were compared; never counted as equal.
    :param not_compared: rows of the source that were counted only, because they are not in the sample.
    :param columns: how many were compared.
    :param other_differences: how the lists of columns differ, that the table is not there, or, where only
        a sample was compared, that there are more rows here than there.
    """

    table: str
    source_rows: int
    target_rows: int
    equal: int
    missing: int = 0
    extra: int = 0
    different: int = 0
    unsettled: int = 0
    not_compared: int = 0
    columns: int = 0
    other_differences: tuple[str, ...] = ()
    method: str = ""
    seconds: float = 0.0
    note: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether nothing that was compared differs."""
        rows = self.missing + self.extra + self.different + self.unsettled
        return rows == 0 and not self.other_differences

    @property
    def in_words(self) -> str:
        """How the two sides differ."""
        kinds = ("missing", "extra", "different", "unsettled")
        parts = [f"{getattr(self, kind):,} {kind}" for kind in kinds if getattr(self, kind)]
        return ", ".join([*parts, *self.other_differences]) or "equal"


class TableVerificationRecord(Record):
    """A comparison of both databases, made inside of both, that trusts no mover.

    :param mode: ``frozen`` (nobody writes), ``snapshot`` (source at one position, target applied exactly
        to it), ``settled`` (differences were looked at again until they held).
    :param statement: what is proved, in a sentence.
    :param rows: Parquet with all differences, where there are more than are listed.
    """

    schema_version: Literal["heavylift/tables-verification/v1"] = "heavylift/tables-verification/v1"
    run: RunKey
    database: str
    direction: str
    verified_at: datetime = Field(default_factory=utc_now)
    mode: Literal["frozen", "snapshot", "settled"]
    position: str = ""
    tables: tuple[TableComparison, ...]
    differences: tuple[TableDifference, ...] = ()
    difference_count: int = 0
    rows: EvidenceRef | None = None
    sequences_behind: tuple[str, ...] = ()
    statement: str
    seconds: float = 0.0
    passed: bool

    def total(self, name: str) -> int:
        """Return the sum of one count over all tables."""
        return sum(int(getattr(table, name)) for table in self.tables)


class DrainRecord(Record):
    """A stream that was applied up to a fixed position, after writing on the source had stopped.

    :param writes_seen: transactions that changed chosen tables after ``upto_position``; not 0 means
        that the source was still being written to.
    """

    schema_version: Literal["heavylift/tables-drain/v1"] = "heavylift/tables-drain/v1"
    run: RunKey
    database: str
    direction: str
    started_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    upto_position: str
    applied_position: str
    reached: bool
    sequences: dict[str, int] = Field(default_factory=dict)
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()


class StreamStatus(Record):
    """One direction of a database's changes, right now."""

    stream: str
    direction: str
    engine: str
    state: str
    reason: str = ""
    applied_position: str = ""
    source_position: str = ""
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    lag_rows: int | None = None
    retained_bytes: int | None = None
    slot_state: str = ""
    slot_active: bool = False
    tables: int = 0
    tables_copied: int = 0
    ranges: int = 0
    ranges_done: int = 0
    changes: int = 0
    updated_at: datetime | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class ReverseRecord(Record):
    """The stream that flows back was prepared, or ended."""

    schema_version: Literal["heavylift/tables-reverse/v1"] = "heavylift/tables-reverse/v1"
    run: RunKey
    database: str
    act: Literal["prepared", "ended"]
    made_at: datetime = Field(default_factory=utc_now)
    slot: str
    publication: str
    consistent_position: str
    tables: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


class StreamEndRecord(Record):
    """A stream gave back what it held on the source: slot and publication.

    :param status: the stream as it was left.
    """

    schema_version: Literal["heavylift/tables-end/v1"] = "heavylift/tables-end/v1"
    run: RunKey
    database: str
    direction: str
    ended_at: datetime = Field(default_factory=utc_now)
    status: StreamStatus
