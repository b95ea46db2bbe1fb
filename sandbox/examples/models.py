"""Three versions of the fraud model, laid out as MLflow lays out a model folder."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sandbox.examples.objects import SeedObject
from sandbox.examples.tables import Scale

MIB = 1024 * 1024
PREFIX = "models/fraud-xgb"
SIZES_MIB = {1: 8, 2: 16, 3: 40}
"""Size of each version's booster file."""

_INPUTS = (
    ("amount", "double"),
    ("country", "string"),
    ("merchant_category", "string"),
    ("device", "string"),
    ("velocity_1h", "integer"),
    ("distance_km", "double"),
)


def model_objects(scale: Scale) -> Iterator[SeedObject]:
    """Yield the files of all versions; the largest is sent in parts, so that its ETag is no MD5."""
    for version, size_mib in SIZES_MIB.items():
        size = max(1024, round(size_mib * MIB * scale.factor))
        folder = f"{PREFIX}/v{version}"
        yield SeedObject(
            f"{folder}/model.ubj",
            lambda version=version, size=size: _booster(scale, version, size),  # type: ignore[misc]
            metadata={"framework": "xgboost", "model-version": str(version)},
            tags={"stage": "production" if version == 3 else "archived"},
            part_bytes=8 * MIB if version == 3 else 0,
        )
        yield _text(f"{folder}/MLmodel", _mlmodel(version, size), "application/yaml")
        yield _text(f"{folder}/requirements.txt", "mlflow==3.17.2\nxgboost==3.1.2\nnumpy==2.4.6\n")
        yield _text(f"{folder}/conda.yaml", _CONDA, "application/yaml")
        yield _text(f"{folder}/signature.json", _signature(), "application/json")
        yield _text(f"{folder}/metrics.json", _metrics(version), "application/json")


def _booster(scale: Scale, version: int, size: int) -> bytes:
    # Looks like UBJSON at both ends and, as real boosters, does not compress.
    head, tail = b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{", b"}}"
    return head + scale.generator(5, version).bytes(size - len(head) - len(tail)) + tail


def _text(key: str, text: str, content_type: str = "text/plain; charset=utf-8") -> SeedObject:
    return SeedObject(key, text.encode, content_type, metadata={"written-by": "fraud-training"})


def _mlmodel(version: int, size: int) -> str:
    return f"""\
artifact_path: fraud-xgb
flavors:
  python_function:
    data: model.ubj
    env:
      conda: conda.yaml
    loader_module: mlflow.xgboost
    python_version: 3.11.7
  xgboost:
    data: model.ubj
    model_class: xgboost.sklearn.XGBClassifier
    model_format: ubj
mlflow_version: 3.17.2
model_size_bytes: {size}
run_id: {version:032x}
signature:
  inputs: '{_signature()}'
utc_time_created: '2026-{7 + version:02d}-01 06:30:00.000000'
"""


def _signature() -> str:
    return json.dumps(
        [{"name": name, "type": kind, "required": name != "distance_km"} for name, kind in _INPUTS]
    )


def _metrics(version: int) -> str:
    auc = {1: 0.9312, 2: 0.9447, 3: 0.9518}[version]
    return json.dumps({"auc": auc, "average_precision": round(auc - 0.31, 4), "rows": 201_000}, indent=2)


_CONDA = """\
channels: [conda-forge]
dependencies:
  - python=3.11.7
  - pip: [mlflow==3.17.2, xgboost==3.1.2, numpy==2.4.6]
name: mlflow-env
"""
