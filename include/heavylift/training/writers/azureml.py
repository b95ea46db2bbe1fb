"""Writes command jobs of Azure ML."""

from __future__ import annotations

import shlex
from typing import Any

from heavylift.training.model import Job, Launcher
from heavylift.training.notes import Findings
from heavylift.training.targets import Target, azure_name
from heavylift.training.writers.common import dumped, name_of

_SCHEMA = "https://azuremlschemas.azureedge.net/latest/commandJob.schema.json"
_DOCS = "learn.microsoft.com/azure/machine-learning/how-to-train-distributed-gpu"
_KINDS = {Launcher.TORCHRUN: "pytorch", Launcher.MPI: "mpi", Launcher.TENSORFLOW: "tensorflow"}


def write(job: Job, _target: Target, findings: Findings) -> str:
    """Return the job, as YAML."""
    if not job.machine.instance:
        findings.block("machine", "Azure ML needs a type of machine", "name it in the map's section machines")
    resources: dict[str, Any] = {"instance_type": job.machine.instance, "instance_count": job.machine.nodes}
    if job.shm_gib:
        resources["shm_size"] = f"{job.shm_gib}g"
    made: dict[str, Any] = {
        "$schema": _SCHEMA,
        "type": "command",
        "display_name": name_of(job.name, 120),
        "command": " ".join(_quoted(word) for word in job.program),
        "environment": {"image": job.image},
        "resources": resources,
        "environment_variables": job.environment,
        "inputs": {azure_name(p.name): _folder(p.uri, "ro_mount") for p in job.places if p.kind == "input"},
        "outputs": {azure_name(p.name): _folder(p.uri, "rw_mount") for p in job.places if p.kind != "input"},
        "distribution": _distribution(job, findings),
    }
    if job.code and "://" not in job.code:
        made["code"] = job.code
        findings.need(
            "code", f"{job.code} is a folder beside the definition", "put the definition where that folder is"
        )
    elif job.code:
        findings.need(
            "code", f"the program lies at {job.code}", "unpack it into a folder, and name that as code"
        )
    _add_limits(job, made, findings)
    return dumped({k: v for k, v in made.items() if v not in ({}, None)})


def _distribution(job: Job, findings: Findings) -> dict[str, Any] | None:
    if job.launcher is Launcher.PLAIN:
        return None
    if job.options:
        findings.lose(
            "launcher",
            f"{' '.join(job.options)} is not handed on",
            "do without: Azure ML starts the processes",
        )
    kind = _KINDS[job.launcher]
    findings.change(
        "launcher", str(job.launcher), f"distribution {kind}", "Azure ML starts the processes itself", _DOCS
    )
    if job.launcher is Launcher.TENSORFLOW:
        return {"type": kind, "worker_count": job.machine.nodes}
    return {"type": kind, "process_count_per_instance": job.processes}


def _folder(uri: str, mode: str) -> dict[str, str]:
    return {"type": "uri_folder", "path": uri, "mode": mode}


def _quoted(word: str) -> str:
    # References are put in by Azure ML before a shell sees the line.
    return word if "${{" in word else shlex.quote(word)


def _add_limits(job: Job, made: dict[str, Any], findings: Findings) -> None:
    if job.max_run_s:
        made["limits"] = {"timeout": job.max_run_s}
    if job.spot.enabled:
        made["queue_settings"] = {"job_tier": "spot"}
        if job.spot.max_wait_s:
            findings.lose(
                "spot", f"no limit of {job.spot.max_wait_s} s to the waiting", "watch the job's state Queued"
            )
    if job.identity:
        made["identity"] = {"type": "managed", "client_id": job.identity}
    if job.compact:
        why = "machines of one cluster with InfiniBand share it"
        findings.change("placement", "close together", "one cluster of one size", why)
    if job.disk_gib:
        findings.lose(
            "disk",
            f"the disk of {job.disk_gib} GiB is the machine's own",
            "look that the local disk is as large",
        )
