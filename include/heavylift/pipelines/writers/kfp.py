"""Writes KFP's intermediate representation, which Vertex AI Pipelines and Kubeflow run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from heavylift.pipelines.model import (
    Branch,
    Combine,
    Condition,
    Expression,
    Item,
    Literal,
    Loop,
    Node,
    Output,
    Param,
    Pipeline,
    Step,
)
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.preparing import Prepared
from heavylift.pipelines.walk import Order, all_steps, condition_atoms, deep_atoms
from heavylift.pipelines.writers.kfp_steps import (
    ARTIFACT,
    EXECUTION,
    TYPES,
    Scope,
    StepWriter,
    channel,
    identifier,
)
from heavylift.pipelines.writers.programs import plain_yaml, tell_choices, unused


def write_kfp(prepared: Prepared, notes: Notes, helper_image: str) -> str:
    """Return the definition as YAML."""
    return plain_yaml(_Writer(prepared, notes, helper_image).document())


class _Writer:
    def __init__(self, prepared: Prepared, notes: Notes, helper_image: str) -> None:
        self.pipeline: Pipeline = prepared.pipeline
        self.machines = prepared.machines
        self.notes, self.helper = notes, helper_image
        self.order = Order(self.pipeline)
        self.components: dict[str, Any] = {}
        self.executors: dict[str, Any] = {}
        self.types = {parameter.name: parameter.type for parameter in self.pipeline.parameters}
        self.ports = {(s.name, port.name): port for s in all_steps(self.pipeline) for port in s.outputs}
        self.loops: dict[str, Loop] = {}
        self.ids: dict[str, str] = {}
        self.taken: set[str] = set()

    def document(self) -> dict[str, Any]:
        scope = Scope({Param(p.name): p.name for p in self.pipeline.parameters})
        tasks = self._dag(self.pipeline.nodes, scope)
        root: dict[str, Any] = {"dag": {"tasks": tasks}}
        tell_choices(self.pipeline, self.notes)
        inputs = {p.name: self._parameter(p.type, p.default) for p in self.pipeline.parameters}
        if inputs:
            root["inputDefinitions"] = {"parameters": inputs}
        info = {"name": identifier(self.pipeline.name)}
        if self.pipeline.description:
            info["description"] = self.pipeline.description
        return {
            "components": self.components,
            "deploymentSpec": {"executors": self.executors},
            "pipelineInfo": info,
            "root": root,
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
        }

    @staticmethod
    def _parameter(type_: str, default: Any) -> dict[str, Any]:
        made: dict[str, Any] = {"parameterType": TYPES[type_]}
        if default is not None:
            made |= {"defaultValue": default, "isOptional": True}
        return made

    def id_of(self, name: str) -> str:
        """Return a node's name as Vertex AI takes it."""
        if name not in self.ids:
            self.ids[name] = unused(identifier(name), "-", self.taken)
        return self.ids[name]

    def _dag(self, body: Iterable[Node], scope: Scope) -> dict[str, Any]:
        body = tuple(body)
        scope.inside = {node.name for node in body}
        tasks: dict[str, Any] = {}
        for node in body:
            waits = self.order.waits_for(node, scope.inside)
            if isinstance(node, Step) and node.final:
                waits = [other.name for other in body if other.name != node.name]
            self._add(tasks, node, scope, self._task_ids(waits, body))
        return tasks

    def _task_ids(self, waits: list[str], body: tuple[Node, ...]) -> list[str]:
        by_name = {node.name: node for node in body} if waits else {}
        found = []
        for name in waits:
            node = by_name[name]
            # A branch is as many tasks as it has ways.
            ways = len(node.cases) + bool(node.otherwise) if isinstance(node, Branch) else 0
            found += [self.id_of(f"{name} {way}") for way in range(ways)] if ways else [self.id_of(name)]
        return found

    def _add(self, tasks: dict[str, Any], node: Node, scope: Scope, waits: list[str]) -> None:
        if isinstance(node, Step):
            self._add_step(tasks, node, scope, waits)
        elif isinstance(node, Loop):
            self._add_loop(tasks, node, scope, waits)
        elif isinstance(node, Branch):
            before: list[Condition] = []
            for way, (condition, body) in enumerate(node.cases):
                held = Combine("and", (*(Combine("not", (c,)) for c in before), condition))
                self._add_way(tasks, f"{node.name} {way}", held, body, scope, waits)
                before.append(condition)
            if node.otherwise:
                held = Combine("and", tuple(Combine("not", (c,)) for c in before))
                self._add_way(tasks, f"{node.name} {len(before)}", held, node.otherwise, scope, waits)

    # --- DAGs in the DAG ---------------------------------------------------------------------------

    def _add_way(
        self,
        tasks: dict[str, Any],
        name: str,
        condition: Condition,
        body: tuple[Node, ...],
        scope: Scope,
        waits: list[str],
    ) -> None:
        used = [*condition_atoms(condition), *(atom for node in body for atom in deep_atoms(node))]
        task = self._inner(tasks, name, used, body, scope, waits, None)
        named = task.pop("_names")
        task["triggerPolicy"] = {"condition": self._condition(condition, named)}

    def _add_loop(self, tasks: dict[str, Any], loop: Loop, scope: Scope, waits: list[str]) -> None:
        self.loops[loop.name] = loop
        used = [atom for node in loop.body for atom in deep_atoms(node)]
        item = f"{identifier(loop.name)}-loop-item"
        task = self._inner(tasks, loop.name, used, loop.body, scope, waits, (loop.name, item))
        task.pop("_names")
        if isinstance(loop.items, Literal):
            items = {"raw": json.dumps(loop.items.value)}
        else:
            key = f"{identifier(loop.name)}-items"
            task.setdefault("inputs", {}).setdefault("parameters", {})[key] = self.given(loop.items, scope)
            component = self.components[task["componentRef"]["name"]]
            component["inputDefinitions"]["parameters"][key] = {"parameterType": "LIST"}
            items = {"inputParameter": key}
        task["parameterIterator"] = {"itemInput": item, "items": items}
        if loop.parallelism:
            task["iteratorPolicy"] = {"parallelismLimit": loop.parallelism}

    def _inner(
        self,
        tasks: dict[str, Any],
        name: str,
        used: list[Expression],
        body: tuple[Node, ...],
        scope: Scope,
        waits: list[str],
        loop: tuple[str, str] | None,
    ) -> dict[str, Any]:
        """Add a task that is a DAG, with everything from outside that is used in it as its inputs."""
        own = {node.name for node in body}
        given: dict[str, Any] = {}
        artifacts: dict[str, Any] = {}
        definitions: dict[str, Any] = {}
        kinds: dict[str, Any] = {}
        names: dict[Expression, str] = {}
        for atom in dict.fromkeys(used):
            if isinstance(atom, Item):
                atom = Item(atom.loop)
            if not isinstance(atom, Param | Output | Item) or atom in names:
                continue
            if isinstance(atom, Output) and self._inside(atom.step, own):
                continue
            if isinstance(atom, Item) and (loop is None or atom.loop != loop[0]) and atom not in scope.names:
                continue
            if loop and atom == Item(loop[0]):
                names[atom] = loop[1]
                definitions[loop[1]] = {"parameterType": self._item_type(loop[0])}
                continue
            names[atom] = key = f"pipelinechannel--{channel(atom)}"
            if isinstance(atom, Output) and self.ports[atom.step, atom.port].kind == "files":
                artifacts[key] = self.artifact(atom, scope)
                kinds[key] = {"artifactType": ARTIFACT}
            else:
                given[key] = self.given(atom, scope)
                definitions[key] = {"parameterType": self.type_of(atom)}
        if loop and Item(loop[0]) not in names:
            names[Item(loop[0])] = loop[1]
            definitions[loop[1]] = {"parameterType": self._item_type(loop[0])}
        id_ = self.id_of(name)
        inputs = {
            k: v for k, v in (("artifacts", kinds), ("parameters", definitions)) if v or k == "parameters"
        }
        component: dict[str, Any] = {"inputDefinitions": inputs}
        self.components[f"comp-{id_}"] = component
        component["dag"] = {"tasks": self._dag(body, Scope(names))}
        task = self.task(id_, f"comp-{id_}", given, artifacts, waits)
        tasks[id_] = task
        task["_names"] = names
        return task

    def _inside(self, step: str, own: set[str]) -> bool:
        return any(name in own for name in self.order.path(step))

    def _item_type(self, name: str) -> str:
        items = self.loops[name].items
        first = items.value[0] if isinstance(items, Literal) and items.value else ""
        for kind, type_ in (
            (bool, "BOOLEAN"),
            (int, "NUMBER_INTEGER"),
            (float, "NUMBER_DOUBLE"),
            (dict, "STRUCT"),
        ):
            if isinstance(first, kind):
                return type_
        return "STRING"

    def type_of(self, atom: Expression) -> str:
        """Return the type of a parameter, as KFP names it."""
        if isinstance(atom, Param):
            return TYPES[self.types[atom.name]]
        if isinstance(atom, Output):
            return TYPES[self.ports[atom.step, atom.port].type]
        return self._item_type(atom.loop) if isinstance(atom, Item) and not atom.path else "STRING"

    @staticmethod
    def task(
        id_: str, component: str, given: dict[str, Any], artifacts: dict[str, Any], waits: list[str]
    ) -> dict[str, Any]:
        task: dict[str, Any] = {"cachingOptions": {}, "componentRef": {"name": component}}
        if waits:
            task["dependentTasks"] = waits
        inputs = {k: v for k, v in (("artifacts", artifacts), ("parameters", given)) if v}
        if inputs:
            task["inputs"] = inputs
        task["taskInfo"] = {"name": id_}
        return task

    # --- values ------------------------------------------------------------------------------------

    def given(self, expression: Expression, scope: Scope) -> dict[str, Any]:
        """Return what a task is given for one of its parameters."""
        if isinstance(expression, Item) and expression.path:
            key = scope.names[Item(expression.loop)]
            keys = "".join(f'["{part}"]' for part in expression.path)
            selector = f"parseJson(string_value){keys}"
            return {"componentInputParameter": key, "parameterExpressionSelector": selector}
        if isinstance(expression, Param | Item) or (
            isinstance(expression, Output) and expression in scope.names
        ):
            return {"componentInputParameter": scope.names[expression]}
        if isinstance(expression, Output):
            return {
                "taskOutputParameter": {
                    "outputParameterKey": expression.port,
                    "producerTask": self.id_of(expression.step),
                }
            }
        value = (
            expression.value
            if isinstance(expression, Literal)
            else EXECUTION.get(getattr(expression, "name", ""), "")
        )
        return {"runtimeValue": {"constant": value}}

    def artifact(self, output: Output, scope: Scope) -> dict[str, Any]:
        """Return what a task is given for one of its artifacts."""
        if output in scope.names:
            return {"componentInputArtifact": scope.names[output]}
        return {
            "taskOutputArtifact": {"outputArtifactKey": output.port, "producerTask": self.id_of(output.step)}
        }

    def _condition(self, condition: Condition, names: dict[Expression, str]) -> str:
        if isinstance(condition, Combine):
            parts = [f"({self._condition(part, names)})" for part in condition.parts]
            if condition.operator == "not":
                return f"!{parts[0]}"
            return {"and": " && ", "or": " || "}[condition.operator].join(parts)
        return " ".join(
            (self._operand(condition.left, names), condition.operator, self._operand(condition.right, names))
        )

    def _operand(self, expression: Expression, names: dict[Expression, str]) -> str:
        if isinstance(expression, Literal):
            value = expression.value
            if isinstance(value, str):
                return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
            return json.dumps(value)
        key = names.get(expression, "")
        found = f"inputs.parameter_values['{key}']"
        return f"int({found})" if self.type_of(expression) == "NUMBER_INTEGER" else found

    # --- steps -------------------------------------------------------------------------------------

    def _add_step(self, tasks: dict[str, Any], step: Step, scope: Scope, waits: list[str]) -> None:
        made = StepWriter(self, step, scope, tasks)
        id_ = self.id_of(step.name)
        component = made.component(f"exec-{id_}")
        self.components[f"comp-{id_}"] = component
        self.executors[f"exec-{id_}"] = {"container": made.container()}
        task = self.task(id_, f"comp-{id_}", made.given, made.artifacts, [*waits, *made.imports])
        if step.timeout_seconds:
            what = f"its limit of {step.timeout_seconds:g} s is lost"
            self.notes.loss(step.name, what, "limit the whole run, or let the program end itself")
        if step.cache:
            task["cachingOptions"] = {"enableCache": True}
        if step.retry.attempts:
            task["retryPolicy"] = {
                "maxRetryCount": step.retry.attempts,
                "backoffDuration": f"{step.retry.backoff_seconds:g}s",
                "backoffFactor": step.retry.factor,
            }
        if step.final:
            task["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
        tasks[id_] = task
