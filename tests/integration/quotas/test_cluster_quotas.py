"""What a cluster allows: quotas and limit ranges of a namespace, what nodes have left, and plans by them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from heavylift.errors import CredentialError
from heavylift.evidence.quota_records import QuotaRecord
from heavylift.platforms.kubernetes.objects import number_of
from tests.integration.quotas.test_quotas import planned, read
from tests.support.kubernetes_server import TOKEN, Cluster, serving

SHAPES = Path(__file__).parents[2] / "support" / "data" / "kubernetes-shapes.json.gz"
GPU = "nvidia.com/gpu"


def node(cluster: Cluster, name: str, gpus: int, *, ready: str = "True", **spec: Any) -> None:
    status = {
        "allocatable": {"cpu": "15890m", "memory": "123456789Ki", "pods": "110", GPU: str(gpus)},
        "capacity": {"cpu": "16", "memory": "128Gi", GPU: str(gpus + 1)},
        "conditions": [{"type": "Ready", "status": ready}, {"type": "DiskPressure", "status": "False"}],
    }
    cluster.add("api/v1", "nodes", "Node", name, spec=spec, status=status)


def pod(cluster: Cluster, name: str, on: str, gpus: int, phase: str = "Running", first: int = 0) -> None:
    spec: dict[str, Any] = {
        "nodeName": on,
        "containers": [{"name": "a", "resources": {"limits": {GPU: str(gpus)}}}, {"name": "sidecar"}],
    }
    if first:
        spec["initContainers"] = [{"name": "i", "resources": {"limits": {GPU: str(first)}}}]
    cluster.add("api/v1", "pods", "Pod", name, "other", spec=spec, status={"phase": phase})


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    made.add("api/v1", "namespaces", "Namespace", "ml")
    node(made, "a", 4)
    node(made, "b", 2)
    node(made, "cordoned", 8, unschedulable=True)
    node(made, "broken", 8, ready="Unknown")
    pod(made, "serves", "a", 1)
    pod(made, "prepares", "a", 1, first=2)
    pod(made, "done", "b", 2, "Succeeded")
    pod(made, "elsewhere", "cordoned", 4)
    hard = {f"requests.{GPU}": "6", "requests.storage": "1Ti", "persistentvolumeclaims": "2", "cpu": "1e1"}
    used = {f"requests.{GPU}": "1", "requests.storage": "512Gi", "persistentvolumeclaims": "1", "cpu": "500m"}
    made.add("api/v1", "resourcequotas", "ResourceQuota", "team", "ml", spec={"hard": hard},
             status={"hard": hard, "used": used})  # fmt: skip
    tight = {f"requests.{GPU}": "3"}
    made.add("api/v1", "resourcequotas", "ResourceQuota", "tight", "ml", spec={"hard": tight},
             status={"hard": tight, "used": {f"requests.{GPU}": "1"}})  # fmt: skip
    scoped = {"pods": "1"}
    made.add(
        "api/v1", "resourcequotas", "ResourceQuota", "night", "ml", status={"hard": scoped},
        spec={"hard": scoped, "scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In", "values": ["night"]}]}},
    )  # fmt: skip
    made.add("api/v1", "resourcequotas", "ResourceQuota", "others", "other", spec={"hard": {"pods": "7"}})
    made.add(
        "api/v1", "limitranges", "LimitRange", "claims", "ml",
        spec={"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "200Gi"}},
                         {"type": "Container", "max": {"memory": "64Gi"}, "default": {"cpu": "1"}}]},
    )  # fmt: skip
    with serving(made):
        yield made


def connection(cluster: Cluster, token: str = TOKEN) -> dict[str, Any]:
    return {"conn_type": "kubernetes", "host": cluster.url, "extra": {"token": token, "cluster_name": "c"}}


def taken(cluster: Cluster, tmp_path: Path, region: str = "ml") -> QuotaRecord:
    return read(tmp_path, "kubernetes", region, connection(cluster))


def test_the_cluster_is_of_the_published_shape(cluster: Cluster) -> None:
    shapes = json.loads(gzip.decompress(SHAPES.read_bytes()))
    shared = Registry().with_resource("urn:k", DRAFT202012.create_resource(shapes))
    for each in (item for items in cluster.objects.values() for item in items):
        kind = shapes["kinds"][f"{each['apiVersion']}/{each['kind']}"]
        judge = Draft202012Validator({"$ref": f"urn:k#/definitions/{kind}"}, registry=shared)
        judge.validate(each)
        assert not judge.is_valid({**each, "misspelt": 1})


def test_quotas_ranges_and_what_nodes_have_left_are_read(cluster: Cluster, tmp_path: Path) -> None:
    record = taken(cluster, tmp_path)
    assert (record.complete, record.account) == (True, "c")
    found = {each.key: (each.limit, each.used, each.unit) for each in record.limits}
    assert found == {
        f"nodes:{GPU}": (6, 3, "accelerators"),  # of six that take pods; 1 and 2 are held on them
        f"node:{GPU}": (4, None, "accelerators"),
        f"quota:ml/tight/requests.{GPU}": (3, 1, ""),
        "quota:ml/team/requests.storage": (1024, 512, "GiB"),
        "quota:ml/team/persistentvolumeclaims": (2, 1, ""),
        "quota:ml/team/cpu": (10, 0.5, "cores"),
        "quota:ml/night/pods": (1, None, ""),
        "limitrange:ml/PersistentVolumeClaim/storage": (200, None, "GiB"),
        "limitrange:ml/Container/memory": (64, None, "GiB"),
    }
    assert "only PriorityClass In night" in next(e.name for e in record.limits if e.key.endswith("pods"))
    assert {each.key for each in taken(cluster, tmp_path, "cluster").limits} == {
        f"nodes:{GPU}",
        f"node:{GPU}",
    }
    assert any("continue" in asked for asked in cluster.asked)


def test_plans_are_judged_by_them(cluster: Cluster, tmp_path: Path) -> None:
    record = taken(cluster, tmp_path)
    # g5.xlarge has one device.
    assert "AS-120" not in planned(record, "aws", "endpoint", "g5.xlarge", 2)
    three = planned(record, "aws", "endpoint", "g5.xlarge", 3)["AS-120"]
    assert "ResourceQuota tight" in three
    assert "3 needed by all together, 3 allowed, 1 used" in three
    assert "spec.hard[requests.nvidia.com/gpu] of ResourceQuota tight in namespace ml raised to 4" in three
    assert "of nodes that take pods" not in three
    four = planned(record, "aws", "endpoint", "g5.xlarge", 4)["AS-120"]
    assert "nvidia.com/gpu of nodes that take pods: 4 accelerators needed by all together, 6 allowed" in four
    # Eight devices in one machine, and no node has more than four.
    large = planned(record, "aws", "endpoint", "g5.48xlarge")["AS-120"]
    assert "of the largest node: 8 accelerators needed at once, 4 allowed" in large


def test_volumes_take_of_storage_and_a_claim_has_a_largest_size(cluster: Cluster, tmp_path: Path) -> None:
    record = taken(cluster, tmp_path)
    small = planned(record, "aws", "volume", "", size_bytes=100 * 2**30)
    assert "AS-120" not in small
    text = planned(record, "aws", "volume", "", 2, size_bytes=300 * 2**30)["AS-120"]
    assert "storage of each PersistentVolumeClaim in namespace ml (LimitRange claims): 300 GiB needed" in text
    assert "requests.storage in namespace ml (ResourceQuota team): 600 GiB needed by all together" in text
    assert "persistentvolumeclaims in namespace ml (ResourceQuota team): 2 needed by all together" in text


def test_what_may_not_be_read_is_told_by_its_permission(cluster: Cluster, tmp_path: Path) -> None:
    cluster.forbidden = {"resourcequotas", "pods"}
    record = taken(cluster, tmp_path)
    assert not record.complete
    assert {each.permission for each in record.findings} == {"list resourcequotas", "list pods"}
    assert {each.used for each in record.limits if each.key == f"nodes:{GPU}"} == {None}
    cluster.forbidden.clear()
    [missing] = taken(cluster, tmp_path, "nowhere").findings
    assert (missing.rule, missing.subject) == ("not_found", "namespace nowhere")
    with pytest.raises(CredentialError):
        read(tmp_path, "kubernetes", "ml", connection(cluster, "another"))


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", 0.25), ("1e3", 1000), ("1.5Gi", 1.5 * 2**30), ("12E", 12e18), ("2E-1", 0.2), (".5", 0.5),
     ("100u", 1e-4), ("7", 7), (3, 3), ("", 0), ("a lot", 0), ("1Zi", 0)],
)  # fmt: skip
def test_quantities_are_those_of_kubernetes(text: Any, number: float) -> None:
    assert number_of(text) == pytest.approx(number)
