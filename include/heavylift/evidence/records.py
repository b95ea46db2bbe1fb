"""The records that prove a migration: plan, shard result, verification, checks, gate.

Each is written once to the evidence store as JSON with its ``schema_version``; larger row
sets (plans, manifests, differences) are Parquet beside it. All times are UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef as EvidenceRef
from heavylift.evidence.base import Record as Record
from heavylift.evidence.base import Tally as Tally
from heavylift.evidence.estimates import AdviceRecord, EstimateRecord

MAX_LISTED = 100
"""How many single cases a record names itself; all of them are in the Parquet beside it."""


def utc_now() -> datetime:
    """Return the current time in UTC; the one clock of records."""
    return datetime.now(UTC)


class RunKey(Record):
    """Names one run of one phase of one migration; the folder of its evidence."""

    migration: str
    phase: str
    run: str

    @property
    def folder(self) -> str:
        """The run's folder in the evidence store, no trailing slash."""
        return f"{self.migration}/{self.phase}/{self.run}"


class Severity(StrEnum):
    """How much a finding stands in the way."""

    BLOCKER = "blocker"
    WARNING = "warning"
    NOTE = "note"


class Finding(Record):
    """Something about one object or component that a person should know, from a named rule."""

    rule: str
    severity: Severity
    subject: str
    detail: str
    remedy: str = ""


class ShardSummary(Record):
    """One shard of a plan."""

    index: int
    objects: int
    size_bytes: int


class PlanRecord(Record):
    """What a transfer found and is going to do with one dataset; nothing has moved yet.

    Adds up: ``found = to_copy + unchanged + refused``. The target's objects that the source does not
    have, and those of the source that the filters leave out, are no part of it.

    :param planned_from: the moment from which ages in the filters were reckoned.
    :param filtered: objects of the source that the filters by size and age leave out.
    :param actions: what becomes of every object, by action: ``copy`` (nothing is there), ``replace``,
        ``compare`` (something of the same size is there: copied unless it proves equal), ``attributes``
        (equal bytes, written again: copied if its attributes differ), ``unchanged``, ``refused``,
        ``filtered``, ``extra`` (only on the target); nothing is counted twice.
    :param refused: objects that stay: the target cannot hold the key, or holds something else there.
    :param only_on_target: objects on the target that the source does not have.
    """

    schema_version: Literal["heavylift/plan/v1"] = "heavylift/plan/v1"
    run: RunKey
    dataset: str
    source_url: str
    target_url: str
    created_at: datetime = Field(default_factory=utc_now)
    dry_run: bool = False
    found: Tally
    to_copy: Tally
    unchanged: Tally
    refused: Tally
    only_on_target: Tally
    filtered: Tally = Tally()
    actions: dict[str, Tally] = Field(default_factory=dict)
    planned_from: datetime | None = None
    findings: tuple[Finding, ...] = ()
    finding_count: int = 0
    shards: tuple[ShardSummary, ...] = ()
    rows: EvidenceRef | None = None
    """Parquet: one row for each object to copy, with its shard."""
    source_rows: EvidenceRef | None = None
    """Parquet: every object that the source had, with its version."""
    target_rows: EvidenceRef | None = None
    """Parquet: every object that the target had; kept where nothing has to be done, for then the
    plan's own listings are what a verification compares."""
    pages: EvidenceRef | None = None
    """Beside ``target_rows``: which pages both listings came in, each with a digest of its rows."""
    same_as: EvidenceRef | None = None
    """A verification whose listings came again, page by page the same: it has compared these very rows,
    and ``source_rows`` and ``target_rows`` are those that it has kept."""
    refused_rows: EvidenceRef | None = None
    """Parquet: every refused object, with rule and reason."""
    attribute_rows: EvidenceRef | None = None
    """Parquet: objects of whose attributes the target cannot keep some, or the source tells none."""
    via: str = "heavylift"
    """Who moves the objects: Heavylift's own workers, or a transfer service by name."""
    estimate: EstimateRecord | None = None
    advice: AdviceRecord | None = None
    deletes: str = "keep"
    """The policy for objects that have gone from the source, as it holds in this run."""
    to_delete: Tally = Tally()
    """Objects of ``only_on_target`` that the policy lets go: all of them are Heavylift's own."""
    brake: str = ""
    """Why the deletion will be refused unless somebody allows it; empty where it will not."""
    gone_rows: EvidenceRef | None = None
    """Parquet: every object of ``to_delete``, with both versions."""
    seconds: float = 0.0


class Failure(Record):
    """One object that could not be moved or checked, with the error's parts."""

    key: str
    error: dict[str, Any]


class ProgressSample(Record):
    """Bytes and objects done so many seconds after the shard's start."""

    seconds: float
    objects: int
    size_bytes: int


class ShardResult(Record):
    """What one attempt at one shard did.

    Adds up: ``found = moved + unchanged + skipped + failed + vanished + left``.

    :param skipped: left by ``on_conflict: skip``, where only the bytes tell that the target differs.
    :param unchanged: already on the target and equal, mostly from an earlier attempt.
    :param vanished: gone from the source since the plan; ``left``: not tried, or not finished.
    :param manifests: Parquet files with one row for each object of this attempt.
    """

    schema_version: Literal["heavylift/shard/v1"] = "heavylift/shard/v1"
    run: RunKey
    dataset: str
    shard: int
    attempt: int
    started_at: datetime
    ended_at: datetime
    found: Tally
    moved: Tally
    unchanged: Tally
    failed: Tally
    vanished: Tally = Tally()
    left: Tally = Tally()
    skipped: Tally = Tally()
    failures: tuple[Failure, ...] = ()
    notes: tuple[Finding, ...] = ()
    """What of attributes the target does not keep as it was, and what was skipped."""
    manifests: tuple[EvidenceRef, ...] = ()
    samples: tuple[ProgressSample, ...] = ()
    rejected_reads: int = 0  # downloads that the source's own checksum denied, and were made again
    resent_bytes: int = 0
    """Bytes sent again after a failed attempt at the same object in this attempt."""
    renewed: int = 0  # of ``moved``, for attributes alone: the bytes were there
    throttled: int = 0  # answers of both stores that asked for less load
    stopped_by: Literal["", "window"] = ""
    """``window``: the time window closed; what is left is no failure."""
    overlapped: tuple[int, ...] = ()
    """Other attempts at this shard that were seen at work at the same time, as after a lost worker."""


class DeletesRecord(Record):
    """What one attempt did with the objects that have gone from the source.

    Adds up: ``planned = deleted + quarantined + already_gone + kept + failed``.

    :param already_gone: no longer on the target, mostly by an earlier attempt.
    :param kept: back on the source, or changed on the target since the plan.
    :param rows: Parquet files with one row for each object: both versions and what was done.
    """

    schema_version: Literal["heavylift/deletes/v1"] = "heavylift/deletes/v1"
    run: RunKey
    dataset: str
    policy: str
    started_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    planned: Tally
    deleted: Tally = Tally()
    quarantined: Tally = Tally()
    already_gone: Tally = Tally()
    kept: Tally = Tally()
    failed: Tally = Tally()
    allowed_beyond_brake: str = ""
    """The brake's objection, where somebody allowed the deletion all the same."""
    quarantine_url: str = ""
    findings: tuple[Finding, ...] = ()
    failures: tuple[Failure, ...] = ()
    rows: tuple[EvidenceRef, ...] = ()
    seconds: float = 0.0

    @property
    def outcomes(self) -> dict[str, Tally]:
        """What became of the planned objects, by outcome; the tallies add up to ``planned``."""
        return {
            "deleted": self.deleted,
            "quarantined": self.quarantined,
            "already_gone": self.already_gone,
            "kept": self.kept,
            "failed": self.failed,
        }


class Difference(Record):
    """One object that is not equal on both sides."""

    key: str
    kind: Literal["missing", "different", "extra", "unverifiable", "attributes"]
    source: str = ""
    target: str = ""


class VerificationRecord(Record):
    """The independent proof of one dataset: both sides listed and compared afresh.

    :param methods: how many objects were proved by which means, e.g. ``{"crc32c": 90, "read_back": 4}``.
    :param passed: every object of the source is on the target with equal content.
    """

    schema_version: Literal["heavylift/verification/v1"] = "heavylift/verification/v1"
    run: RunKey
    dataset: str
    source_url: str
    target_url: str
    verified_at: datetime = Field(default_factory=utc_now)
    source: Tally
    target: Tally
    equal: Tally
    missing: int = 0
    different: int = 0
    extra: int = 0
    unverifiable: int = 0
    attributes_differ: int = 0
    accepted: int = 0
    """Objects that the spec lets stay behind (``skip``); the plan's refused rows name each."""
    newer_on_source: int = 0
    """Objects that appeared or changed on the source after the plan; the next sync takes them."""
    attributes_compared: int = 0
    statement: str = ""
    """In words, what was proved; with its confidence and bound where a sample was checked."""
    methods: dict[str, int] = Field(default_factory=dict)
    root: str = ""
    """The root of the hash tree over the inventory: one digest for the whole state."""
    tree: EvidenceRef | None = None
    """Parquet: the nodes of that tree, for finding what changed between two verifications."""
    rolling_slice: int | None = None
    """The slice of the key space that was checked deeply, from 0; None where none was in turn."""
    rolling_of: int | None = None
    source_rows: EvidenceRef | None = None
    """Parquet: the listing that was compared, kept where nothing is left to do; ``target_rows`` likewise."""
    target_rows: EvidenceRef | None = None
    same_as: EvidenceRef | None = None
    """The verification that has compared the rows, where both listings have been the same since."""
    differences: tuple[Difference, ...] = ()
    rows: EvidenceRef | None = None
    seconds: float = 0.0
    passed: bool


class ExpectationOutcome(Record):
    """One expectation of a suite on one side."""

    side: Literal["source", "target"]
    expectation: str
    kwargs: dict[str, Any]
    passed: bool
    observed: str = ""


class ColumnComparison(Record):
    """One figure of one column's profile on both sides."""

    column: str
    figure: str
    source: str
    target: str
    equal: bool


class DatasetCheckRecord(Record):
    """Tabular checks of one dataset: expectations on both sides, row counts, column profiles."""

    schema_version: Literal["heavylift/dataset-check/v1"] = "heavylift/dataset-check/v1"
    run: RunKey
    dataset: str
    checked_at: datetime = Field(default_factory=utc_now)
    files: int
    source_rows: int
    target_rows: int
    sampled_rows: int | None = None
    expectations: tuple[ExpectationOutcome, ...] = ()
    columns: tuple[ColumnComparison, ...] = ()
    expectations_passed: bool
    profiles_equal: bool
    seconds: float = 0.0


class CheckOutcome(Record):
    """One check of a gate. ``evidence`` is what it was judged by."""

    name: str
    subject: str
    passed: bool
    detail: str
    evidence: tuple[EvidenceRef, ...] = ()


class GateResult(Record):
    """The result of one evaluation of one gate; open only if ``passed``. Some gates judge a plan."""

    schema_version: Literal["heavylift/gate/v1"] = "heavylift/gate/v1"
    run: RunKey
    gate: str
    evaluated_at: datetime = Field(default_factory=utc_now)
    checks: tuple[CheckOutcome, ...]
    passed: bool
    approval_required: bool = False
    plan_digest: str = ""


class Approval(Record):
    """A person's answer, bound to the exact gate result they saw, and to the plan that it judges, if any."""

    schema_version: Literal["heavylift/approval/v1"] = "heavylift/approval/v1"
    run: RunKey
    gate: str
    gate_result: EvidenceRef
    approved: bool
    approver_id: Annotated[str, Field(min_length=1)]
    approver_name: str
    responded_at: datetime
    comment: str = ""
    plan_digest: str = ""


class PhaseSummary(Record):
    """The last word on a run: passed only if the phase's own verification passed.

    Adds up: ``found = moved + unchanged + refused + failed + vanished + left``.

    :param datasets: all that it had to move; so ``databases``, ``streams``, ``registries``, ``models``.
    :param provides: parts that it had to make, in provision; ``plan_digest`` of the plan of assess.
    :param gates: all that the run had to pass; ``left``: planned, but no attempt has come to them.
    :param dry_run: it was started to look only, as a dry run or a rehearsal, and has looked at everything.
    """

    schema_version: Literal["heavylift/summary/v1"] = "heavylift/summary/v1"
    run: RunKey
    finished_at: datetime = Field(default_factory=utc_now)
    passed: bool
    dry_run: bool = False
    reasons: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    feature_stores: tuple[str, ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    provides: tuple[str, ...] = ()
    plan_digest: str = ""
    gates: tuple[str, ...] = ()
    found: Tally
    moved: Tally
    unchanged: Tally
    refused: Tally
    failed: Tally
    vanished: Tally = Tally()
    left: Tally = Tally()
    roots: dict[str, str] = Field(default_factory=dict)
    """Dataset → root of the hash tree over its inventory, which commits to every object."""
    audit_head: str = ""
    report: EvidenceRef | None = None
