"""Where data may lie."""

from __future__ import annotations

from heavylift.assess.basis import Basis
from heavylift.evidence.assess_input import Component, Constraints, Target


def broken_residency(component: Component, constraints: Constraints, target: Target, basis: Basis) -> str:
    """Return why a component may not lie at ``target``, in words; empty where it may.

    A rule names jurisdictions (``EU``) or regions; where nobody knows under whose law the region lies,
    only its own name helps.
    """
    allowed = component.residency or constraints.residency
    if not allowed or target.region in allowed:
        return ""
    law = basis.jurisdiction(target.platform, target.region)
    if law in allowed:
        return ""
    where = f"{target.region or 'a region that nobody named'} ({law or 'jurisdiction not known'})"
    return f"it may lie in {', '.join(allowed)}, and the target is {where}"
