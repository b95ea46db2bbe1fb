"""The tables of Kubernetes and of servers: what they ask for, and what an object is shown as."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from heavylift.inventory.kubernetes.fields import image_name
from heavylift.inventory.kubernetes.rows import CORE, ROWS
from heavylift.inventory.platforms import needed_policy, rows_of
from heavylift.platforms.kubernetes.control import permission_of
from heavylift.platforms.kubernetes.objects import number_of, shown
from heavylift.spec.vocabulary import System

SHAPES = Path(__file__).parents[2] / "support" / "data" / "kubernetes-shapes.json.gz"


@pytest.mark.parametrize("system", list(System))
def test_every_system_has_rows_of_its_own_and_tells_what_it_needs(system: System) -> None:
    rows = rows_of(system)
    names = [row.native_type for row in rows]
    assert rows
    assert len(set(names)) == len(names)
    assert needed_policy(system)


def test_the_kinds_that_every_cluster_has_are_those_of_the_published_schema() -> None:
    kinds = json.loads(gzip.decompress(SHAPES.read_bytes()))["kinds"]
    published = {tuple(name.rpartition("/")[::2]) for name in kinds}
    others = {"Gateway", "HTTPRoute"}
    for row in CORE:
        kind = row.native_type.partition("::")[2]
        api = row.listing.removeprefix("GET /").partition("/{scope}")[0].rpartition("/")
        version = row.listing.removeprefix("GET /apis/").removeprefix("GET /api/").split("/")
        group = f"{version[0]}/{version[1]}" if row.listing.startswith("GET /apis/") else version[0]
        assert (group, kind) in published or kind in others, (api, group, kind)


def test_the_role_of_a_cluster_lists_and_nothing_else() -> None:
    role = needed_policy(System.KUBERNETES)
    resources = [rule for rule in role["rules"] if "resources" in rule]
    assert {verb for rule in resources for verb in rule["verbs"]} == {"list"}
    assert sum(len(rule["resources"]) for rule in resources) == len(ROWS)


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        ("GET /apis/apps/v1/deployments", "list deployments.apps"),
        ("GET /apis/apps/v1/namespaces/x/deployments", "list deployments.apps"),
        ("GET /api/v1/secrets", "list secrets"),
        ("GET /version", "get /version"),
    ],
)
def test_a_permission_is_a_verb_and_a_resource(operation: str, permission: str) -> None:
    assert permission_of(operation) == permission


@pytest.mark.parametrize(
    ("quantity", "number"),
    [("1", 1), ("100Gi", 100 * 2**30), ("1.5G", 1.5e9), ("250m", 0.25), ("x", 0), ("", 0), (7, 7)],
)
def test_quantities(quantity: object, number: float) -> None:
    assert number_of(quantity) == number


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("python", "docker.io/library/python"),
        ("team/serve:1", "docker.io/team/serve"),
        ("r.example.com:5000/a/b:1@sha256:0", "r.example.com:5000/a/b"),
        ("localhost/a", "localhost/a"),
    ],
)
def test_an_image_is_named_with_its_registry(image: str, name: str) -> None:
    assert image_name(image) == name


def test_an_object_is_shown_without_secrets_and_without_what_moves_by_itself() -> None:
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    item = {
        "kind": "Secret",
        "metadata": {"name": "s", "managedFields": [1], "annotations": {applied: "hidden", "a": "b"}},
        "data": {"password": "hidden"},
        "stringData": {"password": "hidden"},
        "status": {"conditions": [{"type": "Ready", "lastHeartbeatTime": "now"}]},
    }
    kept = shown(item, secret=True)
    assert "hidden" not in json.dumps(kept)
    assert kept["annotations"] == {"a": "b"}
    assert kept["status"] == {"conditions": [{"type": "Ready"}]}
    assert shown({**item, "kind": "ConfigMap"})["environment"] == {"password": "hidden"}
