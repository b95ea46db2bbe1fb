"""Findings as a report shows them: what was found alike of many objects stands once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from heavylift.evidence.records import Finding, Severity

_SHOWN = 3


@dataclass(frozen=True)
class FoundAlike:
    """What was found, and of which objects."""

    severity: Severity
    rule: str
    detail: str
    remedy: str
    subjects: tuple[str, ...]

    @property
    def first(self) -> tuple[str, ...]:
        """Those that are shown at once."""
        return self.subjects[:_SHOWN]

    @property
    def rest(self) -> tuple[str, ...]:
        """Those that are shown when asked for."""
        return self.subjects[_SHOWN:]


def found_alike(findings: Iterable[Finding]) -> tuple[FoundAlike, ...]:
    """Return the findings in their order, those that say the same as one."""
    subjects: dict[tuple[Severity, str, str, str], list[str]] = {}
    for each in findings:
        subjects.setdefault((each.severity, each.rule, each.detail, each.remedy), []).append(each.subject)
    return tuple(FoundAlike(*said, tuple(of)) for said, of in subjects.items())
