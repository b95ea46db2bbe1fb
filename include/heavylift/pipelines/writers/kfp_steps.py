"""One step's component and container, as KFP writes them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from heavylift.pipelines.adapter import wrap
from heavylift.pipelines.machines import Choice
from heavylift.pipelines.model import (
    Execution,
    Expression,
    Input,
    Item,
    Join,
    Literal,
    Output,
    OutputPort,
    Param,
    PortPath,
    Step,
)
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.preparing import split_artifact
from heavylift.pipelines.walk import own_atoms
from heavylift.pipelines.writers.programs import failing, sagemaker_files, unlike

TYPES = {
    "string": "STRING",
    "integer": "NUMBER_INTEGER",
    "number": "NUMBER_DOUBLE",
    "boolean": "BOOLEAN",
    "list": "LIST",
    "mapping": "STRUCT",
}
EXECUTION = {
    "id": "{{$.pipeline_job_uuid}}",
    "arn": "{{$.pipeline_job_resource_name}}",
    "pipeline_name": "{{$.pipeline_job_name}}",
    "start_time": "{{$.pipeline_job_create_time_utc}}",
}
ARTIFACT = {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}


def identifier(name: str) -> str:
    """Return a name as Vertex AI takes it."""
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return made if made[:1].isalpha() else f"step-{made}".rstrip("-")


@dataclass
class Scope:
    """Inside of one DAG: how what lies outside is called there."""

    names: dict[Expression, str] = field(default_factory=dict)
    inside: set[str] = field(default_factory=set)


def channel(atom: Expression) -> str:
    """Return the name that a value from outside has in a DAG or step."""
    if isinstance(atom, Output):
        return f"{identifier(atom.step)}-{atom.port}"
    return atom.name if isinstance(atom, Param) else f"{identifier(getattr(atom, 'loop', ''))}-item"


class DagWriter(Protocol):
    """What a step needs of the writer of its DAG."""

    helper: str
    notes: Notes
    machines: dict[str, Choice]
    ports: dict[tuple[str, str], OutputPort]
    components: dict[str, Any]
    executors: dict[str, Any]

    def id_of(self, name: str) -> str:
        """Return a node's name as Vertex AI takes it."""

    def given(self, expression: Expression, scope: Scope) -> dict[str, Any]:
        """Return what a task is given for one of its parameters."""

    def artifact(self, output: Output, scope: Scope) -> dict[str, Any]:
        """Return what a task is given for one of its artifacts."""

    def type_of(self, atom: Expression) -> str:
        """Return the type of a parameter, as KFP names it."""

    @staticmethod
    def task(
        id_: str, component: str, given: dict[str, Any], artifacts: dict[str, Any], waits: list[str]
    ) -> dict[str, Any]:
        """Return a task."""


class StepWriter:
    """One step's component and container."""

    def __init__(self, writer: DagWriter, step: Step, scope: Scope, tasks: dict[str, Any]) -> None:
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
        """Return the component: what goes in and comes out."""
        made: dict[str, Any] = {"executorLabel": executor}
        inputs = {
            "artifacts": {name: {"artifactType": ARTIFACT} for name in self.artifacts},
            "parameters": {name: {"parameterType": type_} for name, type_ in self._types.items()},
        }
        outputs = {
            "artifacts": {p.name: {"artifactType": ARTIFACT} for p in self.step.outputs if p.kind == "files"},
            "parameters": {
                p.name: {"parameterType": TYPES[p.type]} for p in self.step.outputs if p.kind == "value"
            },
        }
        for key, value in (("inputDefinitions", inputs), ("outputDefinitions", outputs)):
            if any(value.values()):
                made[key] = {name: found for name, found in value.items() if found}
        return made

    def container(self) -> dict[str, Any]:
        """Return the executor's container."""
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
        if out.landing is not None:
            words.append(["save", at, self._text(out.landing), ""])
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
                self.given[port.name] = self.writer.given(output, self.scope)
                self._types[port.name] = self.writer.type_of(output)
                return
            self.artifacts[port.name] = self.writer.artifact(output, self.scope)
            self._subpaths[port.name] = "".join(f"/{self._text(part).strip('/')}" for part in rest)
        else:
            self.artifacts[port.name] = self._import(port)

    def _import(self, port: Input) -> dict[str, Any]:
        """Add a task that makes an artifact of an address."""
        id_ = self.writer.id_of(f"{self.step.name} {port.name} import")
        given: dict[str, Any] = {}
        for atom in own_atoms(Step("", inputs=(port,))):
            if isinstance(atom, Param | Output | Item):
                given[channel(atom)] = self.writer.given(atom, self.scope)
        if isinstance(port.source, Param):
            given = {"uri": given[port.source.name]}
        else:
            given["uri"] = {"runtimeValue": {"constant": self._plain(port.source)}}
        self.writer.components[f"comp-{id_}"] = {
            "executorLabel": f"exec-{id_}",
            "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
            "outputDefinitions": {"artifacts": {"artifact": {"artifactType": ARTIFACT}}},
        }
        self.writer.executors[f"exec-{id_}"] = {
            "importer": {"artifactUri": {"runtimeParameter": "uri"}, "typeSchema": ARTIFACT}
        }
        self.tasks[id_] = self.writer.task(id_, f"comp-{id_}", given, {}, [])
        self.imports.append(id_)
        return {"taskOutputArtifact": {"outputArtifactKey": "artifact", "producerTask": id_}}

    def _plain(self, expression: Expression) -> str:
        if isinstance(expression, Join):
            return expression.separator.join(self._plain(part) for part in expression.parts)
        if isinstance(expression, Param | Output | Item):
            return f"{{{{$.inputs.parameters['{channel(expression)}']}}}}"
        return self._text(expression)

    def _text(self, expression: Expression) -> str:
        if isinstance(expression, Join):
            return expression.separator.join(self._text(part) for part in expression.parts)
        if isinstance(expression, Literal):
            value = expression.value
            return value if isinstance(value, str) else json.dumps(value)
        if isinstance(expression, Execution):
            return unlike(expression, EXECUTION, self.step, self.writer.notes)
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
            name = channel(expression)
            self.artifacts[name] = self.writer.artifact(expression, self.scope)
            return f"{{{{$.inputs.artifacts['{name}'].uri}}}}"
        name = channel(expression)
        if isinstance(expression, Item) and expression.path:
            name += "-" + "-".join(expression.path)
        self.given[name] = self.writer.given(expression, self.scope)
        self._types[name] = self.writer.type_of(expression)
        return f"{{{{$.inputs.parameters['{name}']}}}}"
