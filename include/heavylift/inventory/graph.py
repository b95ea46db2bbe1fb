"""Makes edges of references, and names the cycles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from heavylift.evidence.inventory_records import (
    EXPLICIT,
    RUNS_ON,
    Component,
    Edge,
    How,
    InventoryFinding,
    OutsideReference,
    Reference,
)
from heavylift.inventory.outside import Scope, why_outside
from heavylift.inventory.resolving import Resolver
from heavylift.inventory.rows import KNOWN_AS
from heavylift.inventory.shapes import STORES

_FIELDS = 4
_EXACT, _SAME_PLACE = 0.9, 0.8


@dataclass(frozen=True)
class Graph:
    """What depends on what.

    :param outside: references that no component answers to, in the order of their components.
    :param cycles: sets of components that depend on each other, ids sorted, longest first.
    """

    edges: tuple[Edge, ...]
    outside: tuple[OutsideReference, ...]
    cycles: tuple[tuple[str, ...], ...]


def build_graph(
    components: Sequence[Component],
    references: Iterable[Reference],
    regions: Collection[str] = (),
    findings: Sequence[InventoryFinding] = (),
) -> Graph:
    """Return the graph of an inventory.

    :param regions: those that were read.
    :param findings: what could not be read.
    """
    resolver = Resolver(components)
    scope = Scope(
        accounts=frozenset(component.account for component in components),
        regions=frozenset(regions),
        seen_types=frozenset(resolver.seen_types),
        native_types=frozenset(resolver.native_types),
        unread=frozenset(finding.native_type for finding in findings if finding.rule != "truncated"),
    )
    edges = _Edges()
    for server, platforms, host in resolver.hosted():
        edges.add(Reference(server, KNOWN_AS, host, RUNS_ON, How.API_FIELD, 1.0), platforms)
    outside: list[OutsideReference] = []
    writers: dict[str, set[str]] = defaultdict(set)
    readers: list[tuple[str, Reference]] = []
    for reference in references:
        found = resolver.find(reference.target, reference.component)
        for target in found:
            if target != reference.component:
                edges.add(reference, target)
        if not found:
            outside.append(why_outside(reference, scope))
        _note_artefact(reference, writers, readers)
    for place, reference in readers:
        for writer in sorted(writers.get(place, ())):
            if writer != reference.component:
                edges.add_lineage(reference, writer)
    made = edges.all()
    return Graph(made, tuple(outside), _cycles(made))


def _note_artefact(
    reference: Reference, writers: dict[str, set[str]], readers: list[tuple[str, Reference]]
) -> None:
    """Note who writes and reads a place inside a bucket; a whole bucket is no artefact."""
    place = reference.target.rstrip("/")
    if not place.startswith(STORES) or place.count("/") < (4 if place.startswith("az://") else 3):
        return
    if reference.relation == "writes":
        writers[place].add(reference.component)
    else:
        readers.append((place, reference))


class _Edges:
    """Edges by source, target and relation; the surest way of finding one is the one that is told."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str, str], Edge] = {}

    def add(self, reference: Reference, target: str) -> None:
        self._put(
            Edge(
                reference.component,
                target,
                reference.relation,
                reference.how,
                reference.confidence,
                (reference.field,),
            )
        )

    def add_lineage(self, reference: Reference, writer: str) -> None:
        # One file is one artefact; a folder may hold more than what one job wrote.
        file = "." in reference.target.rpartition("/")[2]
        confidence = _EXACT if file else _SAME_PLACE
        self._put(Edge(reference.component, writer, "made_by", How.LINEAGE, confidence, (reference.field,)))

    def _put(self, edge: Edge) -> None:
        key = (edge.source, edge.target, edge.relation)
        before = self._made.get(key)
        if before is None:
            self._made[key] = edge
            return
        surer = max(before, edge, key=lambda each: (each.how in EXPLICIT, each.confidence))
        fields = tuple(dict.fromkeys((*before.fields, *edge.fields)))[:_FIELDS]
        self._made[key] = Edge(edge.source, edge.target, edge.relation, surer.how, surer.confidence, fields)

    def all(self) -> tuple[Edge, ...]:
        return tuple(self._made[key] for key in sorted(self._made))


def _cycles(edges: Iterable[Edge]) -> tuple[tuple[str, ...], ...]:
    import networkx

    graph = networkx.DiGraph()
    graph.add_edges_from((edge.source, edge.target) for edge in edges)
    knots = (tuple(sorted(knot)) for knot in networkx.strongly_connected_components(graph) if len(knot) > 1)
    return tuple(sorted(knots, key=lambda knot: (-len(knot), knot)))
