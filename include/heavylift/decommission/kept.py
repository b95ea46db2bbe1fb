"""What the spec says must not be deleted: until a day, or for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from heavylift.patterns import compile_pattern
from heavylift.spec.sections_decommission import Kept


@dataclass(frozen=True)
class KeepRule:
    """One rule that holds today.

    :param matches: tells whether a relative key, a table as ``schema.table`` or a topic is meant.
    """

    matches: Callable[[str], bool]
    reason: str
    until: str


def rules_for(kept: Sequence[Kept], component: str, today: date) -> list[KeepRule]:
    """Return the rules that hold for ``dataset/NAME`` and the like today; legal holds first."""
    kind = component.partition("/")[0]
    mine = [each for each in kept if each.component in (component, f"{kind}/*") and _holds(each, today)]
    mine.sort(key=lambda each: not each.legal_hold)
    return [_rule(each) for each in mine]


def rule_of(rules: Sequence[KeepRule], name: str) -> KeepRule | None:
    """Return the first rule that keeps ``name``, or None."""
    return next((rule for rule in rules if rule.matches(name)), None)


def _holds(kept: Kept, today: date) -> bool:
    return kept.legal_hold or kept.retain_until is None or today < date.fromisoformat(kept.retain_until)


def _rule(kept: Kept) -> KeepRule:
    patterns = [compile_pattern(pattern) for pattern in kept.match]

    def matches(name: str) -> bool:
        return any(pattern.fullmatch(name) for pattern in patterns)

    kind = "legal hold" if kept.legal_hold else f"retained until {kept.retain_until}"
    return KeepRule(matches, f"{kind}: {kept.reason}", kept.retain_until or "")
