"""Reads pipeline jobs of Azure Machine Learning."""

from __future__ import annotations

import re
from typing import Any

from heavylift.pipelines.documents import Fields
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import (
    Expression,
    Input,
    Join,
    Literal,
    Machine,
    Node,
    Output,
    OutputPort,
    Param,
    Parameter,
    Pipeline,
    PortPath,
    Step,
    System,
)
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.readers.settling import settled
from heavylift.pipelines.readers.untranslatable import OWN_CONTAINER, UntranslatableStepError, stub

_BINDING = re.compile(r"\$\{\{\s*([\w.\-]+)\s*\}\}")
_JOB = re.compile(r"parent\.jobs\.([\w-]+)")
_KINDS = {bool: "boolean", int: "integer", float: "number"}
_TYPED = frozenset({"boolean", "integer", "number", "string"})
"""Types of an input that is a value; all others name data."""


def looks_like(document: dict[str, Any]) -> bool:
    """Tell whether a document is of this kind."""
    schema = str(document.get("$schema", ""))
    named = document.get("type") == "pipeline" or "pipelineJob" in schema
    return named and isinstance(document.get("jobs"), dict)


def read_azureml(document: dict[str, Any], notes: Notes, mapping: TargetMap) -> Pipeline:
    """Return what a definition says.

    :raises SpecError: it is wrong in itself.
    """
    return _Reader(Fields(document, notes.file, "the definition"), notes, mapping).pipeline()


class _Reader:
    def __init__(self, root: Fields, notes: Notes, mapping: TargetMap) -> None:
        self.root, self.notes, self.mapping = root, notes, mapping
        self.data: set[str] = set()
        self.jobs = root.mapping("jobs")

    def pipeline(self) -> Pipeline:
        root = self.root
        root.ignore("$schema", "type", "experiment_name", "tags", "properties")
        parameters = tuple(self._parameter(name, value) for name, value in root.mapping("inputs").items())
        settings = root.fields("settings")
        settings.ignore("default_compute", "default_datastore", "force_rerun")
        for left in settings.left():
            self.notes.loss("pipeline", f"settings.{left} is not translated", "set it by hand")
        nodes = tuple(self._node(str(name), entry) for name, entry in self.jobs.items())
        if not nodes:
            raise root.bad("jobs", "no job", "at least one")
        name = str(root.take("name") or root.take("display_name") or "pipeline")
        description = str(root.take("description") or "")
        root.ignore("compute", "display_name")
        for left in root.left():
            self.notes.loss("pipeline", f"{left} is not translated", "bring it over by hand")
        return settled(Pipeline(name, nodes, parameters, description, System.AZURE_ML), {}, self.notes)

    def _parameter(self, name: str, value: Any) -> Parameter:
        if isinstance(value, dict):
            kind = value.get("type")
            if kind in _TYPED:
                return Parameter(name, str(kind), value.get("default"))
            self.data.add(name)
            return Parameter(name, "string", value.get("path"))
        return Parameter(name, _KINDS.get(type(value), "string"), value)

    def _node(self, name: str, value: Any) -> Node:
        entry = Fields(value, self.root.file, f"jobs.{name}")
        try:
            return self._step(name, entry)
        except UntranslatableStepError as why:
            needed = [name_ for name_ in _JOB.findall(str(value)) if name_ in self.jobs]
            after = tuple(found for found in dict.fromkeys(needed) if found != name)
            kind = str(entry.value.get("type", "component"))
            own = self.mapping.steps.get(name) or self.mapping.steps.get(kind)
            if own is None:
                return stub(name, kind, why, after, self.notes)
            self.notes.loss(name, f"{kind}: the mapping's container does its work", "check that it does")
            command = tuple(Literal(part) for part in own.command)
            return Step(name, origin=kind, image=Literal(own.image), command=command, after=after)

    def _step(self, name: str, entry: Fields) -> Step:
        kind = entry.take("type")
        if kind not in {"command", None} or not isinstance(entry.value.get("command"), str):
            what = f"a job of type {kind}" if kind else "a component that is kept elsewhere"
            remedy = "write it as a command job in this file, or " + OWN_CONTAINER.format(name=name)
            raise UntranslatableStepError(what, remedy)
        values: dict[str, Expression] = {}
        inputs: list[Input] = []
        for port, value in entry.mapping("inputs").items():
            found, is_files = self._source(value, entry)
            if is_files:
                inputs.append(Input(str(port), found))
            else:
                values[str(port)] = found
        outputs = entry.mapping("outputs")
        ports = tuple(self._output(str(port), value) for port, value in outputs.items())
        resources, limits = entry.fields("resources"), entry.fields("limits")
        environment = entry.take("environment")
        image = environment.get("image") if isinstance(environment, dict) else None
        if not isinstance(image, str):
            raise UntranslatableStepError(
                f"its environment {environment!r} is kept in the workspace",
                "name its image here",
            )
        if entry.take("code") is not None:
            self.notes.loss(name, "code: its files are not in its image", "add them to the image")
        for lost in ("distribution", "identity", "services", "is_deterministic"):
            if entry.take(lost) is not None:
                self.notes.loss(name, f"{lost} is not translated", "set it on the target by hand")
        script = self._text(str(entry.take("command")), values, {port.name for port in inputs}, set(outputs))
        instance = str(resources.take("instance_type") or "")
        count = int(resources.take("instance_count") or 1)
        seconds = limits.take("timeout")
        env = entry.mapping("environment_variables")
        entry.ignore("display_name", "description", "compute", "experiment_name", "tags", "$schema")
        for left in entry.left():
            self.notes.loss(name, f"{left} is not translated", "bring it over by hand")
        return Step(
            name,
            origin="command",
            image=Literal(image),
            command=(Literal("bash"), Literal("-c"), script),
            env={str(key): Literal(str(value)) for key, value in env.items()},
            inputs=tuple(inputs),
            outputs=ports,
            machine=Machine("azure" if instance else "", instance, count),
            timeout_seconds=float(seconds) if isinstance(seconds, int | float) else None,
        )

    def _source(self, value: Any, entry: Fields) -> tuple[Expression, bool]:
        """Return what an input stands for, and whether that is files."""
        path = value.get("path") if isinstance(value, dict) else value
        match = _BINDING.fullmatch(path) if isinstance(path, str) else None
        if match is None:
            return Literal(path), isinstance(value, dict)
        keys = match[1].split(".")
        if keys[:2] == ["parent", "inputs"] and len(keys) == 3:
            return Param(keys[2]), keys[2] in self.data
        if keys[:2] == ["parent", "jobs"] and len(keys) == 5 and keys[3] == "outputs":
            return Output(keys[2], keys[4]), True
        raise entry.bad("inputs", match[0], "an input of the pipeline or an output of a job")

    @staticmethod
    def _output(name: str, value: Any) -> OutputPort:
        path = value.get("path") if isinstance(value, dict) else None
        return OutputPort(name, landing=Literal(path) if isinstance(path, str) else None)

    @staticmethod
    def _text(command: str, values: dict[str, Expression], inputs: set[str], outputs: set[str]) -> Expression:
        parts: list[Expression] = []
        position = 0
        for match in _BINDING.finditer(command):
            parts.append(Literal(command[position : match.start()]))
            kind, _, port = match[1].partition(".")
            if kind == "inputs" and port in values:
                parts.append(values[port])
            elif (kind == "inputs" and port in inputs) or (kind == "outputs" and port in outputs):
                parts.append(PortPath(port, "in" if kind == "inputs" else "out"))
            else:
                raise UntranslatableStepError(f"the expression {match[0]}", "declare it in inputs or outputs")
            position = match.end()
        parts.append(Literal(command[position:]))
        return Join(tuple(part for part in parts if part != Literal("")))
