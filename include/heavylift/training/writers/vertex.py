"""Writes custom jobs of Vertex AI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from heavylift.facts.vertex_names import vertex_name
from heavylift.training.model import Job, Launcher
from heavylift.training.notes import Findings
from heavylift.training.targets import Target
from heavylift.training.writers.common import name_of, torchrun

_POOLS = "cloud.google.com/vertex-ai/docs/training/distributed-training"


@cache
def launcher_text() -> str:
    """Return the program that starts torchrun with what Vertex AI's variables tell."""
    return files("heavylift.training").joinpath("launcher_program.py").read_text(encoding="utf-8")


def unwrapped(command: Sequence[str]) -> list[str]:
    """Return the command that :func:`write` wrapped; any other as it is."""
    if list(command[:2]) == ["python3", "-c"] and len(command) > 4 and command[2] == launcher_text():
        return ["torchrun", f"--nproc-per-node={command[3]}", *command[4:]]
    return list(command)


def write(job: Job, _target: Target, findings: Findings) -> str:
    """Return the body of customJobs.create, as JSON."""
    machine: dict[str, Any] = {"machineType": job.machine.instance}
    if not job.machine.instance:
        findings.block(
            "machine", "Vertex AI needs a type of machine", "name it in the map's section machines"
        )
    if job.machine.devices:
        mega = job.machine.instance.startswith("a3-megagpu")
        machine["acceleratorType"] = "NVIDIA_H100_MEGA_80GB" if mega else vertex_name(job.machine.device)
        machine["acceleratorCount"] = job.machine.devices
    pool: dict[str, Any] = {
        "machineSpec": machine,
        "replicaCount": "1",
        "containerSpec": {
            "imageUri": job.image,
            **_command(job, findings),
            "env": [{"name": name, "value": value} for name, value in job.environment.items()],
        },
    }
    if job.disk_gib:
        pool["diskSpec"] = {"bootDiskSizeGb": max(100, job.disk_gib)}
    pools = [pool]
    if job.machine.nodes > 1:
        pools.append({**pool, "replicaCount": str(job.machine.nodes - 1)})
        findings.change(
            "machines", f"{job.machine.nodes}", f"a pool of 1 and a pool of {job.machine.nodes - 1}",
            "the first machine is a pool of its own", _POOLS,
        )  # fmt: skip
    spec: dict[str, Any] = {"workerPoolSpecs": pools, "scheduling": _scheduling(job, findings)}
    output = next((place.uri for place in job.places if place.kind == "output"), "")
    if output.startswith("gs://"):
        spec["baseOutputDirectory"] = {"outputUriPrefix": output}
    if job.identity:
        spec["serviceAccount"] = job.identity
    if job.compact:
        findings.lose(
            "placement", "Vertex AI places the machines; nothing in a custom job asks for closeness",
            "take a reservation or a persistent resource where the fabric's speed counts",
        )  # fmt: skip
    if job.shm_gib:
        findings.lose(
            "memory", "the size of /dev/shm is Vertex AI's own", "nothing, unless the loader runs out of it"
        )
    return json.dumps({"displayName": name_of(job.name, 120), "jobSpec": spec}, indent=2) + "\n"


def _scheduling(job: Job, findings: Findings) -> dict[str, Any]:
    made: dict[str, Any] = {"restartJobOnWorkerRestart": job.spot.enabled}
    if job.max_run_s:
        made["timeout"] = f"{job.max_run_s}s"
    if job.spot.enabled:
        made["strategy"] = "SPOT"
        findings.change(
            "spot",
            "may be taken away",
            "strategy SPOT, restarts as a whole",
            "a lost machine restarts the job",
        )
        if job.spot.max_wait_s:
            findings.lose(
                "spot",
                f"no limit of {job.spot.max_wait_s} s to the waiting",
                "watch the job's state JOB_STATE_PENDING",
            )
    return made


def _command(job: Job, findings: Findings) -> dict[str, list[str]]:
    if job.launcher is Launcher.MPI:
        findings.block(
            "launcher", "Vertex AI starts no MPI, and its machines reach one another by no shell",
            "start the program with torchrun, or translate it to an MPIJob of Kubernetes",
        )  # fmt: skip
    if job.launcher is Launcher.TENSORFLOW:
        findings.change(
            "launcher",
            "tensorflow",
            "TF_CONFIG by Vertex AI",
            "Vertex AI sets TF_CONFIG in every machine",
            _POOLS,
        )
    if job.launcher is not Launcher.TORCHRUN:
        return {"command": list(job.program[:1]), "args": list(job.program[1:])}
    findings.change(
        "launcher", "torchrun", "torchrun by a small program that reads CLUSTER_SPEC",
        "Vertex AI tells every machine its place in CLUSTER_SPEC, which torchrun does not read", _POOLS,
    )  # fmt: skip
    return {"command": ["python3", "-c", launcher_text()], "args": [str(job.processes), *torchrun(job)[1:]]}
