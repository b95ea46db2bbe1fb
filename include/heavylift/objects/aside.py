"""Source objects whose keys lie in a quarantine: no dataset takes them in, and a plan says so."""

from __future__ import annotations

from heavylift.evidence.records import Finding, Severity
from heavylift.objects.relisting import Relisting
from heavylift.objects.requests import TransferRequest
from heavylift.patterns import QUARANTINE, can_be_put_aside
from heavylift.spec.vocabulary import OnUnholdableKey

RULE = "in-quarantine"


def in_quarantine(request: TransferRequest, source: Relisting) -> list[Finding]:
    """Return a finding for each source object that will not move because of the folder it lies in.

    What has the form of what a sync puts aside is told as a note; anything else somebody else wrote, and
    it blocks as a key does that the target cannot hold.
    """
    fatal = request.options.on_unholdable_key is OnUnholdableKey.FAIL
    unknown = Severity.BLOCKER if fatal else Severity.WARNING
    found = [
        _finding(
            request.source.location.url_of(request.source.location.prefix + rel),
            Severity.NOTE if can_be_put_aside(rel) else unknown,
            f"it lies in a folder {QUARANTINE}/, which belongs to no dataset, and does not move",
        )
        for rel in source.put_aside
    ]
    if left := source.put_aside_count - len(found):
        worst = min((finding.severity for finding in found), key=list(Severity).index)
        found.append(_finding(request.dataset, worst, f"{left} more objects lie in such folders"))
    return found


def _finding(subject: str, severity: Severity, detail: str) -> Finding:
    remedy = "rename that folder, exclude it, or set on_unholdable_key: skip"
    return Finding(rule=RULE, severity=severity, subject=subject, detail=detail, remedy=remedy)
