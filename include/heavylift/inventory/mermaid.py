"""The graph as Mermaid text, bounded in size: what is too large to look at is drawn by type."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence

from heavylift.evidence.inventory_records import Component, Edge

MAX_NODES = 150
MAX_EDGES = 400
_LABEL = 60


def picture(components: Sequence[Component], edges: Sequence[Edge], *, around: str = "") -> str:
    """Return a flowchart; a dashed line is an inferred edge.

    :param around: id of a component: only what is near it is drawn.
    """
    known = {component.id: component for component in components}
    if around:
        nearest = _near(around, edges)
        return _components([known[id] for id in nearest if id in known], edges)
    linked = {id for edge in edges for id in (edge.source, edge.target)}
    if len(linked) <= MAX_NODES and len(edges) <= MAX_EDGES:
        return _components([known[id] for id in sorted(linked) if id in known], edges)
    return _types(known, edges)


def _near(start: str, edges: Iterable[Edge]) -> list[str]:
    beside: dict[str, list[str]] = {}
    for edge in edges:
        beside.setdefault(edge.source, []).append(edge.target)
        beside.setdefault(edge.target, []).append(edge.source)
    found, waiting = {start: None}, deque([start])
    while waiting and len(found) < MAX_NODES:
        for id in beside.get(waiting.popleft(), ()):
            if id not in found and len(found) < MAX_NODES:
                found[id] = None
                waiting.append(id)
    return list(found)


def _components(drawn: Sequence[Component], edges: Iterable[Edge]) -> str:
    numbers = {component.id: f"n{index}" for index, component in enumerate(drawn)}
    lines = ["flowchart LR"]
    for component in drawn:
        label = f"{_safe(component.name)}<br/><small>{_safe(component.native_type)}</small>"
        lines.append(f'  {numbers[component.id]}["{label}"]')
    inside = [edge for edge in edges if edge.source in numbers and edge.target in numbers]
    for edge in inside[:MAX_EDGES]:
        arrow = "-->" if edge.explicit else "-.->"
        lines.append(f"  {numbers[edge.source]} {arrow}|{_safe(edge.relation)}| {numbers[edge.target]}")
    if len(inside) > MAX_EDGES:
        lines.append(f"  %% {len(inside) - MAX_EDGES} more edges, in the evidence")
    return "\n".join(lines) + "\n"


def _types(known: Mapping[str, Component], edges: Iterable[Edge]) -> str:
    def type_of(id: str) -> str:
        return known[id].native_type if id in known else "?"

    counts = Counter(component.native_type for component in known.values())
    pairs = Counter((type_of(edge.source), edge.relation, type_of(edge.target)) for edge in edges)
    shown = [name for name, _ in counts.most_common(MAX_NODES)]
    numbers = {name: f"t{index}" for index, name in enumerate(sorted(shown))}
    lines = ["flowchart LR", "  %% more components than can be looked at: drawn by type"]
    lines += [f'  {numbers[name]}["{_safe(name)}<br/>{counts[name]:,}"]' for name in sorted(shown)]
    for (source, relation, target), count in sorted(pairs.most_common(MAX_EDGES)):
        if source in numbers and target in numbers:
            lines.append(f'  {numbers[source]} -->|"{_safe(relation)} {count:,}"| {numbers[target]}')
    return "\n".join(lines) + "\n"


def _safe(text: str) -> str:
    """Return ``text`` so that it cannot end a label or begin markup."""
    shown = text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"
    return "".join(
        character if character.isalnum() or character in " -_./:@…" else f"#{ord(character)};"
        for character in shown
    )
