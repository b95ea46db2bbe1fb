"""What a run of the phases cutover and rollback did, as text for report and status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.evidence.switch_records import ReadinessRecord, ScheduleRecord, SideName, SwitchRecord
from heavylift.evidence.wording import counted
from heavylift.gates.switch_checks import switch_reasons

if TYPE_CHECKING:
    from heavylift.evidence.canary_records import CanaryRecord
    from heavylift.evidence.switch_evidence import SwitchEvidence
    from heavylift.report.story import RunStory


@dataclass(frozen=True)
class SwitchView:
    """One run's switch.

    :param goal: the side that the phase brings everything to.
    :param reasons: why it does not count as done.
    """

    evidence: SwitchEvidence
    goal: SideName
    reasons: tuple[str, ...]

    @property
    def record(self) -> SwitchRecord | None:
        """The attempt that moved writes; where none did, the last one."""
        kept = self.evidence.moved or self.evidence.switch
        return kept.record if kept else None

    @property
    def readiness(self) -> ReadinessRecord | None:
        """What was looked at before."""
        return self.evidence.readiness.record if self.evidence.readiness else None

    @property
    def canaries(self) -> tuple[CanaryRecord, ...]:
        """How the target was judged, step by step."""
        return tuple(kept.record for kept in self.evidence.canaries)

    @property
    def line(self) -> str:
        """One line for ``heavylift status``."""
        parts = []
        if self.readiness is not None:
            missing = len(self.readiness.open_items)
            parts.append(f"{counted(len(self.readiness.items), 'thing')} looked at, {missing} not ready")
        parts += [f"step {each.step}: {each.verdict}" for each in self.canaries]
        if self.record is not None:
            parts.append(switch_words(self.record))
        parts += [schedule_words(kept.record) for kept in self.evidence.schedules]
        return "; ".join(parts) or "nothing was switched"

    @property
    def document(self) -> dict[str, Any]:
        """The same as ``heavylift status --json`` gives it."""
        return {
            "goal": self.goal,
            "outcome": self.record.outcome if self.record else "",
            "write_pause_seconds": self.record.write_pause_seconds if self.record else None,
            "not_ready": [f"{each.item} {each.subject}".strip() for each in self.readiness.open_items]
            if self.readiness
            else [],
            "canary": {each.step: each.verdict for each in self.canaries},
            "schedules": {
                kept.record.schedule: {"runs_on": kept.record.side, "missed": len(kept.record.missed)}
                for kept in self.evidence.schedules
                if kept.record.act == "started"
            },
            "reasons": list(self.reasons),
        }


def switch_view(story: RunStory) -> SwitchView | None:
    """Return the view of a run's switch; None where the run is of another phase."""
    if story.switch is None:
        return None
    goal = goal_of_run(story)
    return SwitchView(story.switch, goal, tuple(switch_reasons(story.switch, goal)))


def goal_of_run(story: RunStory) -> SideName:
    """Return the side that a run's phase brings everything to."""
    return "source" if story.run.phase == "rollback" else "target"


def switch_words(record: SwitchRecord) -> str:
    """Return what an attempt came to."""
    words = {
        "switched": f"writes moved to the {record.goal}",
        "already": f"writes were on the {record.goal} already",
        "returned": "writes went back to where they were",
        "between": "writes are between the sides",
    }
    paused = f", paused for {record.write_pause_seconds:.1f} s of {record.write_pause_budget_seconds:g} s"
    lost = (
        f", without the target of {', '.join(record.given_up)}: see what was lost" if record.given_up else ""
    )
    return words[record.outcome] + (paused if record.write_pause_seconds else "") + lost


def schedule_words(record: ScheduleRecord) -> str:
    """Return what became of a schedule."""
    if record.act != "started":
        return f"schedule {record.schedule} is held"
    missed = f", {counted(len(record.missed), 'run')} missed" if record.missed else ""
    made_up = ", one started in their place" if record.ran else ""
    return f"schedule {record.schedule} runs on the {record.side}{missed}{made_up}"


def switch_proof(story: RunStory) -> str:
    """Return what is proved, for the headline."""
    view = switch_view(story)
    if view is None or view.record is None:
        return ""
    rows = sum(each.rows for each in view.record.proofs)
    proved = f" {counted(rows, 'row')} were proved equal while nobody wrote." if rows else ""
    told = switch_words(view.record)
    return f"{told[0].upper()}{told[1:]}.{proved}"


def switch_so_far(evidence: SwitchEvidence) -> str:
    """Return what has been done, for the headline of a run that is not proved."""
    kept = evidence.moved or evidence.switch
    return switch_words(kept.record) if kept else "nothing was switched"


def tried_in_words(evidence: SwitchEvidence) -> str:
    """Return what a rehearsal or a dry run has shown."""
    parts = []
    if evidence.rehearsal is not None:
        record = evidence.rehearsal.record
        parts.append(
            f"Writes would have paused for {record.expected_pause_seconds:.1f} s of"
            f" {record.write_pause_budget_seconds:g} s."
            if record.passed
            else f"It did not pass: {record.reason}"
        )
    if evidence.readiness is not None:
        missing = evidence.readiness.record.open_items
        parts.append(f"{counted(len(missing), 'thing')} not ready." if missing else "Everything is ready.")
    return " ".join(parts)


def switch_advice(story: RunStory, dag: str) -> list[tuple[str, str]]:
    """Return what is wrong and what to do."""
    view = switch_view(story)
    if view is None:
        return []
    missing = view.readiness.open_items if view.readiness else ()
    found = [
        (f"{each.item} {each.subject}: {each.detail}", "mend it, then run the phase again")
        for each in missing
    ]
    found += [
        (f"step {each.step}: {reason}", "mend the target, then run the phase again")
        for each in view.canaries
        if not each.promoted
        for reason in each.reasons
    ]
    return found[:10] + [(why, f"look at the first failed task of DAG {dag}") for why in view.reasons]
