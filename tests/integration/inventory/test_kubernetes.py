"""A cluster of known content, over HTTP: nothing overlooked, nothing invented, no secret's value read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from heavylift.errors import CredentialError
from heavylift.evidence.inventory_records import InventoryRecord
from tests.integration.inventory.systems import Taken, take, take_graph
from tests.support.kubernetes_server import TOKEN, Cluster, serving
from tests.support.seeded_cluster import NAME, SECRET, ClusterTruth, id_of, seed

SHAPES = Path(__file__).parents[2] / "support" / "data" / "kubernetes-shapes.json.gz"


def connection(cluster: Cluster, token: str = TOKEN) -> dict[str, Any]:
    return {
        "conn_type": "kubernetes",
        "host": cluster.url,
        "extra": {"token": token, "cluster_name": NAME},
    }


@pytest.fixture
def cluster() -> Iterator[tuple[Cluster, ClusterTruth]]:
    made = Cluster()
    truth = seed(made)
    with serving(made):
        yield made, truth


def taken(cluster: Cluster, evidence: Path, *, run: str = "first", **more: Any) -> Taken:
    return take("kubernetes", connection(cluster), evidence, run=run, **more)


def test_what_is_served_is_of_the_published_shape(cluster: tuple[Cluster, ClusterTruth]) -> None:
    shapes = json.loads(gzip.decompress(SHAPES.read_bytes()))
    checked = 0
    for each in (item for items in cluster[0].objects.values() for item in items):
        name = f"{each['apiVersion']}/{each['kind']}"
        if name in shapes["kinds"]:
            schema = {"$ref": f"#/definitions/{shapes['kinds'][name]}", "definitions": shapes["definitions"]}
            jsonschema.validate(each, schema)
            checked += 1
    assert checked >= 30


def test_every_object_is_found_and_none_is_invented(
    cluster: tuple[Cluster, ClusterTruth], tmp_path: Path
) -> None:
    made, truth = cluster
    found = taken(made, tmp_path)
    assert {each.id: each.native_type for each in found.components} == truth.components
    assert found.record.complete, found.record.findings
    assert any("continue=" in path for path in made.asked), "pages"
    by_id = {each.id: each for each in found.components}
    assert by_id[id_of("core", "Node", "gpu-1")].attributes["accelerators"] == {"nvidia.com/gpu": 8}
    serve = by_id[id_of("apps", "Deployment", "serve", "fraud")]
    assert serve.attributes["accelerators"] == {"nvidia.com/gpu": 2}
    assert by_id[id_of("core", "PersistentVolumeClaim", "cache", "fraud")].size_bytes == 100 * 2**30


def test_edges_are_those_of_the_truth(cluster: tuple[Cluster, ClusterTruth], tmp_path: Path) -> None:
    made, truth = cluster
    taken(made, tmp_path)
    graph = take_graph(tmp_path, "kubernetes").graph
    assert {(edge.source, edge.target) for edge in graph.edges if edge.explicit} == truth.explicit
    assert {(edge.source, edge.target) for edge in graph.edges if not edge.explicit} == truth.inferred
    assert {each.reference.target for each in graph.outside} == truth.outside


def test_no_value_of_a_secret_is_kept_or_even_asked_for(
    cluster: tuple[Cluster, ClusterTruth], tmp_path: Path
) -> None:
    made, _ = cluster
    taken(made, tmp_path)
    assert "PartialObjectMetadataList" in made.accepted["secrets"]
    assert "PartialObjectMetadataList" not in made.accepted["deployments"]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept = b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in files
    )
    assert b"settings" in kept
    assert SECRET.encode() not in kept


def test_a_kind_that_is_refused_is_a_finding_that_names_the_permission(
    cluster: tuple[Cluster, ClusterTruth], tmp_path: Path
) -> None:
    made, _ = cluster
    made.forbidden |= {"secrets", "deployments"}
    record = taken(made, tmp_path).record
    missing = {each.permission for each in record.findings if each.rule == "permission_missing"}
    assert missing == {"list secrets", "list deployments.apps"}
    assert not record.complete
    assert "Kubernetes::Secret" not in record.types
    assert record.types["Kubernetes::StatefulSet"] == 2


def test_a_token_that_expired_begins_again_and_tells_nothing_twice(
    cluster: tuple[Cluster, ClusterTruth], tmp_path: Path
) -> None:
    made, truth = cluster
    made.page = 1
    made.expire_once |= {"services", "configmaps"}
    found = taken(made, tmp_path)
    assert {each.id for each in found.components} == set(truth.components)
    assert found.record.component_count == sum(found.record.types.values()) == len(truth.components)
    assert not made.expire_once


def test_namespaces_can_be_chosen(cluster: tuple[Cluster, ClusterTruth], tmp_path: Path) -> None:
    made, truth = cluster
    record: InventoryRecord = taken(made, tmp_path, regions=("fraud",)).record
    wanted = [id for id in truth.components if "/search/" not in id]
    assert record.component_count == len(wanted)
    assert any("/namespaces/fraud/deployments" in path for path in made.asked)


def test_a_refused_token_ends_the_run(cluster: tuple[Cluster, ClusterTruth], tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="accepted"):
        take("kubernetes", connection(cluster[0], "another"), tmp_path)
