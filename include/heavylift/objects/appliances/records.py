"""The records of the offline path: shipment plan, load, device check, custody, reconciliation."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from heavylift.evidence.records import EvidenceRef, Failure, Finding, Record, RunKey, Tally, utc_now


class Custody(StrEnum):
    """Where a device is in its life."""

    PLANNED = "planned"
    ORDERED = "ordered"
    DELIVERED = "delivered"
    LOADED = "loaded"
    SHIPPED = "shipped"
    INGESTED = "ingested"
    RECONCILED = "reconciled"
    LOST = "lost"


PATH = (
    Custody.PLANNED,
    Custody.ORDERED,
    Custody.DELIVERED,
    Custody.LOADED,
    Custody.SHIPPED,
    Custody.INGESTED,
    Custody.RECONCILED,
)
"""The states in the order in which a device passes through them; ``lost`` may end it before the last."""

SETTLED = frozenset({Custody.RECONCILED, Custody.LOST})
"""States after which nothing more happens to a device."""


class PlannedDevice(Record):
    """One device of a plan.

    :param occupied_bytes: what the files take with their blocks.
    :param escaped: objects whose key the device cannot hold; they lie under an escaped name.
    :param rows: Parquet of its objects: ``rel``, ``stored_path``, ``size_bytes``, ``source_version``.
    :param replaces: the lost device whose objects these are.
    """

    id: str
    planned: Tally
    occupied_bytes: int
    escaped: int = 0
    first_key: str
    last_key: str
    rows: EvidenceRef
    replaces: str = ""


class ShipmentPlan(Record):
    """Which objects of a dataset go on which device, and which go online.

    Adds up: ``found = shipped + online``.

    :param number: of this plan in its run; a lost device makes a new one.
    :param lower_bound: no packing does with fewer devices; ``upper_bound``: this one never
        takes more. Both as if every object were to go, whatever ``count`` allows.
    :param online_reasons: number of the objects that go online, by rule.
    :param online_rows: Parquet of what goes online: ``rel``, ``rule``.
    """

    schema_version: Literal["heavylift/shipment/v1"] = "heavylift/shipment/v1"
    run: RunKey
    dataset: str
    number: int
    source_url: str
    target_url: str
    created_at: datetime = Field(default_factory=utc_now)
    device_model: str
    device_source: str
    device_verified: str
    device_capacity_bytes: int
    device_max_files: int | None = None
    fill: float
    folder: str
    arrangement: str
    lower_bound: int
    upper_bound: int
    found: Tally
    shipped: Tally
    online: Tally
    online_reasons: dict[str, int] = Field(default_factory=dict)
    online_rows: EvidenceRef | None = None
    devices: tuple[PlannedDevice, ...] = ()
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0

    def device(self, name: str) -> PlannedDevice | None:
        """Return the device called ``name``, or None."""
        return next((device for device in self.devices if device.id == name), None)


class CustodyEntry(Record):
    """One step of a device from hand to hand.

    :param actor: a user's id, ``airflow:<dag>.<task>`` or ``cli:<user>``.
    :param serial: the device's serial or asset number; ``job``: the provider's order or job.
    :param tracking: of the shipment; ``seal``: number of the seal.
    :param mounted_at: below which name it is mounted.
    :param reason: why it went back or was lost.
    :param evidence: what proves the step.
    :param audit_seq: the entry of the audit trail that has this step, with its hash.
    """

    schema_version: Literal["heavylift/custody/v1"] = "heavylift/custody/v1"
    run: RunKey
    dataset: str
    device: str
    number: int
    state: Custody
    before: Custody
    at: datetime = Field(default_factory=utc_now)
    actor: str
    actor_name: str = ""
    serial: str = ""
    job: str = ""
    tracking: str = ""
    carrier: str = ""
    seal: str = ""
    mounted_at: str = ""
    reason: str = ""
    evidence: tuple[EvidenceRef, ...] = ()
    audit_seq: int
    audit_hash: str


class LoadRecord(Record):
    """What one attempt at loading a device did, and what is on the device after it.

    Adds up: ``found = loaded + unchanged + failed + vanished + left``.

    :param load_id: of this filling of the device; a wiped or other device gets another.
    :param on_device: number and bytes of what the manifest names.
    :param manifest: Parquet of what is on the device; also on the device itself.
    :param root_digest: SHA-256 over the manifest's rows in key order; see ``load_manifest``.
    """

    schema_version: Literal["heavylift/load/v1"] = "heavylift/load/v1"
    run: RunKey
    dataset: str
    device: str
    load_id: str
    attempt: int
    started_at: datetime
    ended_at: datetime
    found: Tally
    loaded: Tally
    unchanged: Tally
    failed: Tally
    vanished: Tally
    left: Tally
    failures: tuple[Failure, ...] = ()
    rejected_reads: int = 0
    resent_bytes: int = 0
    on_device: Tally = Tally()
    manifest: EvidenceRef | None = None
    root_digest: str = ""

    @property
    def complete(self) -> bool:
        """Tell whether nothing was left undone."""
        return not self.failed.objects and not self.left.objects and self.manifest is not None


class BadObject(Record):
    """One object that is not as it must be."""

    key: str
    stored_path: str
    kind: str
    got: str = ""
    expected: str = ""


class DeviceCheck(Record):
    """A device read again, byte by byte, and compared with its load manifest.

    :param extra: files on the device that no manifest names: the ingest would take them in.
    :param rows: Parquet of all bad objects.
    """

    schema_version: Literal["heavylift/device-check/v1"] = "heavylift/device-check/v1"
    run: RunKey
    dataset: str
    device: str
    load_id: str
    root_digest: str
    checked_at: datetime = Field(default_factory=utc_now)
    checked: Tally
    equal: Tally
    missing: int = 0
    different: int = 0
    unreadable: int = 0
    extra: int = 0
    bad: tuple[BadObject, ...] = ()
    rows: EvidenceRef | None = None
    seconds: float = 0.0
    passed: bool


class IngestRecord(Record):
    """What one attempt at copying a device's content into the target did.

    Adds up: ``found = copied + unchanged + failed``.
    """

    schema_version: Literal["heavylift/ingest/v1"] = "heavylift/ingest/v1"
    run: RunKey
    dataset: str
    device: str
    attempt: int
    started_at: datetime
    ended_at: datetime
    found: Tally
    copied: Tally
    unchanged: Tally
    failed: Tally
    failures: tuple[Failure, ...] = ()


class Reconciliation(Record):
    """What a device was to bring, compared with what is on the target.

    Adds up: ``expected = equal + missing + different + unreadable`` (numbers of objects).

    :param renamed: objects that were moved from their escaped name to their key.
    :param restored: objects that were written again with the attributes that the ingest lost.
    :param attributes_differ: objects whose attributes are still not the source's.
    :param extra: objects on the target below the dataset's place that no device brought.
    :param methods: how many were decided by which checksum, read back where it says so.
    :param known: Parquet of the equal objects with both versions: Heavylift's own from now on.
    """

    schema_version: Literal["heavylift/reconciliation/v1"] = "heavylift/reconciliation/v1"
    run: RunKey
    dataset: str
    device: str
    load_id: str
    root_digest: str
    reconciled_at: datetime = Field(default_factory=utc_now)
    target_url: str
    expected: Tally
    equal: Tally
    missing: int = 0
    different: int = 0
    unreadable: int = 0
    renamed: int = 0
    restored: int = 0
    attributes_differ: int = 0
    extra: int = 0
    methods: dict[str, int] = Field(default_factory=dict)
    bad: tuple[BadObject, ...] = ()
    rows: EvidenceRef | None = None
    known: EvidenceRef | None = None
    seconds: float = 0.0
    passed: bool


Details = dict[str, Any]
