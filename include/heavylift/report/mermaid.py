"""The dependency graph of a plan as Mermaid text, small enough to be looked at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from heavylift.evidence.assess_records import ComponentPlan, Plan

MOST_NODES = 60
MOST_EDGES = 150


def draw_graph(plan: Plan) -> str:
    """Return the graph: component by component where they are few, else by wave and capability.

    An arrow leads from what is needed to what needs it, as things move. What is left out is counted.
    """
    single = len(plan.components) <= MOST_NODES
    node_of = {each.id: (each.wave, each.id if single else _group(each)) for each in plan.components}
    sizes = Counter(node_of.values())
    kept = [node for node, _ in sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_NODES]]
    names = {node: f"n{number}" for number, node in enumerate(sorted(kept))}
    edges = Counter(
        (node_of[needed], node_of[one])
        for one, needed in plan.dependencies
        if one in node_of and needed in node_of and node_of[one] != node_of[needed]
    )
    shown = [(pair, count) for pair, count in sorted(edges.items()) if pair[0] in names and pair[1] in names][
        :MOST_EDGES
    ]
    lines = ["flowchart LR", *_nodes(names, sizes, single)]
    lines += [
        f"  {names[needed]} -->{'' if count == 1 else f'|{count:,}|'} {names[one]}"
        for (needed, one), count in shown
    ]
    hidden = len(sizes) - len(kept), len(edges) - len(shown)
    if any(hidden):
        lines.append(f"  %% left out: {hidden[0]:,} nodes and {hidden[1]:,} arrows")
    return "\n".join(lines) + "\n"


def _nodes(names: dict[tuple[int, str], str], sizes: Counter[tuple[int, str]], single: bool) -> Iterator[str]:
    wave = 0
    for (number, label), name in names.items():
        if number != wave:
            if wave:
                yield "  end"
            wave = number
            yield f'  subgraph w{number}["Wave {number}"]'
        count = "" if single else f": {sizes[number, label]:,}"
        yield f'    {name}["{_quoted(label)}{count}"]'
    if wave:
        yield "  end"


def _group(each: ComponentPlan) -> str:
    return each.capability or "unknown service"


def _quoted(text: str) -> str:
    """Return ``text`` so that no character of it means anything to Mermaid."""
    shown = text if len(text) <= 60 else f"{text[:59]}…"
    return re.sub(r"[^\w .,:/+()@-]", lambda found: f"#{ord(found[0])};", shown)
