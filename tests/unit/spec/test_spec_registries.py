"""Registries in a spec: what is carried out, what is refused by name, and what each phase sees of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heavylift.connections import Connection
from heavylift.errors import NotFoundError
from heavylift.evidence.records import RunKey
from heavylift.registry.features.requests import feature_request
from heavylift.registry.requests import registry_request
from heavylift.registry.selection import Selection
from heavylift.spec import Phase
from heavylift.spec.registry_phase import spec_for
from heavylift.spec.resolve import find_dataset
from heavylift.spec.sections_data import RegistryKind, RegistryPath
from heavylift.spec.vocabulary import Check, Platform
from tests.unit.spec.samples import changed, load, problems_of

SOURCE = {"connection": "mlflow_a", "store_connection": "db_a", "artifacts": "s3://old/artifacts"}
TARGET = {"connection": "mlflow_b", "store_connection": "db_b", "artifacts": "gs://new/artifacts"}
RUN = RunKey(migration="fraud-scoring", phase="registry", run="r")


def spec(**fields: Any) -> str:
    registry = {"name": "history", "source": SOURCE, "target": TARGET, **fields}
    return changed(registries=[registry])


def gate(check: str, phase: str = "registry") -> dict[str, Any]:
    return {"name": "proved", "phase": phase, "checks": [check]}


def test_the_phase_has_the_registries_and_their_artifacts_and_nothing_else(tmp_path: Path) -> None:
    further = {"source": "s3://old/more", "target": "gs://new/more"}
    stays = {"source": "s3://public/models", "target": "s3://public/models", "move": False}
    loaded = load(tmp_path, spec(more_artifacts=[further, stays], limits={"max_concurrency": 3}))
    seen = spec_for(loaded, Phase.REGISTRY)
    assert [each.name for each in seen.datasets] == ["history-artifacts", "history-artifacts-2"]
    assert (seen.databases, seen.streams) == ((), ())
    first = find_dataset(seen, "history-artifacts")
    assert (first.source.url, first.target.url) == ("s3://old/artifacts", "gs://new/artifacts")
    assert (first.source.connection, first.limits.max_concurrency) == ("aws_source", 3)
    [default] = seen.gates_for(Phase.REGISTRY)
    assert ([check.value for check in default.checks], default.approval.required) == (
        ["registries_equal"],
        False,
    )
    for phase in (Phase.TRANSFER, Phase.SYNC):
        other = spec_for(loaded, phase)
        assert (other.registries, other.datasets) == ((), loaded.datasets)


def test_a_store_of_another_platform_needs_its_own_connection(tmp_path: Path) -> None:
    target = {**TARGET, "artifacts": "s3://new/artifacts"}
    [problem] = problems_of(tmp_path, spec(target=target))
    assert (problem.code, problem.field) == ("2229", "registries[0].target.artifacts_connection")
    seen = spec_for(load(tmp_path, spec(target={**target, "artifacts_connection": "minio"})), Phase.REGISTRY)
    place = find_dataset(seen, "history-artifacts").target
    assert (place.connection, place.platform) == ("minio", Platform.AWS)


def test_the_request_takes_what_the_spec_says_and_else_what_the_servers_connection_says(
    tmp_path: Path,
) -> None:
    extra = {"store_connection": "db_of_extra", "artifacts": "s3://of-extra"}

    def connections(name: str) -> Connection:
        return Connection(name, "mlflow", host="http://h", extra=extra if name.startswith("mlflow") else {})

    said = {
        "source": {**SOURCE, "artifact_uri": "mlflow-artifacts:"},
        "target": {**TARGET, "artifact_uri": "wasbs://new@account.blob.core.windows.net"},
        "more_artifacts": [{"source": "dbfs:/x", "target": "gs://new/x", "move": False}],
        "overwrite": True,
        "parallel": 7,
    }
    request = registry_request(load(tmp_path, spec(**said)), "history", RUN, connections, live=True)
    assert set(request.options.uris.pairs) == {
        ("mlflow-artifacts:", "wasbs://new@account.blob.core.windows.net"),
        ("dbfs:/x", "gs://new/x"),
    }
    options = request.options
    assert (options.overwrite, options.parallel, options.live, options.artifacts) == (True, 7, True, False)
    assert request.source.store is not None
    assert request.source.store.conn_id == "db_a"
    bare = {"source": {"connection": "mlflow_a"}, "target": {"connection": "mlflow_b"}}
    request = registry_request(load(tmp_path, spec(**bare)), "history", RUN, connections)
    assert request.target.store is not None
    assert request.target.store.conn_id == "db_of_extra"
    assert request.options.uris.pairs == (("s3://of-extra", "s3://of-extra"),)
    assert request.options.artifacts, "nobody else proves their bytes"


def test_through_the_interface_files_move_with_what_they_belong_to(tmp_path: Path) -> None:
    elsewhere = {"source": "s3://public/models", "target": "s3://mirror/models", "move": False}
    said = {"path": "api", "more_artifacts": [elsewhere], "on_name_conflict": "map", "accept_losses": True}
    found = load(tmp_path, spec(**said))
    assert spec_for(found, Phase.REGISTRY).datasets == ()
    request = registry_request(found, "history", RUN, lambda name: Connection(name, "any"))
    options = request.options
    assert (options.path, options.artifacts, options.losses_block) == (RegistryPath.API, True, True)
    assert set(options.uris.pairs) == {
        ("s3://old/artifacts", "gs://new/artifacts"),
        ("s3://public/models", "s3://mirror/models"),
    }
    stores = (request.source.artifacts, request.target.artifacts)
    assert stores == (Connection("aws_source", "any"), Connection("gcp_target", "any"))


@pytest.mark.parametrize(
    ("sides", "path"),
    [
        # Beside a database artifacts are copied by prefix, which fits no other way.
        ({}, RegistryPath.STORE),
        ({"source": {"connection": "mlflow_a"}, "target": {"connection": "mlflow_b"}}, RegistryPath.AUTO),
    ],
)
def test_auto_is_left_open_where_no_artifacts_are_named(
    tmp_path: Path, sides: dict[str, Any], path: RegistryPath
) -> None:
    request = registry_request(load(tmp_path, spec(**sides)), "history", RUN, lambda n: Connection(n, "any"))
    assert request.options.path is path
    assert (request.source.artifacts, request.target.artifacts) == (None, None)


@pytest.mark.parametrize(
    "way", [{"path": "api"}, {"source": {**SOURCE, "kind": "sagemaker", "connection": "aws"}}]
)
def test_some_experiments_and_models_can_be_chosen(tmp_path: Path, way: dict[str, Any]) -> None:
    chosen = {"experiments": ["fraud-*", "/Teams/*"], "models": []}
    found = load(tmp_path, spec(**way, **chosen))
    selection = registry_request(found, "history", RUN, lambda n: Connection(n, "any")).options.selection
    assert selection == Selection(("fraud-*", "/Teams/*"), ())
    assert [selection.experiment(each) for each in ("fraud-1", "/Teams/a/b", "other")] == [True, True, False]
    assert not selection.model("fraud-1")


def test_registries_of_two_kinds_move_by_what_their_versions_name(tmp_path: Path) -> None:
    said = {
        "source": {**SOURCE, "kind": "sagemaker", "connection": "aws", "artifacts_connection": "s3_a"},
        "target": {**TARGET, "kind": "vertex", "connection": "gcp"},
        "on_name_conflict": "map",
        "accept_losses": True,
    }
    found = load(tmp_path, spec(**said))
    request = registry_request(found, "history", RUN, lambda name: Connection(name, "any"))
    assert (request.source.kind, request.target.kind) == (RegistryKind.SAGEMAKER, RegistryKind.VERTEX)
    assert request.options.path is RegistryPath.AUTO
    assert request.options.accept_losses
    assert request.options.artifacts, "the library moves what versions name, and nothing else"
    assert request.source.artifacts == Connection("s3_a", "any")
    assert spec_for(found, Phase.REGISTRY).datasets == ()


@pytest.mark.parametrize(
    ("fields", "code", "field", "said"),
    [
        ({"target": {**TARGET, "kind": "vertex"}, "path": "store"}, "2233", "path", "one way between them"),
        (
            {"source": {**SOURCE, "kind": "sagemaker"}, "deletes": "propagate"},
            "2234",
            "deletes",
            "nothing is ever deleted",
        ),
        ({"experiments": ["fraud-*"]}, "2221", "experiments", "all of them"),
        ({"models": ["a"]}, "2221", "models", "all of them"),
        ({"path": "api", "models": ["a"], "deletes": "propagate"}, "2238", "deletes", "would count as gone"),
        ({"target": {**TARGET, "connection": "mlflow_a"}}, "2222", "target.connection", "another server"),
        ({"deletes": "quarantine"}, "2224", "deletes", "keep or propagate"),
        ({"source": {**SOURCE, "artifacts": None}}, "2225", "source.artifacts", "on both sides"),
        ({"on_name_conflict": "map"}, "2228", "on_name_conflict", "expected fail"),
        ({"path": "api", "make_tables": True}, "2235", "make_tables", "sees no tables"),
        (
            {"path": "api", "more_artifacts": [{"source": "s3://more/x", "target": "gs://new/x"}]},
            "2236",
            "more_artifacts[0].move",
            "move: false",
        ),
        ({"name": "training"}, "2230", "name", "another name"),
        ({"name": "x" * 60}, "2231", "name", "at most 53 characters"),
        (
            {"more_artifacts": [{"source": "dbfs:/x", "target": "gs://new/x"}]},
            "2232",
            "more_artifacts[0].source",
            "move: false",
        ),
        (
            {"target": {**TARGET, "artifacts": "s3://old/artifacts/x", "artifacts_connection": "aws_source"}},
            "2152",
            "target.artifacts",
            "none lies inside the other",
        ),
    ],
)
def test_what_cannot_be_carried_out_is_refused_by_name(
    tmp_path: Path, fields: dict[str, Any], code: str, field: str, said: str
) -> None:
    text = spec(**fields)
    if code == "2230":
        text = text.replace("name: training-data", "name: training-artifacts")
    [problem] = problems_of(tmp_path, text)
    assert (problem.code, problem.field) == (code, f"registries[0].{field}")
    assert said in problem.render()


@pytest.mark.parametrize(
    ("check", "phase", "registries", "code"),
    [
        ("registries_equal", "registry", True, None),
        ("no_findings", "registry", True, None),
        ("registries_equal", "transfer", True, "2226"),
        ("tables_equal", "registry", True, "2183"),
        ("expectations_pass", "registry", True, "2154"),
        ("registries_equal", "registry", False, "2227"),
    ],
)
def test_gates_judge_registries_where_they_are_moved(
    tmp_path: Path, check: str, phase: str, registries: bool, code: str | None
) -> None:
    registry = {"name": "history", "source": SOURCE, "target": TARGET}
    text = changed(registries=[registry] if registries else [], gates=[gate(check, phase)])
    assert [each.code for each in problems_of(tmp_path, text)] == ([code] if code else [])


FEATURES: dict[str, Any] = {
    "name": "drivers",
    "source": {"connection": "feast_a"},
    "target": {"connection": "feast_b"},
    "history": [{"source": "s3://old/f", "target": "gs://new/f"}],
}


def test_feature_stores_are_read_with_their_prefixes(tmp_path: Path) -> None:
    loaded = load(tmp_path, changed(feature_stores=[{**FEATURES, "accept_losses": True, "sample": 50}]))
    seen = spec_for(loaded, Phase.REGISTRY)
    assert len(seen.feature_stores) == 1
    assert [gate.checks for gate in seen.gates_for(Phase.REGISTRY)] == [(Check.FEATURES_EQUAL,)]
    assert spec_for(loaded, Phase.TRANSFER).feature_stores == ()
    request = feature_request(loaded, "drivers", RUN, lambda name: Connection(name, "aws"))
    assert request.options.uris.of("s3://old/f/a") == "gs://new/f/a"
    assert (request.options.accept_losses, request.options.sample) == (True, 50)
    assert request.source.history is request.source.connection
    with pytest.raises(NotFoundError, match=r"expected drivers.*HL-7717"):
        feature_request(loaded, "other", RUN, lambda name: Connection(name, "feast"))


def test_histories_may_be_tables(tmp_path: Path) -> None:
    history = [{"source": "s3://old/f", "target": "bq://p/features"}]
    loaded = load(tmp_path, changed(feature_stores=[{**FEATURES, "history": history}]))
    request = feature_request(loaded, "drivers", RUN, lambda name: Connection(name, "google_cloud_platform"))
    assert request.options.uris.of("s3://old/f/a") == "bq://p/features/a"
    assert request.target.history is request.target.connection
    history[0]["target"] = "bq://p"
    (problem,) = problems_of(tmp_path, changed(feature_stores=[{**FEATURES, "history": history}]))
    assert "bq://PROJECT/DATASET" in str(problem)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"target": {"connection": "feast_a"}}, "7718"),
        ({"history": [*FEATURES["history"], {"source": "s3://old/f/", "target": "gs://new/g"}]}, "7719"),
    ],
)
def test_feature_stores_that_do_not_fit_are_refused(tmp_path: Path, fields: Any, code: str) -> None:
    problems = problems_of(tmp_path, changed(feature_stores=[{**FEATURES, **fields}]))
    assert [each.code for each in problems] == [code]
