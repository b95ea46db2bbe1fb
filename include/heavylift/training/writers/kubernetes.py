"""Writes training jobs of Kubernetes: PyTorchJob, MPIJob, indexed Job, JobSet."""

from __future__ import annotations

from typing import Any

from heavylift.training.fabric import TOPOLOGY, efa_interfaces
from heavylift.training.model import Cluster, Form, Job, Launcher
from heavylift.training.notes import Findings
from heavylift.training.targets import Kind, Target
from heavylift.training.writers.common import dumped, name_of, torchrun

_PORT = 29500
_GROUP = "job-group"
_GKE_DEVICES = {
    "T4": "nvidia-tesla-t4", "L4": "nvidia-l4", "A100": "nvidia-tesla-a100", "A100-80GB": "nvidia-a100-80gb",
    "H100-80GB": "nvidia-h100-80gb", "H200-141GB": "nvidia-h200-141gb", "B200": "nvidia-b200",
}  # fmt: skip
_SPOT = {
    Cluster.EKS: ("eks.amazonaws.com/capacityType", "SPOT"),
    Cluster.GKE: ("cloud.google.com/gke-spot", "true"),
    Cluster.AKS: ("kubernetes.azure.com/scalesetpriority", "spot"),
}


def write(job: Job, target: Target, findings: Findings) -> str:
    """Return the objects, as YAML."""
    if job.form is not Form.KUBERNETES or target.cluster is None:
        raise ValueError(target)
    kind = _kind(job, target, findings)
    made = _MAKERS[kind](job, target.cluster, findings)
    return "---\n".join(dumped(each) for each in made)


def _kind(job: Job, target: Target, findings: Findings) -> Kind:
    if job.launcher is Launcher.TENSORFLOW:
        findings.block(
            "launcher",
            "nothing sets TF_CONFIG in these kinds of objects",
            "take a TFJob of the training operator by hand",
        )
    if job.launcher is Launcher.MPI:
        if target.kind not in {Kind.AUTO, Kind.MPIJOB}:
            findings.block("launcher", f"a {target.kind} starts no MPI", "take --kind mpijob")
        return Kind.MPIJOB
    if target.kind is Kind.MPIJOB:
        findings.block("launcher", "the program is not started by MPI", "take --kind pytorchjob or job")
    if target.kind is Kind.AUTO:
        return Kind.PYTORCHJOB if job.launcher is Launcher.TORCHRUN else Kind.JOB
    return target.kind


def _pytorch(job: Job, cluster: Cluster, findings: Findings) -> list[dict[str, Any]]:
    name = name_of(job.name)
    _note(findings, job, "torchrun by PET_* of the training operator", "github.com/kubeflow/trainer (v1)")
    pod = _pod(job, cluster, findings, command=torchrun(job), container="pytorch")
    template = {"metadata": {"labels": {_GROUP: name}}, "spec": pod}
    roles = {"Master": {"replicas": 1, "restartPolicy": "OnFailure", "template": template}}
    if job.machine.nodes > 1:
        roles["Worker"] = {
            "replicas": job.machine.nodes - 1,
            "restartPolicy": "OnFailure",
            "template": template,
        }
    policy: dict[str, Any] = {"cleanPodPolicy": "None"}
    if job.max_run_s:
        policy["activeDeadlineSeconds"] = job.max_run_s
    spec = {"nprocPerNode": str(job.processes), "runPolicy": policy, "pytorchReplicaSpecs": roles}
    findings.need(
        "cluster", "PyTorchJob is a kind of Kubeflow's training operator", "install it, or take --kind job"
    )
    return [{"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {"name": name}, "spec": spec}]


def _mpi(job: Job, cluster: Cluster, findings: Findings) -> list[dict[str, Any]]:
    world = str(job.world)
    exported = [word for name in job.environment for word in ("-x", name)]
    options = [*job.options, *([] if "-bind-to" in job.options else ["-bind-to", "none"])]
    command = ["mpirun", "-np", world, *options, *exported, *job.program]
    _note(
        findings, job, f"mpirun -np {world} with the operator's hostfile", "github.com/kubeflow/mpi-operator"
    )
    worker = _pod(job, cluster, findings, command=[], container="mpi-worker")
    variables = [{"name": name, "value": value} for name, value in job.environment.items()]
    head = {
        "containers": [{"name": "mpi-launcher", "image": job.image, "command": command, "env": variables}],
        "restartPolicy": "OnFailure",
    }
    labels = {"labels": {_GROUP: name_of(job.name)}}
    spec = {
        "slotsPerWorker": job.processes,
        "runPolicy": {
            "cleanPodPolicy": "Running",
            **({"activeDeadlineSeconds": job.max_run_s} if job.max_run_s else {}),
        },
        "mpiReplicaSpecs": {
            "Launcher": {"replicas": 1, "template": {"spec": head}},
            "Worker": {"replicas": job.machine.nodes, "template": {"metadata": labels, "spec": worker}},
        },
    }
    findings.need(
        "cluster", "MPIJob is a kind of Kubeflow's MPI operator; its image must run sshd", "install it"
    )
    name = name_of(job.name)
    return [
        {"apiVersion": "kubeflow.org/v2beta1", "kind": "MPIJob", "metadata": {"name": name}, "spec": spec}
    ]


def _job_spec(job: Job, cluster: Cluster, findings: Findings, subdomain: str, first: str) -> dict[str, Any]:
    command = torchrun(job) if job.launcher is Launcher.TORCHRUN else list(job.program)
    places = [
        {"name": "PET_NNODES", "value": str(job.machine.nodes)},
        {"name": "PET_NPROC_PER_NODE", "value": str(job.processes)},
        {
            "name": "PET_NODE_RANK",
            "valueFrom": {
                "fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}
            },
        },
        {"name": "PET_MASTER_ADDR", "value": first},
        {"name": "PET_MASTER_PORT", "value": str(_PORT)},
    ]
    torch = job.launcher is Launcher.TORCHRUN
    if torch:
        _note(
            findings,
            job,
            "torchrun by PET_* with the index of the pod",
            "pytorch.org/docs/stable/elastic/run.html",
        )
    elif job.machine.nodes > 1:
        findings.need(
            "launcher",
            "no launcher: each pod knows its place by JOB_COMPLETION_INDEX",
            "read it in the program",
        )
    pod = _pod(job, cluster, findings, command=command, container="trainer")
    pod["restartPolicy"] = "Never"
    pod["containers"][0]["env"] = [*pod["containers"][0].get("env", ()), *(places if torch else ())]
    if subdomain:
        pod["subdomain"] = subdomain
    spec: dict[str, Any] = {
        "completionMode": "Indexed",
        "completions": job.machine.nodes,
        "parallelism": job.machine.nodes,
        # One lost pod stops the group: the others would wait for it for ever.
        "backoffLimit": 0 if job.machine.nodes > 1 else 3,
        "template": {"metadata": {"labels": {_GROUP: subdomain}}, "spec": pod},
    }
    if job.max_run_s:
        spec["activeDeadlineSeconds"] = job.max_run_s
    return spec


def _indexed(job: Job, cluster: Cluster, findings: Findings) -> list[dict[str, Any]]:
    name = name_of(job.name)
    spec = _job_spec(job, cluster, findings, name, f"{name}-0.{name}")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {_GROUP: name},
            "ports": [{"name": "rendezvous", "port": _PORT}],
        },
    }
    if job.machine.nodes > 1:
        findings.lose(
            "launcher", "a lost pod ends the job", "start it again: it goes on at the last checkpoint"
        )
    return [service, {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}]


def _jobset(job: Job, cluster: Cluster, findings: Findings) -> list[dict[str, Any]]:
    name = name_of(job.name)
    spec = _job_spec(job, cluster, findings, name, f"{name}-node-0-0.{name}")
    spec["template"]["spec"].pop("subdomain", None)
    findings.need("cluster", "JobSet is a kind of its own", "install its controller, or take --kind job")
    replicated = [{"name": "node", "replicas": 1, "template": {"spec": spec}}]
    body = {
        "network": {"enableDNSHostnames": True},
        "failurePolicy": {"maxRestarts": 3},
        "replicatedJobs": replicated,
    }
    return [
        {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "metadata": {"name": name}, "spec": body}
    ]


_MAKERS = {Kind.PYTORCHJOB: _pytorch, Kind.MPIJOB: _mpi, Kind.JOB: _indexed, Kind.JOBSET: _jobset}


def _pod(
    job: Job, cluster: Cluster, findings: Findings, *, command: list[str], container: str
) -> dict[str, Any]:
    limits: dict[str, str] = {}
    if job.machine.devices:
        limits["nvidia.com/gpu"] = str(job.machine.devices)
    if (
        cluster is Cluster.EKS
        and job.machine.nodes > 1
        and (interfaces := efa_interfaces(job.machine.instance))
    ):
        limits["vpc.amazonaws.com/efa"] = str(interfaces)
        findings.change(
            "network",
            "",
            f"vpc.amazonaws.com/efa: {interfaces}",
            "all EFA interfaces of the machine",
            "gpu_instances.csv",
        )
    main: dict[str, Any] = {
        "name": container,
        "image": job.image,
        **({"command": command} if command else {}),
        "env": [{"name": name, "value": value} for name, value in job.environment.items()],
        "resources": {"limits": limits, "requests": dict(limits)} if limits else {},
        "volumeMounts": [],
    }
    pod: dict[str, Any] = {"containers": [main], "volumes": []}
    _add_volumes(job, main, pod, findings)
    if selector := _selector(job, cluster, findings):
        pod["nodeSelector"] = selector
    if cluster is Cluster.AKS and job.spot.enabled:
        pod["tolerations"] = [
            {
                "key": "kubernetes.azure.com/scalesetpriority",
                "operator": "Equal",
                "value": "spot",
                "effect": "NoSchedule",
            }
        ]
    if job.machine.devices:
        pod.setdefault("tolerations", []).append(
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
        )
    if job.identity:
        pod["serviceAccountName"] = job.identity
    if job.compact and job.machine.nodes > 1:
        _keep_close(pod, cluster, findings, name_of(job.name))
    for each in (main, pod):
        for key in [key for key, value in each.items() if value in ({}, [])]:
            del each[key]
    return pod


def _add_volumes(job: Job, main: dict[str, Any], pod: dict[str, Any], findings: Findings) -> None:
    for place in job.places:
        if not place.uri.startswith("claim:"):
            findings.block(
                "data",
                f"pods reach {place.uri or place.name} through a volume",
                f"name a claim for {place.name} in the map's section claims",
            )
            continue
        name = name_of(place.name)
        pod["volumes"].append(
            {"name": name, "persistentVolumeClaim": {"claimName": place.uri.removeprefix("claim:")}}
        )
        main["volumeMounts"].append(
            {"name": name, "mountPath": place.path, "readOnly": place.kind == "input"}
        )
    if job.places and job.machine.nodes > 1:
        findings.need("data", "every pod mounts the claims at once", "take a class with ReadWriteMany")
    if job.shm_gib:
        pod["volumes"].append(
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{job.shm_gib}Gi"}}
        )
        main["volumeMounts"].append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 - a path in the pod
        findings.change(
            "memory",
            "",
            f"shared memory of {job.shm_gib} GiB",
            "containers get 64 MiB, and loaders of data overrun it",
        )
    if job.disk_gib:
        findings.lose(
            "disk",
            f"the disk of {job.disk_gib} GiB is the node's own",
            "ask for ephemeral-storage, if it counts",
        )


def _selector(job: Job, cluster: Cluster, findings: Findings) -> dict[str, str]:
    made: dict[str, str] = {}
    if cluster is not Cluster.PLAIN and job.machine.instance:
        made["node.kubernetes.io/instance-type"] = job.machine.instance
    if cluster is Cluster.GKE and job.machine.device:
        label = _GKE_DEVICES.get(job.machine.device, "")
        if job.machine.instance.startswith("a3-megagpu"):
            label = "nvidia-h100-mega-80gb"
        if label:
            made["cloud.google.com/gke-accelerator"] = label
    if job.spot.enabled and cluster in _SPOT:
        name, value = _SPOT[cluster]
        made[name] = value
        findings.change("spot", "may be taken away", f"{name}: {value}", "nodes of spot capacity")
    elif job.spot.enabled:
        findings.lose(
            "spot",
            "the cluster has no label that is known for spot nodes",
            "select them by a label of your own",
        )
    return made


def _keep_close(pod: dict[str, Any], cluster: Cluster, findings: Findings, name: str) -> None:
    key, meaning = TOPOLOGY[cluster]
    pod["affinity"] = {
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "podAffinityTerm": {
                        "topologyKey": key,
                        "labelSelector": {
                            "matchExpressions": [{"key": _GROUP, "operator": "In", "values": [name]}]
                        },
                    },
                }
            ]
        }
    }
    findings.change(
        "placement",
        "close together",
        f"pods near one another by {key}",
        meaning,
        "kubernetes.io well-known labels",
    )


def _note(findings: Findings, job: Job, new: str, source: str) -> None:
    findings.change(
        "launcher", str(job.launcher), new, "the cluster's way to tell each process its place", source
    )
