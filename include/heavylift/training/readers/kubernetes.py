"""Reads training jobs of Kubernetes: PyTorchJob, MPIJob, TrainJob, JobSet, indexed Job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heavylift.facts.accelerators import base_of
from heavylift.training.commands import batch_of, take_apart
from heavylift.training.documents import Fields, whole
from heavylift.training.machines import accelerators
from heavylift.training.model import PROVIDER, Cluster, Form, Job, Launcher, Machine, Place, Spot
from heavylift.training.notes import Findings, bad_definition

_GPU = ("nvidia.com/gpu", "amd.com/gpu")
_OTHERS = {"aws.amazon.com/neuron": "Neuron", "aws.amazon.com/neuroncore": "Neuron", "google.com/tpu": "TPU"}
_INSTANCE = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_DEVICE = "cloud.google.com/gke-accelerator"
_SPOT = {
    "eks.amazonaws.com/capacityType": "SPOT", "karpenter.sh/capacity-type": "spot",
    "cloud.google.com/gke-spot": "true", "kubernetes.azure.com/scalesetpriority": "spot",
}  # fmt: skip


class _Pods:
    """What a kind says of its pods."""

    def __init__(self, nodes: int, pod: Fields, launcher: Launcher, processes: int | None) -> None:
        self.nodes, self.pod, self.launcher, self.processes = nodes, pod, launcher, processes
        self.command: list[str] = []


def looks_like(document: dict[str, Any]) -> bool:
    """Return whether a document is a training job of Kubernetes."""
    return str(document.get("kind")) in _KINDS and "apiVersion" in document


def read(documents: list[dict[str, Any]], file: str, findings: Findings, cluster: Cluster | None) -> Job:
    """Return the neutral form.

    :raises SpecError: a field has another type than the kind's.
    """
    top = Fields(documents[0], file, "job")
    kind = top.text("kind")
    found = _KINDS[kind](top.fields("spec"), findings)
    containers = found.pod.each("containers")
    if not containers:
        raise bad_definition(file, f"{kind}'s pods", "no container", "a container")
    if len(containers) > 1 or found.pod.items("initContainers"):
        findings.lose(
            "job",
            "further containers of its pods are not translated",
            "add them by hand where they are needed",
        )
    main = containers[0]
    command = found.command or [*main.words("command"), *main.words("args")]
    taken = take_apart(command, findings)
    cluster = cluster or Cluster.PLAIN
    selector = found.pod.strings("nodeSelector")
    machine = _machine(main, selector, found.nodes, cluster, findings)
    env = _environment(main, findings)
    launcher = taken.launcher if taken.launcher is not Launcher.PLAIN else found.launcher
    every = machine.devices or 1 if launcher is Launcher.TORCHRUN else 1
    by_total = taken.total // found.nodes if taken.total and taken.total % found.nodes == 0 else None
    job = Job(
        name=top.fields("metadata").text("name", "training"),
        form=Form.KUBERNETES,
        cluster=cluster,
        image=main.text("image"),
        program=taken.program,
        launcher=launcher,
        options=taken.options,
        machine=machine,
        processes=taken.processes
        or found.processes
        or by_total
        or whole(env.get("PET_NPROC_PER_NODE", ""))
        or every,
        environment={**env, **{k: v for k, v in taken.exported.items() if v}},
        places=_places(found.pod, main, findings),
        batch=batch_of(taken.program, findings),
        spot=Spot(any(selector.get(name, "").lower() == value.lower() for name, value in _SPOT.items())),
        compact="topologyKey" in str(found.pod.value.get("affinity", "")) or "placement" in str(selector),
        shm_gib=_shm(found.pod),
        identity=found.pod.text("serviceAccountName"),
    )
    if len(documents) > 1:
        findings.lose(
            "job",
            "further documents of the file are not translated",
            "translate them with heavylift manifests",
        )
    return job


def _pytorch(spec: Fields, findings: Findings) -> _Pods:
    roles = spec.fields("pytorchReplicaSpecs")
    pods, nodes = None, 0
    for role in ("Master", "Worker"):
        given = roles.fields(role)
        if given.value:
            nodes += max(1, given.number("replicas", 1))
            pods = pods or given.fields("template").fields("spec")
    if pods is None:
        raise bad_definition(spec.file, "spec.pytorchReplicaSpecs", "no pods", "a Master or Worker")
    if spec.take("elasticPolicy"):
        findings.lose(
            "launcher", "the number of machines could change while it ran", "it is fixed on the target"
        )
    return _Pods(nodes, pods, Launcher.TORCHRUN, whole(spec.take("nprocPerNode", "")))


def _mpi(spec: Fields, findings: Findings) -> _Pods:
    roles = spec.fields("mpiReplicaSpecs")
    worker, head = roles.fields("Worker"), roles.fields("Launcher")
    made = _Pods(
        max(1, worker.number("replicas", 1)),
        worker.fields("template").fields("spec"),
        Launcher.MPI,
        spec.number("slotsPerWorker", 1),
    )
    main = head.fields("template").fields("spec").each("containers")
    if main:
        made.command = [*main[0].words("command"), *main[0].words("args")]
    if spec.text("mpiImplementation", "OpenMPI") != "OpenMPI":
        findings.block("launcher", f"{spec.text('mpiImplementation')} is not translated", "take Open MPI")
    return made


def _train(spec: Fields, findings: Findings) -> _Pods:
    trainer = spec.fields("trainer")
    runtime = spec.fields("runtimeRef").text("name")
    findings.need(
        "launcher", f"the runtime {runtime} adds to the pods what is not in this file", "compare it by hand"
    )
    container = {
        "name": "trainer",
        "image": trainer.text("image"),
        "command": trainer.words("command"),
        "args": trainer.words("args"),
        "env": trainer.items("env"),
        "resources": trainer.take("resourcesPerNode") or {},
    }
    pod = Fields({"containers": [container]}, spec.file, "spec.trainer")
    launcher = Launcher.MPI if "mpi" in runtime else Launcher.TORCHRUN
    return _Pods(
        max(1, trainer.number("numNodes", 1)), pod, launcher, whole(trainer.take("numProcPerNode", ""))
    )


def _jobset(spec: Fields, findings: Findings) -> _Pods:
    jobs = spec.each("replicatedJobs")
    if not jobs:
        raise bad_definition(spec.file, "spec.replicatedJobs", "no job", "a job")
    if len(jobs) > 1:
        findings.block(
            "machine", "a JobSet of several kinds of pods", "split it, or make it one replicated job"
        )
    made = _indexed(jobs[0].fields("template").fields("spec"), findings)
    made.nodes *= max(1, jobs[0].number("replicas", 1))
    return made


def _indexed(spec: Fields, _findings: Findings) -> _Pods:
    nodes = max(1, spec.number("parallelism", 1))
    return _Pods(nodes, spec.fields("template").fields("spec"), Launcher.PLAIN, None)


_KINDS: dict[str, Callable[[Fields, Findings], _Pods]] = {
    "PyTorchJob": _pytorch,
    "MPIJob": _mpi,
    "TrainJob": _train,
    "JobSet": _jobset,
    "Job": _indexed,
}


def _machine(
    main: Fields, selector: dict[str, str], nodes: int, cluster: Cluster, findings: Findings
) -> Machine:
    resources = main.fields("resources")
    asked = {**resources.strings("requests"), **resources.strings("limits")} or resources.strings("limits")
    asked = {**{k: str(v) for k, v in resources.value.items() if "/" in str(k)}, **asked}
    for name, what in _OTHERS.items():
        if name in asked:
            findings.block(
                "machine",
                f"its pods ask for {name}: programs for {what} run nowhere else",
                "build the program anew for GPUs",
            )
    devices = sum(whole(asked.get(name, "0")) or 0 for name in _GPU)
    instance = next((selector[name] for name in _INSTANCE if name in selector), "")
    known = accelerators().find(PROVIDER[cluster], instance) if instance else None
    device = known.model if known else _device_of(selector.get(_DEVICE, ""))
    return Machine(instance if known else "", nodes, devices, device)


def _device_of(label: str) -> str:
    """Return the model that GKE's label means, as the table of accelerators writes it."""
    bare = label.removeprefix("nvidia-").removeprefix("tesla-").replace("-mega", "").upper()
    models = {each.model for each in accelerators().types}
    plain = bare.replace("GB", "GB")
    return plain if plain in models else base_of(plain) if base_of(plain) in models else ""


def _environment(main: Fields, findings: Findings) -> dict[str, str]:
    made = {}
    for entry in main.each("env"):
        name = entry.text("name")
        if entry.take("valueFrom") and name.startswith("PET_"):
            continue
        if entry.take("valueFrom"):
            findings.need(f"environment {name}", "its value comes from the cluster", "give it on the target")
        else:
            made[name] = str(entry.take("value", ""))
    if main.items("envFrom"):
        findings.need("environment", "variables come from a ConfigMap or Secret", "give them on the target")
    return made


def _places(pod: Fields, main: Fields, findings: Findings) -> tuple[Place, ...]:
    mounts = {mount.text("name"): mount.text("mountPath") for mount in main.each("volumeMounts")}
    found = []
    for volume in pod.each("volumes"):
        name = volume.text("name")
        claim = volume.fields("persistentVolumeClaim").text("claimName")
        if name not in mounts or volume.take("emptyDir") is not None:
            continue
        kind = (
            "checkpoint"
            if "ckpt" in name or "checkpoint" in name
            else "output"
            if "out" in name or "model" in name
            else "input"
        )
        if not claim:
            findings.need("data", f"the volume {name} is no claim", "give its files on the target")
            continue
        found.append(Place(name, kind, f"claim:{claim}", mounts[name]))
    return tuple(found)


def _shm(pod: Fields) -> int | None:
    for volume in pod.each("volumes"):
        space = volume.fields("emptyDir")
        if space.text("medium") == "Memory":
            return whole(str(space.take("sizeLimit", "")).removesuffix("Gi"))
    return None
