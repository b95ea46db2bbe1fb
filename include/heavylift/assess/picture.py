"""The dependency graph of a plan, made small enough to be looked at."""

from __future__ import annotations

import re
from collections import Counter

from heavylift.evidence.assess_records import ComponentPlan, Plan
from heavylift.evidence.assessment_records import Arrow, GraphPicture, Node

MOST_NODES = 60
MOST_ARROWS = 150
_LONGEST = 32


def graph_of(plan: Plan) -> GraphPicture:
    """Return the graph: component by component where they are few, else by wave and capability.

    Components that nothing needs and that need nothing are drawn last, and left out first.
    """
    single = len(plan.components) <= MOST_NODES
    node_of = {each.id: (each.wave, each.id if single else _group(each)) for each in plan.components}
    sizes = Counter(node_of.values())
    arrows = Counter(
        (node_of[needed], node_of[one])
        for one, needed in plan.dependencies
        if one in node_of and needed in node_of and node_of[one] != node_of[needed]
    )
    kept = [node for node, _ in sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_NODES]]
    names = {node: f"n{number}" for number, node in enumerate(sorted(kept))}
    shown = [pair for pair in sorted(arrows.items()) if pair[0][0] in names and pair[0][1] in names]
    first = {node_of[each.id]: each for each in reversed(plan.components)}
    return GraphPicture(
        nodes=tuple(
            Node(
                id=name,
                label=short_name(node[1]) if single else node[1],
                title=node[1],
                capability=_group(first[node]),
                wave=node[0],
                count=sizes[node],
            )
            for node, name in names.items()
        ),
        arrows=tuple(
            Arrow(source=names[needed], target=names[one], count=count)
            for (needed, one), count in shown[:MOST_ARROWS]
        ),
        single=single,
        hidden_nodes=len(sizes) - len(kept),
        hidden_arrows=len(arrows) - min(len(shown), MOST_ARROWS),
    )


def short_name(id: str) -> str:
    """Return what people call a component: of an id as long as an ARN, its last part."""
    if len(id) <= _LONGEST and not id.startswith("arn:"):
        return id
    return re.split(r"[/:|]", id.rstrip("/:|"))[-1] or id


def _group(each: ComponentPlan) -> str:
    return each.capability or "unknown service"
