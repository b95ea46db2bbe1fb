"""What products can hold, and how they write it: pure, without a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from heavylift.registry.catalogues.azure_ml_shapes import Datastore
from heavylift.registry.features import (
    azure_ml_rules,
    feast,
    sagemaker_rules,
    vertex_rules,
)
from heavylift.registry.features.azure_ml_rules import Lake
from heavylift.registry.features.azure_ml_spec import read_spec, write_spec
from heavylift.registry.features.bigquery import dotted, served_table, slashed
from heavylift.registry.features.capabilities import FeatureCapabilities
from heavylift.registry.features.description import Feature, History
from heavylift.registry.features.fitting import fit_view, told
from heavylift.registry.features.online import seconds_of
from heavylift.registry.uris import uri_map
from tests.support.memory_features import VIEW

ROOT = "azureml://subscriptions/s/resourceGroups/g/workspaces/w/datastores/workspaceblobstore/paths"
LAKE = Lake("lake", Datastore(ROOT, "az://specs"))


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("abfss://data@lake.dfs.core.windows.net/a/b", "az://data/a/b"),
        ("abfss://data@lake.dfs.core.windows.net/a/b/*.parquet", "az://data/a/b"),
        ("wasbs://data@lake.blob.core.windows.net/a/b/", "az://data/a/b"),
        ("https://lake.blob.core.windows.net/data/a/b", "az://data/a/b"),
        ("abfss://data@other.dfs.core.windows.net/a", "abfss://data@other.dfs.core.windows.net/a"),
        (f"{ROOT}/a/spec", "az://specs/a/spec"),
        ("azureml://datastores/workspaceblobstore/paths/a/spec", "az://specs/a/spec"),
        ("azureml://datastores/another/paths/a", "azureml://datastores/another/paths/a"),
    ],
)
def test_places_of_azure(uri: str, shown: str) -> None:
    assert LAKE.shown(uri) == shown


def spec(**changes: Any) -> bytes:
    view = replace(VIEW, offline="az://data/drivers")
    raw = yaml.safe_load(write_spec(view, LAKE))
    source = changes.pop("source", {})
    return yaml.safe_dump({**raw, **changes, "source": {**raw["source"], **source}}).encode()


def test_a_specification_is_read_as_it_was_written() -> None:
    read = read_spec(spec(schema_version=2), LAKE)
    assert not isinstance(read, str)
    view, version = read
    assert version == 2
    assert (view.keys, view.key_types, view.event_time) == (("driver_id",), {"driver_id": "int64"}, "became")
    assert (view.features, view.ttl, view.offline) == (VIEW.features, 86_400, "az://data/drivers")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", "no YAML"),
        (b"- 1", "no YAML"),
        (spec(feature_transformation={"transformation_code": {"path": "./x"}}), "computed by code"),
        (spec(feature_transformation_code={"path": "./x"}), "computed by code"),
        (spec(source={"type": "custom", "source_process_code": {"path": "./x"}}), "of type custom"),
        (spec(source={"source_delay": {"days": 0, "hours": 1, "minutes": 0}}), "after a delay"),
        (spec(source={"timestamp_column": None}), "no event time"),
        (spec(source={"timestamp_column": {"name": "t", "format": "dd.MM.yyyy"}}), "text of the form"),
        (spec(schema_version=3), "version 3"),
        (b"!!python/object/apply:os.system ['true']", "no YAML"),
    ],
)
def test_specifications_that_are_not_moved(text: bytes, why: str) -> None:
    found = read_spec(text, LAKE)
    assert isinstance(found, str)
    assert why in found


def fitted(target: FeatureCapabilities, offline: str, **changes: Any) -> tuple[str, set[str]]:
    view = replace(VIEW, offline="file:///a/drivers", **changes)
    found = fit_view(view, feast.CAPABILITIES, target, uri_map([("file:///a", offline)]))
    return found.impossible, {f"{each.item}: {each.reason}" for each in told([found])}


SAGEMAKER, VERTEX, AZURE = (
    sagemaker_rules.CAPABILITIES,
    vertex_rules.CAPABILITIES,
    azure_ml_rules.CAPABILITIES,
)
WRONG: list[tuple[FeatureCapabilities, str, dict[str, Any], str]] = [
    (SAGEMAKER, "s3://l", {"keys": ("a", "b"), "key_types": {"a": "string", "b": "string"}}, "2 keys"),
    (SAGEMAKER, "s3://l", {"features": {"write_time": Feature("string")}}, "no use for"),
    (SAGEMAKER, "s3://l", {"features": {"_x": Feature("string")}}, "'_x'"),
    (SAGEMAKER, "s3://l", {"event_time": "is_deleted"}, "'is_deleted'"),
    (SAGEMAKER, "s3://l", {"key_types": {"driver_id": "float64"}}, "no key can have"),
    (SAGEMAKER, "s3://l", {"features": {"x": Feature("bytes")}}, "of type bytes"),
    (SAGEMAKER, "gs://l", {}, "only s3 is read"),
    (VERTEX, "bq://p/d", {"features": {"Rate": Feature("string")}}, "'Rate'"),
    (VERTEX, "bq://p/d", {"features": {"x": Feature("list<bytes>")}}, "of type list<bytes>"),
    (VERTEX, "gs://l", {}, "only bq is read"),
    (AZURE, "az://l", {"features": {"x": Feature("list<string>")}}, "of type list<string>"),
    (AZURE, "s3://l", {}, "only az is read"),
]


@pytest.mark.parametrize(("target", "offline", "changes", "why"), WRONG)
def test_what_cannot_be_held_is_told(
    target: FeatureCapabilities, offline: str, changes: dict[str, Any], why: str
) -> None:
    assert why in fitted(target, offline, **changes)[0]


def test_what_is_lost_is_told() -> None:
    many = {"x": Feature("float32", "d" * 300, {"a": "b#"}), "y": Feature("timestamp"), "z": Feature("bool")}
    wrong, lost = fitted(SAGEMAKER, "s3://l", features=many, description="d" * 200, owner="ann")
    assert not wrong
    assert lost == {
        "entities: no place for their names there",
        "ttl_seconds: it bounds joins with the history, too, on the source only",
        "description: at most 128 characters there",
        "owner: no place for it there",
        "type float32: becomes float64",
        "type timestamp: becomes string",
        "type bool: becomes int64",
        "description of a feature: at most 255 characters there",
        "tags of a feature: keys, values or a number of them that are not taken there",
    }
    wrong, lost = fitted(AZURE, "az://l", ttl_seconds="61", entities=("a", "b"))
    assert not wrong
    assert lost == {
        "ttl_seconds: it is counted in steps of 60 seconds there",
        "entities: each key becomes one of its own there",
    }


def test_tables_are_named_as_their_views() -> None:
    view = replace(VIEW, offline="s3://lake/fs/123/drivers-9/data")
    for pairs in ([("s3://lake/fs", "bq://p/d")], [("s3://lake/fs/123/drivers-9/data", "bq://p/d")]):
        found = fit_view(view, SAGEMAKER, VERTEX, uri_map(pairs))
        assert found.view.offline == "bq://p/d/drivers"
    assert (dotted("bq://p/d/t"), slashed("bq://p.d.t")) == ("bq://p.d.t", "bq://p/d/t")
    assert served_table("bq://p/d/t") == "bq://p/d/t__served"


def test_how_histories_lie() -> None:
    ours = VERTEX.form_of(History("seconds", deleted="is_deleted"), ttl=False)
    assert (ours.time_form, ours.created, ours.apart) == ("timestamp", "heavylift_created", True)
    assert SAGEMAKER.form_of(History("iso8601", created="c"), ttl=True).time_form == "iso8601"
    assert AZURE.form_of(History(), ttl=True) == History()
    assert AZURE.form_of(History(created="c"), ttl=True) == History(created="create_timestamp")


def test_moments_are_read_in_any_form() -> None:
    assert (
        seconds_of("1970-01-01 00:01:00") == seconds_of("1970-01-01T01:01:00+01:00") == seconds_of(60.0) == 60
    )
