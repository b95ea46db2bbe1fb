"""Each platform's evaluator: AWS's against another program's answers, the others against documents."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from heavylift.access.aws_evaluate import aws_allows, aws_may_assume
from heavylift.access.aws_read import Reader as AwsReader
from heavylift.access.azure_conditions import BLOBS
from heavylift.access.azure_evaluate import azure_allows
from heavylift.access.conditions import NEUTRAL_KEYS
from heavylift.access.gcp_evaluate import gcp_allows
from heavylift.access.kubernetes_rbac import kubernetes_allows
from heavylift.access.model import Place
from heavylift.access.needs import allowed_region
from heavylift.access.regions import NEVER
from heavylift.access.table import load_table

ANSWERS = Path(__file__).parents[2] / "support" / "data" / "iam_simulate_answers.json.gz"


def test_aws_answers_as_iam_simulate_does() -> None:
    cases = json.loads(gzip.decompress(ANSWERS.read_bytes()))["cases"]
    assert len(cases) == 800
    for case in cases:
        context = {
            NEUTRAL_KEYS.get(key.lower(), key.lower()): value if isinstance(value, list) else [value]
            for key, value in case["context"].items()
        }
        ours = aws_allows(case["identity"], case["action"], case["resource"], context)
        if ours != case["allowed"]:
            # What a variable without a value stands for in NotResource is not documented: we allow nothing.
            assert not ours, case
            assert "${" in json.dumps(case["identity"]), case


def test_a_role_is_acted_as_only_where_its_trust_policy_says_so() -> None:
    arn = "arn:aws:iam::1:role/{}".format
    trust = {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": arn("a")}}}
    may = {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}
    barred = {"Statement": {"Effect": "Deny", "Action": "sts:*", "Resource": "*"}}
    identities: dict[str, Any] = {
        arn("a"): {"id": arn("a"), "policies": []},
        arn("b"): {"id": arn("b"), "policies": [{"name": "p", "document": may}]},
        arn("c"): {"id": arn("c"), "policies": [], "trust": trust},
    }
    assert aws_may_assume(identities, arn("a"), arn("c"), {})
    assert not aws_may_assume(identities, arn("b"), arn("c"), {})
    assert aws_may_assume(identities, arn("b"), arn("unknown"), {})
    identities[arn("a")]["policies"].append({"name": "d", "document": barred})
    assert not aws_may_assume(identities, arn("a"), arn("c"), {})


LISTED = 'api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("a/")'


def test_a_denial_of_all_of_a_service_bars_what_has_no_resource() -> None:
    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::*"},
    ]
    given = {"id": "r", "policies": [{"name": "p", "document": {"Statement": statements}}]}
    assert not aws_allows(given, "s3:ListAllMyBuckets", "*", {})
    [identity] = AwsReader(load_table(), Place("aws", "1")).read({"identities": [given]}).identities
    assert allowed_region(identity, "s3:ListAllMyBuckets", "account") == NEVER


BUCKET = "//storage.googleapis.com/projects/_/buckets/b"


@pytest.mark.parametrize(
    ("expression", "resource", "context", "allowed"),
    [
        ("", BUCKET, {}, True),
        ('resource.name.startsWith("projects/_/buckets/b/objects/a/")', f"{BUCKET}/objects/a/x", {}, True),
        ('resource.name.startsWith("projects/_/buckets/b/objects/a/")', f"{BUCKET}/objects/b", {}, False),
        ('!(resource.name == "projects/_/buckets/b/objects/a")', f"{BUCKET}/objects/a", {}, False),
        ('request.time < timestamp("2030-01-01T00:00:00Z")', BUCKET, {"time": ["2029-01-01"]}, True),
        ('request.time < timestamp("2030-01-01T00:00:00Z")', BUCKET, {"time": ["2031-01-01"]}, False),
        (LISTED, BUCKET, {"list_prefix": ["a/b"]}, True),
        (LISTED, BUCKET, {}, False),
        ('request.auth.claims.x == "not understood"', BUCKET, {}, False),
        ("((((true)))) && !false || false", BUCKET, {}, True),
        ("(" * 500 + "true" + ")" * 500, BUCKET, {}, False),
        ("", "//storage.googleapis.com/projects/_/buckets/bb", {}, False),
    ],
)  # fmt: skip
def test_google_reads_conditions_and_resources(
    expression: str, resource: str, context: dict[str, list[str]], allowed: bool
) -> None:
    binding: dict[str, Any] = {"role": "r", "members": ["user:a@b.c"]}
    if expression:
        binding["condition"] = {"expression": expression}
    bundle = {
        "project": "p",
        "roles": [{"name": "r", "includedPermissions": ["storage.objects.get"]}],
        "policies": [{"resource": BUCKET, "policy": {"bindings": [binding]}}],
        "denyPolicies": [],
    }
    assert gcp_allows(bundle, "user:a@b.c", "storage.objects.get", resource, context) is allowed
    denial = {
        "deniedPrincipals": ["principalSet://goog/public:all"],
        "deniedPermissions": ["storage.googleapis.com/objects.*"],
        "exceptionPrincipals": ["principal://goog/subject/other@b.c"],
    }
    bundle["denyPolicies"] = [{"rules": [{"denyRule": denial}]}]
    assert not gcp_allows(bundle, "user:a@b.c", "storage.objects.get", resource, context)


READ = f"{BLOBS}/read"
CONTAINER = "/subscriptions/s/x/blobServices/default/containers/c"
A_PATH = f"(!(ActionMatches{{'{READ}'}})) OR (@Resource[{BLOBS}:path] StringLike 'a/*')"


@pytest.mark.parametrize(
    ("role", "condition", "permission", "resource", "allowed"),
    [
        ({"dataActions": ["*/read"]}, "", f"{READ}#read", f"{CONTAINER}/blobs/x", True),
        ({"actions": ["*"]}, "", f"{READ}#read", f"{CONTAINER}/blobs/x", False),
        ({"dataActions": ["*"], "notDataActions": [READ.upper()]}, "", f"{READ}#read", CONTAINER, False),
        ({"dataActions": [READ]}, A_PATH, f"{READ}#read", f"{CONTAINER}/blobs/a/x", True),
        ({"dataActions": [READ]}, A_PATH, f"{READ}#read", f"{CONTAINER}/blobs/b", False),
        ({"dataActions": [READ]}, "!(SubOperationMatches{'Blob.List'})", f"{READ}#list", CONTAINER, False),
        ({"dataActions": [READ]}, "@Principal[x] StringEquals 'unknown'", f"{READ}#read", CONTAINER, False),
        ({"dataActions": [READ]}, "", f"{READ}#read", "/subscriptions/s2/x", False),
    ],
)
def test_azure_reads_actions_conditions_and_scopes(
    role: dict[str, Any], condition: str, permission: str, resource: str, allowed: bool
) -> None:
    bundle: dict[str, Any] = {
        "roleDefinitions": [{"id": "R", "permissions": [role]}],
        "roleAssignments": [
            {
                "principalId": "p",
                "roleDefinitionId": "r",
                "scope": "/subscriptions/S/",
                "condition": condition,
            }
        ],
    }
    assert azure_allows(bundle, "p", permission, resource, {}) is allowed
    denial = {
        "scope": "/",
        "principals": [{"id": "g", "type": "Group"}],
        "permissions": [{"dataActions": ["*"]}],
    }
    assert not azure_allows({**bundle, "denyAssignments": [denial]}, "p", permission, resource, {})


@pytest.mark.parametrize(
    ("rule", "permission", "resource", "allowed"),
    [
        ({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}, "secrets:get", "ml/a", True),
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, "batch/jobs:create", "ml/a", True),
        ({"apiGroups": [""], "resources": ["jobs"], "verbs": ["*"]}, "batch/jobs:create", "ml/a", False),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}, "pods/log:get", "ml/a", False),
        ({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}, "secrets:get", "other/a", False),
        ({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"], "resourceNames": ["b"]},
         "secrets:get", "ml/a", False),
    ],
)  # fmt: skip
def test_kubernetes_reads_rules(rule: dict[str, Any], permission: str, resource: str, allowed: bool) -> None:
    meta = {"name": "r", "namespace": "ml"}
    bundle = {
        "objects": [
            {"kind": "Role", "metadata": meta, "rules": [rule]},
            {"kind": "RoleBinding", "metadata": meta, "roleRef": {"kind": "Role", "name": "r"},
             "subjects": [{"kind": "ServiceAccount", "name": "sa", "namespace": "ml"}]},
        ]
    }  # fmt: skip
    assert kubernetes_allows(bundle, "system:serviceaccount:ml:sa", permission, resource, {}) is allowed
