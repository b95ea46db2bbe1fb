"""Makes a pipeline of steps alone, for targets that have no branches and loops of their own.

A branch becomes a step that decides and writes down which way holds; every step of a way looks there first.
A loop over a list that is written down becomes a copy of its body for each item.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from heavylift.pipelines.model import (
    Branch,
    Combine,
    Condition,
    Expression,
    Item,
    JsonValue,
    Literal,
    Loop,
    Node,
    Output,
    OutputPort,
    Param,
    Pipeline,
    PortPath,
    Step,
)
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.walk import (
    all_nodes,
    own_atoms,
    parts_of,
    producer_of,
    rewrite,
    rewritten,
    rewritten_condition,
)

WAYS = "ways"
_DECIDE = (
    "import json, pathlib, sys\n"
    "trees, folder, values = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]\n"
    "def value(found):\n"
    "    text = values[found['at']] if 'at' in found else found['is']\n"
    "    return json.loads(text) if found.get('number') and isinstance(text, str) else text\n"
    "def alike(one, other):\n"
    "    if isinstance(one, bool) or isinstance(other, bool):\n"
    "        return str(one).lower(), str(other).lower()\n"
    "    if isinstance(one, (int, float)) or isinstance(other, (int, float)):\n"
    "        return float(one), float(other)\n"
    "    return str(one), str(other)\n"
    "def holds(tree):\n"
    "    if 'parts' in tree:\n"
    "        held = [holds(part) for part in tree['parts']]\n"
    "        return {'and': all(held), 'or': any(held), 'not': not held[0]}[tree['is']]\n"
    "    one, other = alike(value(tree['left']), value(tree['right']))\n"
    "    return {'==': one == other, '!=': one != other, '<': one < other, '<=': one <= other,\n"
    "            '>': one > other, '>=': one >= other}[tree['is']]\n"
    "folder.mkdir(parents=True, exist_ok=True)\n"
    "taken = False\n"
    "for index, tree in enumerate(trees):\n"
    "    now = not taken and (tree is None or holds(tree))\n"
    "    taken = taken or now\n"
    "    (folder / str(index)).write_text('true' if now else 'false', encoding='utf-8')\n"
)


@dataclass(frozen=True)
class FlatStep:
    """A step with everything that it waits for.

    :param guards: decisions that must hold: the step that decides, and the way.
    """

    step: Step
    waits: tuple[str, ...]
    guards: tuple[tuple[str, int], ...] = ()


@dataclass
class _Flat:
    pipeline: Pipeline
    helper: str
    notes: Notes
    steps: list[tuple[Step, tuple[tuple[str, int], ...]]] = field(default_factory=list)
    inside: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(
        self, nodes: tuple[Node, ...], before: tuple[str, ...], guards: tuple[tuple[str, int], ...]
    ) -> None:
        for node in nodes:
            node = replace(node, after=(*before, *node.after))
            if isinstance(node, Step):
                self.steps.append((node, guards))
            elif isinstance(node, Branch):
                self._branch(node, guards)
            elif isinstance(node, Loop):
                self._loop(node, guards)

    def _branch(self, branch: Branch, guards: tuple[tuple[str, int], ...]) -> None:
        values: list[Expression] = []
        trees = [self._tree(condition, values) for condition, _ in branch.cases]
        command = (
            Literal("python3"),
            Literal("-c"),
            Literal(_DECIDE),
            Literal(json.dumps([*trees, None] if branch.otherwise else trees)),
            PortPath(WAYS, "out"),
            *values,
        )
        decide = Step(
            branch.name,
            origin="decides",
            image=Literal(self.helper),
            command=command,
            outputs=(OutputPort(WAYS),),
            after=branch.after,
        )
        self.steps.append((decide, guards))
        held = tuple(inner.name for body in parts_of(branch) for inner in body)
        self.inside[branch.name] = held
        for way, (_, body) in enumerate(branch.cases):
            self.add(body, (), (*guards, (branch.name, way)))
        self.add(branch.otherwise, (), (*guards, (branch.name, len(branch.cases))))

    def _tree(self, condition: Condition, values: list[Expression]) -> dict[str, Any]:
        if isinstance(condition, Combine):
            return {"is": condition.operator, "parts": [self._tree(part, values) for part in condition.parts]}
        sides = {"left": condition.left, "right": condition.right}
        return {"is": condition.operator} | {side: self._side(found, values) for side, found in sides.items()}

    def _side(self, found: Expression, values: list[Expression]) -> dict[str, Any]:
        if isinstance(found, Literal):
            return {"is": found.value}
        values.append(found)
        types = {parameter.name: parameter.type for parameter in self.pipeline.parameters}
        ports = {(s.name, p.name): p.type for s in self._known() for p in s.outputs}
        kind = types.get(found.name) if isinstance(found, Param) else None
        if isinstance(found, Output):
            kind = ports.get((found.step, found.port))
        return {"at": len(values) - 1, "number": kind in {"integer", "number", "boolean"}}

    def _known(self) -> list[Step]:
        return [step for step, _ in self.steps]

    def _loop(self, loop: Loop, guards: tuple[tuple[str, int], ...]) -> None:
        items = self._items(loop)
        if items is None:
            what = "a loop over a list that is known only when it runs"
            remedy = "write the list into the definition, or loop inside one step"
            for inner in all_nodes((loop,)):
                self.notes.untranslated(inner.name, what, remedy)
            message = Literal(f"{loop.name} was not translated: {what}. To fix: {remedy}")
            self.steps.append((Step(loop.name, "stub", after=loop.after, message=message), guards))
            return
        made: list[str] = []
        for index, item in enumerate(items):
            copy = _copied(loop, index, item)
            self.add(copy, loop.after, guards)
            made += [node.name for node in copy]
        self.inside[loop.name] = tuple(made)
        if loop.parallelism:
            self.notes.loss(loop.name, "its copies may all run at once", "limit the target's machines")

    def _items(self, loop: Loop) -> list[Any] | None:
        found: Any = loop.items.value if isinstance(loop.items, Literal) else None
        if isinstance(loop.items, Param):
            defaults = {parameter.name: parameter.default for parameter in self.pipeline.parameters}
            found = defaults[loop.items.name]
            self.notes.loss(
                loop.name,
                f"it runs for the default of the parameter {loop.items.name}, whatever a run is given",
                "translate it again with another default",
            )
        return found if isinstance(found, list) else None


def _copied(loop: Loop, index: int, item: Any) -> tuple[Node, ...]:
    own = {node.name for node in all_nodes(loop.body)}

    def named(name: str) -> str:
        return f"{name}-{index}" if name in own else name

    def change(found: Expression) -> Expression:
        if isinstance(found, Item) and found.loop == loop.name:
            value = item
            for key in found.path:
                value = value[int(key)] if isinstance(value, list) else value[key]
            return Literal(value)
        if isinstance(found, Output):
            return Output(named(found.step), found.port)
        if isinstance(found, JsonValue):
            return replace(found, output=Output(named(found.output.step), found.output.port))
        return found

    return tuple(_renamed(node, named, change) for node in loop.body)


def _renamed(node: Node, named: Callable[[str], str], change: Callable[[Expression], Expression]) -> Node:
    node = replace(node, name=named(node.name), after=tuple(named(name) for name in node.after))
    if isinstance(node, Step):
        return rewritten(node, change)
    if isinstance(node, Branch):
        cases = tuple(
            (rewritten_condition(condition, change), tuple(_renamed(n, named, change) for n in body))
            for condition, body in node.cases
        )
        return replace(node, cases=cases, otherwise=tuple(_renamed(n, named, change) for n in node.otherwise))
    body = tuple(_renamed(inner, named, change) for inner in node.body)
    if isinstance(node, Loop):
        return replace(node, body=body, items=rewrite(node.items, change))
    return replace(node, body=body)


def flatten(pipeline: Pipeline, helper: str, notes: Notes) -> list[FlatStep]:
    """Return the pipeline as steps alone."""
    flat = _Flat(pipeline, helper, notes)
    flat.add(pipeline.nodes, (), ())

    known = {step.name for step, _ in flat.steps}

    def names(name: str) -> tuple[str, ...]:
        own = (name,) if name in known else ()
        return (*own, *(found for inner in flat.inside.get(name, ()) for found in names(inner)))

    result = []
    for step, guards in flat.steps:
        made = [found.step for atom in own_atoms(step) if (found := producer_of(atom))]
        waits = [found for name in step.after for found in names(name)]
        waits = [*waits, *made, *(decide for decide, _ in guards)]
        if step.final:
            waits = [other for other in known if other != step.name]
        result.append(FlatStep(step, tuple(dict.fromkeys(w for w in waits if w != step.name)), guards))
    return result
