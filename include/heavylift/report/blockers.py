"""What stands in the way of a part of a run, in words and as advice."""

from __future__ import annotations

from collections.abc import Iterable

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.wording import counted

MOST_TOLD = 3


def blockers_of(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that stop a move."""
    return [each for each in findings if each.severity is Severity.BLOCKER]


def would_stop(findings: Iterable[Finding]) -> str:
    """Return a sentence on what a dry run found that stops the move, with a space before it; or nothing."""
    number = len(blockers_of(findings))
    return f" {counted(number, 'finding')} would stop it." if number else ""


def blocker_advice(name: str, blockers: list[Finding], task: str) -> Iterable[tuple[str, str]]:
    """Yield the first blockers, each with what mends it.

    :param task: which to clear then.
    """
    for each in blockers[:MOST_TOLD]:
        yield f"{name}: {each.detail}", f"{each.remedy or 'see the preflight'}; then clear task {task}"
