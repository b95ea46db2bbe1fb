"""Reads KFP's intermediate representation, as Vertex AI Pipelines and Kubeflow run it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from heavylift.pipelines.adapter import unwrap
from heavylift.pipelines.documents import Fields
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import (
    Branch,
    Expression,
    Group,
    Input,
    Item,
    Literal,
    Loop,
    Node,
    Output,
    OutputPort,
    Param,
    Parameter,
    Pipeline,
    Step,
    System,
)
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.readers.kfp_conditions import parse_condition
from heavylift.pipelines.readers.kfp_machines import machine_of, retry_of, title_of
from heavylift.pipelines.readers.kfp_programs import Signature, program, text
from heavylift.pipelines.readers.settling import settled
from heavylift.pipelines.readers.untranslatable import OWN_CONTAINER, UntranslatableStepError, stub
from heavylift.pipelines.readers.unwrapping import unwrapped

_TYPES = {
    "STRING": "string",
    "NUMBER_INTEGER": "integer",
    "NUMBER_DOUBLE": "number",
    "BOOLEAN": "boolean",
    "LIST": "list",
    "STRUCT": "mapping",
}
_SELECTOR = re.compile(r"parseJson\(string_value\)((?:\[['\"][^'\"]+['\"]\]|\.\w+)+)\Z")
_MAX_DEPTH = 50


def looks_like(document: dict[str, Any]) -> bool:
    """Tell whether a document is of this kind."""
    spec = document.get("pipelineSpec", document)
    return isinstance(spec, dict) and {"root", "deploymentSpec"} <= set(spec)


def read_kfp(document: dict[str, Any], notes: Notes, mapping: TargetMap) -> Pipeline:
    """Return what a definition says.

    :raises SpecError: it is wrong in itself.
    """
    spec = document.get("pipelineSpec", document)
    for beside in sorted(set(document) - {"pipelineSpec", "displayName"}) if spec is not document else ():
        notes.loss("pipeline", f"{beside} is not translated", "give it with each run")
    return _Reader(Fields(spec, notes.file, "the definition"), notes, mapping).pipeline()


@dataclass
class _Scope:
    """What the inputs of a DAG stand for, and its tasks."""

    values: Mapping[str, Expression] = field(default_factory=dict)
    artifacts: Mapping[str, Expression] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    made: dict[str, _Scope] = field(default_factory=dict)
    depth: int = 0


class _Reader:
    def __init__(self, root: Fields, notes: Notes, mapping: TargetMap) -> None:
        self.root, self.notes, self.mapping = root, notes, mapping
        self.components = root.mapping("components")
        self.executors = root.fields("deploymentSpec").mapping("executors")
        self.taken: set[str] = set()

    def pipeline(self) -> Pipeline:
        info = self.root.fields("pipelineInfo")
        root = self.root.fields("root")
        parameters = []
        inputs = root.fields("inputDefinitions")
        for name, entry in inputs.mapping("parameters").items():
            found = Fields(entry, self.root.file, f"root.inputDefinitions.parameters.{name}")
            kind = found.text("parameterType")
            if kind not in _TYPES:
                raise found.bad("parameterType", kind, f"one of {', '.join(_TYPES)}")
            parameters.append(Parameter(name, _TYPES[kind], found.take("defaultValue")))
        artifacts: dict[str, Expression] = {}
        for name in inputs.mapping("artifacts"):
            parameters.append(Parameter(name))
            artifacts[name] = Param(name)
            self.notes.loss(
                "pipeline", f"the artifact {name} is a parameter with its address", "give its address"
            )
        scope = _Scope({p.name: Param(p.name) for p in parameters}, artifacts)
        nodes = self._dag(root.fields("dag"), scope)
        if not nodes:
            raise root.bad("dag", "no task", "at least one")
        self.root.ignore("schemaVersion", "sdkVersion")
        for left in self.root.left():
            self.notes.loss("pipeline", f"{left} is not translated", "set it by hand")
        name = info.take("name") or "pipeline"
        made = Pipeline(str(name), nodes, tuple(parameters), str(info.take("description") or ""), System.KFP)
        return settled(made, {}, self.notes)

    def _dag(self, dag: Fields, scope: _Scope) -> tuple[Node, ...]:
        if scope.depth > _MAX_DEPTH:
            raise dag.bad("tasks", "components that hold each other", f"at most {_MAX_DEPTH} levels")
        scope.tasks = dag.mapping("tasks")
        for name in scope.tasks:
            scope.names[name] = self._name(str(name))
        # Outputs of a task that is a DAG are looked up in it, so those come first where they are needed.
        nodes = []
        for name in scope.tasks:
            found = self._node(name, dag.where, scope)
            nodes += [found] if found else []
        return tuple(nodes)

    def _name(self, name: str) -> str:
        made, number = name, 2
        while made in self.taken:
            made, number = f"{name}-{number}", number + 1
        self.taken.add(made)
        return made

    def _component(self, task: Fields) -> Fields:
        reference = task.fields("componentRef").text("name")
        if reference not in self.components:
            raise task.bad("componentRef.name", repr(reference), "a component of this file")
        return Fields(self.components[reference], task.file, f"components.{reference}")

    def _executor(self, component: Fields) -> Fields:
        label = component.text("executorLabel")
        if label not in self.executors:
            raise component.bad("executorLabel", repr(label), "an executor of this file")
        return Fields(self.executors[label], component.file, f"deploymentSpec.executors.{label}")

    def _task(self, name: str, where: str, scope: _Scope) -> Fields:
        return Fields(scope.tasks[name], self.root.file, f"{where}.tasks.{name}")

    def _node(self, key: str, where: str, scope: _Scope) -> Node | None:
        task = self._task(key, where, scope)
        name = scope.names[key]
        component = self._component(task)
        if "dag" not in component.value and "importer" in self._executor(component).value:
            return None
        after = tuple(
            scope.names[other]
            for other in task.items("dependentTasks")
            if self._known(other, task, scope) and not self._is_import(other, where, scope)
        )
        try:
            values, artifacts = self._inputs(task, component, scope)
            if "dag" in component.value:
                return self._inner(name, task, component, values, artifacts, after, scope, key)
            step = self._step(name, task, component, values, artifacts, after)
            return self._guarded(step, task, values)
        except UntranslatableStepError as why:
            own = self.mapping.steps.get(name)
            if own is None:
                return stub(name, "task", why, after, self.notes)
            self.notes.loss(name, "the mapping's container does its work", "check that it does")
            command = tuple(Literal(part) for part in own.command)
            return Step(name, origin="task", image=Literal(own.image), command=command, after=after)

    @staticmethod
    def _known(other: Any, task: Fields, scope: _Scope) -> bool:
        if other not in scope.tasks:
            raise task.bad("dependentTasks", repr(other), "tasks of the same DAG")
        return True

    def _is_import(self, key: str, where: str, scope: _Scope) -> bool:
        component = self._component(self._task(key, where, scope))
        return "dag" not in component.value and "importer" in self._executor(component).value

    def _guarded(self, step: Step, task: Fields, values: Mapping[str, Expression]) -> Node:
        policy = task.fields("triggerPolicy")
        condition, strategy = policy.take("condition"), policy.take("strategy")
        if strategy == "ALL_UPSTREAM_TASKS_COMPLETED":
            step = replace(step, final=True)
        if not condition:
            return step
        held = parse_condition(str(condition), values)
        return Branch(
            self._name(f"{step.name}-condition"), ((held, (replace(step, after=()),)),), (), step.after
        )

    def _inner(
        self,
        name: str,
        task: Fields,
        component: Fields,
        values: dict[str, Expression],
        artifacts: dict[str, Expression],
        after: tuple[str, ...],
        scope: _Scope,
        key: str,
    ) -> Node:
        if task.take("artifactIterator"):
            raise UntranslatableStepError("a loop over artifacts", "loop over a list of addresses")
        iterator = task.fields("parameterIterator")
        items: Expression | None = None
        if iterator.value:
            items = self._items(iterator, values)
            values[iterator.text("itemInput")] = Item(name)
        inner = _Scope(values, artifacts, depth=scope.depth + 1)
        scope.made[key] = inner
        body = self._dag(component.fields("dag"), inner)
        if items is not None:
            limit = task.fields("iteratorPolicy").take("parallelismLimit", 0)
            return Loop(name, items, body, int(limit or 0), after)
        condition = task.fields("triggerPolicy").take("condition")
        if condition:
            return Branch(name, ((parse_condition(str(condition), values), body),), (), after)
        return Group(name, body, after)

    @staticmethod
    def _items(iterator: Fields, values: Mapping[str, Expression]) -> Expression:
        items = iterator.fields("items")
        raw, named = items.take("raw"), items.take("inputParameter")
        if named in values:
            return values[named]
        try:
            found = json.loads(raw)
        except (TypeError, ValueError) as error:
            raise UntranslatableStepError("a loop over items that are no list", "give a list") from error
        return Literal(found)

    # --- inputs ------------------------------------------------------------------------------------

    def _inputs(
        self, task: Fields, component: Fields, scope: _Scope
    ) -> tuple[dict[str, Expression], dict[str, Expression]]:
        given = task.fields("inputs")
        values: dict[str, Expression] = {}
        later: dict[str, str] = {}
        for name, entry in component.fields("inputDefinitions").mapping("parameters").items():
            default = entry.get("defaultValue") if isinstance(entry, dict) else None
            if default is not None:
                values[name] = Literal(default)
        for name, entry in given.mapping("parameters").items():
            found = Fields(entry, task.file, f"{given.where}.parameters.{name}")
            constant = found.fields("runtimeValue").take("constant")
            if isinstance(constant, str) and "{{$" in constant:
                later[name] = constant
            else:
                values[name] = self._value(found, constant, scope)
        for name, constant in later.items():
            values[name] = text(constant, Signature(values))
        artifacts = {
            name: self._artifact(Fields(entry, task.file, f"{given.where}.artifacts.{name}"), scope)
            for name, entry in given.mapping("artifacts").items()
        }
        return values, artifacts

    def _value(self, found: Fields, constant: Any, scope: _Scope) -> Expression:
        if "runtimeValue" in found.value:
            return Literal(constant)
        selector = found.take("parameterExpressionSelector")
        named = found.take("componentInputParameter")
        made = found.fields("taskOutputParameter")
        if named is not None:
            if named not in scope.values:
                raise found.bad("componentInputParameter", repr(named), "an input of this DAG")
            return self._selected(scope.values[named], selector)
        if made.value:
            output = self._output(made, "outputParameterKey", "parameters", scope)
            return self._selected(output, selector)
        raise UntranslatableStepError(
            f"a parameter from {', '.join(found.value) or 'nothing'}", "pass a value or an output of a task"
        )

    @staticmethod
    def _selected(value: Expression, selector: Any) -> Expression:
        if not selector:
            return value
        match = _SELECTOR.match(str(selector))
        if match and isinstance(value, Item):
            keys = re.findall(r"\[['\"]([^'\"]+)['\"]\]|\.(\w+)", match[1])
            return replace(value, path=(*value.path, *(one or other for one, other in keys)))
        raise UntranslatableStepError(f"the selector {selector}", "pass the value by itself")

    def _artifact(self, found: Fields, scope: _Scope) -> Expression:
        named = found.take("componentInputArtifact")
        if named is not None:
            if named not in scope.artifacts:
                raise found.bad("componentInputArtifact", repr(named), "an input of this DAG")
            return scope.artifacts[named]
        made = found.fields("taskOutputArtifact")
        if not made.value:
            raise UntranslatableStepError("an artifact from nowhere", "pass an output of a task")
        return self._output(made, "outputArtifactKey", "artifacts", scope)

    def _output(self, made: Fields, key: str, kind: str, scope: _Scope) -> Expression:
        producer, port = made.text("producerTask"), made.text(key)
        if producer not in scope.tasks:
            raise made.bad("producerTask", repr(producer), "a task of the same DAG")
        task = self._task(producer, "dag", scope)
        component = self._component(task)
        if "dag" not in component.value:
            executor = self._executor(component)
            if "importer" in executor.value:
                return self._imported(executor, task, component, scope)
            return Output(scope.names[producer], port)
        outputs = component.fields("dag").fields("outputs").fields(kind).fields(port)
        inner = scope.made.get(producer)
        selectors = (
            outputs.items("artifactSelectors")
            if kind == "artifacts"
            else [outputs.take("valueFromParameter")]
        )
        if inner is None or len(selectors) != 1 or not isinstance(selectors[0], dict):
            raise UntranslatableStepError(
                f"the output {port} of {producer} is one of several", "let one step choose, and refer to it"
            )
        named = {
            "producerTask": selectors[0].get("producerSubtask"),
            key: selectors[0].get("outputArtifactKey" if kind == "artifacts" else "outputParameterKey"),
        }
        return self._output(Fields(named, made.file, outputs.where), key, kind, inner)

    def _imported(self, executor: Fields, task: Fields, component: Fields, scope: _Scope) -> Expression:
        uri = executor.fields("importer").fields("artifactUri")
        values, _ = self._inputs(task, component, scope)
        named = uri.take("runtimeParameter")
        if named in values:
            return values[named]
        return Literal(uri.take("constant") or uri.fields("constantValue").take("stringValue") or "")

    # --- steps -------------------------------------------------------------------------------------

    def _step(
        self,
        name: str,
        task: Fields,
        component: Fields,
        values: dict[str, Expression],
        artifacts: dict[str, Expression],
        after: tuple[str, ...],
    ) -> Step:
        executor = self._executor(component)
        container = executor.fields("container")
        if not container.value:
            kind = ", ".join(executor.value) or "nothing"
            raise UntranslatableStepError(f"its executor is {kind}", OWN_CONTAINER.format(name=name))
        definitions, made = component.fields("inputDefinitions"), component.fields("outputDefinitions")
        signature = Signature(
            values,
            {n: str(e.get("parameterType")) for n, e in definitions.mapping("parameters").items()},
            {n: title_of(e) for n, e in definitions.mapping("artifacts").items() if n in artifacts},
            tuple(made.mapping("parameters")),
            {n: title_of(e) for n, e in made.mapping("artifacts").items()},
        )
        outputs = tuple(
            OutputPort(n, "value", _TYPES.get(str(e.get("parameterType")), "string"))
            for n, e in made.mapping("parameters").items()
        ) + tuple(OutputPort(n) for n in signature.output_artifacts)
        command = [*container.items("command"), *container.items("args")]
        words = unwrap(command)
        step = Step(
            name,
            origin="task",
            image=text(str(container.take("image")), signature),
            command=program(words[1] if words else command, signature),
            env={e.text("name"): text(str(e.take("value", "")), signature) for e in container.each("env")},
            inputs=tuple(Input(n, source) for n, source in artifacts.items()),
            outputs=outputs,
            machine=machine_of(container.fields("resources")),
            retry=retry_of(task.fields("retryPolicy")),
            cache=bool(task.fields("cachingOptions").take("enableCache", False)),
            after=after,
        )
        for fields in (container, task):
            fields.ignore("lifecycle", "taskInfo", "triggerPolicy", "inputs", "componentRef")
            for left in fields.left():
                self.notes.loss(name, f"{left} is not translated", "bring it over by hand")
        if not container.value.get("command"):
            raise UntranslatableStepError(
                "what its image starts by itself is not in the definition",
                "write the image's ENTRYPOINT as command",
            )
        return unwrapped(step, words[0], signature) if words else step
