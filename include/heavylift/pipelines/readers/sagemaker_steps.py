"""Processing and training steps of SageMaker, or jobs that Step Functions start with the same arguments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from heavylift.pipelines.documents import Fields
from heavylift.pipelines.model import (
    Expression,
    Input,
    Join,
    Literal,
    Machine,
    OutputPort,
    Step,
)
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.readers.sagemaker_values import MODEL, Known, expression
from heavylift.pipelines.readers.untranslatable import UntranslatableStepError

MODEL_FOLDER = "/opt/ml/model"
DATA_FOLDER = "/opt/ml/input/data"
_REMEDY = "bring it to the target by hand, or leave it out of the definition"


@dataclass(frozen=True)
class Job:
    """One job's arguments, and how to read the values in them."""

    name: str
    arguments: Fields
    known: Known
    notes: Notes

    def value(self, found: Any) -> Expression:
        """Return what a value means."""
        return expression(found, self.known)

    def values(self, found: dict[str, Any]) -> dict[str, Expression]:
        """Return what the values of a mapping mean."""
        return {str(name): self.value(value) for name, value in found.items()}

    def tell_left(self, fields: Fields, what: str = "") -> None:
        """Note every field that nobody read."""
        for name in fields.left():
            self.notes.loss(self.name, f"{what}{name} is not translated", _REMEDY)


def processing(job: Job) -> Step:
    """Return the step of a processing job."""
    arguments = job.arguments
    app = arguments.fields("AppSpecification")
    cluster = arguments.fields("ProcessingResources").fields("ClusterConfig")
    step = Step(
        job.name,
        image=job.value(app.take("ImageUri")),
        command=tuple(
            job.value(part) for part in (*app.items("ContainerEntrypoint"), *app.items("ContainerArguments"))
        ),
        env=job.values(arguments.mapping("Environment")),
        inputs=tuple(found for entry in arguments.each("ProcessingInputs") if (found := _input(job, entry))),
        outputs=tuple(
            _output(job, entry) for entry in arguments.fields("ProcessingOutputConfig").each("Outputs")
        ),
        machine=_machine(job, cluster, "InstanceType", "InstanceCount", "VolumeSizeInGB"),
        timeout_seconds=_limit(job),
    )
    if not app.value.get("ContainerEntrypoint"):
        step = replace(step, origin="image entrypoint")
    _tell_common(job, cluster)
    job.tell_left(app, "AppSpecification.")
    return step


def _tell_common(job: Job, cluster: Fields) -> None:
    arguments = job.arguments
    if arguments.take("RoleArn") is not None:
        job.notes.loss(
            job.name,
            "RoleArn: an AWS role has no meaning elsewhere",
            "run the pipeline with an identity of the target (heavylift access translates its permissions)",
        )
    arguments.ignore("ProcessingJobName", "TrainingJobName", "ProcessingResources", "OutputDataConfig")
    job.tell_left(cluster, "the machine's ")
    job.tell_left(arguments)


def _input(job: Job, entry: Fields) -> Input | None:
    name = str(entry.take("InputName") or "input")
    s3 = entry.fields("S3Input")
    entry.ignore("AppManaged")
    if not s3.value:
        raise UntranslatableStepError(
            f"the input {name} is a DatasetDefinition (Athena or Redshift)",
            "export the data to files first, and name them in an S3Input",
        )
    if s3.take("S3DataDistributionType", "FullyReplicated") != "FullyReplicated":
        job.notes.loss(
            job.name,
            f"input {name}: each machine gets all files, not a share (S3DataDistributionType)",
            "let the program choose its share, or run it on one machine",
        )
    if s3.take("S3DataType", "S3Prefix") != "S3Prefix":
        raise UntranslatableStepError(
            f"the input {name} is a manifest", "name a prefix in place of the manifest"
        )
    if s3.take("S3CompressionType", "None") not in {"None", None}:
        job.notes.loss(job.name, f"input {name} is not decompressed", "decompress it in the program")
    s3.ignore("S3InputMode")
    found = Input(name, job.value(s3.take("S3Uri")), _path(job, s3.take("LocalPath")))
    job.tell_left(s3, f"input {name}: ")
    job.tell_left(entry, f"input {name}: ")
    return found


def _path(job: Job, found: Any) -> str:
    if found is None:
        return ""
    if not isinstance(found, str) or not found.startswith("/"):
        raise UntranslatableStepError(
            "a LocalPath that is not written down", "write the path into the definition"
        )
    return found.rstrip("/")


def _output(job: Job, entry: Fields) -> OutputPort:
    name = entry.text("OutputName")
    s3 = entry.fields("S3Output")
    entry.ignore("AppManaged")
    if not s3.value:
        raise UntranslatableStepError(
            f"the output {name} goes to a feature store",
            "let the program write to the target's own",
        )
    if s3.take("S3UploadMode", "EndOfJob") != "EndOfJob":
        job.notes.loss(job.name, f"output {name} is uploaded at the end", "none is needed")
    uri = s3.take("S3Uri")
    landing = None if uri is None else job.value(uri)
    found = OutputPort(name, path=_path(job, s3.take("LocalPath")), landing=landing)
    job.tell_left(s3, f"output {name}: ")
    job.tell_left(entry, f"output {name}: ")
    return found


def _machine(job: Job, cluster: Fields, type_: str, count: str, disk: str) -> Machine:
    instance = cluster.take(type_)
    amount = _number(job, cluster.take(count, 1), count, 1)
    return Machine(
        "aws" if instance else "",
        str(instance or ""),
        int(amount),
        disk_gib=_number(job, cluster.take(disk), disk, None),
    )


def _number(job: Job, found: Any, what: str, default: Any) -> Any:
    if found is None:
        return default
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise UntranslatableStepError(f"{what} is not written down", "write it into the definition")
    try:
        return float(found)
    except ValueError as error:
        raise UntranslatableStepError(f"{what} is {found!r}", "write a number") from error


def _limit(job: Job) -> float | None:
    """Return how many seconds a job may take; what else limits it is told."""
    stopping = job.arguments.fields("StoppingCondition")
    seconds = _number(job, stopping.take("MaxRuntimeInSeconds"), "MaxRuntimeInSeconds", None)
    job.tell_left(stopping, "StoppingCondition.")
    return None if seconds is None else float(seconds)


def training(job: Job) -> Step:
    """Return the step of a training job, with SageMaker's places for data, settings and model."""
    arguments = job.arguments
    algorithm = arguments.fields("AlgorithmSpecification")
    if algorithm.take("AlgorithmName"):
        raise UntranslatableStepError(
            "an algorithm of the AWS Marketplace", "use a training image of your own (TrainingImage)"
        )
    image = algorithm.take("TrainingImage")
    if algorithm.take("TrainingInputMode", "File") == "Pipe":
        job.notes.loss(job.name, "its channels are files, not pipes", "read files in the program")
    resources = arguments.fields("ResourceConfig")
    if resources.value.get("InstanceGroups"):
        raise UntranslatableStepError("several groups of machines", "use one InstanceType and InstanceCount")
    program = (*algorithm.items("ContainerEntrypoint"), *algorithm.items("ContainerArguments"))
    step = Step(
        job.name,
        image=job.value(image),
        # Without an entrypoint SageMaker starts the image with the argument `train`, a program of its own.
        command=tuple(job.value(part) for part in program or ("train",)),
        env=job.values(arguments.mapping("Environment")),
        hyperparameters=job.values(arguments.mapping("HyperParameters")),
        inputs=tuple(_channel(job, entry) for entry in arguments.each("InputDataConfig")),
        outputs=(_model(job, arguments.fields("OutputDataConfig")),),
        machine=_machine(job, resources, "InstanceType", "InstanceCount", "VolumeSizeInGB"),
        timeout_seconds=_limit(job),
    )
    arguments.ignore("StoppingCondition", "ResourceConfig", "AlgorithmSpecification")
    if not program:
        job.notes.loss(
            job.name,
            "the image's own entrypoint is replaced by the program `train`, as SageMaker's toolkits name it",
            "make sure that `train` is on the image's PATH, or set ContainerEntrypoint",
        )
    _tell_common(job, resources)
    job.tell_left(algorithm, "AlgorithmSpecification.")
    return step


def _channel(job: Job, entry: Fields) -> Input:
    name = entry.text("ChannelName")
    source = entry.fields("DataSource").fields("S3DataSource")
    if not source.value:
        raise UntranslatableStepError(
            f"the channel {name} is a file system", "copy its files to an object store, and name them there"
        )
    if source.take("S3DataType", "S3Prefix") != "S3Prefix":
        raise UntranslatableStepError(
            f"the channel {name} is a manifest", "name a prefix in place of the manifest"
        )
    if source.take("S3DataDistributionType", "FullyReplicated") != "FullyReplicated":
        job.notes.loss(
            job.name,
            f"channel {name}: each machine gets all files, not a share",
            "let the program choose its share",
        )
    if entry.take("InputMode", "File") != "File":
        job.notes.loss(job.name, f"channel {name} is mounted as files", "read files, not a pipe")
    if entry.take("CompressionType", "None") in {"None", None}:
        entry.ignore("CompressionType")
    if entry.take("RecordWrapperType", "None") in {"None", None}:
        entry.ignore("RecordWrapperType")
    found = Input(name, job.value(source.take("S3Uri")), f"{DATA_FOLDER}/{name}")
    job.tell_left(source, f"channel {name}: ")
    job.tell_left(entry, f"channel {name}: ")
    return found


def _model(job: Job, fields: Fields) -> OutputPort:
    uri = fields.take("S3OutputPath")
    packed = fields.take("CompressionType", "GZIP") != "NONE"
    job.tell_left(fields, "OutputDataConfig.")
    landing = None
    if uri is not None:
        # SageMaker puts a job's name below the given path, so that runs never write to one place.
        parts = (job.value(uri), Literal(job.name), Literal("output"))
        landing = Join(parts, "/")
    return OutputPort(MODEL, path=MODEL_FOLDER, landing=landing, archive="model.tar.gz" if packed else "")
