"""Evidence of a model that was checked and compared well, to be bent by tests."""

from __future__ import annotations

from typing import Any

from heavylift.evidence.model_records import (
    ComparedLatency,
    ComparedOutput,
    ModelCheckRecord,
    ModelComparisonRecord,
    ModelConversionRecord,
    ModelSide,
    model_path,
)
from heavylift.evidence.numbered import write_next
from heavylift.evidence.store import EvidenceStore
from tests.unit.gates.run_builder import RUN

NAME, VERSION = "fraud", "3"
_COMMON: dict[str, Any] = {"run": RUN, "model": NAME, "version": VERSION, "seconds": 0.5}
_KINDS = {ModelCheckRecord: "model-check", ModelComparisonRecord: "model-comparison"}


def check(**changes: Any) -> ModelCheckRecord:
    values: dict[str, Any] = {
        "source_url": "s3://a/m", "target_url": "gs://b/m", "form": "mlflow", "digest": "aa",
        "target_digest": "aa",
        "statement": "all 4 files were looked at", "passed": True,
    }  # fmt: skip
    return ModelCheckRecord(**_COMMON | values | changes)


def comparison(**changes: Any) -> ModelComparisonRecord:
    values: dict[str, Any] = {
        "source": ModelSide(url="s3://a/m", digest="aa", python="3.11.7", isolation="network"),
        "target": ModelSide(url="gs://b/m", digest="aa", python="3.11.7", isolation="network"),
        "golden": "golden.parquet", "golden_sha256": "ff", "rows": 5000, "distance": "same",
        "outputs": (ComparedOutput(name="answer", kind="int64", compared=5000, mismatched=0),),
        "mismatched": 0, "mismatch_bound": 0.0006, "max_mismatch_rate": 0.001, "seed": 1,
        "points": ((0.1, 0.1), (0.9, 0.9)),
        "latency": ComparedLatency(
            requests=5000, judged="p95", max_ratio=1.1, passed=True,
            quantiles={"p50": (1.0, 1.0, 1.0, 1.01), "p95": (2.0, 2.02, 1.01, 1.05)},
            curve=((0.01, 0.5, 0.5), (0.5, 1.0, 1.0), (0.99, 4.0, 4.1)),
        ),
        "statement": "0 rows of 5,000 answered differently", "passed": True,
    }  # fmt: skip
    return ModelComparisonRecord(**_COMMON | values | changes)


def conversion(form: str, **changes: Any) -> ModelConversionRecord:
    values: dict[str, Any] = {
        "form": form, "identity": "ee", "source_url": "s3://a/m", "source_digest": "aa",
        "packages": {"safetensors": "0.8.0"}, "tensors": 9, "place": "models:/fraud-open/1",
        "statement": "all 9 tensors are the model's, bit by bit", "passed": True,
    }  # fmt: skip
    return ModelConversionRecord(**_COMMON | values | changes)


async def write_model(
    store: EvidenceStore, *records: ModelCheckRecord | ModelComparisonRecord | ModelConversionRecord
) -> None:
    """Write records in their order, each as the next of its kind."""
    for record in records:
        if isinstance(record, ModelConversionRecord):
            kind = f"{record.form}-conversion"
        else:
            kind = _KINDS[type(record)]
        await write_next(
            store, lambda number, kind=kind: model_path(RUN, NAME, VERSION, kind, number), record
        )
