"""Writes pipeline jobs of Azure Machine Learning."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from heavylift.pipelines.flattening import FlatStep, flatten
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import Expression, Literal, Output, Param, Step
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.preparing import Prepared
from heavylift.pipelines.writers.commands import Command, Places
from heavylift.pipelines.writers.programs import failing, plain_yaml, tell_choices, unused

_SCHEMA = "https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json"
_OWN = ("azureml:", "https://", "wasbs://", "abfss://")


def identifier(name: str) -> str:
    """Return a name as Azure ML takes it."""
    made = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    return made if made[:1].isalpha() else f"step_{made}".rstrip("_")


def write_azureml(prepared: Prepared, mapping: TargetMap, notes: Notes) -> str:
    """Return the definition as YAML."""
    return _Writer(prepared, mapping, notes).text()


class _Writer:
    def __init__(self, prepared: Prepared, mapping: TargetMap, notes: Notes) -> None:
        self.pipeline, self.mapping, self.notes = prepared.pipeline, mapping, notes
        self.flat = flatten(self.pipeline, mapping.helper_image, notes)
        self.ids: dict[str, str] = {}
        self.taken: set[str] = set()
        self.fixed = {Output(f.step.name, p.name) for f in self.flat for p in f.step.outputs if p.path}
        self.inputs: dict[str, Any] = {}
        self.parameters = {p.name: p for p in self.pipeline.parameters}

    def text(self) -> str:
        tell_choices(self.pipeline, self.notes)
        for flat in self.flat:
            self._id(flat.step.name)
        for parameter in self.pipeline.parameters:
            value = parameter.default
            if value is None:
                self.notes.loss("pipeline", f"parameter {parameter.name} has no value", "give it a value")
                value = ""
            plain = isinstance(value, str | int | float | bool)
            self.inputs[identifier(parameter.name)] = value if plain else json.dumps(value)
        jobs = {self._id(flat.step.name): self._job(flat) for flat in self.flat}
        document: dict[str, Any] = {"$schema": _SCHEMA, "type": "pipeline"}
        document["display_name"] = self.pipeline.name
        if self.pipeline.description:
            document["description"] = self.pipeline.description
        document["settings"] = {"default_compute": f"azureml:{self.mapping.compute}"}
        if self.inputs:
            document["inputs"] = self.inputs
        return plain_yaml(document | {"jobs": jobs})

    def _id(self, name: str) -> str:
        if name not in self.ids:
            self.ids[name] = unused(identifier(name), "_", self.taken)
        return self.ids[name]

    def _job(self, flat: FlatStep) -> dict[str, Any]:
        step = flat.step
        job = _Job(self, flat)
        command = " ".join(job.command())
        container = not failing(step)
        image = (
            step.image.value if container and isinstance(step.image, Literal) else self.mapping.helper_image
        )
        made: dict[str, Any] = {
            "type": "command",
            "display_name": step.name,
            "command": command,
            "environment": {"image": str(image)},
        }
        env = {n: str(v.value) for n, v in step.env.items() if isinstance(v, Literal)}
        if env:
            made["environment_variables"] = env
        if job.inputs:
            made["inputs"] = job.inputs
        made["outputs"] = {"done": {"type": "uri_folder"}} | {
            identifier(port.name): self._output(step, port.landing) for port in step.outputs
        }
        if step.machine.instance:
            made["resources"] = {"instance_type": step.machine.instance, "instance_count": step.machine.count}
        if step.timeout_seconds:
            made["limits"] = {"timeout": int(step.timeout_seconds)}
        self._tell(step)
        return made

    def _tell(self, step: Step) -> None:
        if step.retry.attempts:
            self.notes.loss(step.name, "it is not tried again when it fails", "submit the pipeline again")
        if step.final:
            self.notes.loss(step.name, "it does not run where another step failed", "run it by an alert")
        if step.machine.count > 1:
            what = "nothing starts the program on several machines together"
            self.notes.loss(step.name, what, "add `distribution` to the job")

    def _output(self, step: Step, landing: Expression | None) -> dict[str, Any]:
        made = {"type": "uri_folder"}
        if isinstance(landing, Literal) and str(landing.value).startswith(_OWN):
            made |= {"path": str(landing.value)}
        elif landing is not None:
            self.notes.loss(
                step.name,
                "its output stays at an address that Azure ML chooses",
                "name the address in the mapping (uris), or set the output's path",
            )
        return made


class _Job:
    """One job's inputs, found while its command is written."""

    def __init__(self, writer: _Writer, flat: FlatStep) -> None:
        self.writer, self.flat = writer, flat
        self.inputs: dict[str, Any] = {}

    def command(self) -> list[str]:
        places = Places(
            text=shlex.quote,
            parameter=self._parameter,
            files=self._files,
            source=self._source,
            made=lambda _, name: shlex.quote(f"${{{{outputs.{identifier(name)}}}}}"),
            landing=lambda *_: "",
            execution={
                "id": "${AZUREML_ROOT_RUN_ID}",
                "pipeline_name": shlex.quote(self.writer.pipeline.name),
            },
        )
        made = Command(self.flat, places, self.writer.fixed, self.writer.notes).parts()
        for name in self.flat.waits:
            producer = self.writer._id(name)
            if not any(f"parent.jobs.{producer}.outputs" in str(found) for found in self.inputs.values()):
                self.inputs[f"after_{producer}"] = f"${{{{parent.jobs.{producer}.outputs.done}}}}"
        return made

    def _parameter(self, name: str) -> str:
        key = identifier(name)
        self.inputs[key] = f"${{{{parent.inputs.{key}}}}}"
        return shlex.quote(f"${{{{inputs.{key}}}}}")

    def _files(self, output: Output) -> str:
        producer, port = self.writer._id(output.step), identifier(output.port)
        key = f"{producer}_{port}"
        self.inputs[key] = f"${{{{parent.jobs.{producer}.outputs.{port}}}}}"
        return shlex.quote(f"${{{{inputs.{key}}}}}")

    def _source(self, step: Step, name: str) -> str:
        key = identifier(name)
        port = next(found for found in step.inputs if found.name == name)
        if isinstance(port.source, Param):
            outer = f"{identifier(port.source.name)}_files"
            uri = str(
                self.writer.parameters[port.source.name].default or "azureml://datastores/none/paths/none"
            )
            self.writer.inputs[outer] = {"type": _kind(uri), "path": uri}
            self.inputs[key] = f"${{{{parent.inputs.{outer}}}}}"
            self.writer.notes.loss(
                "pipeline",
                f"{port.source.name} has a twin, {outer}, which is where its files are",
                "give both the same value",
            )
        else:
            address = port.source.value if isinstance(port.source, Literal) else None
            if address is None:
                self.writer.notes.untranslated(
                    step.name,
                    f"the address of its input {name} is put together when it runs: Azure ML needs it before",
                    "write the address into the definition",
                )
            self.inputs[key] = {
                "type": _kind(str(address)),
                "path": str(address or "azureml://datastores/none/paths/none"),
            }
        return shlex.quote(f"${{{{inputs.{key}}}}}")


def _kind(uri: str) -> str:
    return "uri_file" if "." in uri.rsplit("/", 1)[-1] else "uri_folder"
