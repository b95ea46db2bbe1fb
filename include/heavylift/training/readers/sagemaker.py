"""Reads training jobs of SageMaker: requests of CreateTrainingJob, and estimators' arguments as JSON."""

from __future__ import annotations

import json
from typing import Any

from heavylift.training.commands import Command, batch_of, take_apart
from heavylift.training.documents import Fields, whole
from heavylift.training.machines import describe
from heavylift.training.model import Cluster, Form, Job, Launcher, Machine, Place, Spot
from heavylift.training.notes import Findings

_OWN = "sagemaker_"
_SMDDP = "AWS's smdistributed library: nothing outside SageMaker runs it"
_SMDDP_REMEDY = (
    "in the program, take torch's DistributedDataParallel or FSDP with the backend nccl in its place; then"
    " translate that job"
)


def looks_like(document: dict[str, Any]) -> bool:
    """Return whether a document is a training job of SageMaker."""
    return "AlgorithmSpecification" in document or (
        "instance_type" in document and "instance_count" in document
    )


def read(documents: list[dict[str, Any]], file: str, findings: Findings, _cluster: Cluster | None) -> Job:
    """Return the neutral form.

    :raises SpecError: a field has another type than SageMaker's.
    """
    fields = Fields(documents[0], file, "job")
    job = (
        _request(fields, findings)
        if "AlgorithmSpecification" in documents[0]
        else _estimator(fields, findings)
    )
    for name in fields.left():
        findings.lose(
            "job", f"the field {name} is not translated", "set its counterpart by hand, if it is needed"
        )
    return job


def _request(fields: Fields, findings: Findings) -> Job:
    algorithm, resources = fields.fields("AlgorithmSpecification"), fields.fields("ResourceConfig")
    fields.ignore("Tags", "TrainingJobArn", "TrainingJobStatus", "SecondaryStatus", "CreationTime")
    if resources.items("InstanceGroups"):
        findings.block(
            "machine", "its machines are of several kinds", "split the job, or give it machines of one kind"
        )
    if algorithm.text("AlgorithmName"):
        findings.block(
            "image", "an algorithm of AWS's own, which is nowhere else", "train with a framework of your own"
        )
    parameters = {name: _plain(value) for name, value in fields.strings("HyperParameters").items()}
    command = [*algorithm.words("ContainerEntrypoint"), *algorithm.words("ContainerArguments")]
    checkpoint, stop = fields.fields("CheckpointConfig"), fields.fields("StoppingCondition")
    places = _channels(fields, findings)
    if checkpoint.text("S3Uri"):
        local = checkpoint.text("LocalPath", "/opt/ml/checkpoints")
        places.append(Place("checkpoint", "checkpoint", checkpoint.text("S3Uri"), local))
    output = fields.fields("OutputDataConfig").text("S3OutputPath")
    if output:
        places.append(Place("model", "output", output, "/opt/ml/model"))
    wait = stop.number("MaxWaitTimeInSeconds", 0) or None
    return _job(
        findings,
        name=fields.text("TrainingJobName", "training"),
        image=algorithm.text("TrainingImage"),
        parameters=parameters,
        command=command,
        instance=resources.text("InstanceType"),
        nodes=max(1, resources.number("InstanceCount", 1)),
        environment=fields.strings("Environment"),
        places=tuple(places),
        spot=Spot(bool(fields.take("EnableManagedSpotTraining")), wait),
        disk_gib=resources.number("VolumeSizeInGB", 0) or None,
        max_run_s=stop.number("MaxRuntimeInSeconds", 0) or None,
        identity=fields.text("RoleArn"),
    )


def _channels(fields: Fields, findings: Findings) -> list[Place]:
    places = []
    for channel in fields.each("InputDataConfig"):
        name = channel.text("ChannelName", "data")
        uri = channel.fields("DataSource").fields("S3DataSource").text("S3Uri")
        places.append(Place(name, "input", uri, f"/opt/ml/input/data/{name}"))
        if channel.text("InputMode") == "Pipe":
            findings.block(
                "data",
                f"channel {name} is a pipe: the program reads a FIFO",
                "read files, or the store itself",
            )
    return places


def _estimator(fields: Fields, findings: Findings) -> Job:
    parameters = {name: _plain(value) for name, value in fields.strings("hyperparameters").items()}
    parameters["sagemaker_program"] = fields.text("entry_point")
    parameters["sagemaker_submit_directory"] = fields.text("source_dir", ".")
    distribution = fields.fields("distribution")
    _distribution(distribution, parameters)
    for name in distribution.left():
        findings.lose("launcher", f"distribution.{name} is not translated", "set its counterpart by hand")
    fields.ignore(
        "framework_version", "py_version", "base_job_name", "sagemaker_session", "metric_definitions"
    )
    places = []
    if fields.text("checkpoint_s3_uri"):
        local = fields.text("checkpoint_local_path", "/opt/ml/checkpoints")
        places.append(Place("checkpoint", "checkpoint", fields.text("checkpoint_s3_uri"), local))
    if fields.text("output_path"):
        places.append(Place("model", "output", fields.text("output_path"), "/opt/ml/model"))
    for name, uri in fields.strings("inputs").items():
        places.append(Place(name, "input", uri, f"/opt/ml/input/data/{name}"))
    return _job(
        findings,
        name=fields.text("name", "training"),
        image=fields.text("image_uri"),
        parameters=parameters,
        command=[],
        instance=fields.text("instance_type"),
        nodes=max(1, fields.number("instance_count", 1)),
        environment=fields.strings("environment"),
        places=tuple(places),
        spot=Spot(bool(fields.take("use_spot_instances")), fields.number("max_wait", 0) or None),
        disk_gib=fields.number("volume_size", 0) or None,
        max_run_s=fields.number("max_run", 0) or None,
        identity=fields.text("role"),
    )


def _distribution(distribution: Fields, parameters: dict[str, str]) -> None:
    """Put an estimator's distribution into the parameters that the SDK would make of it."""
    smd = distribution.fields("smdistributed")
    if smd.fields("dataparallel").take("enabled"):
        parameters["sagemaker_distributed_dataparallel_enabled"] = "true"
    if smd.fields("modelparallel").take("enabled"):
        parameters["mp_parameters"] = "{}"
    if distribution.fields("torch_distributed").take("enabled") or distribution.fields("pytorchddp").take(
        "enabled"
    ):
        parameters["sagemaker_torch_distributed_enabled"] = "true"
    mpi = distribution.fields("mpi")
    if mpi.take("enabled"):
        parameters["sagemaker_mpi_enabled"] = "true"
        parameters["sagemaker_mpi_num_of_processes_per_host"] = str(mpi.number("processes_per_host", 0) or "")
        parameters["sagemaker_mpi_custom_mpi_options"] = mpi.text("custom_mpi_options")
    if distribution.fields("multi_worker_mirrored_strategy").take("enabled"):
        parameters["sagemaker_multi_worker_mirrored_strategy_enabled"] = "true"
    if distribution.fields("parameter_server").take("enabled"):
        parameters["sagemaker_parameter_server_enabled"] = "true"


def _job(
    findings: Findings,
    *,
    parameters: dict[str, str],
    command: list[str],
    instance: str,
    nodes: int,
    **rest: Any,
) -> Job:
    own = {name.removeprefix(_OWN): value for name, value in parameters.items() if name.startswith(_OWN)}
    _demand_portable(own, parameters, findings)
    found = describe("aws", instance)
    devices = found.count if found else 0
    if found is None and instance.removeprefix("ml.").startswith(("p", "g", "trn", "inf")):
        findings.block(
            "machine",
            f"{instance} is in no table",
            "add it to the table of accelerators, or name the target's type",
        )
    taken = _command(own, parameters, command, findings)
    environment = {**rest.pop("environment"), **{k: v for k, v in taken.exported.items() if v}}
    processes = taken.processes or (
        taken.total // nodes if taken.total and taken.total % nodes == 0 else None
    )
    if processes is None:
        processes = devices or 1 if taken.launcher in {Launcher.TORCHRUN, Launcher.MPI} else 1
    return Job(
        form=Form.SAGEMAKER,
        cluster=None,
        program=taken.program,
        launcher=taken.launcher,
        options=taken.options,
        machine=Machine(instance, nodes, devices, found.model if found else ""),
        processes=processes,
        environment=environment,
        batch=batch_of(taken.program, findings),
        # SageMaker places the machines of one job with EFA close together by itself.
        compact=bool(found and found.rdma and nodes > 1),
        code=own.get("submit_directory", ""),
        **rest,
    )


def _demand_portable(own: dict[str, str], parameters: dict[str, str], findings: Findings) -> None:
    if _true(own.get("distributed_dataparallel_enabled")):
        findings.block("launcher", _SMDDP, _SMDDP_REMEDY)
    if "mp_parameters" in parameters:
        parameters.pop("mp_parameters")
        findings.block(
            "launcher", _SMDDP, "take FSDP, tensor parallelism of torch, or DeepSpeed in its place"
        )
    if _true(own.get("parameter_server_enabled")):
        findings.block(
            "launcher",
            "parameter servers are TensorFlow 1's way",
            "take MultiWorkerMirroredStrategy, then translate that job",
        )


def _command(
    own: dict[str, str], parameters: dict[str, str], command: list[str], findings: Findings
) -> Command:
    if not own.get("program"):
        if not command:
            findings.block(
                "command",
                "the image's own entry point starts the training",
                "name the command in the definition",
            )
        return take_apart(command, findings)
    given = [
        word
        for name, value in parameters.items()
        if not name.startswith(_OWN)
        for word in (f"--{name}", value)
    ]
    program = ("python", own["program"], *given)
    if program[1].endswith(".sh"):
        program = ("bash", *program[1:])
    if _true(own.get("mpi_enabled")):
        options = take_apart(["mpirun", *own.get("mpi_custom_mpi_options", "").split()], findings)
        processes = whole(own.get("mpi_num_of_processes_per_host", ""))
        return Command(Launcher.MPI, program, processes, options=options.options, exported=options.exported)
    if _true(own.get("torch_distributed_enabled")) or _true(own.get("distributed_dataparallel_enabled")):
        return Command(Launcher.TORCHRUN, program)
    if _true(own.get("multi_worker_mirrored_strategy_enabled")):
        return Command(Launcher.TENSORFLOW, program)
    return Command(Launcher.PLAIN, program)


def _true(value: str | None) -> bool:
    return (value or "").strip('"').lower() == "true"


def _plain(value: str) -> str:
    # SageMaker's SDK writes every hyperparameter as JSON: the text x as "x".
    try:
        made = json.loads(value)
    except ValueError:
        return value
    return made if isinstance(made, str) else value
