"""The dependency graph of a plan as Mermaid text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from heavylift.evidence.assessment_records import GraphPicture


def draw_graph(picture: GraphPicture) -> str:
    """Return the picture as text. An arrow leads from what is needed to what needs it, as things move."""
    lines = ["flowchart LR", *_nodes(picture)]
    lines += [
        f"  {arrow.source} -->{'' if arrow.count == 1 else f'|{arrow.count:,}|'} {arrow.target}"
        for arrow in picture.arrows
    ]
    if picture.hidden_nodes or picture.hidden_arrows:
        hidden = f"{picture.hidden_nodes:,} nodes and {picture.hidden_arrows:,} arrows"
        lines.append(f"  %% left out: {hidden}")
    return "\n".join(lines) + "\n"


def _nodes(picture: GraphPicture) -> Iterator[str]:
    wave = 0
    for node in picture.nodes:
        if node.wave != wave:
            if wave:
                yield "  end"
            wave = node.wave
            yield f'  subgraph w{wave}["Wave {wave}"]'
        count = "" if picture.single else f": {node.count:,}"
        yield f'    {node.id}["{_quoted(node.label)}{count}"]'
    if wave:
        yield "  end"


def _quoted(text: str) -> str:
    """Return ``text`` so that no character of it means anything to Mermaid."""
    shown = text if len(text) <= 60 else f"{text[:59]}…"
    return re.sub(r"[^\w .,:/+()@-]", lambda found: f"#{ord(found[0])};", shown)
