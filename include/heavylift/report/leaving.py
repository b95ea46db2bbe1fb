"""What a run of the phase decommission did, as text for report and status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.evidence.wording import counted, size
from heavylift.gates.leaving_checks import leaving_reasons

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.decommission_evidence import LeavingEvidence
    from heavylift.report.story import RunStory

PASSED = "The source is deleted, and certified to be"


def leaving_so_far(evidence: LeavingEvidence) -> str:
    """Return how far the source has been given up."""
    if evidence.life is None:
        return "nothing was planned to be deleted"
    return f"plan {evidence.life.number} is {evidence.life.state}"


def tried_leaving(evidence: LeavingEvidence) -> str:
    """Return what a dry run has shown."""
    if evidence.unused is None:
        return "Nobody has looked whether the source is used."
    record = evidence.unused.record
    return f"{counted(len(record.items), 'thing')} looked at, {len(record.open_items)} in the way."


def leaving_proof(story: RunStory) -> str:
    """Return what is certified, for the headline."""
    certificate = story.leaving.certificate if story.leaving else None
    if certificate is None:
        return ""
    parts = certificate.record.parts
    total = sum(each.items for each in parts)
    told = f"{counted(total, 'thing')}, {size(sum(each.size_bytes for each in parts))}"
    return f"{told}, in {counted(len(parts), 'component')} of the source were seen to be gone."


def contradictions_of_leaving(story: RunStory) -> list[str]:
    """Return why the run does not count as having given the source up."""
    return leaving_reasons(story.leaving) if story.leaving else []


def leaving_files(evidence: LeavingEvidence) -> tuple[EvidenceRef, ...]:
    """Return the files that this was read from."""
    life = evidence.life
    kept = [
        evidence.unused,
        life.plan if life else None,
        *(life.events if life else ()),
        evidence.certificate,
    ]
    return tuple(each.ref for each in kept if each is not None)
