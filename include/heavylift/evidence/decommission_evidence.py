"""What has become of a migration's latest plan to give its source up, read by acts, gates and reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.evidence.decommission_records import (
    ConsentRecord,
    DecommissionEvent,
    DecommissionPlan,
    DeletionCertificate,
    EventKind,
    Stage,
    UnusedRecord,
    certificate_path,
    consent_path,
    event_path,
    plan_path,
    unused_path,
)
from heavylift.evidence.numbered import latest_number
from heavylift.evidence.records import RunKey
from heavylift.evidence.run_evidence import Kept, read_all, read_kept, read_latest
from heavylift.evidence.store import EvidenceStore


@dataclass(frozen=True)
class PlanLife:
    """The latest plan of a migration, and what has become of it."""

    plan: Kept[DecommissionPlan]
    events: tuple[Kept[DecommissionEvent], ...] = ()

    @property
    def state(self) -> str:
        """The kind of the last event; ``planned`` where there is none."""
        return self.events[-1].record.kind if self.events else "planned"

    @property
    def number(self) -> int:
        """The plan's number."""
        return self.plan.record.number

    def at(self, kind: EventKind) -> datetime | None:
        """Return when the last event of a kind was; None where there was none."""
        return next((each.record.at for each in reversed(self.events) if each.record.kind == kind), None)

    def first(self, kind: EventKind) -> datetime | None:
        """Return when the first event of a kind was; None where there was none."""
        return next((each.record.at for each in self.events if each.record.kind == kind), None)

    @property
    def grace_ends(self) -> datetime | None:
        """When the source may be deleted; None while it is not disabled."""
        since = self.first("disabled")
        return since + timedelta(seconds=self.plan.record.grace_seconds) if since else None

    @property
    def under_way(self) -> bool:
        """Whether something was begun that is neither taken back nor at its end."""
        return self.state not in ("planned", "restored", "deleted")


async def latest_life(store: EvidenceStore, migration: str) -> PlanLife | None:
    """Return the latest plan with its events, or None.

    :raises AuditError: a file of it is damaged.
    """
    number = await latest_number(store, lambda each: plan_path(migration, each))
    if not number:
        return None
    plan = await read_kept(store, plan_path(migration, number), DecommissionPlan)
    if plan is None:
        return None
    events = await read_all(store, lambda each: event_path(migration, number, each), DecommissionEvent)
    return PlanLife(plan, tuple(events))


async def consents(store: EvidenceStore, life: PlanLife, stage: Stage) -> list[Kept[ConsentRecord]]:
    """Return all agreements to one stage of a plan."""
    migration, plan = life.plan.record.migration, life.number
    return await read_all(store, lambda each: consent_path(migration, plan, stage, each), ConsentRecord)


async def latest_unused(store: EvidenceStore, run: RunKey) -> Kept[UnusedRecord] | None:
    """Return a run's last look whether the source is used, or None."""
    return await read_latest(store, lambda number: unused_path(run, number), UnusedRecord)


async def latest_certificate(store: EvidenceStore, life: PlanLife) -> Kept[DeletionCertificate] | None:
    """Return the certificate of a plan, or None."""
    migration, plan = life.plan.record.migration, life.number
    return await read_latest(
        store, lambda number: certificate_path(migration, plan, number), DeletionCertificate
    )


@dataclass(frozen=True)
class LeavingEvidence:
    """What a run of the phase decommission has left behind, and its plan.

    :param life: of the plan that this run has made, or went on with; None where it made none.
    """

    run: RunKey
    unused: Kept[UnusedRecord] | None = None
    life: PlanLife | None = None
    certificate: Kept[DeletionCertificate] | None = None


async def read_leaving(store: EvidenceStore, run: RunKey) -> LeavingEvidence:
    """Read what ``run`` has left behind; what does not exist is None.

    :raises AuditError: a record is damaged.
    """
    life = await latest_life(store, run.migration)
    mine = life is not None and (
        life.plan.record.run == run or any(each.record.run == run for each in life.events)
    )
    certificate = await latest_certificate(store, life) if life and mine else None
    return LeavingEvidence(run, await latest_unused(store, run), life if mine else None, certificate)
