"""The records of giving a source up: what will be deleted, who agreed, what was done, what is proved.

They lie beside the migration's runs, for a plan outlives the run that made it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.records import RunKey, utc_now

DECOMMISSION_FOLDER = "~decommission"
"""Beside a migration's runs."""

Stage = Literal["disable", "delete"]
"""What a person agrees to: making the source unusable, and deleting it."""

EventKind = Literal["disabling", "disabled", "restoring", "restored", "deleting", "deleted"]


class UnusedItem(Record):
    """One thing that must be so before a source is given up.

    :param verdict: ``unknown`` where nothing here can tell; a person decides on it.
    """

    item: str
    subject: str = ""
    verdict: Literal["passed", "failed", "unknown"]
    detail: str
    seen_at: datetime = Field(default_factory=utc_now)
    evidence: tuple[EvidenceRef, ...] = ()


class UnusedRecord(Record):
    """Whether anybody still uses the source, looked at afresh.

    :param plan_sha256: of the plan whose time of grace is looked at; empty before there is one.
    """

    schema_version: Literal["heavylift/source-unused/v1"] = "heavylift/source-unused/v1"
    run: RunKey
    seen_at: datetime = Field(default_factory=utc_now)
    owner: str
    plan_sha256: str = ""
    items: tuple[UnusedItem, ...]

    @property
    def open_items(self) -> tuple[UnusedItem, ...]:
        """What is not so."""
        return tuple(each for each in self.items if each.verdict == "failed")


class LeftOut(Record):
    """Something on the source that is not deleted, and why.

    :param what: counts and bytes in words, or a name.
    """

    component: str
    what: str
    reason: str
    until: str = ""
    objects: int = 0
    size_bytes: int = 0


class PlannedObjects(Record):
    """The objects of one dataset that will be deleted.

    :param versions: rows of the list: versions of objects and delete markers in a versioned bucket, else
        the objects themselves.
    :param rows: JSON lines, gzip: ``[key, version, version id, size, deletes a marker]``.
    :param rows_sha256: of the lines as they are unpacked.
    :param settings: what the store tells of the container.
    :param kept_seconds: for how long the store keeps what is deleted; None where it does not tell.
    """

    dataset: str
    url: str
    connection: str = ""
    objects: int
    versions: int
    markers: int = 0
    size_bytes: int
    by_version: bool = False
    rows: EvidenceRef
    rows_sha256: str
    proof: str
    settings: tuple[str, ...] = ()
    kept_seconds: int | None = None
    kept_detail: str = ""


class PlannedTable(Record):
    """One table that will be dropped.

    :param digest: over all rows, whatever their order; see docs/reference/decommission.md.
    :param scans: how often the table has been read since the server's counters began; ``changes`` how many
        rows were ever written.
    """

    schema_name: str
    name: str
    oid: int
    rows: int
    digest: str
    size_bytes: int
    scans: int = 0
    changes: int = 0

    @property
    def full_name(self) -> str:
        """The table in its schema."""
        return f"{self.schema_name}.{self.name}"


class PlannedDatabase(Record):
    """The tables of one database that will be dropped.

    :param system: the server's own identifier, so that another server is never taken for it.
    """

    database: str
    connection: str
    where: str
    system: str
    tables: tuple[PlannedTable, ...]


class PlannedTopic(Record):
    """One topic that will be deleted.

    :param id: the brokers' own, so that a topic that was made anew is never taken for it.
    :param ends: the end of each partition; ``offsets`` how many offsets there are, which may hold no record.
    """

    name: str
    id: str
    ends: tuple[int, ...]
    offsets: int


class PlannedStream(Record):
    """The topics of one stream that will be deleted.

    :param proof: of the comparison that shows them on the target, to their last record.
    """

    stream: str
    connection: str
    where: str
    topics: tuple[PlannedTopic, ...]
    proof: str


class DecommissionPlan(Record):
    """Exactly what will be made unusable, and later deleted; nothing else ever is.

    A person approves the SHA-256 of this file.

    :param by_people: components of the migration that nothing here deletes.
    :param not_proved: what no deletion here can promise.
    """

    schema_version: Literal["heavylift/decommission-plan/v1"] = "heavylift/decommission-plan/v1"
    migration: str
    number: int = Field(ge=1)
    run: RunKey
    made_at: datetime = Field(default_factory=utc_now)
    owner: str
    grace_seconds: float
    unused: EvidenceRef
    datasets: tuple[PlannedObjects, ...] = ()
    databases: tuple[PlannedDatabase, ...] = ()
    streams: tuple[PlannedStream, ...] = ()
    retained: tuple[LeftOut, ...] = ()
    by_people: tuple[LeftOut, ...] = ()
    not_proved: tuple[str, ...] = ()


class ConsentRecord(Record):
    """A person's agreement to one stage of one plan, by its digest.

    :param via: the answer to a gate, where it was given there.
    """

    schema_version: Literal["heavylift/decommission-consent/v1"] = "heavylift/decommission-consent/v1"
    migration: str
    plan: int
    plan_sha256: str
    stage: Stage
    approver: str
    approver_name: str = ""
    approved_at: datetime = Field(default_factory=utc_now)
    comment: str = ""
    via: EvidenceRef | None = None


class DecommissionEvent(Record):
    """One step of a plan's life; they are numbered without a gap, so of two that collide one wins.

    :param detail: what was done, thing by thing.
    :param changes: of each table that was set aside, as ``database/oid``: rows ever written, by the server's
        counters; ``scans`` how often it was read.
    """

    schema_version: Literal["heavylift/decommission-event/v1"] = "heavylift/decommission-event/v1"
    plan: int
    plan_sha256: str
    number: int = Field(ge=1)
    kind: EventKind
    actor: str
    run: RunKey
    at: datetime = Field(default_factory=utc_now)
    detail: tuple[str, ...] = ()
    changes: dict[str, int] = Field(default_factory=dict)
    scans: dict[str, int] = Field(default_factory=dict)


class BatchRecord(Record):
    """One batch of a dataset's deletion, written before and after it.

    :param first: the first row of the plan's list that it is about, from 0; ``count`` how many.
    :param deleted: rows that were there and are not any more; ``absent`` were gone already.
    """

    schema_version: Literal["heavylift/decommission-batch/v1"] = "heavylift/decommission-batch/v1"
    dataset: str
    first: int
    count: int
    state: Literal["begun", "done"]
    deleted: int = 0
    absent: int = 0
    size_bytes: int = 0
    at: datetime = Field(default_factory=utc_now)


class DroppedDatabase(Record):
    """The tables of a database after their deletion.

    :param dropped: tables that this attempt dropped; ``absent`` were gone when it came.
    """

    schema_version: Literal["heavylift/decommission-dropped/v1"] = "heavylift/decommission-dropped/v1"
    database: str
    dropped: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    at: datetime = Field(default_factory=utc_now)


class CertifiedPart(Record):
    """What a certificate says of one dataset or database.

    :param counted: objects and versions, or tables and rows, in words.
    :param digest_before: of the list of objects, or over all tables' digests.
    :param absence: how it was seen that nothing of it is left, and when.
    :param recoverable_until: until when the provider may bring it back; empty where that is not told.
    """

    component: str
    where: str
    counted: str
    items: int
    absent_before: int = 0
    size_bytes: int
    method: str
    digest_before: str
    absence: str
    proved: bool
    left: str = ""
    recoverable_until: str = ""


class DeletionCertificate(Record):
    """What was deleted, where, when, how, by whose agreement, and how its absence was seen.

    :param complete: every row of the plan is proved to be gone.
    """

    schema_version: Literal["heavylift/deletion-certificate/v1"] = "heavylift/deletion-certificate/v1"
    migration: str
    plan: int
    plan_sha256: str
    run: RunKey
    issued_at: datetime = Field(default_factory=utc_now)
    issued_by: str
    owner: str
    disabled_at: datetime
    deletion_began_at: datetime
    deletion_ended_at: datetime
    consents: tuple[ConsentRecord, ...]
    parts: tuple[CertifiedPart, ...]
    retained: tuple[LeftOut, ...] = ()
    by_people: tuple[LeftOut, ...] = ()
    not_proved: tuple[str, ...] = ()
    sanitisation: str
    evidence: tuple[EvidenceRef, ...] = ()
    complete: bool


def decommission_folder(migration: str) -> str:
    """Return the folder of all plans of a migration."""
    return f"{migration}/{DECOMMISSION_FOLDER}"


def plan_folder(migration: str, plan: int) -> str:
    """Return the folder of a migration's ``plan``-th plan, from 1."""
    return f"{decommission_folder(migration)}/plan-{plan:06d}"


def plan_path(migration: str, plan: int) -> str:
    """Return where the plan itself lies."""
    return f"{plan_folder(migration, plan)}/plan.json"


def consent_path(migration: str, plan: int, stage: Stage, number: int) -> str:
    """Return the path of the ``number``-th agreement to a stage, from 1."""
    return f"{plan_folder(migration, plan)}/consent-{stage}-{number}.json"


def event_path(migration: str, plan: int, number: int) -> str:
    """Return the path of a plan's ``number``-th event, from 1."""
    return f"{plan_folder(migration, plan)}/event-{number:06d}.json"


def batch_path(migration: str, plan: int, dataset: str, number: int, state: str) -> str:
    """Return the path of one batch's record."""
    return f"{plan_folder(migration, plan)}/deleted/{dataset}/{number:08d}-{state}.json"


def dropped_path(migration: str, plan: int, database: str) -> str:
    """Return the path of the record of a database's dropped tables."""
    return f"{plan_folder(migration, plan)}/dropped-{database}.json"


def certificate_path(migration: str, plan: int, number: int) -> str:
    """Return the path of a plan's ``number``-th certificate, from 1."""
    return f"{plan_folder(migration, plan)}/certificate-{number}.json"


def unused_path(run: RunKey, number: int) -> str:
    """Return the path of a run's ``number``-th look whether the source is used, from 1."""
    return f"{run.folder}/{DECOMMISSION_FOLDER}/unused-{number}.json"
