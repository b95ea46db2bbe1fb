"""What a sync did with objects that have gone from the source, as rows for report and status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from heavylift.evidence.records import DeletesRecord, PlanRecord, Tally
from heavylift.evidence.run_evidence import DatasetEvidence, Kept
from heavylift.evidence.wording import counted
from heavylift.report.story import RunStory

_POLICIES = {"propagate": "delete on the target", "quarantine": "put aside", "keep": "keep"}
_DONE_IN_WORDS = (
    ("deleted", "deleted"),
    ("quarantined", "put aside"),
    ("already_gone", "gone already"),
    ("kept", "kept"),
    ("failed", "failed"),
)


@dataclass(frozen=True)
class DeletionRow:
    """One attempt at the deletions of one dataset, or a plan that no attempt has carried out.

    :param policy: in words; the spec's own word where there are none.
    :param planned: what the plan lets go.
    :param record: what the attempt did; None where there was none.
    :param attempt: its number in the run, of ``attempts``; 0 where there was none.
    :param brake: the brake's objection; empty where it had none.
    :param allowed_by: who let it go on all the same, by the audit trail; empty where that does not tell.
    """

    dataset: str
    policy: str
    planned: Tally
    record: DeletesRecord | None
    attempt: int = 0
    attempts: int = 0
    brake: str = ""
    allowed_by: str = ""
    dry_run: bool = False

    @property
    def adds_up(self) -> bool:
        """What became of the objects is what the attempt set out to do, and that is what the plan lets go."""
        record = self.record
        if record is None:
            return True
        return record.planned == self.planned == sum(record.outcomes.values(), Tally())

    @property
    def counts(self) -> bool:
        """This row is the last word on its dataset, not an earlier attempt."""
        return self.attempt == self.attempts

    @property
    def standing(self) -> str:
        """What to think of the row: ``done``, ``failed``, ``held``, ``open`` or ``dry run``."""
        if self.record is not None:
            return "failed" if self.record.failed.objects else "done"
        if self.dry_run:
            return "dry run"
        return "held" if self.brake else "open"

    @property
    def document(self) -> dict[str, Any]:
        """The row as ``heavylift status --json`` gives it."""
        outcomes = self.record.outcomes if self.record else {}
        return {
            "dataset": self.dataset,
            "standing": self.standing,
            "planned": self.planned.model_dump(),
            **{name: tally.model_dump() for name, tally in outcomes.items()},
            "attempts": self.attempts,
            "brake": self.brake,
            "quarantine_url": self.record.quarantine_url if self.record else "",
        }


@dataclass(frozen=True)
class Deletions:
    """All deletions of one run.

    :param dealt_with: objects that were deleted or put aside, by all attempts together.
    :param failed: objects that the last attempts could not deal with.
    """

    rows: tuple[DeletionRow, ...]
    dealt_with: Tally
    failed: int

    @property
    def is_dry(self) -> bool:
        """Every row is one of a dry run: nothing was to be deleted."""
        return all(row.dry_run for row in self.rows)

    @property
    def planned(self) -> Tally:
        """What the plans let go, each dataset counted once."""
        return sum((row.planned for row in self.rows if row.counts), Tally())

    @property
    def wrong(self) -> tuple[str, ...]:
        """Datasets whose numbers do not add up."""
        return tuple(dict.fromkeys(row.dataset for row in self.rows if not row.adds_up))


def deletions_of(story: RunStory) -> Deletions:
    """Return what ``story`` tells of objects that have gone; no rows where there were none."""
    rows = tuple(row for each in story.datasets for row in _rows(story, each))
    records = [row.record for row in rows if row.record]
    last = [row.record for row in rows if row.record and row.counts]
    return Deletions(
        rows=rows,
        dealt_with=sum((record.deleted + record.quarantined for record in records), Tally()),
        failed=sum(record.failed.objects for record in last),
    )


def deletion_in_words(deletions: Deletions) -> str:
    """Return one line: how many objects have gone from the source, and what became of them."""
    gone = f"{counted(deletions.planned.objects, 'object')} gone from the source"
    if deletions.is_dry:
        return f"{gone} would be dealt with"
    parts = []
    for name, words in _DONE_IN_WORDS:
        # Earlier attempts count by what they did; what they left is the last attempt's to tell.
        rows = [row for row in deletions.rows if row.counts or name in {"deleted", "quarantined"}]
        number = sum(row.record.outcomes[name].objects for row in rows if row.record)
        parts += [f"{number:,} {words}"] if number else []
    untouched = sum(row.planned.objects for row in deletions.rows if row.record is None)
    parts += [f"{untouched:,} not dealt with"] if untouched else []
    return f"{gone}: {', '.join(parts) or 'nothing was done'}"


def _rows(story: RunStory, evidence: DatasetEvidence) -> Iterable[DeletionRow]:
    plan = evidence.plan.record if evidence.plan else None
    attempts = [kept for kept in evidence.deletes_attempts if _tells(kept.record)]
    for number, kept in enumerate(attempts, start=1):
        record = kept.record
        yield DeletionRow(
            dataset=evidence.dataset,
            policy=_POLICIES.get(record.policy, record.policy),
            planned=plan.to_delete if plan else record.planned,
            record=record,
            attempt=number,
            attempts=len(attempts),
            brake=record.allowed_beyond_brake or (plan.brake if plan else ""),
            allowed_by=_allowed_by(story, kept),
        )
    if plan is not None and plan.to_delete.objects and not attempts:
        yield _untried(evidence.dataset, plan)


def _untried(dataset: str, plan: PlanRecord) -> DeletionRow:
    policy = _POLICIES.get(plan.deletes, plan.deletes)
    return DeletionRow(dataset, policy, plan.to_delete, None, brake=plan.brake, dry_run=plan.dry_run)


def _tells(record: DeletesRecord) -> bool:
    """An attempt that had nothing to do and did nothing is not worth a row."""
    return bool(record.planned.objects or any(tally.objects for tally in record.outcomes.values()))


def _allowed_by(story: RunStory, kept: Kept[DeletesRecord]) -> str:
    """Return who is behind the attempt: who started the run where a task did it, else the actor itself."""
    if not kept.record.allowed_beyond_brake:
        return ""
    for act in story.trail.acts:
        if act.action == "gone.deleted" and kept.ref in act.evidence:
            return str(act.details.get("run_started_by") or act.actor)
    return ""
