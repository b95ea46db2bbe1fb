"""One line of the board: where a migration stands, from its spec and a handful of small records."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from heavylift.board.listing import Listing
from heavylift.board.reader import Reader, Trouble
from heavylift.evidence.paths import original_text, safe_segment
from heavylift.evidence.records import Approval, EvidenceRef, GateResult, PhaseSummary
from heavylift.evidence.runs import SeenRun
from heavylift.evidence.store import EvidenceStore
from heavylift.evidence.wording import enumeration
from heavylift.spec import MigrationSpec, Phase


class State(StrEnum):
    """How the latest run of a phase, or a gate, stands; decides colour and symbol."""

    NONE = "none"
    OPEN = "open"
    WAITING = "waiting"
    PASSED = "passed"
    DRY = "dry"
    FAILED = "failed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class GateLine:
    """A gate in the latest run of its phase.

    :param path: of its last result; ``checks`` are that result's: name, subject, passed, detail.
    """

    gate: str
    phase: str
    run_id: str
    state: State
    words: str
    path: str
    checks: tuple[tuple[str, str, bool, str], ...] = ()


@dataclass(frozen=True)
class PhaseLine:
    """A phase of a migration by its latest run.

    :param dag_id: of the phase's DAG; ``run_id`` is empty where its name was too long to be kept.
    :param path: of the summary; ``report`` of the newest report; both empty where there is none.
    """

    phase: str
    dag_id: str
    state: State
    words: str = ""
    run_id: str = ""
    last_at: datetime | None = None
    path: str = ""
    report: str = ""
    gates: tuple[GateLine, ...] = ()


@dataclass(frozen=True)
class MigrationLine:
    """A migration in the list.

    :param wrong: what is wrong, in a line; empty where nothing is.
    :param fingerprint: of the listing that it was read from; empty before the first reading.
    """

    name: str
    owner: str
    description: str
    source: str
    target: str
    phases: tuple[PhaseLine, ...]
    wrong: str = ""
    last_at: datetime | None = None
    fingerprint: str = ""
    troubles: tuple[Trouble, ...] = ()

    @cached_property
    def waiting(self) -> tuple[GateLine, ...]:
        """The gates that wait for a person."""
        return tuple(gate for phase in self.phases for gate in phase.gates if gate.state is State.WAITING)

    @cached_property
    def standing(self) -> State:
        """How the whole stands: the worst that is said of any phase."""
        states = {phase.state for phase in self.phases} | ({State.UNREADABLE} if self.troubles else set())
        order = (State.UNREADABLE, State.FAILED, State.WAITING, State.OPEN, State.PASSED, State.DRY)
        return next((state for state in order if state in states), State.NONE)

    def only(self, dag_ids: Collection[str]) -> MigrationLine:
        """Return the line with only the phases whose DAGs are named, for people who may read just these."""
        kept = tuple(phase for phase in self.phases if phase.dag_id in dag_ids)
        if len(kept) == len(self.phases):
            return self
        times = [phase.last_at for phase in kept if phase.last_at]
        last_at = max(times) if times else None
        named = {phase.phase for phase in kept}
        troubles = tuple(each for each in self.troubles if _phase_of(each.path) in named)
        return replace(self, phases=kept, troubles=troubles, last_at=last_at, wrong=_wrong(kept, troubles))


def phases_of(spec: MigrationSpec) -> tuple[str, ...]:
    """Return the phases that have a DAG by what the spec holds, in their order."""
    moves = bool(spec.datasets or spec.databases or spec.streams)
    there = {
        Phase.ASSESS: spec.assess is not None,
        Phase.PROVISION: bool(spec.parts),
        Phase.APPLIANCE: any(dataset.appliance is not None for dataset in spec.datasets),
        Phase.TRANSFER: moves,
        Phase.SYNC: moves,
        Phase.REGISTRY: bool(spec.registries or spec.feature_stores),
        Phase.REVALIDATE: bool(spec.models),
        Phase.CUTOVER: spec.cutover is not None,
        Phase.ROLLBACK: spec.cutover is not None,
        Phase.DECOMMISSION: spec.decommission is not None,
        Phase.OPTIMIZE: spec.optimize is not None,
        Phase.MONITOR: spec.monitor is not None,
    }
    return tuple(phase.value for phase in Phase if there.get(phase))


def blank_line(spec: MigrationSpec) -> MigrationLine:
    """Return the line of a migration before its evidence was read."""
    phases = tuple(PhaseLine(each, f"{spec.migration}.{each}", State.NONE) for each in phases_of(spec))
    source, target = spec.source.platform.value, spec.target.platform.value
    return MigrationLine(spec.migration, spec.owner, spec.description, source, target, phases)


async def read_line(store: EvidenceStore, spec: MigrationSpec, listing: Listing) -> MigrationLine:
    """Return the line of a migration by ``listing``; changes nothing.

    :raises HeavyliftError: the store itself cannot be read; damaged records are told in the line.
    """
    reader = Reader(store)
    blank = blank_line(spec)
    latest = listing.latest
    order = [phase.value for phase in Phase]
    names = dict.fromkeys([*(phase.phase for phase in blank.phases), *latest])
    known = [name for name in order if name in names]
    names_in_order = [*known, *sorted(name for name in names if name not in known)]
    phases = []
    for name in names_in_order:
        dag_id = f"{spec.migration}.{name}"
        seen = latest.get(name)
        phases.append(
            await _phase(reader, listing, seen, dag_id) if seen else PhaseLine(name, dag_id, State.NONE)
        )
    troubles = tuple(reader.troubles)
    return replace(
        blank,
        phases=tuple(phases),
        wrong=_wrong(tuple(phases), troubles),
        last_at=max((run.last_at for run in listing.runs), default=None),
        fingerprint=listing.fingerprint,
        troubles=troubles,
    )


async def _phase(reader: Reader, listing: Listing, seen: SeenRun, dag_id: str) -> PhaseLine:
    folder = seen.key.folder
    before = len(reader.troubles)
    run_id = original_text(seen.key.run) or ""
    summaries = listing.numbered(folder, "summary-")
    summary = await reader.last(summaries, PhaseSummary)
    gates = [await _gate(reader, listing, seen, gate, run_id, ended=bool(summaries)) for gate in seen.gates]
    state, words = _state(summary[1] if summary else None, gates)
    if len(reader.troubles) > before:
        state, words = State.UNREADABLE, "evidence of its latest run cannot be read"
    reports = [path for path in listing.below(folder) if path.startswith(f"{folder}/report-")]
    return PhaseLine(
        phase=seen.key.phase,
        dag_id=dag_id,
        state=state,
        words=words,
        run_id=run_id,
        last_at=seen.last_at,
        path=summary[0] if summary else "",
        report=max(reports, key=lambda path: (len(path), path), default=""),
        gates=tuple(gates),
    )


def _state(summary: PhaseSummary | None, gates: list[GateLine]) -> tuple[State, str]:
    if summary is not None:
        if summary.passed:
            return State.PASSED, "complete and proved"
        if summary.dry_run:
            return State.DRY, "a dry run: everything was looked at, nothing was moved"
        return State.FAILED, enumeration(summary.reasons, 2) or "not complete and proved"
    for wanted in (State.WAITING, State.FAILED):
        found = [gate for gate in gates if gate.state is wanted]
        if found:
            return wanted, found[0].words
    return State.OPEN, "no last word yet: at work, or stopped"


async def _gate(
    reader: Reader, listing: Listing, seen: SeenRun, gate: str, run_id: str, *, ended: bool
) -> GateLine:
    folder, name = seen.key.folder, safe_segment(gate)
    results = listing.numbered(f"{folder}/gates/{name}", "")
    path = results[-1] if results else ""
    found = await reader.last(results, GateResult)
    if found is None:
        return GateLine(gate, seen.key.phase, run_id, State.UNREADABLE, f"gate {gate} cannot be read", path)
    answers = await reader.records(listing.numbered(f"{folder}/approvals/{name}", ""), Approval)
    state, words = _gate_state(found[1], found[0], [record for _, record in answers], ended=ended)
    checks = tuple((each.name, each.subject, each.passed, each.detail) for each in found[1].checks)
    return GateLine(gate, seen.key.phase, run_id, state, words, path, checks)


def _gate_state(result: GateResult, path: str, answers: list[Approval], *, ended: bool) -> tuple[State, str]:
    if not result.passed:
        failed = [f"{check.name} of {check.subject}" for check in result.checks if not check.passed]
        return State.FAILED, f"gate {result.gate} did not pass: {enumeration(failed, 2)}"
    if not result.approval_required:
        return State.PASSED, f"gate {result.gate} passed"
    fitting = [each for each in answers if _answers(each.gate_result, path)]
    if fitting:
        who = fitting[-1].approver_name or fitting[-1].approver_id
        if fitting[-1].approved:
            return State.PASSED, f"gate {result.gate} was approved by {who}"
        return State.FAILED, f"gate {result.gate} was rejected by {who}"
    if ended:
        return State.FAILED, f"gate {result.gate} passed, and nobody approved it before the run ended"
    return State.WAITING, f"gate {result.gate} passed and waits for approval"


def _answers(ref: EvidenceRef, path: str) -> bool:
    # The digest is checked where the gate decides; the board only tells who answered which result.
    return ref.path == path


def _wrong(phases: tuple[PhaseLine, ...], troubles: tuple[Trouble, ...]) -> str:
    if troubles:
        return f"{troubles[0].path} cannot be read: {troubles[0].words}"
    bad = [phase for phase in phases if phase.state is State.FAILED]
    newest = max(bad, key=lambda phase: phase.last_at.timestamp() if phase.last_at else 0.0, default=None)
    return f"{newest.phase}: {newest.words}" if newest else ""


def _phase_of(path: str) -> str:
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""
