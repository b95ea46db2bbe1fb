"""What a run of the provision phase made of the target, as text for report and status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heavylift.evidence.infra_evidence import STAGES, ProvisionEvidence
from heavylift.evidence.infra_records import ApplicationRecord, GenerationRecord, RootPlan, ScanRecord
from heavylift.evidence.wording import counted
from heavylift.gates.infra_checks import counts_in_words, provision_reasons
from heavylift.report.parts import PartRow, part_rows, parts_advice, parts_proof
from heavylift.report.story import RunStory

MOST = 100
"""Resources of one root that a page names; the evidence has all."""


@dataclass(frozen=True)
class RootRow:
    """One root.

    :param done: what its application came to; None where it was not applied as planned.
    """

    plan: RootPlan
    destroy: bool
    done: ApplicationRecord | None

    @property
    def words(self) -> str:
        """What terraform's plan says."""
        return counts_in_words([self.plan])


@dataclass(frozen=True)
class ProvisionView:
    """What one run of the phase provision made.

    :param reasons: why it does not count as made.
    :param parts: what was translated beside it; ``makes`` whether there is any infrastructure.
    """

    evidence: ProvisionEvidence
    rows: tuple[RootRow, ...]
    reasons: tuple[str, ...]
    parts: tuple[PartRow, ...] = ()
    makes: bool = True

    @property
    def record(self) -> GenerationRecord | None:
        """What was generated; None while nothing was."""
        return self.evidence.generation.record if self.evidence.generation else None

    @property
    def scan(self) -> ScanRecord | None:
        """What the scanner said."""
        return self.evidence.scan.record if self.evidence.scan else None

    @property
    def line(self) -> str:
        """One line for ``heavylift status``."""
        if self.record is None:
            return "nothing was generated"
        applied = sum(row.done is not None for row in self.rows)
        scan = f"{self.scan.failed:,} policies not kept" if self.scan else "not scanned"
        open_ = self.record.open_untranslated
        return (
            f"{counted(self.record.made, 'component')} made, {self.record.accepted:,} accepted to be left out"
            f" and {open_:,} not; {scan}; {applied:,} of {counted(len(self.rows), 'planned root')} done and"
            f" proved{self._images}{self._drift}"
        )

    @property
    def _images(self) -> str:
        kept = self.evidence.images
        if kept is None:
            return ""
        same = kept.record.copied + kept.record.equal
        return f"; {same:,} of {counted(kept.record.found, 'image')} equal by digest"

    @property
    def _drift(self) -> str:
        kept = self.evidence.drift
        if kept is None:
            return ""
        found = counted(self.evidence.drifted, "resource") if self.evidence.drifted else "nothing"
        return f"; {found} found to differ on {kept.record.seen_at:%Y-%m-%d %H:%M} UTC"

    @property
    def document(self) -> dict[str, Any]:
        """The same as ``heavylift status --json`` gives it."""
        record = self.record
        return {
            "digest": record.digest if record else "",
            "plan_digest": record.plan_digest if record else "",
            "made": record.made if record else 0,
            "untranslated": record.untranslated if record else 0,
            "open_untranslated": record.open_untranslated if record else 0,
            "policies_not_kept": self.scan.failed if self.scan else None,
            "roots": [
                {
                    "root": row.plan.root,
                    "destroy": row.destroy,
                    "digest": row.plan.digest,
                    "counts": row.plan.counts,
                    "proved": row.done is not None,
                }
                for row in self.rows
            ],
            "images": self.evidence.images.record.counts if self.evidence.images else None,
            "drifted": self.evidence.drifted if self.evidence.drift else None,
            "reasons": list(self.reasons),
        }


def provision_view(story: RunStory) -> ProvisionView | None:
    """Return the view of what a run made; None where the run is of another phase."""
    evidence = story.provision
    if evidence is None:
        return None
    plans = [plan for stage in STAGES if (plan := evidence.plan(stage))]
    rows = tuple(
        RootRow(
            root,
            plan.destroy,
            evidence.applied[root.root].record if evidence.is_applied(plan, root.root) else None,
        )
        for plan in plans
        for root in plan.roots
    )
    wanted = provided(story) or evidence.named
    reasons = tuple(provision_reasons(evidence, wanted))
    return ProvisionView(evidence, rows, reasons, part_rows(evidence), "infrastructure" in wanted)


def provided(story: RunStory) -> tuple[str, ...]:
    """Return the parts that a run had to make, as its summary tells; empty while it has none."""
    return story.summary.provides if story.summary else ()


def provision_proof(evidence: ProvisionEvidence | None) -> str:
    """Return what is proved, for the headline."""
    if evidence is None:
        return ""
    return " ".join(part for part in (_infra_proof(evidence), parts_proof(evidence)) if part)


def _infra_proof(evidence: ProvisionEvidence) -> str:
    if evidence.generation is None:
        return ""
    destroyed = any(plan.destroy for stage in STAGES if (plan := evidence.plan(stage)))
    roots = counted(len(evidence.applied), "root")
    if destroyed:
        return f"Terraform destroyed {roots}, and a second plan of each found nothing left."
    made = counted(evidence.generation.record.made, "component")
    return f"Infrastructure for {made} is applied in {roots}, and a second plan of each was empty."


def provision_title(evidence: ProvisionEvidence) -> str:
    """Return the headline of a run that passed: what is done, and what is only written."""
    translated = "everything else is written, not applied" if evidence.parts else ""
    if "infrastructure" in evidence.named:
        return "The infrastructure is as it was approved" + (f"; {translated}" if translated else "")
    if there := _there(evidence):
        told = f"{' and '.join(there)} are on the target"
        return told[0].upper() + told[1:] + (f"; {translated}" if translated else "")
    if "remove" in evidence.endpoints:
        return "The endpoints are removed from the target"
    return "Everything is translated and written, and not applied by Heavylift"


def _there(evidence: ProvisionEvidence) -> list[str]:
    """Return what a run without infrastructure has brought to the target."""
    found = {
        "the secrets": evidence.secrets,
        "the images": evidence.images,
        "the endpoints": evidence.endpoints.get("verify"),
    }
    return [name for name, kept in found.items() if kept]


def provision_so_far(evidence: ProvisionEvidence) -> str:
    """Return what has been done, for the headline of a run that is not proved."""
    written = [
        f"{row.record.part}: {counted(len(row.record.files), 'file')} written" for row in part_rows(evidence)
    ]
    if "infrastructure" in evidence.named:
        written.insert(0, _infra_so_far(evidence))
    written += [f"{name.removeprefix('the ')} on the target" for name in _there(evidence)]
    return ", ".join(written) or "nothing was translated"


def _infra_so_far(evidence: ProvisionEvidence) -> str:
    if evidence.generation is None:
        return "nothing was generated"
    planned = counted(len(evidence.plans), "stage")
    return f"the files are generated, {planned} planned, {counted(len(evidence.applied), 'root')} applied"


def provision_advice(view: ProvisionView | None, dag: str) -> list[tuple[str, str]]:
    """Return what is wrong and what to do."""
    if view is None:
        return []
    found = [
        (f"nothing was made of {each.component}: {each.reason}", each.remedy)
        for each in (view.record.not_made if view.record else ())
        if not each.accepted
    ]
    found += [
        (f"{each.check} fails for {each.resource}", f"look at {each.where} of the generated files")
        for each in (view.scan.failures if view.scan else ())
    ]
    found += parts_advice(view.evidence, dag)
    return found[:10] + [(why, f"look at the first failed task of DAG {dag}") for why in view.reasons]
