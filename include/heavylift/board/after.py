"""What was done around and after the switch: rehearsal, tests, the end of the way back, savings, farewell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from heavylift.board.listing import Listing
from heavylift.board.reader import Reader
from heavylift.board.switched import newest_of
from heavylift.evidence.decommission_records import (
    DecommissionEvent,
    DecommissionPlan,
    DeletionCertificate,
    decommission_folder,
)
from heavylift.evidence.drill_records import DRILL_FOLDER, SHOWN, DrillRecord, history_of
from heavylift.evidence.optimize_evidence import OPTIMIZE_PHASE
from heavylift.evidence.optimize_records import OPTIMIZE_FOLDER, ProposalRecord, Recommendation
from heavylift.evidence.records import utc_now
from heavylift.evidence.switch_records import FinalRecord, RehearsalRecord
from heavylift.evidence.wording import counted
from heavylift.evidence.workload_records import KINDS, WORKLOAD_FOLDER, WorkloadTestRecord

CUTOVER, DECOMMISSION = "cutover", "decommission"


@dataclass(frozen=True)
class WorkloadLine:
    """The newest test of one kind of the moved workload."""

    kind: str
    verdict: str
    statement: str
    at: datetime
    path: str


@dataclass(frozen=True)
class MomentLine:
    """Something that happened once, in words."""

    words: str
    at: datetime
    path: str
    passed: bool = True


@dataclass(frozen=True)
class ProposalLine:
    """What the newest run of optimize recommends."""

    statement: str
    at: datetime
    recommendations: tuple[Recommendation, ...]
    path: str


@dataclass(frozen=True)
class LeavingLine:
    """How far the source has been given up, by the newest plan.

    :param state: ``planned``, or the last thing that was done.
    :param grace_ends: from when on it may be deleted; None while nothing is disabled.
    :param certificate: path of the newest certificate; ``certified`` tells whether it is complete.
    """

    plan: int
    state: str
    counted: str
    at: datetime
    grace_ends: datetime | None
    path: str
    certificate: str = ""
    certified: bool = False


@dataclass(frozen=True)
class DrillLine:
    """One fail-over drill."""

    outcome: str
    words: str
    at: datetime
    path: str


@dataclass(frozen=True)
class DrillsView:
    """Readiness over time: the last drills, the newest first, and what they say together."""

    words: str
    overdue: bool
    lines: tuple[DrillLine, ...]


@dataclass(frozen=True)
class AfterView:
    """All of it; what does not exist is None or empty."""

    rehearsal: MomentLine | None = None
    final: MomentLine | None = None
    drills: DrillsView | None = None
    tests: tuple[WorkloadLine, ...] = ()
    proposal: ProposalLine | None = None
    leaving: LeavingLine | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        told = (self.rehearsal, self.final, self.drills, self.tests, self.proposal, self.leaving)
        return not any(told)


async def read_after(reader: Reader, listing: Listing, phases: Collection[str] | None = None) -> AfterView:
    """Return what was done around and after the switch.

    :param phases: the phases that may be told of; all where None.
    """

    def told(phase: str) -> bool:
        return phases is None or phase in phases

    return AfterView(
        rehearsal=await _rehearsal(reader, listing),
        final=await _final(reader, listing),
        drills=await _drills(reader, listing) if told(CUTOVER) else None,
        tests=await _tests(reader, listing) if told(CUTOVER) else (),
        proposal=await _proposal(reader, listing),
        leaving=await _leaving(reader, listing) if told(DECOMMISSION) else None,
    )


def _cutovers(listing: Listing) -> list[str]:
    return [run.key.folder for run in listing.runs if run.key.phase == CUTOVER]


async def _rehearsal(reader: Reader, listing: Listing) -> MomentLine | None:
    found = await newest_of(
        reader, listing, _cutovers(listing), "rehearsal-", RehearsalRecord, "rehearsed_at"
    )
    if found is None:
        return None
    path, record = found
    budget = f"of at most {record.write_pause_budget_seconds:g} s"
    words = f"passed; writes would pause for {record.expected_pause_seconds:.2f} s {budget}"
    return MomentLine(
        words if record.passed else record.reason or "not passed", record.rehearsed_at, path, record.passed
    )


async def _final(reader: Reader, listing: Listing) -> MomentLine | None:
    found = await newest_of(reader, listing, _cutovers(listing), "final-", FinalRecord, "finalised_at")
    if found is None:
        return None
    path, record = found
    early = " before the soak was over" if record.early else ""
    return MomentLine(
        f"the way back was closed{early}: there is no rollback any more", record.finalised_at, path
    )


async def _drills(reader: Reader, listing: Listing) -> DrillsView | None:
    paths = listing.numbered(f"{listing.migration}/{DRILL_FOLDER}", "drill-")[-SHOWN:]
    found = await reader.records(paths, DrillRecord)
    if not found:
        return None
    now, history = utc_now(), history_of([record for _, record in found])
    lines = [
        DrillLine(
            record.outcome,
            "; ".join(record.reasons) if record.outcome == "put off" else _drill_words(record),
            record.drilled_at,
            path,
        )
        for path, record in reversed(found)
    ]
    return DrillsView(history.words(now), history.is_overdue(now), tuple(lines))


def _drill_words(record: DrillRecord) -> str:
    return "; ".join([record.figures, *record.reasons])


async def _tests(reader: Reader, listing: Listing) -> tuple[WorkloadLine, ...]:
    folder = f"{listing.migration}/{WORKLOAD_FOLDER}"
    paths = [path for kind in KINDS for path in listing.numbered(folder, f"{kind}-")[-1:]]
    return tuple(
        WorkloadLine(record.kind, record.verdict, record.statement, record.tested_at, path)
        for path, record in await reader.records(paths, WorkloadTestRecord)
    )


async def _proposal(reader: Reader, listing: Listing) -> ProposalLine | None:
    seen = listing.latest.get(OPTIMIZE_PHASE)
    paths = listing.numbered(seen.key.folder, f"{OPTIMIZE_FOLDER}/proposal-") if seen else []
    found = await reader.last(paths, ProposalRecord)
    if found is None:
        return None
    path, record = found
    return ProposalLine(record.statement, record.made_at, record.recommendations, path)


async def _leaving(reader: Reader, listing: Listing) -> LeavingLine | None:
    plans = [p for p in listing.below(decommission_folder(listing.migration)) if p.endswith("/plan.json")]
    found = await reader.last(plans, DecommissionPlan)
    if found is None:
        return None
    path, plan = found
    folder = path.removesuffix("/plan.json")
    events = [each for _, each in await reader.records(listing.numbered(folder, "event-"), DecommissionEvent)]
    disabled = next((each.at for each in events if each.kind == "disabled"), None)
    certificate = await reader.last(listing.numbered(folder, "certificate-"), DeletionCertificate)
    return LeavingLine(
        plan=plan.number,
        state=events[-1].kind if events else "planned",
        counted=_counted(plan),
        at=events[-1].at if events else plan.made_at,
        grace_ends=disabled + timedelta(seconds=plan.grace_seconds) if disabled else None,
        path=path,
        certificate=certificate[0] if certificate else "",
        certified=bool(certificate and certificate[1].complete),
    )


def _counted(plan: DecommissionPlan) -> str:
    objects = sum(each.versions for each in plan.datasets)
    tables = sum(len(each.tables) for each in plan.databases)
    return f"{counted(objects, 'object or version', 'objects and versions')} and {counted(tables, 'table')}"
