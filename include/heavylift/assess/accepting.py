"""What somebody has accepted, by name and with a reason: findings, and gaps of the inventory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from heavylift.evidence.assess_records import Finding
from heavylift.evidence.assessment_records import Gap, RuleTold
from heavylift.evidence.inventory_records import InventoryFinding
from heavylift.evidence.records import MAX_LISTED, Severity
from heavylift.spec.sections_assess import AcceptedFinding, AcceptedGap

_ORDER = {"blocker": 0, "warning": 1, "note": 2}


@dataclass
class Judged:
    """The findings of a plan, counted.

    :param told: the first blockers that nobody has accepted.
    """

    rules: tuple[RuleTold, ...]
    blockers: int
    accepted: int
    told: tuple[Finding, ...]
    unused: tuple[str, ...] = field(default=())


def judge_findings(findings: Iterable[Finding], accepts: Sequence[AcceptedFinding]) -> Judged:
    """Count findings by rule, and blockers by whether somebody has accepted them."""
    counts: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    first: dict[str, Finding] = {}
    open_: list[Finding] = []
    met: set[int] = set()
    for finding in findings:
        counts[finding.rule] += 1
        first.setdefault(finding.rule, finding)
        fitting = [number for number, each in enumerate(accepts) if _accepts(each, finding)]
        met.update(fitting)
        if fitting:
            accepted[finding.rule] += 1
        elif finding.severity == "blocker":
            open_.append(finding)
    rules = [
        RuleTold(rule=rule, severity=one.severity, count=counts[rule], accepted=accepted[rule], first=one)
        for rule, one in first.items()
    ]
    blocking = [each for each in rules if each.severity == "blocker"]
    return Judged(
        tuple(sorted(rules, key=lambda each: (_ORDER[each.severity], each.rule))),
        sum(each.count for each in blocking),
        sum(each.accepted for each in blocking),
        tuple(open_[:MAX_LISTED]),
        tuple(f"{each.rule} of {each.component}" for n, each in enumerate(accepts) if n not in met),
    )


def judge_gaps(
    findings: Iterable[InventoryFinding], accepts: Sequence[AcceptedGap]
) -> tuple[tuple[Gap, ...], tuple[str, ...]]:
    """Return what the inventory could not read, and the acceptances that met none of it."""
    met: set[int] = set()
    gaps = []
    for finding in findings:
        if finding.severity is not Severity.BLOCKER:
            continue
        names = {finding.subject, finding.native_type, finding.permission} - {""}
        fitting = [
            number
            for number, each in enumerate(accepts)
            if any(fnmatchcase(name, each.subject) for name in names)
        ]
        met.update(fitting)
        gaps.append(
            Gap(
                subject=finding.subject,
                rule=finding.rule,
                detail=finding.detail,
                remedy=finding.remedy,
                region=finding.region,
                accepted=accepts[fitting[0]].reason if fitting else "",
            )
        )
    return tuple(gaps), tuple(each.subject for number, each in enumerate(accepts) if number not in met)


def _accepts(each: AcceptedFinding, finding: Finding) -> bool:
    return each.rule == finding.rule and fnmatchcase(finding.component, each.component)
