"""What a run of the optimize phase found and proposes, as text for report and status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heavylift.evidence.optimize_evidence import OptimizeEvidence
from heavylift.evidence.optimize_records import ProposalRecord, Spread, StudyRecord
from heavylift.evidence.wording import counted
from heavylift.gates.optimize_checks import optimize_reasons
from heavylift.report.story import RunStory


@dataclass(frozen=True)
class OptimizeView:
    """One run's results.

    :param reasons: why it does not count as judged and proposed.
    """

    evidence: OptimizeEvidence
    reasons: tuple[str, ...]

    @property
    def proposal(self) -> ProposalRecord | None:
        """What is proposed; None while nothing is."""
        return self.evidence.proposal.record if self.evidence.proposal else None

    @property
    def studies(self) -> tuple[StudyRecord, ...]:
        """The studies of settings."""
        return tuple(kept.record for kept in self.evidence.trials.values())

    @property
    def others(self) -> tuple[tuple[str, str, str], ...]:
        """Kind, name and statement of sizes and purchases."""
        sizes = [("size", name, kept.record.statement) for name, kept in self.evidence.sizes.items()]
        mixes = [("purchase", name, kept.record.statement) for name, kept in self.evidence.mixes.items()]
        return (*sizes, *mixes)

    @property
    def line(self) -> str:
        """One line for ``heavylift status``."""
        return optimize_so_far(self.evidence)

    @property
    def document(self) -> dict[str, Any]:
        """The same as ``heavylift status --json`` gives it."""
        proposal = self.proposal
        return {
            "digest": proposal.digest if proposal else "",
            "recommendations": len(proposal.recommendations) if proposal else 0,
            "trials": {each.name: each.statement for each in self.studies},
            "others": {name: statement for _, name, statement in self.others},
            "reasons": list(self.reasons),
        }


def optimize_view(story: RunStory) -> OptimizeView | None:
    """Return the view of a run's results; None where the run is of another phase."""
    evidence = story.optimize
    return None if evidence is None else OptimizeView(evidence, tuple(optimize_reasons(evidence, ())))


def optimize_proof(evidence: OptimizeEvidence | None) -> str:
    """Return what is shown, for the headline."""
    if evidence is None or evidence.proposal is None:
        return ""
    return f"Of {counted(len(evidence.results), 'result')}: {evidence.proposal.record.statement}."


def optimize_so_far(evidence: OptimizeEvidence) -> str:
    """Return what has been done, for the headline of a run that is not proved."""
    found = (
        f"{counted(len(evidence.trials), 'study', 'studies')} of settings,"
        f" {counted(len(evidence.sizes), 'size')} and {counted(len(evidence.mixes), 'purchase')} judged"
    )
    if evidence.proposal is None:
        return f"{found}, nothing proposed"
    return f"{found}; {evidence.proposal.record.statement}"


def optimize_advice(view: OptimizeView | None, dag: str) -> list[tuple[str, str]]:
    """Return what is wrong and what to do."""
    reasons = view.reasons if view is not None else ()
    return [(why, f"look at the first failed task of DAG {dag}") for why in reasons]


def saving_in_words(saving: Spread | None) -> str:
    """Return a saving with its spread."""
    if saving is None:
        return "not known"
    return f"{saving.p50:,.2f} ({saving.p10:,.2f} to {saving.p90:,.2f})"
