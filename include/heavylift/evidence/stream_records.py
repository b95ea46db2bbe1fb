"""The records that prove a stream's mirror: plan, mirror, verification, consumer groups.

They hold offsets, counts and digests, never a key or value. All times are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.records import Finding, RunKey, utc_now

MAX_DIFFERENCES = 100
"""How many offsets that differ a record names; the counts have all."""


class PartitionLag(Record):
    """One partition on both sides.

    :param source_end: the offset after the source's last record; ``settled`` tells whether it was reached.
    :param mirrored_to: the first source offset that is not mirrored.
    :param lag_records: offsets from there to the end; compaction may have left fewer records.
    :param lag_seconds: age of the oldest record that is not mirrored; None where there is none.
    """

    topic: str
    partition: int
    source_first: int
    source_end: int
    mirrored_to: int
    target_end: int
    lag_records: int
    lag_seconds: float | None = None
    settled: bool = True


class StreamTopic(Record):
    """A topic of a plan.

    :param action: ``create`` it on the target, go on with (``continue``) or ``begin`` one that is there.
    :param configs: settings that the new topic gets.
    """

    topic: str
    partitions: int
    action: Literal["create", "begin", "continue"]
    configs: dict[str, str] = Field(default_factory=dict)


class StreamPlanRecord(Record):
    """What both sides have, and what a mirror would do; nothing has been written.

    :param refusals: what stands in the way, as errors with their parts; a run raises the first.
    """

    schema_version: Literal["heavylift/stream-plan/v1"] = "heavylift/stream-plan/v1"
    run: RunKey
    stream: str
    source: str
    target: str
    created_at: datetime = Field(default_factory=utc_now)
    dry_run: bool = False
    topics: tuple[StreamTopic, ...] = ()
    partitions: tuple[PartitionLag, ...] = ()
    to_mirror: int = 0
    findings: tuple[Finding, ...] = ()
    refusals: tuple[dict[str, Any], ...] = ()


class PartitionMoved(Record):
    """What one run did with one partition. Offsets are half-open ranges.

    :param found_there: records that the target held beyond the map, as after a lost worker; not sent again.
    :param expired: offsets that the source let go before they were mirrored.
    """

    topic: str
    partition: int
    source_from: int
    source_to: int
    wanted_to: int
    target_from: int
    target_to: int
    sent: int
    found_there: int = 0
    expired: int = 0


class StreamSample(Record):
    """Records mirrored so many seconds after the start."""

    seconds: float
    records: int
    size_bytes: int


class StreamMirrorRecord(Record):
    """What one attempt at a mirror did.

    Adds up in each partition: what lies from ``source_from`` to ``source_to`` was sent, found there, or is
    no record.

    :param complete: every partition was mirrored to the end that the source had at the start.
    :param caught_up: complete, and the lag afterwards is below the spec's ``max_lag``.
    :param stopped_by: ``request``: somebody asked for an end; what is left is no failure.
    :param exactly_once: ``transactions``, or ``tail`` where a crash is mended by comparing the target's tail.
    :param since_look_seconds: from the moment at which the source's ends were known to the end of it.
    """

    schema_version: Literal["heavylift/stream-mirror/v1"] = "heavylift/stream-mirror/v1"
    run: RunKey
    stream: str
    source: str
    target: str
    offset_map: str
    epoch: int
    exactly_once: Literal["transactions", "tail"]
    started_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    partitions: tuple[PartitionMoved, ...]
    sent: int
    found_there: int
    size_bytes: int
    records_per_second: float
    lag: tuple[PartitionLag, ...] = ()
    lag_records: int = 0
    lag_seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    samples: tuple[StreamSample, ...] = ()
    stopped_by: Literal["", "request"] = ""
    complete: bool
    caught_up: bool
    seconds: float
    since_look_seconds: float = 0.0


class RecordDifference(Record):
    """One record that is not equal on both sides."""

    topic: str
    partition: int
    kind: Literal["missing", "different", "extra"]
    source_offset: int | None = None
    target_offset: int | None = None


class PartitionProof(Record):
    """One partition, read from both sides by fresh consumers.

    :param source_digest: SHA-256 over the fingerprints of the source's records in order; the target's is over
        those of what lies at the mapped offsets.
    :param gone_from_source: target records whose source record has been compacted away or has expired.
    :param compacted_away: source records that the target has compacted: a later one with their key is there.
    :param newer: offsets of the source beyond what is mirrored.
    """

    topic: str
    partition: int
    source_from: int
    source_to: int
    target_from: int
    target_to: int
    source_records: int
    target_records: int
    equal: int
    missing: int = 0
    different: int = 0
    extra: int = 0
    gone_from_source: int = 0
    compacted_away: int = 0
    newer: int = 0
    source_digest: str
    target_digest: str


class StreamVerificationRecord(Record):
    """The independent proof of one stream: both sides read afresh and compared."""

    schema_version: Literal["heavylift/stream-verification/v1"] = "heavylift/stream-verification/v1"
    run: RunKey
    stream: str
    source: str
    target: str
    verified_at: datetime = Field(default_factory=utc_now)
    partitions: tuple[PartitionProof, ...]
    topics: int
    source_records: int
    target_records: int
    equal: int
    missing: int
    different: int
    extra: int
    newer: int
    drained_demanded: bool = False
    differences: tuple[RecordDifference, ...] = ()
    findings: tuple[Finding, ...] = ()
    statement: str
    passed: bool
    seconds: float = 0.0


class GroupPartition(Record):
    """One consumer group's position in one partition.

    :param behind: records before the source position that the target does not have yet: they are read again.
    :param action: ``write``: would be written; ``written``; ``unchanged``: is there already; ``active``: the
        group reads on the target; ``foreign``: the group has a position there that Heavylift did not write.
    """

    group: str
    topic: str
    partition: int
    source_position: int
    target_position: int
    exact: bool
    behind: int = 0
    action: Literal["write", "written", "unchanged", "active", "foreign", "failed"]


class StreamGroupsRecord(Record):
    """Positions of consumer groups, translated to the target's offsets.

    :param complete: every position is on the target, and exact.
    """

    schema_version: Literal["heavylift/stream-groups/v1"] = "heavylift/stream-groups/v1"
    run: RunKey
    stream: str
    made_at: datetime = Field(default_factory=utc_now)
    written: bool
    groups: int
    positions: tuple[GroupPartition, ...] = ()
    findings: tuple[Finding, ...] = ()
    complete: bool


class StreamStatus(Record):
    """Where a stream stands now.

    :param runner: who holds the lease; empty where nobody does.
    """

    stream: str
    offset_map: str
    epoch: int = 0
    runner: str = ""
    partitions: tuple[PartitionLag, ...] = ()
    lag_records: int = 0
    lag_seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
