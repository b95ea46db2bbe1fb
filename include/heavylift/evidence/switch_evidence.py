"""What runs of the phases cutover and rollback have left behind, read by gates, summaries and people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.evidence.canary_records import CanaryRecord, canary_path
from heavylift.evidence.numbered import PathOf
from heavylift.evidence.paths import original_text
from heavylift.evidence.run_evidence import Kept, read_all, read_latest
from heavylift.evidence.runs import list_runs
from heavylift.evidence.switch_records import (
    FinalRecord,
    ReadinessRecord,
    RehearsalRecord,
    ScheduleRecord,
    ShiftRecord,
    SideName,
    SwitchRecord,
    schedule_path,
    schedules_folder,
    switch_path,
)

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore


CUTOVER_PHASE, ROLLBACK_PHASE = "cutover", "rollback"


@dataclass(frozen=True)
class SwitchEvidence:
    """The records of one run; the last of each kind counts.

    :param canaries: the last of each step, in the order of their decisions.
    :param schedules: the last act on each schedule, where it was this run's.
    """

    run: RunKey
    readiness: Kept[ReadinessRecord] | None = None
    shifts: tuple[Kept[ShiftRecord], ...] = ()
    switches: tuple[Kept[SwitchRecord], ...] = ()
    canaries: tuple[Kept[CanaryRecord], ...] = ()
    rehearsal: Kept[RehearsalRecord] | None = None
    back: Kept[RehearsalRecord] | None = None
    schedules: tuple[Kept[ScheduleRecord], ...] = ()

    @property
    def refs(self) -> tuple[EvidenceRef, ...]:
        """The files that all this was read from."""
        looked = [kept.ref for kept in (self.readiness, self.rehearsal, self.back) if kept]
        judged = [kept.ref for kept in self.canaries]
        shifted = [kept.ref for kept in self.shifts]
        held = [kept.ref for kept in self.schedules]
        return (*looked, *judged, *shifted, *(kept.ref for kept in self.switches), *held)

    @property
    def switch(self) -> Kept[SwitchRecord] | None:
        """The last attempt at switching writes."""
        return self.switches[-1] if self.switches else None

    @property
    def moved(self) -> Kept[SwitchRecord] | None:
        """The last attempt that has moved writes: what came after it found nothing left to do."""
        return next((kept for kept in reversed(self.switches) if kept.record.outcome == "switched"), None)

    @property
    def shift(self) -> Kept[ShiftRecord] | None:
        """The last shift of requests."""
        return self.shifts[-1] if self.shifts else None


async def read_switch(store: EvidenceStore, run: RunKey) -> SwitchEvidence:
    """Read what ``run`` has left behind; what does not exist is None or empty.

    :raises AuditError: a record is damaged.
    """
    readiness = await read_latest(
        store, lambda number: switch_path(run, "readiness", number), ReadinessRecord
    )
    shifts = await read_all(store, lambda number: switch_path(run, "shift", number), ShiftRecord)
    switches = await read_all(store, lambda number: switch_path(run, "switch", number), SwitchRecord)
    canaries = await _canaries(store, run)
    rehearsal = await read_latest(store, _path_of(run, "rehearsal"), RehearsalRecord)
    back = await read_latest(store, _path_of(run, "rehearsal-back"), RehearsalRecord)
    schedules = await _schedules(store, run)
    return SwitchEvidence(
        run, readiness, tuple(shifts), tuple(switches), canaries, rehearsal, back, schedules
    )


async def _schedules(store: EvidenceStore, run: RunKey) -> tuple[Kept[ScheduleRecord], ...]:
    folder = schedules_folder(run.migration)
    paths = [file.path async for file in store.files(folder)]
    names = sorted({original_text(path.split("/")[-2]) or path.split("/")[-2] for path in paths})
    found = [await read_latest(store, _acts(run.migration, name), ScheduleRecord) for name in names]
    return tuple(kept for kept in found if kept and kept.record.run == run)


def _acts(migration: str, schedule: str) -> PathOf:
    return lambda number: schedule_path(migration, schedule, number)


async def _canaries(store: EvidenceStore, run: RunKey) -> tuple[Kept[CanaryRecord], ...]:
    folder = canary_path(run, "step", 1).rpartition("/step/")[0]
    paths = [file.path async for file in store.files(folder)]
    steps = sorted({original_text(path.split("/")[-2]) or path.split("/")[-2] for path in paths})
    found = [await read_latest(store, _canary(run, step), CanaryRecord) for step in steps]
    return tuple(sorted((kept for kept in found if kept), key=lambda kept: kept.record.decided_at))


def _canary(run: RunKey, step: str) -> PathOf:
    return lambda number: canary_path(run, step, number)


async def latest_rehearsal(store: EvidenceStore, migration: str) -> Kept[RehearsalRecord] | None:
    """Return the newest rehearsal of a migration, passed or not, or None.

    :raises AuditError: a record is damaged.
    """
    newest: Kept[RehearsalRecord] | None = None
    for seen in await list_runs(store, migration, CUTOVER_PHASE):
        path_of = _path_of(seen.key, "rehearsal")
        kept = await read_latest(store, path_of, RehearsalRecord)
        if kept and (newest is None or kept.record.rehearsed_at > newest.record.rehearsed_at):
            newest = kept
    return newest


async def latest_switch(
    store: EvidenceStore, migration: str, *, arrived: bool = False, goal: SideName | None = None
) -> Kept[SwitchRecord] | None:
    """Return the newest switch of a migration in either direction, whatever came of it, or None.

    :param arrived: only of those that came to their goal: after one that went back it is the one before.
    :param goal: only of those that were to come to this side.
    :raises AuditError: a record is damaged.
    """
    newest: Kept[SwitchRecord] | None = None
    for phase in (CUTOVER_PHASE, ROLLBACK_PHASE):
        for seen in await list_runs(store, migration, phase):
            kept = await read_latest(store, _path_of(seen.key, "switch"), SwitchRecord)
            if kept and goal is not None and kept.record.goal != goal:
                continue
            if arrived and kept and kept.record.outcome not in ("switched", "already"):
                continue
            if kept and (newest is None or kept.record.ended_at > newest.record.ended_at):
                newest = kept
    return newest


async def latest_final(store: EvidenceStore, migration: str) -> Kept[FinalRecord] | None:
    """Return the record of the way back's closing, or None where it is open.

    :raises AuditError: a record is damaged.
    """
    newest: Kept[FinalRecord] | None = None
    for seen in await list_runs(store, migration, CUTOVER_PHASE):
        kept = await read_latest(store, _path_of(seen.key, "final"), FinalRecord)
        if kept and (newest is None or kept.record.finalised_at > newest.record.finalised_at):
            newest = kept
    return newest


def _path_of(run: RunKey, kind: str) -> PathOf:
    return lambda number: switch_path(run, kind, number)
