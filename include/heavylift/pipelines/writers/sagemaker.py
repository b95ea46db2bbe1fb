"""Writes SageMaker's pipeline definition JSON; steps become processing and training jobs."""

from __future__ import annotations

import json
import re
from typing import Any

from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import (
    Branch,
    Combine,
    Condition,
    Execution,
    Expression,
    Join,
    JsonValue,
    Literal,
    Loop,
    Node,
    Output,
    Param,
    PortPath,
    Step,
)
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.preparing import Prepared, split_artifact
from heavylift.pipelines.walk import Order, all_nodes, all_steps, own_atoms
from heavylift.pipelines.writers.programs import failing, unlike, unused

_TYPES = {"string": "String", "integer": "Integer", "number": "Float", "boolean": "Boolean"}
_EXECUTION = {
    "id": "PipelineExecutionId",
    "arn": "PipelineExecutionArn",
    "pipeline_name": "PipelineName",
    "start_time": "StartDateTime",
}
_INSTANCE = "ml.m5.xlarge"
_ROLE = "arn:aws:iam::000000000000:role/NameItInTheMapping"
_ROOT = "/opt/ml/processing"
MAX_WORD = 256
"""SageMaker's longest entry of an entrypoint or argument of a processing job."""


def write_sagemaker(prepared: Prepared, mapping: TargetMap, notes: Notes) -> str:
    """Return the definition as JSON."""
    return json.dumps(_Writer(prepared, mapping, notes).document(), indent=2, ensure_ascii=False) + "\n"


def identifier(name: str) -> str:
    """Return a name as SageMaker takes it."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60] or "step"


class _Writer:
    def __init__(self, prepared: Prepared, mapping: TargetMap, notes: Notes) -> None:
        self.pipeline, self.mapping, self.notes = prepared.pipeline, mapping, notes
        self.order = Order(self.pipeline)
        taken: set[str] = set()
        nodes = list(all_nodes(self.pipeline.nodes))
        self.ids = {node.name: unused(identifier(node.name), "-", taken) for node in nodes}
        self.ports = {(s.name, p.name): p for s in all_steps(self.pipeline) for p in s.outputs}
        self.files: dict[tuple[str, str, str], str] = {}
        for node in all_nodes(self.pipeline.nodes):
            for atom in own_atoms(node):
                if isinstance(atom, JsonValue):
                    key = (atom.output.step, atom.output.port, atom.file)
                    self.files.setdefault(key, f"File{len(self.files)}")
        self.broken: dict[str, str] = {}
        self._find_broken(nodes)

    def _find_broken(self, nodes: list[Node]) -> None:
        """Find what has no form here, and then what stands on that."""
        known = -1
        while known != len(self.broken):
            known = len(self.broken)
            for node in nodes:
                if node.name not in self.broken and (why := self._problem(node)):
                    for inner in all_nodes((node,)):
                        self.broken[inner.name] = why
        own = {step.name for step in all_steps(self.pipeline) if step.kind in {"stub", "fail"}}
        for name, why in self.broken.items():
            if name not in own:
                self.notes.untranslated(name, why, "change the step, or name a container for it: steps")

    def _problem(self, node: Node) -> str:
        if isinstance(node, Loop):
            return "a loop, which SageMaker does not have"
        if isinstance(node, Step) and node.kind == "stub":
            return "it was not translated"
        try:
            if isinstance(node, Branch):
                for condition, _ in node.cases:
                    self._condition(condition)
            elif isinstance(node, Step) and node.kind != "fail":
                self._job(node)
        except _NoFormError as why:
            return str(why)
        return ""

    def document(self) -> dict[str, Any]:
        parameters = []
        for parameter in self.pipeline.parameters:
            entry: dict[str, Any] = {"Name": parameter.name, "Type": _TYPES.get(parameter.type, "String")}
            if parameter.default is not None:
                plain = parameter.type in _TYPES
                entry["DefaultValue"] = parameter.default if plain else json.dumps(parameter.default)
            if parameter.choices:
                entry["EnumValues"] = list(parameter.choices)
            parameters.append(entry)
        return {
            "Version": "2020-12-01",
            "Metadata": {},
            "Parameters": parameters,
            "Steps": self._body(self.pipeline.nodes),
        }

    def _body(self, nodes: tuple[Node, ...]) -> list[dict[str, Any]]:
        return [self._node(node) for node in nodes]

    def _after(self, node: Node) -> list[str]:
        return list(dict.fromkeys(self.ids[self._standing(name)] for name in node.after))

    def _standing(self, name: str) -> str:
        """Return the node that is written down for ``name``: itself, or what failed around it."""
        around = [held for held in self.order.path(name)[1:] if held in self.broken]
        return around[-1] if around else name

    def _node(self, node: Node) -> dict[str, Any]:
        if isinstance(node, Step) and node.kind in {"fail", "stub"}:
            return self._fail(node)
        if node.name in self.broken or not isinstance(node, Step | Branch):
            message = Literal(f"{node.name} was not translated: {self.broken.get(node.name, '')}")
            return self._fail(Step(node.name, "stub", message=message, after=node.after))
        if isinstance(node, Branch):
            return self._branch(node, 0)
        made = self._job(node)
        after = self._after(node)
        return made | ({"DependsOn": after} if after else {})

    def _fail(self, step: Step) -> dict[str, Any]:
        message = self._value(step.message or Literal("failed"), step)
        made: dict[str, Any] = {
            "Name": self.ids[step.name],
            "Type": "Fail",
            "Arguments": {"ErrorMessage": message},
        }
        after = self._after(step)
        return made | ({"DependsOn": after} if after else {})

    def _branch(self, branch: Branch, way: int) -> dict[str, Any]:
        condition, body = branch.cases[way]
        more = way + 1 < len(branch.cases)
        otherwise = [self._branch(branch, way + 1)] if more else self._body(branch.otherwise)
        made: dict[str, Any] = {
            "Name": self.ids[branch.name] + (f"-{way}" if way else ""),
            "Type": "Condition",
            "Arguments": {
                "Conditions": [self._condition(condition)],
                "IfSteps": self._body(body),
                "ElseSteps": otherwise,
            },
        }
        after = self._after(branch)
        return made | ({"DependsOn": after} if after and not way else {})

    def _condition(self, condition: Condition) -> dict[str, Any]:
        if isinstance(condition, Combine):
            parts = [self._condition(part) for part in condition.parts]
            if condition.operator == "not":
                return {"Type": "Not", "Expression": parts[0]}
            if condition.operator == "or":
                return {"Type": "Or", "Conditions": parts}
            # There is no And inside of others: both hold where not one of them does not.
            denied = [{"Type": "Not", "Expression": part} for part in parts]
            return {"Type": "Not", "Expression": {"Type": "Or", "Conditions": denied}}
        names = {
            "==": "Equals",
            ">": "GreaterThan",
            ">=": "GreaterThanOrEqualTo",
            "<": "LessThan",
            "<=": "LessThanOrEqualTo",
        }
        sides = {
            "LeftValue": self._value(condition.left, None),
            "RightValue": self._value(condition.right, None),
        }
        if condition.operator == "!=":
            return {"Type": "Not", "Expression": {"Type": "Equals"} | sides}
        return {"Type": names[condition.operator]} | sides

    # --- steps -------------------------------------------------------------------------------------

    def _job(self, step: Step) -> dict[str, Any]:
        training = any(port.path == "/opt/ml/model" for port in step.outputs)
        arguments = self._training(step) if training else self._processing(step)
        if not self.mapping.role:
            self.notes.loss("pipeline", "its role is a placeholder", "name it in the mapping: role")
        env = {name: self._value(value, step) for name, value in step.env.items()}
        if env:
            arguments["Environment"] = {n: v if isinstance(v, dict) else str(v) for n, v in env.items()}
        if step.timeout_seconds:
            arguments["StoppingCondition"] = {"MaxRuntimeInSeconds": int(step.timeout_seconds)}
        kind = "Training" if training else "Processing"
        return {"Name": self.ids[step.name], "Type": kind, "Arguments": arguments} | self._manners(step)

    def _manners(self, step: Step) -> dict[str, Any]:
        made: dict[str, Any] = {}
        files = [
            {"PropertyFileName": name, "OutputName": key[1], "FilePath": key[2]}
            for key, name in self.files.items()
            if key[0] == step.name
        ]
        if files:
            made["PropertyFiles"] = files
        if step.cache:
            made["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P30D"}
        if step.retry.attempts:
            made["RetryPolicies"] = [self._retry(step)]
        if step.final:
            self.notes.loss(step.name, "it does not run where another step failed", "run it by an event")
        return made

    def _cluster(self, step: Step) -> dict[str, Any]:
        return {
            "InstanceType": step.machine.instance or _INSTANCE,
            "InstanceCount": step.machine.count,
            "VolumeSizeInGB": int(step.machine.disk_gib or 30),
        }

    def _program(self, step: Step) -> list[Any]:
        program = [self._value(part, step) for part in failing(step) or step.command]
        long = [part for part in program if isinstance(part, str) and len(part) > MAX_WORD]
        if long:
            raise _NoFormError(f"a part of its command has {len(long[0])} characters, of {MAX_WORD} at most")
        return [part if isinstance(part, dict) else str(part) for part in program]

    def _training(self, step: Step) -> dict[str, Any]:
        program = self._program(step)
        algorithm: dict[str, Any] = {
            "TrainingImage": self._value(step.image or Literal(""), step),
            "TrainingInputMode": "File",
        }
        # SageMaker starts an image with the argument `train` by itself.
        if program != ["train"]:
            algorithm |= {"ContainerEntrypoint": program[:1]}
            algorithm |= {"ContainerArguments": program[1:]} if program[1:] else {}
        place = step.outputs[0].landing
        if isinstance(place, Join) and place.parts[1:2] == (Literal(step.name),):
            place = place.parts[0]
        uri = self._value(place, step) if place is not None else self.mapping.pipeline_root
        if not uri:
            raise _NoFormError("its model has no address: name a pipeline_root in the mapping")
        values = {name: self._value(value, step) for name, value in step.hyperparameters.items()}
        made: dict[str, Any] = {
            "AlgorithmSpecification": algorithm,
            "OutputDataConfig": {"S3OutputPath": uri}
            | ({} if step.outputs[0].archive else {"CompressionType": "NONE"}),
            "ResourceConfig": self._cluster(step),
            "RoleArn": self.mapping.role or _ROLE,
            "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
            "HyperParameters": {n: v if isinstance(v, dict) else str(v) for n, v in values.items()},
        }
        channels = [self._channel(step, port.name) for port in step.inputs]
        return made | ({"InputDataConfig": channels} if channels else {})

    def _channel(self, step: Step, name: str) -> dict[str, Any]:
        port = next(found for found in step.inputs if found.name == name)
        if port.path != f"/opt/ml/input/data/{name}":
            raise _NoFormError(f"its input {name} lies where no channel does")
        source = {
            "S3DataType": "S3Prefix",
            "S3Uri": self._value(port.source, step),
            "S3DataDistributionType": "FullyReplicated",
        }
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}}

    def _processing(self, step: Step) -> dict[str, Any]:
        if step.hyperparameters:
            raise _NoFormError("it has hyperparameters and makes no model")
        program = self._program(step)
        image = step.image if step.image is not None else Literal(self.mapping.helper_image)
        # The first part alone is the entrypoint: the rest may be references, which only arguments hold.
        app: dict[str, Any] = {"ImageUri": self._value(image, step), "ContainerEntrypoint": program[:1]}
        app |= {"ContainerArguments": program[1:]} if program[1:] else {}
        arguments: dict[str, Any] = {
            "ProcessingResources": {"ClusterConfig": self._cluster(step)},
            "AppSpecification": app,
            "RoleArn": self.mapping.role or _ROLE,
        }
        inputs = [self._input(step, port.name) for port in step.inputs]
        if inputs:
            arguments["ProcessingInputs"] = inputs
        outputs = [self._output(step, port.name) for port in step.outputs]
        if outputs:
            arguments["ProcessingOutputConfig"] = {"Outputs": outputs}
        return arguments

    @staticmethod
    def _retry(step: Step) -> dict[str, Any]:
        return {
            "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR", "Step.SERVICE_FAULT", "Step.THROTTLING"],
            "IntervalSeconds": max(1, int(step.retry.backoff_seconds)),
            "BackoffRate": max(1.0, step.retry.factor),
            "MaxAttempts": min(20, step.retry.attempts),
        }

    def _input(self, step: Step, name: str) -> dict[str, Any]:
        port = next(found for found in step.inputs if found.name == name)
        s3 = {
            "S3Uri": self._value(port.source, step),
            "LocalPath": port.path or f"{_ROOT}/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        return {"InputName": name, "S3Input": s3}

    def _output(self, step: Step, name: str) -> dict[str, Any]:
        port = self.ports[step.name, name]
        local = port.path if port.path and not port.archive else f"{_ROOT}/output/{name}"
        if port.landing is not None:
            uri = self._value(port.landing, step)
        elif self.mapping.pipeline_root:
            run = {"Get": "Execution.PipelineExecutionId"}
            parts = [self.mapping.pipeline_root.rstrip("/"), run, self.ids[step.name], name]
            uri = {"Std:Join": {"On": "/", "Values": parts}}
        else:
            raise _NoFormError("its output has no address: name a pipeline_root in the mapping")
        return {
            "OutputName": name,
            "S3Output": {"S3Uri": uri, "LocalPath": local, "S3UploadMode": "EndOfJob"},
        }

    # --- values ------------------------------------------------------------------------------------

    def _value(self, expression: Expression, step: Step | None) -> Any:
        if isinstance(expression, Literal):
            return expression.value
        if isinstance(expression, Param):
            return {"Get": f"Parameters.{expression.name}"}
        if isinstance(expression, Execution):
            name = unlike(expression, _EXECUTION, step or Step("pipeline"), self.notes)
            return {"Get": f"Execution.{name}"} if name else ""
        if isinstance(expression, Join):
            parts = [self._value(part, step) for part in expression.parts]
            if all(isinstance(part, str) for part in parts):
                return expression.separator.join(parts)
            return {"Std:Join": {"On": expression.separator, "Values": parts}}
        if isinstance(expression, JsonValue):
            output = expression.output
            if output.step in self.broken:
                raise _NoFormError(f"it needs what {output.step} makes")
            file = self.files[output.step, output.port, expression.file]
            get = {"Get": f"Steps.{self.ids[output.step]}.PropertyFiles.{file}"}
            path = "".join(f"[{k}]" if k.isdigit() else f".{k}" for k in expression.path).lstrip(".")
            return {"Std:JsonGet": {"PropertyFile": get, "Path": path}}
        return self._place(expression, step)

    def _place(self, expression: Expression, step: Step | None) -> Any:
        if isinstance(expression, Output):
            if self.ports[expression.step, expression.port].kind == "value":
                raise _NoFormError(f"it needs the value {expression.port} of {expression.step}")
            id_ = self.ids[expression.step]
            if expression.step in self.broken:
                raise _NoFormError(f"it needs what {expression.step} makes")
            if self.ports[expression.step, expression.port].path == "/opt/ml/model":
                return {"Get": f"Steps.{id_}.ModelArtifacts.S3ModelArtifacts"}
            return {"Get": f"Steps.{id_}.ProcessingOutputConfig.Outputs['{expression.port}'].S3Output.S3Uri"}
        if isinstance(expression, PortPath) and step is not None:
            return self._port_path(expression, step)
        raise _NoFormError("it needs the item of a loop")

    def _port_path(self, expression: PortPath, step: Step) -> str:
        if expression.direction == "out":
            port = self.ports[step.name, expression.port]
            return port.path or f"{_ROOT}/output/{expression.port}/data"
        read = next(found for found in step.inputs if found.name == expression.port)
        made = split_artifact(read.source)
        # A program that was told its place wrote there as it liked: a file or a folder.
        told = made is not None and not self.ports[made[0].step, made[0].port].path
        return read.path or f"{_ROOT}/input/{expression.port}{'/data' if told else ''}"


class _NoFormError(Exception):
    """A step has no form here; becomes a note and a step that fails."""
