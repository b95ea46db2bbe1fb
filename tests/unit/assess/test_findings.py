"""Every rule has a component that it speaks of, and one beside it that it leaves alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from heavylift.assess.findings.find import CYCLE, DANGLING, RULES
from heavylift.evidence.assess_input import AcceleratorUse, Component, Licence, Target
from heavylift.evidence.assess_records import Finding
from tests.unit.assess.inputs import TB, constraints, needs, planned

GCP = Target(platform="gcp", region="europe-west4")


@dataclass(frozen=True)
class Case:
    """What of a component makes the rule speak (``bad``) and what does not (``good``)."""

    rule: str
    bad: dict[str, Any]
    good: dict[str, Any]
    target: Target = GCP
    good_target: Target | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    others: int = 0


def gpu(**fields: Any) -> dict[str, Any]:
    return {"service": "SageMaker Endpoint", "accelerator": AcceleratorUse(**fields)}


CASES = (
    Case("AS-101", {"service": "SageMaker Ground Truth"}, {"service": "S3"}),
    Case("AS-102", {"service": "DynamoDB"}, {"service": "S3"}),
    Case("AS-103", {"service": "Frobnicator"}, {"service": "S3"}),
    Case("AS-104", {"uses": ("DynamicFrame",)}, {"uses": ("pyspark",)}),
    Case("AS-105", {"service": "Bedrock custom model"}, {"service": "S3"}),
    Case("AS-110", {"formats": ("neuron",)}, {"formats": ("safetensors",)}),
    Case("AS-111", {"formats": ("tensorrt",)}, {"formats": ("onnx",)}),
    Case("AS-112", gpu(memory_gib_each=900), gpu(memory_gib_each=20)),
    Case("AS-113", gpu(memory_gib_each=20, network_gbps=99_000), gpu(memory_gib_each=20, network_gbps=10)),
    Case("AS-114", gpu(instance_type="inf2.xlarge"), gpu(instance_type="g6.xlarge")),
    Case("AS-115", gpu(instance_type="g5.xlarge"), gpu(instance_type="g6.xlarge")),
    Case("AS-116", gpu(instance_type="zz9.xlarge"), gpu(instance_type="zz9.xlarge", memory_gib_each=16)),
    Case(
        "AS-120", {"quotas": {"gpus": 9}}, {"quotas": {"gpus": 8}},
        Target(platform="gcp", region="europe-west4", quotas={"gpus": 8}),
    ),
    Case(
        "AS-121", {"quotas": {"tpus": 1}}, {"quotas": {"gpus": 1}},
        Target(platform="gcp", region="europe-west4", quotas={"gpus": 8}),
    ),
    Case(
        "AS-122", {"service": "DynamoDB"}, {"service": "S3"},
        Target(platform="gcp", region="europe-west4", missing=("key-value",)),
    ),
    Case("AS-130", {"residency": ("US",)}, {"residency": ("EU",)}),
    Case("AS-201", {"licences": (Licence(name="X", platforms=("aws",)),)},
         {"licences": (Licence(name="X", platforms=("aws", "gcp")),)}),
    Case("AS-202", {"licences": (Licence(name="Vendor EULA"),)}, {"licences": (Licence(name="Apache-2.0"),)}),
    Case("AS-210", {"links": ("ftp://mainframe/x",)}, {"links": ("https://api.example.com/x",)}),
    Case("AS-211", {"links": ("s3://bucket/key",)}, {"links": ("https://api.example.com/x",)}),
    Case("AS-220", {"requirements": ("torch>=2", "a==2.1")}, {"requirements": ("a==2.1", "# a", "-r b")}),
    Case("AS-221", {"formats": ("pickle",)}, {"formats": ("pickle",), "pickle_scan": "safe"}),
    Case("AS-222", {"formats": ("pickle",), "pickle_scan": "unsafe"}, {"formats": ("pickle",)}),
    Case("AS-230", {"replicas": 1}, {"replicas": 2}, others=3),
    Case("AS-240", {"keys": ("k" * 1025,)}, {"keys": ("a/b",)}),
    Case("AS-242", {"unknown": ("size_bytes",)}, {"unknown": ("change_bytes_per_day",)}),
    Case(
        "AS-243", {"size_bytes": 50 * TB, "unknown": ("change_bytes_per_day",)},
        {"size_bytes": 10**9, "unknown": ("change_bytes_per_day",)},
    ),
    Case("AS-241", {"largest_object_bytes": 6 * 2**40}, {"largest_object_bytes": 2**40}),
    Case(
        "AS-250", {"size_bytes": 50 * TB, "change_bytes_per_day": 10**15},
        {"size_bytes": 50 * TB, "change_bytes_per_day": 10**9},
    ),
    Case("AS-251", {"size_bytes": TB}, {"size_bytes": TB, "reverse_sync": True}, limits={"rto_seconds": 60}),
    Case("AS-260", {"owner": ""}, {"owner": "team"}),
)  # fmt: skip


def look(case: Case, fields: dict[str, Any]) -> list[Finding]:
    base = {"id": "it", "kind": "thing", "service": "S3", "owner": "team"}
    others = [Component(id=f"o{n}", service="S3", owner="team") for n in range(case.others)]
    plan = planned(
        Component(**(base | fields)),
        *others,
        targets=(case.target,),
        constraints=constraints(**case.limits),
        dependencies=needs(*((other.id, "it") for other in others)),
    )
    return [finding for finding in plan.findings if finding.rule == case.rule]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_speaks_of_what_is_wrong_and_of_nothing_else(case: Case) -> None:
    (found,) = look(case, case.bad)
    assert found.component == "it"
    assert found.evidence
    assert found.remedy
    assert found.severity == next(rule.severity for rule in RULES if rule.id == case.rule)
    assert look(case, case.good) == []


def test_every_rule_has_a_case_and_an_id_of_its_own() -> None:
    ids = [rule.id for rule in RULES]
    assert ids == sorted(set(ids))
    assert {case.rule for case in CASES} == set(ids)


def test_quotas_are_those_of_all_components_together() -> None:
    target = Target(platform="gcp", region="europe-west4", quotas={"gpus": 8})
    parts = [Component(id=f"c{n}", service="S3", quotas={"gpus": 5}) for n in range(2)]
    rules = [finding.rule for finding in planned(*parts, targets=(target,)).findings]
    assert rules.count("AS-120") == 2


def test_cycles_are_named() -> None:
    parts = [Component(id=name, service="S3", owner="x") for name in "abc"]
    plan = planned(*parts, dependencies=needs(("a", "b"), ("b", "a"), ("c", "a")))
    assert [finding.evidence for finding in plan.findings if finding.rule == CYCLE] == [
        "needs itself through b"
    ]
    assert plan.waves[0].cycles == (("a", "b"),)
    assert not any(f.rule == CYCLE for f in planned(*parts, dependencies=needs(("a", "b"))).findings)


def test_what_nobody_listed_keeps_the_plan_from_being_met_until_it_is_accepted() -> None:
    part = Component(id="a", service="S3")
    missing = needs(("a", "ghost"))
    plan = planned(part, dependencies=missing)
    assert [finding.rule for finding in plan.findings if finding.severity == "blocker"] == [DANGLING]
    assert plan.dangling == ("ghost",)
    assert not plan.met
    accepted = planned(part, dependencies=missing, constraints=constraints(accepted_references=("ghost",)))
    assert accepted.met


def test_a_password_in_a_link_is_not_shown() -> None:
    part = Component(id="a", service="S3", links=("ftp://user:hunter2@host/x?token=abc",))
    (finding,) = [each for each in planned(part).findings if each.rule == "AS-210"]
    assert "hunter2" not in finding.evidence
    assert "abc" not in finding.evidence


def test_a_region_of_an_unknown_law_is_not_taken_for_an_allowed_one() -> None:
    part = Component(id="a", service="S3", residency=("EU",))
    plan = planned(part, targets=(Target(platform="gcp", region="moon-1"),))
    assert any(finding.rule == "AS-130" and "not known" in finding.evidence for finding in plan.findings)
