"""Findings as a report shows them: what was found alike of many objects stands once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from heavylift.evidence.records import Finding, Severity

_SHOWN = 3
_OF_A_PLAN, _OF_A_COPY = "attributes-looked-at", "attribute"
"""The rules of what a plan has seen of some objects' attributes, and of what a copy has done with each."""


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


def told_once(planned: Iterable[Finding], copied: Iterable[Finding]) -> Iterator[Finding]:
    """Yield a dataset's findings without what its plan has foreseen of attributes and its copy has told.

    The plan looks at some objects and says of how many; the copy names each.
    """
    noted = list(copied)
    told = {each.detail for each in noted if each.rule == _OF_A_COPY}
    for each in planned:
        if each.rule != _OF_A_PLAN or each.detail.partition(" looked at: ")[2] not in told:
            yield each
    yield from noted
