"""The dependency graph as SVG: what is needed stands left of what needs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from heavylift.evidence.assessment_records import Arrow, GraphPicture, Node
from heavylift.evidence.wording import counted
from heavylift.report.text import visible

_BOX, _HIGH, _GAP, _ROW, _COLUMN = 164, 36, 46, 46, 8
_MARGIN = 10
_MOST_ROWS = 14
_SWEEPS = 4
_LONGEST = 21
_SMALLEST = 0.72
"""How far it is made smaller to fit a page; then the page scrolls sideways."""
_COLOURS = 6
"""How many colours tell capabilities apart; the label tells the rest."""


@dataclass(frozen=True)
class _Spot:
    x: float
    y: float


def draw_dependencies(picture: GraphPicture) -> Markup:
    """Return the graph as one SVG; empty where there is nothing to draw.

    Boxes of one capability have one colour. A dashed arrow leads backwards: its ends need each other.
    """
    linked = {end for arrow in picture.arrows for end in (arrow.source, arrow.target)}
    nodes = [node for node in picture.nodes if node.id in linked]
    if not nodes:
        return Markup()
    layers = _ordered(_layers(nodes, picture.arrows), picture.arrows)
    spots, wide, high = _placed(layers)
    colours = _colours(nodes)
    drawn = [arrow for arrow in picture.arrows if arrow.source in spots and arrow.target in spots]
    arrows = Markup().join(_arrow(arrow, spots) for arrow in drawn)
    boxes = Markup().join(_box(node, spots[node.id], colours[node.capability], picture) for node in nodes)
    label = f"Dependencies of {counted(len(nodes), 'box', 'boxes')}: what is needed is on the left"
    return Markup(
        '<svg viewBox="0 0 {0:.0f} {1:.0f}" style="min-width:{4:.0f}px;max-width:{0:.0f}px"'
        ' role="img" aria-label="{2}" class="plot graph">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>{3}{5}</svg>'
    ).format(wide, high, label, arrows, wide * _SMALLEST, boxes)


def alone_in(picture: GraphPicture) -> int:
    """Return how many components have no dependency at all, and are therefore not drawn."""
    linked = {end for arrow in picture.arrows for end in (arrow.source, arrow.target)}
    return sum(node.count for node in picture.nodes if node.id not in linked)


def _layers(nodes: Sequence[Node], arrows: Sequence[Arrow]) -> list[list[str]]:
    """Return the boxes in columns, each right of all that it needs; what closes a circle does not count."""
    needing: dict[str, list[str]] = {node.id: [] for node in nodes}
    for arrow in arrows:
        if arrow.source in needing and arrow.target in needing:
            needing[arrow.source].append(arrow.target)
    order = _forward(needing)
    rank = {id: place for place, id in enumerate(order)}
    depth = dict.fromkeys(order, 0)
    for id in order:
        for other in needing[id]:
            if rank[other] > rank[id]:
                depth[other] = max(depth[other], depth[id] + 1)
    layers: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in nodes:
        layers[depth[node.id]].append(node.id)
    return layers


def _forward(needing: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the boxes in an order in which all arrows lead forwards that are in no circle."""
    finished: list[str] = []
    seen: set[str] = set()

    def visit(id: str) -> None:
        seen.add(id)
        for other in needing[id]:
            if other not in seen:
                visit(other)
        finished.append(id)

    for id in needing:
        if id not in seen:
            visit(id)
    return finished[::-1]


def _ordered(layers: list[list[str]], arrows: Sequence[Arrow]) -> list[list[str]]:
    """Return the columns with each box near what it is joined to: fewer arrows cross."""
    beside: dict[str, list[str]] = defaultdict(list)
    for arrow in arrows:
        beside[arrow.source].append(arrow.target)
        beside[arrow.target].append(arrow.source)
    for _ in range(_SWEEPS):
        place = {id: row / max(1, len(layer)) for layer in layers for row, id in enumerate(layer)}
        layers = [sorted(layer, key=lambda id: (_middle(beside[id], place), place[id])) for layer in layers]
    return layers


def _middle(others: Sequence[str], place: Mapping[str, float]) -> float:
    found = [place[other] for other in others if other in place]
    return sum(found) / len(found) if found else 0.0


def _placed(layers: Sequence[Sequence[str]]) -> tuple[dict[str, _Spot], float, float]:
    """Return where each box stands, and the size of the whole; a long column is broken into several."""
    spots: dict[str, _Spot] = {}
    columns = [
        (layer[start : start + _MOST_ROWS], start + _MOST_ROWS < len(layer))
        for layer in layers
        for start in range(0, len(layer), _MOST_ROWS)
    ]
    tallest = max(len(column) for column, _ in columns)
    x = float(_MARGIN)
    for column, goes_on in columns:
        top = _MARGIN + (tallest - len(column)) * _ROW / 2
        for row, id in enumerate(column):
            spots[id] = _Spot(x, top + row * _ROW)
        x += _BOX + (_COLUMN if goes_on else _GAP)
    return spots, x - _GAP + _MARGIN, tallest * _ROW + 2 * _MARGIN - (_ROW - _HIGH)


def _colours(nodes: Sequence[Node]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for node in nodes:
        counts[node.capability] += node.count
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    return {name: min(rank, _COLOURS - 1) for rank, name in enumerate(ranked)}


def _arrow(arrow: Arrow, spots: Mapping[str, _Spot]) -> Markup:
    one, other = spots[arrow.source], spots[arrow.target]
    backwards = other.x <= one.x
    x1, x2 = (one.x + _BOX, other.x) if not backwards else (one.x, other.x + _BOX)
    y1, y2 = one.y + _HIGH / 2, other.y + _HIGH / 2
    bend = max(24.0, abs(x2 - x1) / 2)
    out, into = (x1 + bend, x2 - bend) if not backwards else (x1 - bend, x2 + bend)
    if one.x == other.x:
        # Within one column it goes around the right side.
        x1 = x2 = one.x + _BOX
        out = into = x1 + 30
    return Markup(
        '<path d="M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}" class="arrow{}"'
        ' marker-end="url(#tip)"><title>{}</title></path>'
    ).format(
        x1, y1, out, y1, into, y2, x2, y2, " back" if backwards else "",
        counted(arrow.count, "dependency", "dependencies"),
    )  # fmt: skip


def _box(node: Node, spot: _Spot, colour: int, picture: GraphPicture) -> Markup:
    below = node.capability if picture.single else f"wave {node.wave}, {counted(node.count, 'component')}"
    return Markup(
        '<g><title>{}</title><rect x="{:.1f}" y="{:.1f}" width="{}" height="{}" rx="5" class="node c{}"/>'
        '<text x="{:.1f}" y="{:.1f}" class="name">{}</text>'
        '<text x="{:.1f}" y="{:.1f}" class="kind">{}</text></g>'
    ).format(
        visible(f"{node.title} ({node.capability}, wave {node.wave})"),
        spot.x, spot.y, _BOX, _HIGH, colour,
        spot.x + 10, spot.y + 15, visible(_short(node.label)),
        spot.x + 10, spot.y + 29, visible(_short(below, _LONGEST + 6)),
    )  # fmt: skip


def _short(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
