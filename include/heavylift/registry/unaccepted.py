"""Losses that nobody has accepted: what a target cannot hold stops a move before it begins."""

from __future__ import annotations

from collections.abc import Iterable

from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.registry_records import RegistryLoss
from heavylift.evidence.wording import enumeration


def losses_not_accepted(losses: Iterable[RegistryLoss]) -> Finding:
    """Return the finding that stops a move of which these losses were not accepted."""
    found = list(losses)
    count = sum(each.count for each in found)
    return Finding(
        rule="losses-not-accepted",
        severity=Severity.BLOCKER,
        subject="target",
        detail=f"{len(found)} sorts of things are lost on the target, {count:,} in all, such as "
        + enumeration([f"{each.item} of {each.what} ({each.count:,})" for each in found]),
        remedy="look at the list (--losses), and accept it with --accept-losses, or accept_losses in the"
        " spec",
    )
