"""Writes requests of SageMaker's CreateTrainingJob, for AWS's framework images and their launchers."""

from __future__ import annotations

import json

from heavylift.training.commands import parameters
from heavylift.training.model import Job, Launcher
from heavylift.training.notes import Findings
from heavylift.training.targets import Target
from heavylift.training.writers.common import name_of

_TOOLKIT = "github.com/aws/sagemaker-training-toolkit"
_DAYS = 86_400


def write(job: Job, _target: Target, findings: Findings) -> str:
    """Return the request, as JSON."""
    if not job.identity:
        findings.block(
            "identity", "SageMaker runs every job as a role", "map the job's identity to the role's ARN"
        )
    instance = job.machine.instance
    if not instance:
        findings.block(
            "machine", "SageMaker needs a type of machine", "name it in the map's section machines"
        )
    wait = job.spot.max_wait_s or (job.max_run_s or _DAYS) * 2
    request = {
        "TrainingJobName": name_of(job.name, 63),
        "AlgorithmSpecification": {"TrainingImage": job.image, "TrainingInputMode": "File"},
        "RoleArn": job.identity,
        "HyperParameters": _hyperparameters(job, findings),
        "Environment": job.environment,
        "InputDataConfig": [
            {
                "ChannelName": place.name,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": place.uri,
                        "S3DataDistributionType": "FullyReplicated",
                    },
                },
            }
            for place in job.places
            if place.kind == "input"
        ],
        "OutputDataConfig": {"S3OutputPath": _output(job, findings)},
        "ResourceConfig": {
            "InstanceType": f"ml.{instance}",
            "InstanceCount": job.machine.nodes,
            "VolumeSizeInGB": job.disk_gib or 100,
        },
        "StoppingCondition": {
            "MaxRuntimeInSeconds": job.max_run_s or _DAYS,
            **({"MaxWaitTimeInSeconds": max(wait, job.max_run_s or _DAYS)} if job.spot.enabled else {}),
        },
        "EnableManagedSpotTraining": job.spot.enabled,
    }
    checkpoint = [place for place in job.places if place.kind == "checkpoint"]
    if checkpoint:
        request["CheckpointConfig"] = {"S3Uri": checkpoint[0].uri, "LocalPath": checkpoint[0].path}
    if len(checkpoint) > 1:
        findings.block("data", "SageMaker keeps one folder of checkpoints", "put them into one")
    if job.compact:
        findings.change(
            "placement", "close together", "SageMaker's own", "machines of one job with EFA are placed so"
        )
    if job.shm_gib:
        findings.lose(
            "memory", "the size of /dev/shm is SageMaker's own", "nothing, unless the loader runs out of it"
        )
    return (
        json.dumps({key: value for key, value in request.items() if value not in ({}, [], None)}, indent=2)
        + "\n"
    )


def _output(job: Job, findings: Findings) -> str:
    found = [place.uri for place in job.places if place.kind == "output"]
    if not found:
        findings.block(
            "data", "SageMaker needs a place for the model", "write output: s3://… into the map's uris"
        )
    return found[0] if found else ""


def _hyperparameters(job: Job, findings: Findings) -> dict[str, str]:
    words = list(job.program)
    script = (
        words[1:2]
        if words[:1] and words[0].rsplit("/", 1)[-1].startswith(("python", "bash", "sh"))
        else words[:1]
    )
    if not script or script[0].startswith("-"):
        findings.block(
            "command", "SageMaker's toolkit starts a script", "give the program a script of its own"
        )
        script = script or [""]
    rest = tuple(words[words.index(script[0]) + 1 :]) if script[0] in words else ()
    known = parameters(rest)
    named = {rest[index][2:].partition("=")[0]: value for index, value in known.values()}
    if sum(2 if "=" not in rest[i] and value else 1 for i, value in known.values()) != len(rest):
        findings.block(
            "command",
            "it has arguments that are no --name value",
            "give all as --name value: SageMaker hands on nothing else",
        )
    own = {
        "sagemaker_program": script[0],
        "sagemaker_submit_directory": job.code,
        "sagemaker_container_log_level": "20",
    }
    if not job.code:
        findings.block(
            "code", "the toolkit loads the script from a store", "name its archive: map the code's address"
        )
    findings.need(
        "image",
        "it must hold AWS's training toolkit, as AWS's framework images do",
        "take one of them as base",
    )
    _launcher(job, own, findings)
    if not job.code:
        own.pop("sagemaker_submit_directory")
    # SageMaker's SDK writes its own parameters as JSON, and the program gets what json.loads makes of them.
    return {name: json.dumps(value) if name in own else value for name, value in {**named, **own}.items()}


def _launcher(job: Job, own: dict[str, str], findings: Findings) -> None:
    if job.launcher is Launcher.TORCHRUN:
        own["sagemaker_torch_distributed_enabled"] = "true"
        _note(findings, job, "torchrun by the toolkit (SM_HOSTS, SM_CURRENT_HOST, SM_NUM_GPUS)")
        if job.machine.devices and job.processes != job.machine.devices:
            findings.block(
                "launcher",
                f"the toolkit starts {job.machine.devices} processes, one a device, and not {job.processes}",
                "take a machine with as many devices as processes",
            )
        if job.options:
            findings.lose(
                "launcher",
                f"{' '.join(job.options)} is not handed on",
                "do without, or start torchrun in a script",
            )
    elif job.launcher is Launcher.MPI:
        own["sagemaker_mpi_enabled"] = "true"
        own["sagemaker_mpi_num_of_processes_per_host"] = str(job.processes)
        own["sagemaker_mpi_custom_mpi_options"] = " ".join(job.options)
        _note(findings, job, "mpirun by the toolkit, over its own hosts")
    elif job.launcher is Launcher.TENSORFLOW:
        own["sagemaker_multi_worker_mirrored_strategy_enabled"] = "true"
        _note(findings, job, "TF_CONFIG by the toolkit")


def _note(findings: Findings, job: Job, new: str) -> None:
    findings.change("launcher", str(job.launcher), new, "SageMaker's images start the processes", _TOOLKIT)
