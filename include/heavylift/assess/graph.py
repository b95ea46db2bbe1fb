"""The order in which components can move: what is needed goes first, cycles go together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from heavylift.evidence.assess_input import Component, Dependency


@dataclass(frozen=True)
class Graph:
    """Components by number, and what each needs.

    :param needs: for each component the numbers of those that it needs, sorted and each once.
    :param dangling: ids that are needed and not in the list, each with the first that needs it.
    """

    ids: tuple[str, ...]
    needs: tuple[tuple[int, ...], ...]
    dangling: tuple[tuple[str, str], ...]

    def fan_in(self) -> list[int]:
        """Return for each component how many others need it."""
        counts = [0] * len(self.ids)
        for needed in self.needs:
            for number in needed:
                counts[number] += 1
        return counts

    def groups(self) -> list[tuple[int, ...]]:
        """Return the cycles, and every other component alone, each sorted (Tarjan, without recursion)."""
        return _Tarjan(self.needs).run()


def build_graph(components: Sequence[Component], dependencies: Iterable[Dependency]) -> Graph:
    """Return the graph; a component that needs itself needs nothing."""
    number = {component.id: place for place, component in enumerate(components)}
    needs: list[set[int]] = [set() for _ in components]
    dangling: dict[str, str] = {}
    for each in dependencies:
        one, other = number.get(each.component), number.get(each.needs)
        if one is None:
            dangling.setdefault(each.component, each.needs)
        elif other is None:
            dangling.setdefault(each.needs, each.component)
        elif one != other:
            needs[one].add(other)
    return Graph(
        ids=tuple(component.id for component in components),
        needs=tuple(tuple(sorted(each)) for each in needs),
        dangling=tuple(sorted(dangling.items())),
    )


def moving_order(graph: Graph, components: Sequence[Component]) -> list[tuple[int, ...]]:
    """Return the groups so that each comes after all that it needs; one owner's stay together.

    It depends on the graph, owners and ids alone: not on sizes or lines.
    """
    groups = [tuple(sorted(group, key=lambda number: components[number].id)) for group in graph.groups()]
    group_of = [0] * len(graph.ids)
    for place, group in enumerate(groups):
        for number in group:
            group_of[number] = place
    wanted: list[set[int]] = [
        {group_of[needed] for number in group for needed in graph.needs[number]} - {place}
        for place, group in enumerate(groups)
    ]
    wanting: list[list[int]] = [[] for _ in groups]
    for place, needed in enumerate(wanted):
        for other in needed:
            wanting[other].append(place)
    keys = [min((components[n].owner, components[n].id) for n in group) for group in groups]
    open_needs = [len(needed) for needed in wanted]
    ready = [(keys[place], place) for place, count in enumerate(open_needs) if not count]
    heapify(ready)
    order: list[tuple[int, ...]] = []
    while ready:
        _, place = heappop(ready)
        order.append(groups[place])
        for other in wanting[place]:
            open_needs[other] -= 1
            if not open_needs[other]:
                heappush(ready, (keys[other], other))
    return order


class _Tarjan:
    def __init__(self, needs: Sequence[tuple[int, ...]]) -> None:
        self._needs = needs
        self._index = [-1] * len(needs)
        self._low = [0] * len(needs)
        self._on_stack = bytearray(len(needs))
        self._stack: list[int] = []
        self._groups: list[tuple[int, ...]] = []
        self._count = 0

    def run(self) -> list[tuple[int, ...]]:
        for start in range(len(self._needs)):
            if self._index[start] < 0:
                self._visit(start)
        return self._groups

    def _visit(self, start: int) -> None:
        work = [(start, iter(self._needs[start]))]
        self._enter(start)
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                self._leave(node, work[-1][0] if work else None)
            elif self._index[following] < 0:
                self._enter(following)
                work.append((following, iter(self._needs[following])))
            elif self._on_stack[following]:
                self._low[node] = min(self._low[node], self._index[following])

    def _enter(self, node: int) -> None:
        self._index[node] = self._low[node] = self._count
        self._count += 1
        self._stack.append(node)
        self._on_stack[node] = 1

    def _leave(self, node: int, parent: int | None) -> None:
        if parent is not None:
            self._low[parent] = min(self._low[parent], self._low[node])
        if self._low[node] != self._index[node]:
            return
        group: list[int] = []
        while True:
            member = self._stack.pop()
            self._on_stack[member] = 0
            group.append(member)
            if member == node:
                break
        self._groups.append(tuple(sorted(group)))
