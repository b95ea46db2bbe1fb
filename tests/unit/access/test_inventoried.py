"""What an inventory keeps of permissions becomes documents, and what it cut is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heavylift.access.inventoried import documents_of
from heavylift.access.model import Place
from heavylift.access.platforms import bundle_of
from heavylift.errors import IncompleteError
from heavylift.evidence.inventory_records import Component, Kind

ARN = "arn:aws:iam::111122223333:role/r"


def component(platform: str, native_type: str, attributes: dict[str, Any]) -> Component:
    return Component(
        ARN, platform, "iam", Kind.ROLE, native_type, "r", account="p", attributes_json=json.dumps(attributes)
    )


def aws_role(resource: str) -> Component:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": resource}
    inline = {"PolicyName": "p", "PolicyDocument": {"Statement": [statement]}}
    return component("aws", "AWS::IAM::Role", {"Arn": ARN, "RolePolicyList": [inline]})


def test_every_platforms_components_make_its_bundle() -> None:
    [(where, document)] = documents_of([aws_role("*"), component("aws", "AWS::S3::Bucket", {})], "path")
    bundle = bundle_of(Place("aws", "1"), [(where, document)])
    assert bundle["identities"][0]["policies"][0]["name"] == "p"
    policy = component("gcp", "GCP::IAM::Policy", {"bindings": [{"role": "r", "members": ["user:a"]}]})
    role = component("gcp", "GCP::IAM::Role", {"name": "r", "includedPermissions": ["a.b.c"]})
    bundle = bundle_of(Place("gcp", "p"), documents_of([policy, role], "path"))
    assert (len(bundle["policies"]), len(bundle["roles"])) == (1, 1)
    assigned = {"properties": {"principalId": "x", "roleDefinitionId": "r", "scope": "/s"}}
    found = documents_of([component("azure", "Azure::Authorization::RoleAssignment", assigned)], "path")
    assert len(bundle_of(Place("azure", "/s"), found)["roleAssignments"]) == 1
    rules = component("kubernetes", "Kubernetes::Role", {"metadata": {"name": "r"}, "rules": []})
    assert bundle_of(Place("kubernetes", "n"), documents_of([rules], "path"))["objects"][0]["kind"] == "Role"


@pytest.mark.parametrize("cut", ["arn:aws:s3:::***", "arn:aws:s3:::b… (3000 characters)"])
def test_a_policy_that_is_not_whole_is_refused(cut: str) -> None:
    with pytest.raises(IncompleteError, match="HL-8106"):
        documents_of([aws_role(cut)], "path")
