"""The record of a two-way sync: what changed on either side, what was carried where, every conflict."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import EvidenceRef, Record, Tally
from heavylift.evidence.records import Failure, RunKey, utc_now


class ConflictCase(Record):
    """One object that changed on both sides since they were last equal.

    :param kind: ``both-changed``, ``both-created``, ``deleted-on-source`` (and changed on the target) or
        ``deleted-on-target``.
    :param resolution: what the policy says: ``to-target``, ``to-source``, ``delete-target``,
        ``delete-source``, ``keep-both``; ``stop`` where nothing is done.
    :param outcome: what became of it: ``done``, ``overtaken`` (somebody changed it meanwhile: the next run
        looks afresh), ``failed``, ``not-tried``.
    :param kept: where the version lies that had to give way; empty where none had to.
    """

    key: str
    kind: Literal["both-changed", "both-created", "deleted-on-source", "deleted-on-target"]
    resolution: str
    outcome: Literal["done", "overtaken", "failed", "not-tried"] = "not-tried"
    source_version: str = ""
    target_version: str = ""
    kept: str = ""


class TwoWayRecord(Record):
    """What one attempt at a two-way sync found and did.

    Adds up: ``planned`` is ``carried_to_target + carried_to_source + deleted_on_target +
    deleted_on_source + both_kept + overtaken + failed + left``.

    :param base_objects: objects of the last common state that both changes are told from.
    :param conflicts: the first hundred; ``planned_rows`` and ``done_rows`` have all.
    :param kept: versions that were put aside before something took their place, or that were deleted.
    """

    schema_version: Literal["heavylift/two-way/v1"] = "heavylift/two-way/v1"
    run: RunKey
    dataset: str
    source_url: str
    target_url: str
    policy: str
    dry_run: bool = False
    attempt: int = 1
    started_at: datetime
    ended_at: datetime = Field(default_factory=utc_now)
    base_objects: int = 0
    source: Tally
    target: Tally
    changes: dict[str, int] = Field(default_factory=dict)
    """``source-changed``, ``source-new``, ``source-gone`` and the same of the target."""
    planned: Tally = Tally()
    carried_to_target: Tally = Tally()
    carried_to_source: Tally = Tally()
    deleted_on_target: Tally = Tally()
    deleted_on_source: Tally = Tally()
    both_kept: Tally = Tally()
    overtaken: Tally = Tally()
    failed: Tally = Tally()
    left: Tally = Tally()
    conflict_count: int = 0
    conflicts: tuple[ConflictCase, ...] = ()
    kept: int = 0
    source_quarantine_url: str = ""
    target_quarantine_url: str = ""
    allowed_beyond_brake: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    planned_rows: EvidenceRef | None = None
    done_rows: EvidenceRef | None = None
    seconds: float = 0.0

    @property
    def settled(self) -> int:
        """How many objects were dealt with."""
        done = (
            self.carried_to_target,
            self.carried_to_source,
            self.deleted_on_target,
            self.deleted_on_source,
        )
        return sum(tally.objects for tally in (*done, self.both_kept))

    def details(self) -> dict[str, int | bool | str]:
        """Return the counts, as the audit trail and a task's result tell them."""
        return {
            "policy": self.policy,
            "planned": self.planned.objects,
            "to_target": self.carried_to_target.objects,
            "to_source": self.carried_to_source.objects,
            "deleted_on_target": self.deleted_on_target.objects,
            "deleted_on_source": self.deleted_on_source.objects,
            "both_kept": self.both_kept.objects,
            "conflicts": self.conflict_count,
            "overtaken": self.overtaken.objects,
            "failed": self.failed.objects,
            "left": self.left.objects,
            "put_aside": self.kept,
            "dry_run": self.dry_run,
        }
