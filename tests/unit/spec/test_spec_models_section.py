"""The ``models`` section: two places to compare, and what is not carried out is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.evidence.records import RunKey
from heavylift.models.requests import model_request
from heavylift.platforms.registered import Registered
from heavylift.spec import MigrationSpec, Phase, SpecFileError, load_spec
from heavylift.spec.registry_phase import spec_for

HEAD = {
    "apiVersion": "heavylift/v1",
    "migration": "m",
    "owner": "o",
    "source": {"platform": "aws", "connection": "aws_source"},
    "target": {"platform": "gcp", "connection": "gcp_target"},
}
SUITE = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "amount"}}
MODEL: dict[str, Any] = {"name": "fraud", "source": "s3://models/fraud/", "target": "gs://models/fraud/"}


def load(tmp_path: Path, *models: dict[str, Any], **more: Any) -> MigrationSpec:
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump({**HEAD, "models": list(models), **more}))
    return load_spec(file)


def codes(tmp_path: Path, *models: dict[str, Any], **more: Any) -> dict[str, str]:
    with pytest.raises(SpecFileError) as raised:
        load(tmp_path, *models, **more)
    return {problem.code: problem.field for problem in reversed(raised.value.problems)}


def test_a_model_by_its_places_is_carried_out_and_has_a_gate(tmp_path: Path) -> None:
    spec = load(tmp_path, MODEL)
    [gate] = spec.gates_for(Phase.REVALIDATE)
    assert [check.value for check in gate.checks] == ["models_compatible", "models_agree"]


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"registered_name": "x"}, "7590", "models[0].registered_name"),
        ({"registry": "r"}, "7805", "models[0].registry"),
        ({"registry": "r", "target": None}, "7806", "models[0].versions"),
        ({"source": "models:/fraud/1"}, "7807", "models[0].source.connection"),
        ({"source": "models:/fraud"}, "2126", "models[0].source.url"),
        ({"convert_to": ["onnx"]}, "7813", "models[0].converted"),
        ({"convert_to": ["onnx"], "converted": "models:/f"}, "7815", "models[0].converted.connection"),
        ({"golden_suite": [SUITE]}, "7595", "models[0].golden_inputs"),
        ({"source_endpoint": "old"}, "7592", "models[0].source_endpoint"),
        ({"target": None}, "7593", "models[0].name"),
        ({"versions": ["1"]}, "7596", "models[0].source.url"),
        ({"source": "s3://models/{version}/"}, "7596", "models[0].source.url"),
        ({"metrics": ["auc"], "golden_inputs": "s3://models/g.csv"}, "7597", "models[0].metrics"),
        ({"label": "y"}, "7595", "models[0].golden_inputs"),
        ({"target": "s3://models/x/"}, "7598", "models[0].target.url"),
        ({"target_runtime": {"python": "three"}}, "2138", "models[0].target_runtime.python"),
        ({"target_runtime": {"packages": {"a b": "1"}}}, "2138", "models[0].target_runtime.packages.a b"),
        ({"versions": ["../x"]}, "2138", "models[0].versions[0]"),
        ({"metrics": ["speed"]}, "2122", "models[0].metrics[0]"),
    ],
)
def test_what_cannot_be_carried_out_is_named(
    tmp_path: Path, change: dict[str, Any], code: str, field: str
) -> None:
    found = codes(tmp_path, {**MODEL, **change})
    assert code in found
    assert found[code].startswith(field.split(".packages")[0])


def test_versions_of_a_registry_are_paired_with_their_copies(tmp_path: Path) -> None:
    registry = {
        "name": "history",
        "source": {"connection": "old", "artifacts": "s3://models/ml/", "artifacts_connection": "old_files"},
        "target": {"connection": "new", "artifacts": "gs://models/ml/"},
    }
    named = {"name": "fraud", "registry": "history", "registered_name": "card-fraud", "versions": ["3"]}
    alias = {
        "name": "churn",
        "source": {"url": "models:/churn@{version}", "connection": "old"},
        "target": {"url": "models:/churn@{version}", "connection": "new"},
        "versions": ["champion"],
    }
    spec = spec_for(load(tmp_path, named, alias, registries=[registry]), Phase.REVALIDATE)
    key = RunKey(migration="m", phase="revalidate", run="r")

    def both(model: str, version: str) -> list[tuple[str, ...]]:
        request = model_request(spec, model, version, key, lambda name: Connection(name, "http"))
        sides = [each for each in (request.source, request.target) if isinstance(each, Registered)]
        return [(str(each), each.connection.conn_id, each.files().conn_id, each.copied_by) for each in sides]

    assert both("fraud", "3") == [
        ("models:/card-fraud/3", "old", "old_files", ""),
        ("models:/card-fraud/3", "new", "gcp_target", "m/history"),
    ]
    assert both("churn", "champion") == [
        ("models:/churn@champion", "old", "aws_source", ""),
        ("models:/churn@champion", "new", "gcp_target", ""),
    ]


def test_a_suite_may_lie_in_a_file_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump({"expectations": [{**SUITE, "meta": {}}]}))
    more = {"golden_inputs": "s3://models/g.csv", "golden_suite_file": "suite.yaml"}
    [model] = load(tmp_path, {**MODEL, **more}).models
    assert [each.type for each in model.golden_suite] == [SUITE["type"]]
    assert "2133" in codes(tmp_path, {**MODEL, **more, "golden_suite": [SUITE]})


def test_endpoints_are_two_and_need_inputs(tmp_path: Path) -> None:
    one = {
        "name": "live",
        "source_endpoint": "a",
        "target_endpoint": "a",
        "golden_inputs": "s3://models/g.csv",
    }
    assert set(codes(tmp_path, one)) == {"7594"}
    assert set(codes(tmp_path, {"name": "live", "source_endpoint": "a", "target_endpoint": "b"})) == {"7595"}
    load(tmp_path, {**one, "target_endpoint": "b"})


@pytest.mark.parametrize("phase", ["transfer", "revalidate"])
def test_a_gate_that_would_look_at_no_model_is_refused(tmp_path: Path, phase: str) -> None:
    gate = {"name": "g", "phase": phase, "checks": ["models_agree"]}
    if phase == "transfer":
        assert "7599" in codes(tmp_path, MODEL, gates=[gate])
    else:
        load(tmp_path, MODEL, gates=[gate])


def test_a_request_has_what_the_spec_says(tmp_path: Path) -> None:
    spec = load(
        tmp_path,
        {
            "name": "fraud",
            "source": "s3://models/fraud/v{version}/",
            "target": {"url": "gs://models/fraud/v{version}/", "connection": "own"},
            "versions": ["3"],
            "golden_inputs": "s3://models/golden.parquet",
            "label": "y",
            "metrics": ["auc"],
            "slices": ["country"],
            "tolerance": {"relative": 0.001, "max_mismatch_rate": 0.0},
            "latency": {"requests": 1000, "max_ratio": 1.25, "max_p95": "20s"},
            "target_runtime": {"python": "3.11", "accelerator": "nvidia", "driver": "535.104"},
            "accept": ["custom-code"],
            "limits": {"memory": "2GiB", "timeout": "90s"},
        },
    )
    run = RunKey(migration="m", phase="revalidate", run="r")
    asked: list[str] = []

    def connections(conn_id: str) -> Connection:
        asked.append(conn_id)
        return Connection(conn_id, "aws")

    request = model_request(spec, "fraud", "3", run, connections)
    assert str(request.source and request.source.location) == "s3://models/fraud/v3/"
    assert request.target
    assert request.target.connection
    assert request.target.connection.conn_id == "own"
    assert request.golden
    assert request.golden.connection
    assert request.golden.connection.conn_id == "aws_source"
    compare = request.compare
    assert (compare.label, compare.metrics, compare.slices) == ("y", ("auc",), ("country",))
    assert (compare.absolute, compare.relative, compare.max_mismatch_rate) == (None, 0.001, 0.0)
    assert compare.latency
    assert (compare.latency.requests, compare.latency.max_ratio) == (1000, 1.25)
    assert compare.max_p95_ms == 20_000.0
    assert (compare.limits.memory_bytes, compare.limits.seconds) == (2 * 2**30, 90.0)
    assert request.check.target_runtime
    assert request.check.target_runtime.driver == "535.104"
    with pytest.raises(NotFoundError, match="fraud 3"):
        model_request(spec, "fraud", "9", run, connections)
