"""What was found alike of many objects stands once in a report, in the order of the findings."""

from __future__ import annotations

from heavylift.evidence.records import Finding, Severity
from heavylift.objects.attributes import ATTRIBUTE
from heavylift.objects.looking import LOOKED_AT
from heavylift.platforms.tags import KEPT_OTHERWISE
from heavylift.report.found import found_alike, told_once


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


def test_what_the_plan_foresaw_of_attributes_is_told_by_the_copy_alone() -> None:
    tags, other = f"tags{KEPT_OTHERWISE}metadata", f"headers{KEPT_OTHERWISE}metadata"

    def planned(detail: str) -> Finding:
        return Finding(rule=LOOKED_AT, severity=Severity.NOTE, subject="d", detail=detail)

    short = planned("attributes of 300 of 400 objects to copy were looked at: 0 have some that are lost")
    seen, unseen = (
        planned(f"2 objects of 300 looked at: {tags}"),
        planned(f"1 object of 300 looked at: {other}"),
    )
    note = Finding(rule=ATTRIBUTE, severity=Severity.NOTE, subject="d: a", detail=tags)
    assert list(told_once([short, seen, unseen], [note])) == [short, unseen, note]
    assert list(told_once([short, seen], [])) == [short, seen]
