"""Runs all rules over all components."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from heavylift.assess.findings.contents import CONTENT_RULES
from heavylift.assess.findings.rule import Rule, Scene
from heavylift.assess.findings.services import SERVICE_RULES
from heavylift.assess.graph import Graph
from heavylift.evidence.assess_records import Finding
from heavylift.evidence.wording import enumeration

RULES: tuple[Rule, ...] = (*SERVICE_RULES, *CONTENT_RULES)
"""Every rule about a single component."""

CYCLE, DANGLING = "AS-301", "AS-302"
"""The rules about the graph."""


def find(scenes: Iterable[Scene]) -> list[Finding]:
    """Return what the rules see, component by component."""
    return [
        Finding(
            rule=rule.id,
            severity=rule.severity,
            component=scene.component.id,
            evidence=seen,
            remedy=rule.remedy,
        )
        for scene in scenes
        for rule in RULES
        if (seen := rule.look(scene))
    ]


def find_in_graph(graph: Graph, cycles: Sequence[tuple[str, ...]], accepted: Iterable[str]) -> list[Finding]:
    """Return cycles, and ids that are needed and in no list."""
    fine = set(accepted)
    found = [
        Finding(
            rule=CYCLE,
            severity="note",
            component=cycle[0],
            evidence=f"needs itself through {enumeration(cycle[1:])}",
            remedy="they are switched together; take one dependency away to move them apart",
        )
        for cycle in cycles
    ]
    found += [
        Finding(
            rule=DANGLING,
            severity="blocker",
            component=wanting,
            evidence=f"{missing} belongs to one of its dependencies and is in no list",
            remedy="add it to the components, or to constraints.accepted_references with open eyes",
        )
        for missing, wanting in graph.dangling
        if missing not in fine
    ]
    return found
