"""Collects what speaks for and against something, and says which."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from heavylift.evidence.parsing import RecordT
from heavylift.evidence.records import CheckOutcome, EvidenceRef, Finding, Severity
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.wording import counted, enumeration
from heavylift.gates.age import age_problem


class Verdict:
    """Passed only if something was found and nothing speaks against it."""

    def __init__(self) -> None:
        self._against: list[str] = []
        self._found: list[str] = []
        self._refs: list[EvidenceRef] = []

    def against(self, reason: str) -> None:
        """Note a reason why the check fails."""
        self._against.append(reason)

    def demand(self, holds: bool, reason: str) -> None:
        """Note ``reason`` against the check unless ``holds``."""
        if not holds:
            self._against.append(reason)

    def found(self, what: str) -> None:
        """Note what was seen; a check that has seen nothing does not pass."""
        self._found.append(what)

    def uses(self, *refs: EvidenceRef) -> None:
        """Note what the check is judged by."""
        self._refs.extend(refs)

    def demand_no_findings(self, findings: Sequence[Finding]) -> None:
        """Note against the check every blocker and warning; notes do not count."""
        serious = [each for each in findings if each.severity is not Severity.NOTE]
        named = enumeration([f"{each.severity.value} {each.rule} on {each.subject}" for each in serious], 3)
        self.demand(not serious, f"{counted(len(serious), 'finding')}: {named}")
        self.found(f"no blocker and no warning, {counted(len(findings), 'note')}")

    def judged_by(self, verification: Kept[RecordT] | None) -> RecordT | None:
        """Return what the verification says; without one that is noted against the check."""
        if verification is None:
            self.against("there is no verification")
            return None
        self.uses(verification.ref)
        return verification.record

    def demand_younger(self, what: str, made_at: datetime, max_age: timedelta, now: datetime) -> None:
        """Note against the check that ``what`` is older than ``max_age``."""
        problem = age_problem(made_at, max_age, now)
        self.demand(problem is None, f"the {what} {problem}")
        self.found(f"{what} of {made_at:%Y-%m-%d %H:%M:%S} UTC")

    def outcome(self, name: str, subject: str) -> CheckOutcome:
        """Return the check's outcome."""
        reasons = self._against or ([] if self._found else ["there is no evidence to judge by"])
        return CheckOutcome(
            name=name,
            subject=subject,
            passed=not reasons,
            detail="; ".join(reasons or self._found),
            evidence=tuple(dict.fromkeys(self._refs)),
        )
