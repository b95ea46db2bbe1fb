"""Every rule, kept and broken and not known; exceptions; classes that flow; the gate that stands on it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift.compliance.check import check_compliance, judge
from heavylift.compliance.rules import RULES
from heavylift.compliance.transit import transit_of
from heavylift.connections import Connection
from heavylift.errors import SpecError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.compliance_records import ComplianceRecord
from heavylift.evidence.records import utc_now
from heavylift.evidence.store import open_evidence
from heavylift.gates.compliance_checks import judge_compliance
from heavylift.report.controls import build_controls
from heavylift.spec.carried import judged_digest
from heavylift.spec.model import MigrationSpec

TODAY = date(2026, 11, 29)
CONNECTIONS = {
    "src": Connection("src", "aws"),
    "dst": Connection("dst", "google_cloud_platform"),
    "plain": Connection("plain", "aws", extra={"endpoint_url": "http://10.0.0.7:9000"}),
    "evidence": Connection("evidence", "aws"),
}
EVIDENCE = {"connection": "evidence", "url": "s3://proofs/"}
OPEN = {"match": "gs://", "encrypted": False}
TLS = {"bootstrap.servers": "k:9092", "security.protocol": "SASL_SSL"}
HOME = {"match": "s3://proofs", "region": "eu-central-1"}


def spec_of(
    compliance: dict[str, Any], *, region: str = "europe-west1", target: str = "dst"
) -> MigrationSpec:
    people = {"url": "gs://people/", "connection": target}
    return MigrationSpec.model_validate(
        {
            "apiVersion": "heavylift/v1", "migration": "m", "owner": "team", "evidence": EVIDENCE,
            "source": {"platform": "aws", "connection": "src", "region": "eu-central-1"},
            "target": {"platform": "gcp", "connection": "dst", "region": region},
            "datasets": [
                {"name": "people", "source": "s3://people/", "target": people},
                {"name": "derived", "source": "s3://derived/", "target": "gs://derived/"},
            ],
            "compliance": {"places": [HOME], **compliance},
        }
    )  # fmt: skip


def stated(*classes: str) -> list[dict[str, Any]]:
    return [
        {"subject": "people", "classes": list(classes), "reason": "by design"},
        {"subject": "derived", "made_from": ["people"], "reason": "a join"},
    ]


def judged(compliance: dict[str, Any], **more: Any) -> ComplianceRecord:
    spec = spec_of(compliance, **more)
    assert spec.compliance is not None
    return judge(spec, spec.compliance, {}, CONNECTIONS.get, TODAY)


PERSONAL, HEALTH, NONE = stated("personal"), stated("health", "personal"), stated()
KEYS = [{"match": url, "region": "eu-central-1", "key": "kms/1"} for url in ("s3://", "gs://")]
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("GDPR-001", {"frameworks": ["gdpr"], "classify": PERSONAL}, {}, "kept"),
    ("GDPR-001", {"frameworks": ["gdpr"], "classify": PERSONAL}, {"region": "us-central1"}, "broken"),
    ("GDPR-001", {"frameworks": ["gdpr"], "classify": NONE}, {"region": "us-central1"}, "kept"),
    ("GDPR-001", {"frameworks": ["gdpr"], "classify": PERSONAL}, {"region": "mars-1"}, "unknown"),
    (
        "GDPR-001",
        {
            "frameworks": ["gdpr"],
            "classify": PERSONAL,
            "safeguards": [{"jurisdiction": "US", "kind": "scc", "reference": "contract 7"}],
        },
        {"region": "us-central1"},
        "kept",
    ),
    ("GDPR-002", {"frameworks": ["gdpr"], "classify": PERSONAL}, {}, "kept"),
    ("GDPR-002", {"frameworks": ["gdpr"]}, {}, "unknown"),
    ("HIPAA-001", {"frameworks": ["hipaa"], "classify": HEALTH}, {}, "broken"),
    ("HIPAA-001", {"frameworks": ["hipaa"]}, {}, "unknown"),
    (
        "HIPAA-001",
        {"frameworks": ["hipaa"], "classify": HEALTH, "business_associates": ["aws", "gcp"]},
        {},
        "kept",
    ),
    ("HIPAA-002", {"frameworks": ["hipaa"], "classify": HEALTH}, {}, "kept"),
    ("HIPAA-002", {"frameworks": ["hipaa"], "classify": HEALTH}, {"target": "plain"}, "broken"),
    ("HIPAA-003", {"frameworks": ["hipaa"], "classify": HEALTH}, {}, "kept"),
    (
        "HIPAA-003",
        {
            "frameworks": ["hipaa"],
            "classify": HEALTH,
            "places": [HOME, {"match": "gs://", "encrypted": False}],
        },
        {},
        "broken",
    ),
    ("RES-001", {"frameworks": ["residency"], "allowed_regions": ["EU"]}, {}, "kept"),
    ("RES-001", {"frameworks": ["residency"], "allowed_regions": ["EU"]}, {"region": "us-east1"}, "broken"),
    ("RES-001", {"frameworks": ["residency"], "allowed_regions": ["EU"], "places": []}, {}, "unknown"),
    ("ENC-001", {"frameworks": ["encryption"]}, {}, "kept"),
    ("ENC-001", {"frameworks": ["encryption"]}, {"target": "plain"}, "broken"),
    ("ENC-001", {"frameworks": ["encryption"]}, {"target": "nowhere"}, "unknown"),
    ("ENC-002", {"frameworks": ["encryption"]}, {}, "kept"),
    (
        "ENC-002",
        {"frameworks": ["encryption"], "places": [OPEN]},
        {},
        "broken",
    ),
    ("ENC-003", {"frameworks": ["encryption"], "customer_keys": True}, {}, "broken"),
    ("ENC-003", {"frameworks": ["encryption"], "customer_keys": True, "places": KEYS}, {}, "kept"),
    ("ENC-004", {"frameworks": ["encryption"], "places": KEYS[:1]}, {}, "broken"),
    ("ENC-004", {"frameworks": ["encryption"], "places": KEYS}, {}, "kept"),
    ("SEC-001", {"frameworks": ["encryption"], "classify": stated("secret")}, {}, "broken"),
    ("SEC-001", {"frameworks": ["encryption"], "classify": PERSONAL}, {}, "kept"),
]


@pytest.mark.parametrize(("rule", "compliance", "more", "outcome"), CASES)
def test_a_rule(rule: str, compliance: dict[str, Any], more: dict[str, Any], outcome: str) -> None:
    record = judged(compliance, **more)
    worst = {each.outcome for each in record.outcomes if each.rule == rule}
    assert worst, "the rule said nothing"
    assert (outcome in worst) if outcome != "kept" else worst == {"kept"}
    if outcome != "kept":
        assert not record.passed
        assert all(each.remedy for each in record.outcomes if each.outcome != "kept")


def test_every_rule_has_a_case_that_keeps_and_one_that_breaks_it() -> None:
    for rule in RULES:
        outcomes = {outcome for name, _, _, outcome in CASES if name == rule.id}
        assert "kept" in outcomes
        assert outcomes & {"broken", "unknown"}


def test_classes_flow_to_what_is_made_from_it() -> None:
    record = judged({"frameworks": ["gdpr"], "classify": PERSONAL}, region="us-central1")
    broken = {each.subject for each in record.outcomes if each.outcome == "broken"}
    assert broken == {"people", "derived"}


def exception(**more: Any) -> dict[str, Any]:
    return {"rule": "GDPR-001", "reason": "pilot", "approver": "dpo", "expires": "2026-12-01", **more}


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ({}, True),
        ({"expires": "2026-11-28"}, False),
        ({"subject": "people"}, False),
        ({"rule": "RES-001"}, False),
    ],
)
def test_an_exception_holds_for_its_rule_subject_and_time(given: dict[str, Any], passed: bool) -> None:
    compliance = {"frameworks": ["gdpr"], "classify": PERSONAL, "exceptions": [exception(**given)]}
    assert judged(compliance, region="us-central1").passed is passed


async def test_an_exception_is_in_the_audit_trail_and_the_gate_sees_what_changes(tmp_path: Path) -> None:
    compliance = {"frameworks": ["gdpr"], "classify": PERSONAL, "exceptions": [exception()]}
    spec = spec_of(compliance, region="us-central1")
    async with open_evidence(tmp_path.as_uri(), None) as store:
        now, day = utc_now(), timedelta(days=1)
        outcome = await judge_compliance(store, "m", judged_digest(spec), day, now)
        assert not outcome.passed
        await check_compliance(store, spec, CONNECTIONS.get, "cli:ann", TODAY)
        acts = [entry async for entry in AuditTrail(store, "m").entries()]
        assert [each.action for each in acts] == ["compliance.exception_used", "compliance.checked"]
        assert acts[0].details["approver"] == "dpo"
        assert acts[0].details["reason"] == "pilot"
        assert (await judge_compliance(store, "m", judged_digest(spec), day, utc_now())).passed
        other = judged_digest(spec_of({**compliance, "exceptions": []}, region="us-central1"))
        assert not (await judge_compliance(store, "m", other, day, utc_now())).passed
        late = utc_now() + timedelta(days=2)
        assert not (await judge_compliance(store, "m", judged_digest(spec), day, late)).passed


async def test_an_exception_of_a_rule_that_there_is_not_is_refused(tmp_path: Path) -> None:
    spec = spec_of({"frameworks": ["gdpr"], "exceptions": [exception(rule="GDPR-999")]})
    async with open_evidence(tmp_path.as_uri(), None) as store:
        with pytest.raises(SpecError, match=r"GDPR-999.*HL-8311"):
            await check_compliance(store, spec, CONNECTIONS.get, "cli:ann", TODAY)


@pytest.mark.parametrize(
    ("connection", "way"),
    [
        (Connection("c", "postgres", host="db.example", extra={"sslmode": "verify-full"}), "tls"),
        (Connection("c", "postgres", host="db.example", extra={"sslmode": "prefer"}), "plain"),
        (Connection("c", "postgres", host="127.0.0.1"), "loopback"),
        (Connection("c", "mysql", host="db.example"), "plain"),
        (Connection("c", "kafka", extra={"bootstrap.servers": "k:9092"}), "plain"),
        (
            Connection("c", "kafka", extra={"bootstrap.servers": "k:9092", "security.protocol": "SASL_SSL"}),
            "tls",
        ),
        (Connection("c", "kafka", extra={"bootstrap.servers": "127.0.0.1:9092,[::1]:9092"}), "loopback"),
        (Connection("c", "http", host="localhost", port=80), "loopback"),
        (Connection("c", "http", host="mlflow.example", port=80), "plain"),
        (Connection("c", "aws"), "tls"),
        (Connection("c", "ssh"), "unknown"),
        (None, "unknown"),
    ],
)
def test_whether_a_way_is_encrypted(connection: Connection | None, way: str) -> None:
    assert transit_of(connection, "c").way == way


async def test_controls_are_shown_by_acts_and_rules(tmp_path: Path) -> None:
    compliance = {"frameworks": ["gdpr", "encryption"], "classify": PERSONAL, "exceptions": [exception()]}
    async with open_evidence(tmp_path.as_uri(), None) as store:
        await check_compliance(
            store,
            spec_of(compliance, region="us-central1", target="plain"),
            CONNECTIONS.get,
            "cli:ann",
            TODAY,
        )
        record, refs = await build_controls(store, "m")
        page = (await store.read_bytes(refs[1].path)).decode()
    standing = {each.control: each.standing for each in record.controls}
    assert standing["GDPR art. 44"] == "excepted"
    assert standing["GDPR art. 32(1)(a)"] == "contradicted"
    assert standing["HIPAA 164.312(e)(1)"] == "not shown"
    assert standing["GDPR art. 32(1)(d)"] == "shown"
    assert record.trail_intact
    assert "GDPR art. 44" in page
    assert "<script" not in page


def test_logs_and_what_is_staged_are_on_the_path() -> None:
    legs = {(each.leg, each.outcome) for each in judged({
        "frameworks": ["residency", "encryption"], "allowed_regions": ["EU"], "classify": NONE,
        "logs": ["s3://logs/airflow"],
        "places": [HOME, {"match": "s3://logs", "region": "us-east-1"}],
    }).outcomes}  # fmt: skip
    assert ("logs", "broken") in legs
    spec = spec_of({"frameworks": ["residency"], "allowed_regions": ["EU"], "classify": NONE})
    staged = {
        "name": "people", "source": "s3://people/", "target": "gs://people/",
        "via": "storage-transfer-service", "service": {"manifest": "gs://lists/heavylift/"},
    }  # fmt: skip
    raw = {**spec.model_dump(mode="json", by_alias=True), "datasets": [staged]}
    whole = MigrationSpec.model_validate(raw)
    assert whole.compliance is not None
    outcomes = judge(whole, whole.compliance, {}, CONNECTIONS.get, TODAY).outcomes
    [found] = [each for each in outcomes if each.leg == "staging" and each.rule == "RES-001"]
    assert found.outcome == "unknown"
    assert "gs://lists/heavylift/" in found.detail
