"""Every place that the spec can name is on the judged path, or somebody has said why nothing gets there."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from heavylift.compliance.path import subjects_of
from heavylift.compliance.places import BY_HAND, MOVED, NOT_REACHED, USED, decided
from heavylift.connections import Connection
from heavylift.spec.compliance_rules import SUBJECTS
from heavylift.spec.compliance_rules import USED as USED_SECTIONS
from heavylift.spec.model import MigrationSpec
from heavylift.spec.replicas import with_replicas
from heavylift.spec.sections_datasets import PlaceField
from heavylift.spec.used_connections import is_connection_field

_PLACE = re.compile(r"check_\w*(url|mount)")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models(inner)


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    hints = typing.get_type_hints(model, include_extras=True)
    for name in model.model_fields:
        inner = list(dict.fromkeys(_models(hints[name])))
        for each in inner:
            yield from _fields(each, f"{prefix}{name}.")
        if not inner and (is_connection_field(name) or _PLACE.search(repr(hints[name]))):
            yield f"{prefix}{name}"


def test_somebody_has_decided_about_every_field_that_names_a_place() -> None:
    named = set(_fields(MigrationSpec))
    assert len(named) > 80
    text = {"registries.more_artifacts.source", "registries.more_artifacts.target"}
    assert decided() - text == named, "say in heavylift/compliance/places.py what of the data gets there"
    assert all(NOT_REACHED.values())
    assert not BY_HAND & set(NOT_REACHED)


class Sink(BaseModel):
    place: PlaceField


class Wider(MigrationSpec):
    sinks: tuple[Sink, ...] = ()


def test_a_new_section_with_a_place_would_be_noticed() -> None:
    assert set(_fields(Wider)) - decided() == {"sinks.place.url", "sinks.place.connection"}


def test_the_sections_of_the_spec_are_those_of_the_path() -> None:
    assert set(SUBJECTS) == {"datasets", *MOVED}
    assert set(USED_SECTIONS) == set(USED)


BASE: dict[str, Any] = {
    "apiVersion": "heavylift/v1", "migration": "m", "owner": "team",
    "evidence": {"connection": "evidence", "url": "s3://proofs/"},
    "source": {"platform": "aws", "connection": "src", "region": "eu-central-1"},
    "target": {"platform": "gcp", "connection": "dst", "region": "europe-west1"},
    "compliance": {"frameworks": ["residency"], "logs": ["s3://task-logs/"]},
}  # fmt: skip
DATA = {"name": "data", "source": "s3://ddd/", "target": "gs://ddd/"}
MLFLOW = {"connection": "mlflow", "artifacts": "s3://runs/", "store_connection": "mlflow_db"}
MORE = [{"source": "s3://older/", "target": "gs://older/"}]
WATCH = {"name": "w", "source": {"url": "s3://www/"}, "target": {"url": "gs://www/"}}
REPLICA = {"name": "eu", "target": {"url": "gs://elsewhere/d/"}}
KEY = {"connection": "kms", "name": "alias/models"}
ENVELOPE = {"name": "e", "source": "s3://mmm/", "target": "gs://mmm/", "key": KEY}

CASES: list[tuple[str, dict[str, Any], str, set[tuple[str, str, bool]]]] = [
    (
        "a replica",
        {"datasets": [{**DATA, "replicas": [REPLICA]}]},
        "data_eu",
        {("target", "gs://elsewhere/d/", True)},
    ),
    (
        "a two-way dataset",
        {"datasets": [{**DATA, "two_way": {}, "deletes": "quarantine"}]},
        "data",
        {("source, written back", "s3://ddd/", True), ("source", "s3://ddd/", False)},
    ),
    (
        "a database whose changes flow back",
        {"databases": [{"name": "db", "source": {"connection": "a"}, "target": {"connection": "b"}}]},
        "db",
        {("source, written back", "connection a", True), ("target", "connection b", True)},
    ),
    (
        "a registry",
        {"registries": [{"name": "ml", "source": MLFLOW, "target": {**MLFLOW, "artifacts": "gs://runs/"},
                         "more_artifacts": MORE}]},
        "ml",
        {
            ("source artifacts", "s3://runs/", False), ("target artifacts", "gs://runs/", True),
            ("source artifacts", "s3://older/", False), ("target artifacts", "gs://older/", True),
            ("source store", "connection mlflow_db", False), ("target store", "connection mlflow_db", True),
        },
    ),
    (
        "a feature store",
        {"feature_stores": [{"name": "f", "source": {"connection": "a"}, "target": {"connection": "b"},
                             "history": [{"source": "s3://hhh/", "target": "bq://project/h"}]}]},
        "f",
        {("source history", "s3://hhh/", False), ("target history", "bq://project/h", True)},
    ),
    (
        "a model",
        {"models": [{"name": "fraud", "source": "s3://mmm/", "target": "gs://mmm/", "golden_inputs": "s3://ggg/x.csv",
                     "convert_to": ["onnx"], "converted": "gs://onnx/"}]},
        "fraud",
        {("golden inputs", "s3://ggg/x.csv", False), ("converted", "gs://onnx/", True)},
    ),
    (
        "an envelope",
        {"datasets": [DATA], "envelopes": [ENVELOPE]},
        "e",
        {("target", "gs://mmm/", True)},
    ),
    (
        "a workload's tests",
        {"workload_tests": {"requests": "s3://golden/r.jsonl", "connection": "api",
                            "functional": {"source_connection": "old_api"}}},
        "workload-tests",
        {
            ("test requests", "s3://golden/r.jsonl", False), ("tests on the target", "connection api", True),
            ("tests on the source", "connection old_api", True),
        },
    ),
    (
        "trials",
        {"optimize": {"trials": [{"name": "t", "requests": "s3://recorded/r.jsonl", "knobs": {"rows": [1, 2]},
                                  "latency": 50}]}},
        "optimize",
        {("trial requests", "s3://recorded/r.jsonl", False)},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("what", "more", "subject", "legs"), CASES, ids=[case[0] for case in CASES])
def test_the_path_has_every_place_of(
    what: str, more: dict[str, Any], subject: str, legs: set[tuple[str, str, bool]]
) -> None:
    spec = with_replicas(MigrationSpec.model_validate({**BASE, **more}))
    assert spec.compliance is not None
    found = {each.name: each for each in subjects_of(spec, spec.compliance, lambda _: None)}
    mine = {(leg.name, leg.where, leg.written) for leg in found[subject].legs}
    assert legs <= mine
    assert {("evidence", "s3://proofs/", True), ("logs", "s3://task-logs/", True)} <= mine


def test_messages_are_on_the_path_and_an_envelope_has_its_own_key() -> None:
    more = {"datasets": [DATA], "envelopes": [ENVELOPE], "notify": {"connection": "pager", "on": ["failure"]}}
    spec = MigrationSpec.model_validate({**BASE, **more})
    assert spec.compliance is not None
    connection = Connection("pager", "http", host="https://pager.example")
    found = subjects_of(spec, spec.compliance, lambda name: connection if name == "pager" else None)
    for subject in found:
        [notify] = [leg for leg in subject.legs if leg.name == "notify"]
        assert notify.written
        assert notify.transit is not None
        assert notify.transit.way == "tls"
    [sealed] = [each for each in found if each.name == "e"]
    target = next(leg for leg in sealed.legs if leg.name == "target")
    assert target.encrypted
    assert target.key == "envelope: kms alias/models"


def test_a_place_of_another_platform_does_not_get_the_regions_of_the_side() -> None:
    model = {"name": "fraud", "source": "s3://mmm/", "target": "gs://mmm/", "golden_inputs": "az://ggg/x.csv"}
    spec = MigrationSpec.model_validate({**BASE, "models": [model]})
    assert spec.compliance is not None
    [subject] = subjects_of(spec, spec.compliance, lambda _: None)
    regions = {leg.name: (leg.platform, leg.region) for leg in subject.legs}
    assert regions["source"] == ("aws", "eu-central-1")
    assert regions["golden inputs"] == ("azure", "")
