"""What a run translated and handed over, as text for report and status: written, and not applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heavylift.evidence.infra_evidence import ProvisionEvidence
from heavylift.evidence.part_records import PartRecord
from heavylift.evidence.wording import counted

MOST = 100
"""Gaps and files of one part that a page names; the record has more."""

TITLES = {
    "pipelines": "Pipelines",
    "access": "Permissions",
    "manifests": "Kubernetes manifests",
    "volumes": "What volumes hold",
    "training": "Training jobs",
    "autoscaling": "Autoscaling",
    "alerts": "Alerts",
}
_WORDS = {
    "autoscaling": ("as safe as the source", "less safe"),
    "alerts": ("equal", "different"),
    "volumes": ("proved", "not proved"),
}


@dataclass(frozen=True)
class PartRow:
    """One part.

    :param compared: what the target's own permissions were found to be; empty of other parts.
    """

    record: PartRecord
    compared: str = ""
    equal: bool | None = None

    @property
    def title(self) -> str:
        """What people call it."""
        return TITLES[self.record.part]

    @property
    def checked(self) -> str:
        """What the target's own loader says."""
        record = self.record
        if record.part == "access":
            return self.compared or "not compared with the target"
        if not record.loader:
            return "looked at by no loader"
        unchecked = f", {record.unchecked:,} without a schema" if record.unchecked else ""
        good, bad = _WORDS.get(record.part, ("taken", "refused"))
        return f"{record.valid:,} {good}, {record.invalid:,} {bad}{unchecked} ({record.loader})"

    @property
    def is_fine(self) -> bool:
        """Whether nothing is left open and no loader refuses anything."""
        record = self.record
        return not (record.open_untranslated or record.invalid or record.problems) and self.equal is not False

    @property
    def line(self) -> str:
        """One line for ``heavylift status``."""
        record = self.record
        since = ", unchanged" if record.unchanged else ""
        return (
            f"{counted(len(record.files), 'file')} written, not applied{since}; {record.accepted:,} accepted"
            f" to be left out and {record.open_untranslated:,} not; {self.checked}"
        )

    @property
    def document(self) -> dict[str, Any]:
        """The same as ``heavylift status --json`` gives it."""
        record = self.record
        return {
            "part": record.part,
            "applied": False,
            **record.figures,
            "valid": record.valid,
            "unchecked": record.unchecked,
            "loader": record.loader,
            "target_equal": self.equal,
            "paths": [each.ref.path for each in record.files[:MOST]],
        }


def part_rows(evidence: ProvisionEvidence | None) -> tuple[PartRow, ...]:
    """Return what a run has translated, in the order in which it is told."""
    if evidence is None:
        return ()
    return tuple(_row(evidence, kept.record) for kept in evidence.parts.values())


def _row(evidence: ProvisionEvidence, record: PartRecord) -> PartRow:
    made, seen = evidence.access, evidence.access_seen
    if record.part != "access" or made is None or seen is None:
        return PartRow(record)
    if seen.record.digest != made.record.digest:
        return PartRow(record, "the target was compared with an older translation", False)
    differ = counted(seen.record.difference_count, "difference")
    compared = f"{counted(seen.record.compared, 'permission')} compared on the target, {differ}"
    return PartRow(record, compared, seen.record.passed)


def parts_proof(evidence: ProvisionEvidence) -> str:
    """Return what is proved of the parts, for the headline."""
    told = []
    for row in part_rows(evidence):
        files = counted(len(row.record.files), "file")
        state = "not applied by Heavylift"
        if row.equal:
            state = "and the target's own permissions are the same"
        told.append(f"{row.title}: {files} written, {state}.")
    if evidence.secrets:
        equal = sum(each.equal is True for each in evidence.secrets.record.rows)
        told.insert(0, f"Secrets: {equal:,} equal on both sides.")
    return " ".join(told)


def parts_advice(evidence: ProvisionEvidence, dag: str) -> list[tuple[str, str]]:
    """Return what is wrong with the parts and what to do."""
    found = []
    for row in part_rows(evidence):
        record = row.record
        found += [
            (f"{record.part}: {gap.subject}: {gap.what}", f"{gap.remedy}; or accept it in the spec")
            for gap in record.gaps
            if not gap.accepted
        ]
        task = f"{record.part}.translate_{record.part} of DAG {dag}"
        found += [
            (f"{record.part}: {each.file}: {each.problem}", f"mend it, then clear {task} with Downstream")
            for each in record.problems
        ]
        if row.equal is False:
            remedy = f"apply it, export the target again, then clear access.verify_access of DAG {dag}"
            found.append((f"access: {row.compared}", remedy))
    return found
