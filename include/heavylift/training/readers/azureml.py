"""Reads command jobs of Azure ML in YAML."""

from __future__ import annotations

import re
from typing import Any

from heavylift.training.commands import Command, batch_of, split, take_apart
from heavylift.training.documents import Fields
from heavylift.training.machines import describe
from heavylift.training.model import Cluster, Form, Job, Launcher, Machine, Place, Spot
from heavylift.training.notes import Findings

_REFERENCE = re.compile(r"\$\{\{\s*(inputs|outputs)\.([\w-]+)\s*\}\}")
_UNKNOWN = re.compile(r"\$\{\{[^}]*\}\}")


def looks_like(document: dict[str, Any]) -> bool:
    """Return whether a document is a command job of Azure ML."""
    return isinstance(document.get("command"), str) and (
        "environment" in document
        or "distribution" in document
        or "commandJob" in str(document.get("$schema"))
    )


def read(documents: list[dict[str, Any]], file: str, findings: Findings, _cluster: Cluster | None) -> Job:
    """Return the neutral form.

    :raises SpecError: a field has another type than Azure ML's.
    """
    fields = Fields(documents[0], file, "job")
    fields.ignore("$schema", "type", "description", "tags", "experiment_name", "properties")
    inputs, outputs = fields.fields("inputs"), fields.fields("outputs")
    text, places = _resolved(fields.text("command"), inputs, outputs, findings)
    taken = take_apart(split(text, findings), findings)
    resources, distribution = fields.fields("resources"), fields.fields("distribution")
    instance = resources.text("instance_type")
    known = describe("azure", instance)
    if not instance:
        findings.need(
            "machine",
            f"the compute {fields.text('compute')} names no type of machine",
            "write resources.instance_type into the definition, so that machines can be mapped",
        )
    fields.ignore("compute")
    nodes = max(1, resources.number("instance_count", 1))
    taken, processes = _distributed(distribution, taken, findings)
    devices = known.count if known else processes if taken.launcher is not Launcher.PLAIN else 0
    job = Job(
        name=fields.text("name") or fields.text("display_name", "training"),
        form=Form.AZURE_ML,
        cluster=None,
        image=_image(fields),
        program=taken.program,
        launcher=taken.launcher,
        options=taken.options,
        machine=Machine(instance, nodes, devices, known.model if known else ""),
        processes=processes,
        environment=fields.strings("environment_variables"),
        places=places,
        batch=batch_of(taken.program, findings),
        spot=Spot(fields.fields("queue_settings").text("job_tier").lower() == "spot", None),
        compact=nodes > 1 and bool(known and known.rdma),
        shm_gib=_gib(resources.text("shm_size")),
        max_run_s=fields.fields("limits").number("timeout", 0) or None,
        identity=fields.fields("identity").text("client_id"),
        code=fields.text("code"),
    )
    for name in fields.left():
        findings.lose(
            "job", f"the field {name} is not translated", "set its counterpart by hand, if it is needed"
        )
    return job


def _distributed(distribution: Fields, taken: Command, findings: Findings) -> tuple[Command, int]:
    kind = distribution.text("type").lower()
    per_node = distribution.number("process_count_per_instance", 1) or 1
    if kind == "pytorch":
        return Command(Launcher.TORCHRUN, taken.program, per_node, options=taken.options), per_node
    if kind == "mpi":
        return Command(Launcher.MPI, taken.program, per_node, options=taken.options), per_node
    if kind == "tensorflow":
        if distribution.number("parameter_server_count", 0):
            findings.block(
                "launcher", "parameter servers are TensorFlow 1's way", "take MultiWorkerMirroredStrategy"
            )
        return Command(Launcher.TENSORFLOW, taken.program), 1
    if kind:
        findings.block("launcher", f"the distribution {kind} is not known", "take pytorch, mpi or tensorflow")
    return taken, taken.processes or 1


def _resolved(
    text: str, inputs: Fields, outputs: Fields, findings: Findings
) -> tuple[str, tuple[Place, ...]]:
    """Return the command with literals and paths in the place of its references."""
    places: dict[str, Place] = {}

    def value(match: re.Match[str]) -> str:
        side, name = match[1], match[2]
        entry = (inputs if side == "inputs" else outputs).take(name)
        if not isinstance(entry, dict):
            return str("" if entry is None else entry)
        uri = str(entry.get("path", ""))
        if str(entry.get("type") or "uri_folder") not in {"uri_folder", "uri_file"}:
            findings.block(
                "data", f"{name} is of type {entry.get('type')}", "give it as uri_folder or uri_file"
            )
        kind = "input" if side == "inputs" else "checkpoint" if "checkpoint" in name else "output"
        places[name] = Place(name, kind, uri, f"/azureml/{name}")
        return places[name].path

    made = _REFERENCE.sub(value, text)
    if left := _UNKNOWN.findall(made):
        findings.block(
            "command", f"{left[0]} cannot be resolved", "write what it stands for into the command"
        )
    for side, kind in ((inputs, "input"), (outputs, "output")):
        for name, entry in side.value.items():
            if name not in places and isinstance(entry, dict) and entry.get("path"):
                kept = "checkpoint" if kind == "output" and "checkpoint" in name else kind
                places[name] = Place(name, kept, str(entry["path"]), f"/azureml/{name}")
    return made, tuple(places.values())


def _image(fields: Fields) -> str:
    found = fields.take("environment")
    if isinstance(found, dict):
        return str(found.get("image", ""))
    return str(found or "")


def _gib(text: str) -> int | None:
    found = re.fullmatch(r"(\d+)\s*g(?:i?b)?", text.strip(), re.IGNORECASE)
    return int(found[1]) if found else None
