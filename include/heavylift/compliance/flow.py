"""How classes flow from what holds them to what is derived of it, along one directed graph; pure."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Flow:
    """Data goes from ``origin`` to ``derived``.

    :param why: the relation that tells so, such as ``reads``.
    """

    origin: str
    derived: str
    why: str
    confidence: float = 1.0


Stops = Callable[[Flow, str], bool]
"""Tells of a flow and a class whether it ends there: somebody has declassified what is derived."""


@dataclass(frozen=True)
class Chain:
    """The way on which a class came to a node: the flows, from where it was found.

    :param confidence: that of its least sure flow.
    """

    flows: tuple[Flow, ...]

    @property
    def confidence(self) -> float:
        """How sure its least sure flow is."""
        return min((each.confidence for each in self.flows), default=1.0)


def inherited(
    flows: Iterable[Flow], held: Mapping[str, Iterable[str]], stops: Stops = lambda _flow, _class: False
) -> dict[str, dict[str, Chain]]:
    """Return for each node the classes that it has from others, each with its surest and then shortest chain.

    A node that holds a class itself inherits it from nobody. Circles end: a node is passed once for a class.
    """
    following: dict[str, list[Flow]] = defaultdict(list)
    for flow in sorted(flows, key=lambda each: (each.origin, each.derived, each.why)):
        following[flow.origin].append(flow)
    origins: dict[str, list[str]] = defaultdict(list)
    for node, classes in held.items():
        for name in classes:
            origins[name].append(node)
    found: dict[str, dict[str, Chain]] = defaultdict(dict)
    for name, nodes in sorted(origins.items()):
        for node, chain in _spread(name, frozenset(nodes), following, stops).items():
            found[node][name] = chain
    return dict(found)


def _spread(
    name: str, origins: frozenset[str], following: Mapping[str, list[Flow]], stops: Stops
) -> dict[str, Chain]:
    # The surest chain first, the shortest among equals; what comes from a node's own is not inherited.
    queue: list[tuple[float, int, str]] = [(-1.0, 0, node) for node in sorted(origins)]
    heapq.heapify(queue)
    into: dict[str, Flow] = {}
    done: set[str] = set()
    best: dict[str, tuple[float, int]] = {node: (-1.0, 0) for node in origins}
    while queue:
        sureness, length, node = heapq.heappop(queue)
        if node in done:
            continue
        done.add(node)
        for flow in following.get(node, ()):
            there = max(sureness, -flow.confidence), length + 1
            if flow.derived in done or flow.derived in origins or stops(flow, name):
                continue
            if flow.derived not in best or there < best[flow.derived]:
                best[flow.derived] = there
                into[flow.derived] = flow
                heapq.heappush(queue, (*there, flow.derived))
    return {node: _chain(node, into) for node in into}


def _chain(node: str, into: Mapping[str, Flow]) -> Chain:
    flows: list[Flow] = []
    while node in into:
        flows.append(into[node])
        node = into[node].origin
    return Chain(tuple(reversed(flows)))
