"""Goes through a pipeline: its nodes, what they refer to, and whether it holds together."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from heavylift.pipelines.model import (
    Branch,
    Combine,
    Condition,
    Expression,
    Input,
    Join,
    JsonValue,
    Loop,
    Node,
    Output,
    Param,
    Pipeline,
    Step,
)
from heavylift.pipelines.notes import bad_definition


def parts_of(node: Node) -> tuple[tuple[Node, ...], ...]:
    """Return the bodies of a node; none for a step."""
    if isinstance(node, Branch):
        return (*(body for _, body in node.cases), node.otherwise)
    return () if isinstance(node, Step) else (node.body,)


def all_nodes(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield every node, each before what it holds."""
    waiting = list(reversed(tuple(nodes)))
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed([inner for body in parts_of(node) for inner in body]))


def all_steps(pipeline: Pipeline) -> Iterator[Step]:
    """Yield every step."""
    return (node for node in all_nodes(pipeline.nodes) if isinstance(node, Step))


def with_steps(nodes: Iterable[Node], change: Callable[[Step], Step]) -> tuple[Node, ...]:
    """Return the nodes with each step as ``change`` makes it."""

    def one(node: Node) -> Node:
        if isinstance(node, Step):
            return change(node)
        if isinstance(node, Branch):
            cases = tuple((condition, with_steps(body, change)) for condition, body in node.cases)
            return replace(node, cases=cases, otherwise=with_steps(node.otherwise, change))
        return replace(node, body=with_steps(node.body, change))

    return tuple(one(node) for node in nodes)


def rewrite(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return the expression with ``change`` applied to it and, before that, to what it is made of."""
    if isinstance(expression, Join):
        expression = Join(tuple(rewrite(part, change) for part in expression.parts), expression.separator)
    return change(expression)


def rewritten(step: Step, change: Callable[[Expression], Expression]) -> Step:
    """Return the step with every expression rewritten."""

    def deep(expression: Expression) -> Expression:
        return rewrite(expression, change)

    def maybe(expression: Expression | None) -> Expression | None:
        return None if expression is None else deep(expression)

    return replace(
        step,
        image=maybe(step.image),
        command=tuple(deep(part) for part in step.command),
        env={name: deep(value) for name, value in step.env.items()},
        hyperparameters={name: deep(value) for name, value in step.hyperparameters.items()},
        inputs=tuple(Input(port.name, deep(port.source), port.path) for port in step.inputs),
        outputs=tuple(replace(port, landing=maybe(port.landing)) for port in step.outputs),
        wait_seconds=maybe(step.wait_seconds),
        message=maybe(step.message),
    )


def rewritten_condition(condition: Condition, change: Callable[[Expression], Expression]) -> Condition:
    """Return the condition with every expression rewritten."""
    if isinstance(condition, Combine):
        return replace(condition, parts=tuple(rewritten_condition(part, change) for part in condition.parts))
    return replace(condition, left=rewrite(condition.left, change), right=rewrite(condition.right, change))


def atoms(expression: Expression) -> Iterator[Expression]:
    """Yield what an expression is made of, in the end."""
    if isinstance(expression, Join):
        for part in expression.parts:
            yield from atoms(part)
    else:
        yield expression


def condition_atoms(condition: Condition) -> Iterator[Expression]:
    """Yield what a condition looks at."""
    if isinstance(condition, Combine):
        for part in condition.parts:
            yield from condition_atoms(part)
    else:
        yield from atoms(condition.left)
        yield from atoms(condition.right)


def own_atoms(node: Node) -> Iterator[Expression]:
    """Yield what a node itself refers to; not what its bodies do."""
    if isinstance(node, Branch):
        for condition, _ in node.cases:
            yield from condition_atoms(condition)
    elif isinstance(node, Loop):
        yield from atoms(node.items)
    elif isinstance(node, Step):
        yield from _step_atoms(node)


def _step_atoms(step: Step) -> Iterator[Expression]:
    single = (step.image, step.wait_seconds, step.message, *(port.landing for port in step.outputs))
    for expression in (
        *step.command,
        *step.env.values(),
        *step.hyperparameters.values(),
        *(port.source for port in step.inputs),
        *(found for found in single if found is not None),
    ):
        yield from atoms(expression)


def deep_atoms(node: Node) -> Iterator[Expression]:
    """Yield what a node and all it holds refer to."""
    for inner in all_nodes((node,)):
        yield from own_atoms(inner)


def producer_of(expression: Expression) -> Output | None:
    """Return the output that an atom stands on, or None."""
    if isinstance(expression, JsonValue):
        return expression.output
    return expression if isinstance(expression, Output) else None


def holders(pipeline: Pipeline) -> dict[str, str]:
    """Return, for each node by name, the node whose body it is in; empty at the top."""
    found = {node.name: "" for node in pipeline.nodes}
    for node in all_nodes(pipeline.nodes):
        found |= {inner.name: node.name for body in parts_of(node) for inner in body}
    return found


class Order:
    """Which nodes of a body wait for which others of it, by data and by order."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._holder = holders(pipeline)

    def path(self, name: str) -> list[str]:
        """Return the node's name and those of all that hold it, innermost first."""
        path = [name]
        while self._holder.get(path[-1]):
            path.append(self._holder[path[-1]])
        return path

    def waits_for(self, node: Node, siblings: Container[str]) -> list[str]:
        """Return those of ``siblings`` that must have ended before ``node`` begins."""
        wanted = [name for inner in all_nodes((node,)) for name in inner.after]
        wanted += [made.step for atom in deep_atoms(node) if (made := producer_of(atom))]
        found: dict[str, None] = {}
        for name in dict.fromkeys(wanted):
            path = self.path(name)
            if node.name not in path:
                found |= {known: None for known in path if known in siblings and known != node.name}
        return list(found)

    def sorted(self, body: tuple[Node, ...]) -> list[Node]:
        """Return the body in an order in which it can run.

        :raises CycleError: there is none.
        """
        by_name = {node.name: node for node in body}
        graph = {node.name: self.waits_for(node, by_name) for node in body}
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]


def demand_sound(pipeline: Pipeline, file: str) -> None:
    """Do nothing where names are unique, what is referred to exists, and nothing waits for itself.

    :raises SpecError: otherwise; the message names the step.
    """
    nodes = list(all_nodes(pipeline.nodes))
    names: set[str] = set()
    for node in nodes:
        if node.name in names:
            raise bad_definition(file, node.name, "a name given twice", "a name of its own for each step")
        names.add(node.name)
    parameters = {parameter.name for parameter in pipeline.parameters}
    ports = {node.name: {p.name for p in node.outputs} for node in nodes if isinstance(node, Step)}
    for node in nodes:
        for name in node.after:
            if name not in names:
                raise bad_definition(file, node.name, f"an order after {name!r}", "a step that exists")
        for atom in own_atoms(node):
            _demand_known(atom, node, parameters, ports, file)
    _demand_no_cycle(pipeline, nodes, file)


def _demand_known(
    atom: Expression, node: Node, parameters: set[str], ports: dict[str, set[str]], file: str
) -> None:
    if isinstance(atom, Param) and atom.name not in parameters:
        raise bad_definition(file, node.name, f"the parameter {atom.name!r}", "a parameter that is declared")
    made = producer_of(atom)
    if made is None:
        return
    if made.step not in ports:
        raise bad_definition(file, node.name, f"an output of {made.step!r}", "a step that exists")
    if made.port not in ports[made.step]:
        known = ", ".join(sorted(ports[made.step])) or "none"
        raise bad_definition(
            file, node.name, f"the output {made.port!r} of {made.step!r}", f"one of its outputs: {known}"
        )


def _demand_no_cycle(pipeline: Pipeline, nodes: list[Node], file: str) -> None:
    order = Order(pipeline)
    for body in (pipeline.nodes, *(body for node in nodes for body in parts_of(node))):
        try:
            order.sorted(body)
        except CycleError as error:
            raise bad_definition(
                file, " -> ".join(error.args[1]), "steps that wait for each other", "an order without circles"
            ) from error
