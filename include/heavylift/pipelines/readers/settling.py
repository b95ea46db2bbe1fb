"""What follows from steps that could not be translated: whoever needs their outputs can't be either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from heavylift.pipelines.model import Branch, Node, Pipeline, Step
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.readers.untranslatable import UntranslatableStepError, stub
from heavylift.pipelines.walk import all_nodes, all_steps, demand_sound, own_atoms, parts_of, producer_of


def settled(pipeline: Pipeline, gone: Mapping[str, str], notes: Notes) -> Pipeline:
    """Return the pipeline with a stub for each step that needs what no step makes any more, and sound.

    :param gone: steps that are no longer there, each with the stub that stands for them.
    :raises SpecError: something refers to what never was there, or waits for itself.
    """
    broken = {step.name: step.name for step in all_steps(pipeline) if step.kind == "stub"} | dict(gone)
    while True:
        nodes = _settle(pipeline.nodes, broken, gone, notes)
        if nodes == pipeline.nodes:
            break
        pipeline = replace(pipeline, nodes=nodes)
        for node in all_nodes(nodes):
            if isinstance(node, Step) and node.kind == "stub":
                broken.setdefault(node.name, node.name)
    demand_sound(pipeline, notes.file)
    return pipeline


def _settle(
    nodes: tuple[Node, ...], broken: dict[str, str], gone: Mapping[str, str], notes: Notes
) -> tuple[Node, ...]:
    return tuple(_one(node, broken, gone, notes) for node in nodes)


def _one(node: Node, broken: dict[str, str], gone: Mapping[str, str], notes: Notes) -> Node:
    after = tuple(dict.fromkeys(gone.get(name, name) for name in node.after))
    node = replace(node, after=after)
    made = [found.step for atom in own_atoms(node) if (found := producer_of(atom))]
    lost = list(dict.fromkeys(name for name in made if name in broken))
    if lost and not (isinstance(node, Step) and node.kind == "stub"):
        why = UntranslatableStepError(f"it needs what {', '.join(lost)} makes", f"translate {lost[0]} first")
        for inner in _held(node):
            broken[inner] = node.name
            notes.untranslated(inner, f"it is held by {node.name}", f"translate {lost[0]} first")
        origin = node.origin if isinstance(node, Step) else type(node).__name__.lower()
        waits = tuple(dict.fromkeys((*after, *(broken[name] for name in lost))))
        return stub(node.name, origin, why, waits, notes)
    if isinstance(node, Step):
        # The order after something that is gone is kept by the stub in its place.
        return replace(node, after=tuple(dict.fromkeys(broken.get(name, name) for name in after)))
    if isinstance(node, Branch):
        cases = tuple((condition, _settle(body, broken, gone, notes)) for condition, body in node.cases)
        return replace(node, cases=cases, otherwise=_settle(node.otherwise, broken, gone, notes))
    return replace(node, body=_settle(node.body, broken, gone, notes))


def _held(node: Node) -> list[str]:
    return [inner.name for body in parts_of(node) for inner in all_nodes(body)]
