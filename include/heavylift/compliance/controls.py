"""Maps what the audit trail and the rules tell to controls of GDPR and HIPAA. It certifies nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import AuditEntry
from heavylift.evidence.audit_verify import verify_trail
from heavylift.evidence.base import EvidenceRef, Record
from heavylift.evidence.compliance_records import (
    ComplianceRecord,
    DeclassificationUsed,
    ExceptionUsed,
    InheritedClass,
    check_path,
)
from heavylift.evidence.records import utc_now
from heavylift.evidence.run_evidence import Kept, read_latest
from heavylift.evidence.store import EvidenceStore

Standing = Literal["shown", "excepted", "contradicted", "not shown"]
_VERIFIED = ("dataset.verified", "database.verified", "stream.verified", "registry.verified")
MOST_REFS = 10


@dataclass(frozen=True)
class Control:
    """One control: acts that show it, and rules that must be kept for it.

    :param trail: the audit trail must be intact.
    """

    id: str
    title: str
    acts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    trail: bool = False


CONTROLS = (
    Control("GDPR art. 30(1)(c)", "categories of personal data are on record",
            ("compliance.scanned",), ("GDPR-002",)),
    Control("GDPR art. 30(1)(e)", "transfers to third countries are on record", ("compliance.checked",),
            ("GDPR-001",)),
    Control("GDPR art. 32(1)(a)", "personal data is encrypted", (), ("ENC-001", "ENC-002")),
    Control("GDPR art. 32(1)(b)", "what arrived is what was there", _VERIFIED, ("SEC-001",)),
    Control("GDPR art. 32(1)(d)", "measures are tested", ("gate.evaluated", "compliance.checked")),
    Control("GDPR art. 44", "transfers have a basis", ("compliance.checked",), ("GDPR-001",)),
    Control("HIPAA 164.312(a)(2)(iv)", "health data is encrypted at rest", (), ("HIPAA-003",)),
    Control("HIPAA 164.312(b)", "acts are recorded", ("run.started", "run.finished"), (), trail=True),
    Control("HIPAA 164.312(c)(1)", "health data is not altered", _VERIFIED),
    Control("HIPAA 164.312(d)", "who decides is known", ("gate.approved", "gate.rejected")),
    Control("HIPAA 164.312(e)(1)", "health data is encrypted in transit", (), ("HIPAA-002",)),
)  # fmt: skip
"""Every control that is reported on."""


class ControlShown(Record):
    """What shows one control.

    :param acts: action → how often; ``rules`` rule → outcome → how often.
    :param evidence: of the newest acts.
    """

    control: str
    title: str
    standing: Standing
    acts: dict[str, int]
    first_at: datetime | None
    last_at: datetime | None
    rules: dict[str, dict[str, int]]
    evidence: tuple[EvidenceRef, ...]
    why: str


class ControlsRecord(Record):
    """All controls of one migration, as its evidence tells them."""

    schema_version: Literal["heavylift/controls/v1"] = "heavylift/controls/v1"
    migration: str
    made_at: datetime = Field(default_factory=utc_now)
    audit_entries: int
    audit_head: str
    trail_intact: bool
    check: EvidenceRef | None
    controls: tuple[ControlShown, ...]
    exceptions: tuple[ExceptionUsed, ...]
    inherited: tuple[InheritedClass, ...] = ()
    inherited_count: int = 0
    declassified: tuple[DeclassificationUsed, ...] = ()
    graph_told: str = ""


async def controls_of(store: EvidenceStore, migration: str) -> ControlsRecord:
    """Return what the audit trail and the newest judgement of the rules show.

    :raises AuditError: an entry or record cannot be read.
    """
    audit = await verify_trail(store, migration, check_evidence=False)
    entries = [entry async for entry in AuditTrail(store, migration).entries()]
    kept = await read_latest(store, lambda number: check_path(migration, number), ComplianceRecord)
    return ControlsRecord(
        migration=migration,
        audit_entries=audit.entries,
        audit_head=audit.head,
        trail_intact=audit.intact,
        check=kept.ref if kept else None,
        controls=tuple(_shown(control, entries, kept, intact=audit.intact) for control in CONTROLS),
        exceptions=kept.record.exceptions if kept else (),
        inherited=kept.record.inherited if kept else (),
        inherited_count=kept.record.inherited_count if kept else 0,
        declassified=kept.record.declassified if kept else (),
        graph_told=kept.record.graph_told if kept else "",
    )


def _shown(
    control: Control, entries: list[AuditEntry], kept: Kept[ComplianceRecord] | None, *, intact: bool
) -> ControlShown:
    # A verification that failed shows no integrity; a test that failed is a test all the same.
    acts = [
        entry
        for entry in entries
        if entry.action in control.acts
        and not (entry.action in _VERIFIED and entry.details.get("passed") is False)
    ]
    counted = {action: sum(each.action == action for each in acts) for action in control.acts}
    rules = {rule: _outcomes(rule, kept) for rule in control.rules}
    refs = tuple(dict.fromkeys(ref for entry in reversed(acts) for ref in entry.evidence))
    if kept is not None and control.rules:
        refs = (kept.ref, *(ref for ref in refs if ref != kept.ref))
    standing, why = _standing(control, bool(acts), rules, intact=intact)
    return ControlShown(
        control=control.id,
        title=control.title,
        standing=standing,
        acts=counted,
        first_at=acts[0].time if acts else None,
        last_at=acts[-1].time if acts else None,
        rules=rules,
        evidence=refs[:MOST_REFS],
        why=why,
    )


def _outcomes(rule: str, kept: Kept[ComplianceRecord] | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in kept.record.outcomes if kept else ():
        if each.rule == rule:
            found[each.outcome] = found.get(each.outcome, 0) + 1
    return found


def _standing(
    control: Control, acted: bool, rules: dict[str, dict[str, int]], *, intact: bool
) -> tuple[Standing, str]:
    if control.trail and not intact:
        return "contradicted", "the audit trail is damaged: run 'heavylift audit verify'"
    open_ = [rule for rule, outcomes in rules.items() if outcomes.get("broken") or outcomes.get("unknown")]
    if open_:
        return "contradicted", f"not kept, or not known: {', '.join(open_)}"
    unjudged = [rule for rule, outcomes in rules.items() if not outcomes]
    if unjudged:
        return "not shown", f"not judged, or nothing that it applies to: {', '.join(unjudged)}"
    if control.acts and not acted:
        return "not shown", f"none of these acts is in the audit trail: {', '.join(control.acts)}"
    if any(outcomes.get("excepted") for outcomes in rules.values()):
        return "excepted", "kept but for exceptions that somebody answers for"
    return "shown", ""
