"""A cluster of known content, over HTTP: nothing overlooked, nothing invented, no secret's value read."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

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


def test_what_is_served_is_of_the_published_shape() -> None:
    made = Cluster()
    seed(made)
    shapes = json.loads(gzip.decompress(SHAPES.read_bytes()))
    # One tree of definitions; checking that itself for each object would take minutes.
    shared = Registry().with_resource("urn:k", DRAFT202012.create_resource(shapes))
    checked = 0
    for each in (item for items in made.objects.values() for item in items):
        name = f"{each['apiVersion']}/{each['kind']}"
        if name in shapes["kinds"]:
            schema = {"$ref": f"urn:k#/definitions/{shapes['kinds'][name]}"}
            judge = Draft202012Validator(schema, registry=shared)
            judge.validate(each)
            assert not judge.is_valid({**each, "misspelt": 1})
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


def test_a_killed_run_goes_on_with_what_was_not_read(
    cluster: tuple[Cluster, ClusterTruth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, truth = cluster
    made.delay = 0.2
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps(connection(made)))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "include"))
    command = [
        sys.executable,
        "-m",
        "heavylift",
        "inventory",
        "--platform",
        "kubernetes",
        "--conn",
        "cluster",
    ]
    command += ["--evidence", tmp_path.as_uri(), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while len(list(tmp_path.rglob("done.json"))) < 6 and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.005)
    process.kill()
    _, told = process.communicate()
    assert process.returncode == -signal.SIGKILL, told
    read, made.delay = len(list(tmp_path.rglob("done.json"))), 0.0
    asked = len(made.asked)
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    record = InventoryRecord.model_validate(json.loads(again.stdout)["inventory"])
    assert again.returncode == 0, again.stderr
    assert "going on with run" in again.stderr
    assert record.units_kept >= read >= 6
    assert len(made.asked) - asked <= record.units - record.units_kept + 20
    assert record.component_count == len(truth.components)
