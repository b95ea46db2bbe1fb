"""Writes KFP's intermediate representation, which Vertex AI Pipelines and Kubeflow run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from heavylift.pipelines.adapter import wrap
from heavylift.pipelines.model import (
    Branch,
    Combine,
    Condition,
    Execution,
    Expression,
    Input,
    Item,
    Join,
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
from heavylift.pipelines.preparing import Prepared, split_artifact
from heavylift.pipelines.walk import Order, all_steps, condition_atoms, deep_atoms, own_atoms
from heavylift.pipelines.writers.programs import failing, plain_yaml, sagemaker_files, unlike

_TYPES = {
    "string": "STRING",
    "integer": "NUMBER_INTEGER",
    "number": "NUMBER_DOUBLE",
    "boolean": "BOOLEAN",
    "list": "LIST",
    "mapping": "STRUCT",
}
_EXECUTION = {
    "id": "{{$.pipeline_job_uuid}}",
    "arn": "{{$.pipeline_job_resource_name}}",
    "pipeline_name": "{{$.pipeline_job_name}}",
    "start_time": "{{$.pipeline_job_create_time_utc}}",
}
_ARTIFACT = {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}


def write_kfp(prepared: Prepared, notes: Notes, helper_image: str) -> str:
    """Return the definition as YAML."""
    return plain_yaml(_Writer(prepared, notes, helper_image).document())


def identifier(name: str) -> str:
    """Return a name as Vertex AI takes it."""
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return made if made[:1].isalpha() else f"step-{made}".rstrip("-")


@dataclass
class _Scope:
    """Inside of one DAG: how what lies outside is called there."""

    names: dict[Expression, str] = field(default_factory=dict)
    inside: set[str] = field(default_factory=set)


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

    def document(self) -> dict[str, Any]:
        scope = _Scope({Param(p.name): p.name for p in self.pipeline.parameters})
        tasks = self._dag(self.pipeline.nodes, scope)
        root: dict[str, Any] = {"dag": {"tasks": tasks}}
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
        made: dict[str, Any] = {"parameterType": _TYPES[type_]}
        if default is not None:
            made |= {"defaultValue": default, "isOptional": True}
        return made

    def _id(self, name: str) -> str:
        if name not in self.ids:
            base, number, taken = identifier(name), 2, set(self.ids.values())
            made = base
            while made in taken:
                made, number = f"{base}-{number}", number + 1
            self.ids[name] = made
        return self.ids[name]

    def _dag(self, body: Iterable[Node], scope: _Scope) -> dict[str, Any]:
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
            found += [self._id(f"{name} {way}") for way in range(ways)] if ways else [self._id(name)]
        return found

    def _add(self, tasks: dict[str, Any], node: Node, scope: _Scope, waits: list[str]) -> None:
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
        scope: _Scope,
        waits: list[str],
    ) -> None:
        used = [*condition_atoms(condition), *(atom for node in body for atom in deep_atoms(node))]
        task = self._inner(tasks, name, used, body, scope, waits, None)
        named = task.pop("_names")
        task["triggerPolicy"] = {"condition": self._condition(condition, named)}

    def _add_loop(self, tasks: dict[str, Any], loop: Loop, scope: _Scope, waits: list[str]) -> None:
        self.loops[loop.name] = loop
        used = [atom for node in loop.body for atom in deep_atoms(node)]
        item = f"{identifier(loop.name)}-loop-item"
        task = self._inner(tasks, loop.name, used, loop.body, scope, waits, (loop.name, item))
        task.pop("_names")
        if isinstance(loop.items, Literal):
            items = {"raw": json.dumps(loop.items.value)}
        else:
            key = f"{identifier(loop.name)}-items"
            task.setdefault("inputs", {}).setdefault("parameters", {})[key] = self._given(loop.items, scope)
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
        scope: _Scope,
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
            names[atom] = key = f"pipelinechannel--{_channel(atom)}"
            if isinstance(atom, Output) and self.ports[atom.step, atom.port].kind == "files":
                artifacts[key] = self._artifact(atom, scope)
                kinds[key] = {"artifactType": _ARTIFACT}
            else:
                given[key] = self._given(atom, scope)
                definitions[key] = {"parameterType": self._type(atom)}
        if loop and Item(loop[0]) not in names:
            names[Item(loop[0])] = loop[1]
            definitions[loop[1]] = {"parameterType": self._item_type(loop[0])}
        id_ = self._id(name)
        inputs = {
            k: v for k, v in (("artifacts", kinds), ("parameters", definitions)) if v or k == "parameters"
        }
        component: dict[str, Any] = {"inputDefinitions": inputs}
        self.components[f"comp-{id_}"] = component
        component["dag"] = {"tasks": self._dag(body, _Scope(names))}
        task = self._task(id_, f"comp-{id_}", given, artifacts, waits)
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

    def _type(self, atom: Expression) -> str:
        if isinstance(atom, Param):
            return _TYPES[self.types[atom.name]]
        if isinstance(atom, Output):
            return _TYPES[self.ports[atom.step, atom.port].type]
        return self._item_type(atom.loop) if isinstance(atom, Item) and not atom.path else "STRING"

    @staticmethod
    def _task(
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

    def _given(self, expression: Expression, scope: _Scope) -> dict[str, Any]:
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
                    "producerTask": self._id(expression.step),
                }
            }
        value = (
            expression.value
            if isinstance(expression, Literal)
            else _EXECUTION.get(getattr(expression, "name", ""), "")
        )
        return {"runtimeValue": {"constant": value}}

    def _artifact(self, output: Output, scope: _Scope) -> dict[str, Any]:
        if output in scope.names:
            return {"componentInputArtifact": scope.names[output]}
        return {
            "taskOutputArtifact": {"outputArtifactKey": output.port, "producerTask": self._id(output.step)}
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
        return f"int({found})" if self._type(expression) == "NUMBER_INTEGER" else found

    # --- steps -------------------------------------------------------------------------------------

    def _add_step(self, tasks: dict[str, Any], step: Step, scope: _Scope, waits: list[str]) -> None:
        made = _StepWriter(self, step, scope, tasks)
        id_ = self._id(step.name)
        component = made.component(f"exec-{id_}")
        self.components[f"comp-{id_}"] = component
        self.executors[f"exec-{id_}"] = {"container": made.container()}
        task = self._task(id_, f"comp-{id_}", made.given, made.artifacts, [*waits, *made.imports])
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


def _channel(atom: Expression) -> str:
    if isinstance(atom, Output):
        return f"{identifier(atom.step)}-{atom.port}"
    return atom.name if isinstance(atom, Param) else f"{identifier(getattr(atom, 'loop', ''))}-item"


class _StepWriter:
    """One step's component and container."""

    def __init__(self, writer: _Writer, step: Step, scope: _Scope, tasks: dict[str, Any]) -> None:
        self.writer, self.step, self.scope, self.tasks = writer, step, scope, tasks
        self.given: dict[str, Any] = {}
        self.artifacts: dict[str, Any] = {}
        self.imports: list[str] = []
        self._types: dict[str, str] = {}
        self._subpaths: dict[str, str] = {}
        self.image = writer.helper
        self.command = [self._text(part) for part in failing(step)]
        if not self.command:
            for port in step.inputs:
                self._take(port)
            self.image = self._text(step.image) if step.image else writer.helper
            self.command = self._command()

    def component(self, executor: str) -> dict[str, Any]:
        made: dict[str, Any] = {"executorLabel": executor}
        inputs = {
            "artifacts": {name: {"artifactType": _ARTIFACT} for name in self.artifacts},
            "parameters": {name: {"parameterType": type_} for name, type_ in self._types.items()},
        }
        outputs = {
            "artifacts": {
                p.name: {"artifactType": _ARTIFACT} for p in self.step.outputs if p.kind == "files"
            },
            "parameters": {
                p.name: {"parameterType": _TYPES[p.type]} for p in self.step.outputs if p.kind == "value"
            },
        }
        for key, value in (("inputDefinitions", inputs), ("outputDefinitions", outputs)):
            if any(value.values()):
                made[key] = {name: found for name, found in value.items() if found}
        return made

    def container(self) -> dict[str, Any]:
        made: dict[str, Any] = {"image": self.image, "command": self.command}
        env = [
            {"name": name, "value": str(value.value)}
            for name, value in self.step.env.items()
            if isinstance(value, Literal)
        ]
        if env:
            made["env"] = env
        resources = self._resources()
        if resources:
            made["resources"] = resources
        return made

    def _resources(self) -> dict[str, Any]:
        machine = self.step.machine
        made: dict[str, Any] = {}
        if machine.cpus:
            made |= {"cpuLimit": float(machine.cpus), "resourceCpuLimit": f"{machine.cpus:g}"}
        if machine.memory_gib:
            # A gibibyte is a little more than the gigabyte that the plain number stands for.
            made |= {
                "memoryLimit": round(machine.memory_gib * 2**30 / 10**9, 3),
                "resourceMemoryLimit": f"{machine.memory_gib:g}Gi",
            }
        if machine.accelerators:
            type_ = self.writer.machines[self.step.name].accelerator_type
            count = str(machine.accelerators)
            made["accelerator"] = {
                "type": type_,
                "count": count,
                "resourceType": type_,
                "resourceCount": count,
            }
        return made

    def _command(self) -> list[str]:
        words: list[list[str]] = []
        for out in self.step.outputs:
            words += self._out(out)
        for name, value in self.step.env.items():
            if not isinstance(value, Literal):
                words.append(["env", name, self._text(value)])
        for port in self.step.inputs:
            if port.path:
                words.append(["in", self._in_path(port.name), port.path])
        words += [["text", content, path] for path, content in sagemaker_files(self.step)]
        words += [["hp", name, self._text(value)] for name, value in self.step.hyperparameters.items()]
        return wrap(words, [self._text(part) for part in self.step.command])

    def _out(self, out: OutputPort) -> list[list[str]]:
        at = self._out_path(out)
        words = []
        if out.destination is not None:
            words.append(["save", at, self._text(out.destination), ""])
        if out.path:
            words.append(["out", out.path, at, out.archive])
        return words

    @staticmethod
    def _out_path(out: OutputPort) -> str:
        if out.kind == "value":
            return f"{{{{$.outputs.parameters['{out.name}'].output_file}}}}"
        return f"{{{{$.outputs.artifacts['{out.name}'].path}}}}"

    def _in_path(self, name: str) -> str:
        if name in self.artifacts:
            return f"{{{{$.inputs.artifacts['{name}'].path}}}}{self._subpaths.get(name, '')}"
        return f"{{{{$.inputs.parameters['{name}']}}}}"

    def _take(self, port: Input) -> None:
        found = split_artifact(port.source)
        if found is not None:
            output, rest = found
            if self.writer.ports[output.step, output.port].kind == "value":
                self.given[port.name] = self.writer._given(output, self.scope)
                self._types[port.name] = self.writer._type(output)
                return
            self.artifacts[port.name] = self.writer._artifact(output, self.scope)
            self._subpaths[port.name] = "".join(f"/{self._text(part).strip('/')}" for part in rest)
        else:
            self.artifacts[port.name] = self._import(port)

    def _import(self, port: Input) -> dict[str, Any]:
        """Add a task that makes an artifact of an address."""
        id_ = self.writer._id(f"{self.step.name} {port.name} import")
        given: dict[str, Any] = {}
        for atom in own_atoms(Step("", inputs=(port,))):
            if isinstance(atom, Param | Output | Item):
                given[_channel(atom)] = self.writer._given(atom, self.scope)
        if isinstance(port.source, Param):
            given = {"uri": given[port.source.name]}
        else:
            given["uri"] = {"runtimeValue": {"constant": self._plain(port.source)}}
        self.writer.components[f"comp-{id_}"] = {
            "executorLabel": f"exec-{id_}",
            "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
            "outputDefinitions": {"artifacts": {"artifact": {"artifactType": _ARTIFACT}}},
        }
        self.writer.executors[f"exec-{id_}"] = {
            "importer": {"artifactUri": {"runtimeParameter": "uri"}, "typeSchema": _ARTIFACT}
        }
        self.tasks[id_] = self.writer._task(id_, f"comp-{id_}", given, {}, [])
        self.imports.append(id_)
        return {"taskOutputArtifact": {"outputArtifactKey": "artifact", "producerTask": id_}}

    def _plain(self, expression: Expression) -> str:
        if isinstance(expression, Join):
            return expression.separator.join(self._plain(part) for part in expression.parts)
        if isinstance(expression, Param | Output | Item):
            return f"{{{{$.inputs.parameters['{_channel(expression)}']}}}}"
        return self._text(expression)

    def _text(self, expression: Expression) -> str:
        if isinstance(expression, Join):
            return expression.separator.join(self._text(part) for part in expression.parts)
        if isinstance(expression, Literal):
            value = expression.value
            return value if isinstance(value, str) else json.dumps(value)
        if isinstance(expression, Execution):
            return unlike(expression, _EXECUTION, self.step, self.writer.notes)
        if isinstance(expression, PortPath):
            ports = {out.name: out for out in self.step.outputs}
            return (
                self._in_path(expression.port)
                if expression.direction == "in"
                else self._out_path(ports[expression.port])
            )
        if (
            isinstance(expression, Output)
            and self.writer.ports[expression.step, expression.port].kind == "files"
        ):
            name = _channel(expression)
            self.artifacts[name] = self.writer._artifact(expression, self.scope)
            return f"{{{{$.inputs.artifacts['{name}'].uri}}}}"
        name = _channel(expression)
        if isinstance(expression, Item) and expression.path:
            name += "-" + "-".join(expression.path)
        self.given[name] = self.writer._given(expression, self.scope)
        self._types[name] = self.writer._type(expression)
        return f"{{{{$.inputs.parameters['{name}']}}}}"
