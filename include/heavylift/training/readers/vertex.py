"""Reads custom jobs of Vertex AI: their JSON, or the YAML that gcloud takes."""

from __future__ import annotations

from typing import Any

from heavylift.facts.vertex_names import model_named
from heavylift.training.commands import Command, batch_of, take_apart
from heavylift.training.documents import Fields
from heavylift.training.machines import describe
from heavylift.training.model import Cluster, Form, Job, Launcher, Machine, Place, Spot
from heavylift.training.notes import Findings, bad_definition
from heavylift.training.writers.vertex import unwrapped


def looks_like(document: dict[str, Any]) -> bool:
    """Return whether a document is a custom job."""
    spec = document.get("jobSpec", document)
    return isinstance(spec, dict) and ("workerPoolSpecs" in spec or "worker_pool_specs" in spec)


def read(documents: list[dict[str, Any]], file: str, findings: Findings, _cluster: Cluster | None) -> Job:
    """Return the neutral form.

    :raises SpecError: a field has another type than Vertex AI's.
    """
    document = _camel(documents[0])
    top = Fields(document, file, "job")
    top.ignore("name", "state", "createTime", "startTime", "endTime", "updateTime", "labels")
    spec = top.fields("jobSpec") if "jobSpec" in document else top
    pools = [pool for pool in spec.each("workerPoolSpecs") if pool.value]
    if not pools:
        raise bad_definition(file, "workerPoolSpecs", "no pool", "at least one")
    nodes = _nodes(pools, findings)
    first = pools[0]
    machine, container = first.fields("machineSpec"), first.fields("containerSpec")
    if first.take("pythonPackageSpec"):
        findings.block(
            "command",
            "it runs a Python package by Google's prebuilt image",
            "name image and command in a containerSpec",
        )
    command = unwrapped([*container.words("command"), *container.words("args")])
    taken = take_apart(command, findings)
    env = {entry.text("name"): str(entry.take("value", "")) for entry in container.each("env")}
    instance = machine.text("machineType")
    known = describe("gcp", instance)
    devices = machine.number("acceleratorCount", known.count if known else 0)
    device = known.model if known else model_named(machine.text("acceleratorType"))
    scheduling = spec.fields("scheduling")
    processes = taken.processes or (devices if taken.launcher is Launcher.TORCHRUN and devices else 1)
    job = Job(
        name=top.text("displayName", "training"),
        form=Form.VERTEX,
        cluster=None,
        image=container.text("imageUri"),
        program=taken.program,
        launcher=_launcher(taken, env),
        options=taken.options,
        machine=Machine(instance, nodes, devices, device),
        processes=processes,
        environment=env,
        places=_places(taken.program, spec),
        batch=batch_of(taken.program, findings),
        spot=Spot(scheduling.text("strategy") in {"SPOT", "FLEX_START"}, None),
        compact=nodes > 1 and bool(known and known.rdma),
        disk_gib=first.fields("diskSpec").number("bootDiskSizeGb", 0) or None,
        max_run_s=_seconds(scheduling.text("timeout")),
        identity=spec.text("serviceAccount"),
    )
    for fields in (top, spec):
        for name in fields.left():
            findings.lose(
                "job", f"the field {name} is not translated", "set its counterpart by hand, if it is needed"
            )
    return job


def _nodes(pools: list[Fields], findings: Findings) -> int:
    nodes = sum(max(1, pool.number("replicaCount", 1)) for pool in pools[:2])
    for pool in pools[2:]:
        image = pool.fields("containerSpec").text("imageUri")
        if "reductionserver" in image:
            findings.lose(
                "network",
                "Google's reduction server is not taken over",
                "NCCL's own ring or tree takes its place",
            )
        else:
            findings.block(
                "machine", "a third pool of workers has no counterpart", "make it a part of the second"
            )
    if len(pools) > 1:
        first, second = (pool.fields("machineSpec").value for pool in pools[:2])
        if first.get("machineType") != second.get("machineType"):
            findings.block(
                "machine", "its machines are of several kinds", "give the pools machines of one kind"
            )
    return nodes


def _launcher(taken: Command, env: dict[str, str]) -> Launcher:
    if taken.launcher is Launcher.PLAIN and "TF_CONFIG" in env:
        return Launcher.TENSORFLOW
    return taken.launcher


def _places(program: tuple[str, ...], spec: Fields) -> tuple[Place, ...]:
    """Return the folders of Cloud Storage that the program is told of, and the job's own."""
    found = []
    for word in program:
        path = word.rpartition("=")[2]
        if path.startswith("/gcs/") and len(path) > len("/gcs/"):
            name = path.rstrip("/").rpartition("/")[2] or "data"
            flag = word.partition("=")[0].lstrip("-") if "=" in word else ""
            kind = "checkpoint" if "checkpoint" in word or "ckpt" in word else "input"
            kind = "output" if "output" in flag or "/out" in path or name in {"model", "output"} else kind
            found.append(Place(name.replace(".", "-"), kind, f"gs://{path.removeprefix('/gcs/')}", path))
    base = spec.fields("baseOutputDirectory").text("outputUriPrefix")
    if base and not any(place.kind == "output" for place in found):
        found.append(Place("model", "output", base, f"/gcs/{base.removeprefix('gs://')}"))
    return tuple({place.uri: place for place in found}.values())


def _seconds(text: str) -> int | None:
    return int(float(text[:-1])) if text.endswith("s") and text[:-1].replace(".", "", 1).isdigit() else None


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {_camel_name(str(name)): _camel(item) for name, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value


def _camel_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
