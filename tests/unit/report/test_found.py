"""What was found alike of many objects stands once in a report, in the order of the findings."""

from __future__ import annotations

from heavylift.evidence.records import Finding, Severity
from heavylift.report.found import found_alike


def finding(subject: str, detail: str, severity: Severity = Severity.NOTE) -> Finding:
    return Finding(rule="attribute", severity=severity, subject=subject, detail=detail)


def test_what_is_said_alike_stands_once_and_nobody_is_left_out() -> None:
    tags = [finding(f"documents: {number}", "tags are kept in metadata") for number in range(5)]
    found = found_alike([finding("models", "too large", Severity.BLOCKER), *tags, finding("models", "tags")])
    assert [(each.severity, each.detail, len(each.subjects)) for each in found] == [
        (Severity.BLOCKER, "too large", 1),
        (Severity.NOTE, "tags are kept in metadata", 5),
        (Severity.NOTE, "tags", 1),
    ]
    assert found[1].first + found[1].rest == tuple(each.subject for each in tags)
    assert len(found[1].first) == 3
    assert found[0].rest == ()
