"""The ``models`` section: models that must behave on the target as on the source."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from heavylift.errors import SpecError
from heavylift.locations import is_registered, parse_registered
from heavylift.spec.base import (
    ConnectionId,
    Count,
    Flag,
    Name,
    Number,
    SpecModel,
    Text,
    Url,
    check_url,
    wrong,
)
from heavylift.spec.expectations import Expectation
from heavylift.spec.quantities import Seconds, SizeBytes
from heavylift.spec.vocabulary import Platform

GIB = 2**30
VERSION_MARK = "{version}"
"""Stands in a model's URLs for each of its versions."""

_VERSION = re.compile(r"\d+(?:\.\d+){0,3}")
_MODEL_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _check_version(value: str) -> str:
    if not _VERSION.fullmatch(value):
        raise wrong("version", "numbers and dots, such as 3.11 or 535.104.05, as text", "put it in quotes")
    return value


def _check_package(value: str) -> str:
    if not _PACKAGE.fullmatch(value):
        raise wrong("version", "the name of a package, such as scikit-learn")
    return value


def _check_model_version(value: str) -> str:
    if not _MODEL_VERSION.fullmatch(value) or ".." in value:
        raise wrong("version", "1 to 100 letters, digits, '.', '_' and '-', as text", "put numbers in quotes")
    return value


ModelVersion = Annotated[str, AfterValidator(_check_model_version)]
VersionText = Annotated[str, AfterValidator(_check_version)]
PackageName = Annotated[str, AfterValidator(_check_package)]


class Tolerance(SpecModel):
    """How far a prediction may differ; by where both sides run unless something is set."""

    absolute: Number | None = Field(default=None, ge=0.0, description="Largest accepted absolute difference.")
    relative: Number | None = Field(
        default=None, ge=0.0, le=1.0, description="Largest accepted relative difference."
    )
    max_mismatch_rate: Number = Field(
        default=0.001,
        ge=0.0,
        le=1.0,
        description="Largest accepted rate of rows with an answer beyond the tolerance.",
    )


class Accelerator(StrEnum):
    """Processors that models are compiled for."""

    CPU = "cpu"
    NVIDIA = "nvidia"
    INFERENTIA = "inferentia"
    TPU = "tpu"


class ModelRuntime(SpecModel):
    """What a platform gives a model to run on."""

    name: Text = Field(default="", description="For people, such as the name of an image.")
    python: VersionText | None = Field(default=None, description="Python's version, such as '3.11'.")
    packages: dict[PackageName, VersionText] = Field(
        default={}, description="Packages that are installed there, with their versions."
    )
    accelerator: Accelerator | None = Field(default=None, description="The processor that it computes on.")
    compute_capability: VersionText | None = Field(
        default=None, description="Of an NVIDIA GPU, such as '8.0'."
    )
    driver: VersionText | None = Field(default=None, description="Of an NVIDIA GPU, such as '535.104.05'.")
    platform: Text | None = Field(
        default=None, max_length=64, description="System and processor as uv names them, such as linux."
    )


class ModelMetric(StrEnum):
    """Measures of predictions against the truth."""

    ACCURACY = "accuracy"
    F1 = "f1"
    AUC = "auc"
    LOG_LOSS = "log_loss"
    MAE = "mae"
    RMSE = "rmse"
    R2 = "r2"


class ModelLatency(SpecModel):
    """How durations are compared."""

    measure: Flag = Field(default=True, description="Whether durations are compared at all.")
    requests: Count = Field(
        default=5000,
        ge=100,
        le=1_000_000,
        description="Requests to each side, four times as many where these are too few to tell;"
        " fewer than 5000 prove little.",
    )
    warm_up: Count = Field(
        default=200, ge=0, le=100_000, description="Requests to each side before that, which do not count."
    )
    max_ratio: Number = Field(
        default=1.1, gt=0.0, le=100.0, description="Largest accepted ratio of P95, target to source."
    )
    max_p95: Seconds | None = Field(default=None, description="Longest accepted P95 of the target.")


class ModelLimits(SpecModel):
    """What one model's process may use."""

    memory: SizeBytes = Field(default=8 * GIB, ge=GIB // 4, description="Address space.")
    timeout: Seconds = Field(default=600, ge=1, le=86_400, description="Longest wait for one answer.")
    cpu_time: Seconds = Field(default=3600, ge=1, le=604_800, description="Processor time in all.")
    size: SizeBytes = Field(default=20 * GIB, ge=1024, description="Largest model that is fetched.")


def _check_model_url(value: str) -> str:
    if not is_registered(value):
        return check_url(value)
    try:
        parse_registered(value)
    except SpecError as error:
        raise wrong("url", error.expected, error.remedy) from error
    return value


ModelUrl = Annotated[
    str,
    AfterValidator(_check_model_url),
    Field(json_schema_extra={"pattern": "^(s3|gs|az)://[^/]+(/.*)?$|^file:///.*$|^models:/[^/@]+[/@].+$"}),
]
"""A model's folder or file, or its name in a registry."""


class ModelPlace(SpecModel):
    """Where a model is, on one side."""

    url: ModelUrl = Field(
        description="The URL of a folder or a file; or models:/name/version or models:/name@alias, with the"
        " connection of its registry."
    )
    connection: ConnectionId | None = Field(
        default=None, description="Connection for this place alone; by default that of its platform."
    )
    platform: Platform | None = Field(
        default=None,
        description="Platform of this place alone; by default that of its side of the migration.",
    )


def _check_converted_url(value: str) -> str:
    if is_registered(value):
        _check_model_url(f"{value}/1")
        return value
    return check_url(value)


ConvertedUrl = Annotated[
    str,
    AfterValidator(_check_converted_url),
    Field(json_schema_extra={"pattern": "^(s3|gs|az)://[^/]+(/.*)?$|^file:///.*$|^models:/[^/@]+$"}),
]
"""A folder for converted models, or the name of a registered model."""


class ConvertedPlace(SpecModel):
    """Where converted models go."""

    url: ConvertedUrl = Field(description="The URL of a folder, or models:/name.")
    connection: ConnectionId | None = Field(
        default=None, description="Connection of that store or registry; by default the target's."
    )


class PortableForm(StrEnum):
    """Forms that any platform runs."""

    ONNX = "onnx"
    SAFETENSORS = "safetensors"


def _as_place(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


ModelPlaceField = Annotated[
    ModelPlace, BeforeValidator(_as_place, json_schema_input_type=ModelUrl | ModelPlace)
]


ConvertedField = Annotated[
    ConvertedPlace, BeforeValidator(_as_place, json_schema_input_type=ConvertedUrl | ConvertedPlace)
]


class Model(SpecModel):
    """A model that must behave on the target as on the source."""

    name: Name = Field(description="Unique in this file.")
    description: Text = Field(default="", description="For people.")
    source: ModelPlaceField | None = Field(
        default=None,
        description="The model on the source: an MLflow model's folder, or one file; {version} stands for"
        " each of versions.",
    )
    target: ModelPlaceField | None = Field(default=None, description="The same model on the target.")
    source_endpoint: ConnectionId | None = Field(
        default=None,
        description="Connection of a scoring server that answers for the source, instead of a model.",
    )
    target_endpoint: ConnectionId | None = Field(
        default=None,
        description="Connection of a scoring server that answers for the target, instead of a model.",
    )
    registry: Name | None = Field(
        default=None,
        description="The entry of registries that"
        " holds it: the source is a version there, the target the copy that the registry phase made of it.",
    )
    registered_name: Text = Field(default="", description="Its name in the registry; by default name.")
    versions: tuple[ModelVersion, ...] = Field(
        default=(), max_length=1000, description="Versions, as the URLs name them."
    )
    golden_inputs: Url | None = Field(
        default=None,
        description="Inputs on which both sides are compared: Parquet, CSV or JSON; the model's own example"
        " where left out.",
    )
    golden_connection: ConnectionId | None = Field(
        default=None, description="Connection of golden_inputs; by default the source's."
    )
    golden_suite: tuple[Expectation, ...] = Field(
        default=(), description="What must be true of golden_inputs before any model is run."
    )
    golden_suite_file: str | None = Field(
        default=None,
        description="YAML or JSON file with the list of expectations, beside this file or below it.",
    )
    label: Text | None = Field(default=None, description="Column of golden_inputs with the truth.")
    drop: tuple[Text, ...] = Field(default=(), description="Further columns that are no inputs.")
    slices: tuple[Text, ...] = Field(
        default=(), description="Columns by whose values metrics are told apart."
    )
    metrics: tuple[ModelMetric, ...] = Field(default=(), description="Measures that must not get worse.")
    max_metric_drop: Number = Field(
        default=0.005, ge=0.0, description="How much worse a metric may be, as its interval at 95 % shows."
    )
    tolerance: Tolerance = Field(default=Tolerance(), description="How far a prediction may differ.")
    latency: ModelLatency = Field(default=ModelLatency(), description="How durations are compared.")
    source_runtime: ModelRuntime | None = Field(default=None, description="What the source runs it on.")
    target_runtime: ModelRuntime | None = Field(default=None, description="What the target runs it on.")
    requirements: tuple[Text, ...] = Field(
        default=(), description="Packages with versions, for a model that is one file."
    )
    trusted_globals: tuple[Text, ...] = Field(
        default=(), description="Names that its pickles may import although they are not known."
    )
    accept: tuple[Text, ...] = Field(
        default=(), description="Rules of the check whose findings are accepted for this model."
    )
    limits: ModelLimits = Field(default=ModelLimits(), description="What its processes may use.")
    convert_to: tuple[PortableForm, ...] = Field(
        default=(),
        description="Portable forms to make of the source's model: onnx; safetensors of PyTorch's weights.",
    )
    converted: ConvertedField | None = Field(
        default=None,
        description="Where converted models go: the URL of a folder, or models:/name with the connection of"
        " the target's registry.",
    )
