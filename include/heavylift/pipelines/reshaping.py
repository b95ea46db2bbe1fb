"""Makes a pipeline plainer without changing what it does: groups opened, outputs within reach."""

from __future__ import annotations

from dataclasses import replace

from heavylift.pipelines.model import Branch, Group, Literal, Node, Pipeline, Step
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.walk import Order, all_nodes, own_atoms, producer_of


def without_groups(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with the steps of each group in its place, in the same order."""
    inside: dict[str, tuple[str, ...]] = {}
    for node in all_nodes(pipeline.nodes):
        if isinstance(node, Group):
            inside[node.name] = tuple(inner.name for inner in node.body)

    def names(name: str) -> tuple[str, ...]:
        if name not in inside:
            return (name,)
        return tuple(found for inner in inside[name] for found in names(inner))

    def opened(nodes: tuple[Node, ...], before: tuple[str, ...]) -> tuple[Node, ...]:
        result: list[Node] = []
        for node in nodes:
            after = tuple(dict.fromkeys(n for name in (*before, *node.after) for n in names(name)))
            if isinstance(node, Group):
                result += opened(node.body, after)
                continue
            node = replace(node, after=after)
            if isinstance(node, Branch):
                cases = tuple((condition, opened(body, ())) for condition, body in node.cases)
                node = replace(node, cases=cases, otherwise=opened(node.otherwise, ()))
            elif not isinstance(node, Step):
                node = replace(node, body=opened(node.body, ()))
            result.append(node)
        return tuple(result)

    return replace(pipeline, nodes=opened(pipeline.nodes, ())) if inside else pipeline


def within_reach(pipeline: Pipeline, notes: Notes) -> Pipeline:
    """Return the pipeline with a stub for each step that needs what may not have been made."""
    order = Order(pipeline)

    def lost(node: Node) -> str:
        around = {*order.path(node.name)[1:], ""}
        for atom in own_atoms(node):
            made = producer_of(atom)
            if made and ([*order.path(made.step)[1:2], ""][0] not in around):
                return made.step
        return ""

    def one(node: Node) -> Node:
        step = lost(node)
        if step:
            what = f"it needs an output of {step}, which may not have run: it lies in a branch or loop"
            remedy = f"move it beside {step}, or let it read a fixed address"
            for inner in all_nodes((node,)):
                notes.untranslated(inner.name, what, remedy)
            message = Literal(f"{node.name} was not translated: {what}. To fix: {remedy}")
            return Step(node.name, "stub", after=node.after, message=message)
        if isinstance(node, Step):
            return node
        if isinstance(node, Branch):
            cases = tuple((condition, tuple(map(one, body))) for condition, body in node.cases)
            return replace(node, cases=cases, otherwise=tuple(map(one, node.otherwise)))
        return replace(node, body=tuple(map(one, node.body)))

    return replace(pipeline, nodes=tuple(map(one, pipeline.nodes)))
