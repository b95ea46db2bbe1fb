"""The records that prove a model's move: its check before it, and its comparison after it.

Each run's lie under ``<run>/~models/<model>/``. They hold digests, names, figures and a sample of scores
for the plots; of the golden inputs they hold nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from heavylift.evidence.base import Record
from heavylift.evidence.baseline_records import EndpointBaseline
from heavylift.evidence.paths import safe_segment
from heavylift.evidence.records import ExpectationOutcome, Finding, RunKey, utc_now

MODELS_FOLDER = "~models"


def model_folder(run: RunKey, model: str) -> str:
    """Return the folder of one model in a run; no dataset's can be called so."""
    return f"{run.folder}/{MODELS_FOLDER}/{safe_segment(model)}"


def model_path(run: RunKey, model: str, version: str, kind: str, number: int) -> str:
    """Return the path of the ``number``-th record of a kind about one version, from 1.

    :param version: empty where the model has no versions.
    :param kind: ``model-check``, ``model-comparison``, or of a portable form: ``onnx-parity``,
        ``onnx-conversion``, ``safetensors-weights``, ``safetensors-parity``, ``safetensors-conversion``.
    """
    part = f"v-{safe_segment(version)}" if version else "only"
    return f"{model_folder(run, model)}/{part}/{kind}-{number}.json"


class ModelFile(Record):
    """One file of a model.

    :param kind: what it is by its content.
    :param looked_at_by: who has read it from beginning to end: ``opcodes``, ``modelscan``.
    """

    path: str
    size_bytes: int
    sha256: str
    kind: str
    looked_at_by: tuple[str, ...] = ()


class ModelCheckRecord(Record):
    """What is known of one version of a model before it is run anywhere.

    :param digest: one digest for all files, names included; ``target_digest`` likewise, where it has arrived.
    :param requirements: as the model gives them; ``lock`` is what they come to for the target.
    :param expectations: what came of each expectation of the golden inputs.
    :param accepted: rules whose findings a person has accepted for this model; they count as notes.
    """

    schema_version: Literal["heavylift/model-check/v1"] = "heavylift/model-check/v1"
    run: RunKey
    model: str
    version: str = ""
    source_url: str
    target_url: str = ""
    checked_at: datetime = Field(default_factory=utc_now)
    form: str
    flavors: tuple[str, ...] = ()
    python: str = ""
    runtime: str = ""
    signature_sha256: str = ""
    digest: str
    target_digest: str = ""
    files: tuple[ModelFile, ...] = ()
    scanner: str = ""
    requirements: tuple[str, ...] = ()
    lock: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    accepted: tuple[str, ...] = ()
    expectations: tuple[ExpectationOutcome, ...] = ()
    statement: str
    passed: bool
    seconds: float


class ComparedOutput(Record):
    """How one column of answers compares.

    :param noise: largest difference of the source from itself; of labels the rate.
    :param excused: labels that differ where the scores are too close to tell.
    """

    name: str
    kind: str
    compared: int
    mismatched: int
    excused: int = 0
    largest_absolute: float = 0.0
    largest_relative: float = 0.0
    tolerance_absolute: float = 0.0
    tolerance_relative: float = 0.0
    tolerance_why: str = ""
    noise: float = 0.0


class ComparedMetric(Record):
    """One measure on one part of the rows.

    :param slice: empty for all rows, else ``column=value``.
    :param low: of the interval of ``target - source`` at 95 %, turned so that negative is worse.
    :param allowed_drop: how much worse the target may be.
    """

    metric: str
    slice: str = ""
    rows: int
    source: float
    target: float
    low: float
    high: float
    allowed_drop: float
    passed: bool


class ComparedLatency(Record):
    """How long both sides take, milliseconds, and the ratio that decides.

    :param quantiles: such as ``p95`` → source, target, ratio, and the bound of the ratio at 99 %.
    :param curve: share of requests, source, target.
    """

    requests: int
    judged: str
    max_ratio: float
    quantiles: dict[str, tuple[float, float, float, float]]
    curve: tuple[tuple[float, float, float], ...] = ()
    passed: bool


class ModelSide(Record):
    """Where and how one side was run.

    :param isolation: ``network`` where its process had none, nor sight of other processes; else why not.
    """

    url: str
    digest: str = ""
    python: str = ""
    environment: str = ""
    isolation: str = ""
    load_seconds: float = 0.0
    rows_per_second: float = 0.0
    peak_bytes: int | None = None


class ModelBaseline(Record):
    """What a model did when it was measured, for a later comparison: small enough for an XCom.

    :param machine: where; durations of another machine are not compared.
    """

    schema_version: Literal["heavylift/model-baseline/v1"] = "heavylift/model-baseline/v1"
    model: str
    version: str = ""
    measured_at: datetime = Field(default_factory=utc_now)
    machine: str = ""
    golden_sha256: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)
    latency_ms: dict[str, float] = Field(default_factory=dict)


def model_baseline_of(endpoint: EndpointBaseline) -> ModelBaseline:
    """Return what the golden rows of an endpoint's baseline told, as revalidations take it.

    Durations are left out: those of open-loop requests are not those of a comparison.
    """
    quality = endpoint.quality
    return ModelBaseline(
        model=endpoint.connection,
        measured_at=endpoint.measured_at,
        golden_sha256=quality.golden_sha256 if quality else "",
        metrics={each.metric: each.value for each in quality.figures if not each.part} if quality else {},
    )


class ModelComparisonRecord(Record):
    """The proof that a model behaves on the target as on the source.

    :param mismatched: rows with any answer that differs; ``mismatch_bound`` is the most that the rate can be
        at 95 %, after these.
    :param points: pairs of answers, source and target: a sample, for the plot.
    :param baseline: what the source did in this run, for later ones.
    """

    schema_version: Literal["heavylift/model-comparison/v1"] = "heavylift/model-comparison/v1"
    run: RunKey
    model: str
    version: str = ""
    compared_at: datetime = Field(default_factory=utc_now)
    source: ModelSide
    target: ModelSide
    golden: str
    golden_sha256: str
    rows: int
    distance: Literal["same", "framework", "runtime"]
    outputs: tuple[ComparedOutput, ...] = ()
    mismatched: int
    mismatch_bound: float
    max_mismatch_rate: float
    metrics: tuple[ComparedMetric, ...] = ()
    latency: ComparedLatency | None = None
    points: tuple[tuple[float, float], ...] = ()
    baseline: ModelBaseline | None = None
    findings: tuple[Finding, ...] = ()
    expectations: tuple[ExpectationOutcome, ...] = ()
    reasons: tuple[str, ...] = ()
    statement: str
    passed: bool
    seed: int
    seconds: float


class ModelConversionRecord(Record):
    """A model in a portable form: what it was made of, by what, and the proof that it answers alike.

    :param identity: of what was converted and by what: the same for conversions that come to the same.
    :param missing: operators for which there is no converter.
    :param precision: bits of the numbers that it computes with.
    :param packages: that converted it, with their versions.
    :param parity: path of the comparison with the model that it was made of; empty where none was made.
    :param weights: path of the proof tensor by tensor, where the form holds weights; ``tensors`` counts them.
    :param place: where the new model is: a version's name in a registry, or a folder's URL.
    :param already: it was there before, and nothing was changed.
    """

    schema_version: Literal["heavylift/model-conversion/v1"] = "heavylift/model-conversion/v1"
    run: RunKey
    model: str
    version: str = ""
    form: str
    converted_at: datetime = Field(default_factory=utc_now)
    identity: str
    source_url: str
    source_digest: str
    of: str = ""
    precision: int | None = None
    packages: dict[str, str] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    digest: str = ""
    parity: str = ""
    weights: str = ""
    tensors: int | None = None
    place: str = ""
    already: bool = False
    statement: str
    passed: bool
    seconds: float


class ComparedTensor(Record):
    """One tensor of a model and of the file that was made of it.

    :param kind: as safetensors names it: ``F32``, ``BF16``, …
    :param sha256: of its bytes in the model; ``there`` is the file's, empty where it has none.
    :param same_as: the tensor that it is one with in memory, and as which the file holds it.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    sha256: str
    there: str = ""
    same_as: str = ""
    equal: bool


class ModelWeightsRecord(Record):
    """The proof that a file holds each of a model's tensors, bit by bit, and no other.

    :param sha256: of the file.
    :param differing: tensors that are not the same, are missing, or are the file's alone.
    """

    schema_version: Literal["heavylift/model-weights/v1"] = "heavylift/model-weights/v1"
    run: RunKey
    model: str
    version: str = ""
    compared_at: datetime = Field(default_factory=utc_now)
    source_url: str
    source_digest: str
    sha256: str
    tensors: tuple[ComparedTensor, ...]
    differing: int
    statement: str
    passed: bool
