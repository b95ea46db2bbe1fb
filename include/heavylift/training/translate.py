"""Translates a training job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heavylift.training.batch import Shape, spread
from heavylift.training.commands import replaced, without_secrets
from heavylift.training.documents import read_documents, unreadable
from heavylift.training.fabric import environment
from heavylift.training.machines import Choice, choose
from heavylift.training.mapping import TargetMap
from heavylift.training.model import PROVIDER, Cluster, Form, Job, Launcher, Place
from heavylift.training.notes import Findings
from heavylift.training.readers import azureml, kubernetes, sagemaker, vertex
from heavylift.training.targets import Target
from heavylift.training.writers import azureml as to_azureml
from heavylift.training.writers import kubernetes as to_kubernetes
from heavylift.training.writers import sagemaker as to_sagemaker
from heavylift.training.writers import vertex as to_vertex

_Reader = tuple[
    Callable[[dict[str, Any]], bool], Callable[[list[dict[str, Any]], str, Findings, Cluster | None], Job]
]

READERS: dict[Form, _Reader] = {
    Form.SAGEMAKER: (sagemaker.looks_like, sagemaker.read),
    Form.VERTEX: (vertex.looks_like, vertex.read),
    Form.KUBERNETES: (kubernetes.looks_like, kubernetes.read),
    Form.AZURE_ML: (azureml.looks_like, azureml.read),
}
_WRITERS: dict[Form, Callable[[Job, Target, Findings], str]] = {
    Form.SAGEMAKER: to_sagemaker.write,
    Form.VERTEX: to_vertex.write,
    Form.AZURE_ML: to_azureml.write,
    Form.KUBERNETES: to_kubernetes.write,
}


@dataclass(frozen=True)
class Translation:
    """A job, and what became of it.

    :param text: the target's definition. It must not be run where ``passed`` is False.
    """

    file: str
    source: Job
    target: Job
    choice: Choice
    shape: Shape
    findings: Findings
    text: str

    @property
    def passed(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.findings.blocks


def load(path: Path, cluster: Cluster | None = None) -> tuple[Job, Findings]:
    """Return the neutral form of a file, and what was lost in reading it.

    :param cluster: whose machines a Kubernetes job has today.
    :raises SpecError: it is of no known kind, or wrong in itself.
    :raises NotFoundError: it cannot be read.
    """
    documents, findings = read_documents(path), Findings()
    for looks_like, read in READERS.values():
        fitting = [each for each in documents if looks_like(each)]
        if fitting:
            others = [each for each in documents if each not in fitting]
            return read([*fitting, *others], path.name, findings, cluster), findings
    keys = ", ".join(sorted(map(str, documents[0]))[:8])
    raise unreadable(path.name, f"the keys {keys}", ", ".join(READERS))


def translate(path: Path, target: Target, mapping: TargetMap, cluster: Cluster | None = None) -> Translation:
    """Return the translation of one file; reaches no platform and writes nothing.

    :raises SpecError: as :func:`load`.
    :raises NotFoundError: as :func:`load`.
    """
    job, findings = load(path, cluster)
    provider = PROVIDER[target.cluster] if target.cluster else PROVIDER[target.form]
    by_hand = mapping.machines.get(job.machine.instance) or mapping.machines.get("*", "")
    choice = choose(job, target.form, provider, by_hand, findings)
    if choice.machine.instance != job.machine.instance:
        findings.change(
            "machine", job.machine.instance, choice.machine.instance, choice.reason, "gpu_instances.csv"
        )
    shape = _shape(job, choice, findings)
    made = _made(job, target, provider, choice, shape, mapping, findings)
    return Translation(
        path.name, job, made, choice, shape, findings, _WRITERS[target.form](made, target, findings)
    )


def _shape(job: Job, choice: Choice, findings: Findings) -> Shape:
    devices = choice.machine.devices if job.machine.devices else 0
    # A job that starts one process for each device goes on doing so; one that starts fewer or more does not.
    per_device = job.processes == job.machine.devices
    known = job.batch.per_device is not None and bool(job.batch.accumulation_name)
    if not per_device:
        shape = Shape(job.machine.nodes, job.processes, job.batch.accumulation, True, 0, "as on the source")
        if job.machine.devices and choice.machine.devices < job.machine.devices:
            shape = replace(
                shape, exact=False, reason="fewer devices in each machine than the program's own layout needs"
            )
    else:
        shape = spread(job.machine.nodes, job.processes, job.batch.accumulation, devices, batch_known=known)
    if not shape.exact:
        findings.block(
            "batch", shape.reason, "name a machine with as many devices in the map's section machines"
        )
    if (
        shape.world != job.world
        or shape.accumulation != job.batch.accumulation
        or shape.nodes != job.machine.nodes
    ):
        old = f"{job.machine.nodes} x {job.processes} x {job.batch.accumulation}"
        new = f"{shape.nodes} x {shape.processes} x {shape.accumulation}"
        findings.change("machines x processes x accumulated steps", old, new, shape.reason)
    if shape.idle:
        findings.lose(
            "machine", f"{shape.idle} devices of each machine stay idle", "name a smaller type in the map"
        )
    return shape


def _made(
    job: Job,
    target: Target,
    provider: str,
    choice: Choice,
    shape: Shape,
    mapping: TargetMap,
    findings: Findings,
) -> Job:
    program = without_secrets(job.program, findings)
    if shape.accumulation != job.batch.accumulation:
        program = replaced(program, job.batch.accumulation_name, str(shape.accumulation))
    places = tuple(_place(each, target, mapping, findings) for each in job.places)
    for old, new in zip(job.places, places, strict=True):
        program = tuple(_moved(word, old.path, new.path) for word in program)
    if (
        target.form is Form.SAGEMAKER
        and "output" in mapping.uris
        and not any(p.kind == "output" for p in places)
    ):
        places = (*places, Place("model", "output", mapping.uris["output"], "/opt/ml/model"))
    if job.spot.enabled and not any(each.kind == "checkpoint" for each in job.places):
        findings.need(
            "spot",
            "machines may be taken away, and no place for checkpoints is told",
            "save and load checkpoints",
        )
    variables = environment(
        job, target.form, provider, choice.family, shape.nodes, findings, mapping.environment
    )
    return replace(
        job,
        form=target.form,
        cluster=target.cluster,
        image=mapping.image(job.image, findings),
        program=program,
        machine=replace(choice.machine, nodes=shape.nodes),
        processes=shape.processes,
        environment=variables,
        places=places,
        batch=replace(job.batch, accumulation=shape.accumulation),
        identity=mapping.identity(job.identity, findings),
        code=mapping.code(job.code, target.form, findings),
        shm_gib=job.shm_gib or (None if job.launcher is Launcher.TENSORFLOW else _shm(job)),
    )


def _shm(job: Job) -> int | None:
    # Containers get 64 MiB by default, which loaders of several processes overrun; SageMaker gives more.
    return 8 * job.processes if job.machine.devices else None


def _place(each: Place, target: Target, mapping: TargetMap, findings: Findings) -> Place:
    foreign = "://" in each.uri or (each.uri.startswith("claim:") and target.form is not Form.KUBERNETES)
    claim = next((claim for key, claim in mapping.claims.items() if key in {each.name, each.uri}), "")
    if claim and target.form is Form.KUBERNETES:
        uri = f"claim:{claim}"
    else:
        uri = mapping.uri(each.uri, findings) if foreign else each.uri
    if not each.uri:
        findings.block("data", f"{each.name} has no address", "name it in the definition")
    path = target.path_of(replace(each, uri=uri))
    if path != each.path:
        findings.change(f"path of {each.name}", each.path, path, f"where {target.form} puts it")
    return replace(each, uri=uri, path=path)


def _moved(word: str, old: str, new: str) -> str:
    if not old or old == new:
        return word
    head, equals, value = word.partition("=")
    if equals and head.startswith("--"):
        return f"{head}={_moved(value, old, new)}"
    return new + word[len(old) :] if word == old or word.startswith(old.rstrip("/") + "/") else word
